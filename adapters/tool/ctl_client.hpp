#pragma once

#include <memory>
#include <string>

#include "adapters/tool/ctl.hpp"

namespace cellroute::tool {

/// The way to a control plane over HTTP or HTTPS.
class ctl_client final : public api_transport {
 public:
  /// `url` as `http://HOST:PORT` or `https://HOST:PORT`; the files may be empty: no token, the system's certificates.
  ///
  /// Errors: as a line for the operator, about the URL or a file.
  [[nodiscard]] static expected<ctl_client, std::string> open(const std::string& url, const std::string& token_file,
                                                              const std::string& ca_file);
  ctl_client(ctl_client&& other) noexcept;
  ctl_client& operator=(ctl_client&&) = delete;
  ~ctl_client();

  [[nodiscard]] expected<api_reply, no_reply> ask(const api_request& what) override;
  [[nodiscard]] expected<api_reply, no_reply> follow(const api_request& what, piece_listener& to) override;
  void stop() override;

 private:
  struct connection;
  explicit ctl_client(std::unique_ptr<connection> open);
  std::unique_ptr<connection> connection_;
};

}  // namespace cellroute::tool
