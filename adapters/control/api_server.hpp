#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "adapters/control/api.hpp"
#include "adapters/edge/http1_upstream.hpp"

namespace cellroute::control {

/// Who answers a connection that leads to nobody else says so in these fields; a client's own of these names never get
/// there.
inline constexpr std::string_view peer_field = "X-Cellroute-Peer";                ///< `local` or `remote`
inline constexpr std::string_view certificate_field = "X-Cellroute-Certificate";  ///< the name in it, if any
inline constexpr std::string_view role_field = "X-Cellroute-Role";  ///< what that name may be, if anything
inline constexpr std::string_view user_field =
    "X-Cellroute-User";  ///< the user, where it came by the break-glass socket
/// `Content-Encoding` under a name that the library does not know: it takes content that is cut for a whole one.
inline constexpr std::string_view coding_field = "X-Cellroute-Coding";

/// Serves the API by cpp-httplib, on connections of this process alone: each is one half of a pair of sockets, so there
/// is no port and no file that anybody else could open. One request a connection.
///
/// A request has a thread while it is answered; those beyond the threads wait. Threads: any.
class api_server final : public edge::connector {
 public:
  /// Range: `body_max` bytes of a request's content, as the API has it; `threads` at least 1.
  api_server(api& of, std::size_t body_max, std::size_t threads);
  api_server(const api_server&) = delete;
  api_server& operator=(const api_server&) = delete;
  /// Cuts what is not answered yet, and waits for its threads.
  ~api_server();

  [[nodiscard]] expected<int, int> connect() override;
  /// Ends what has no end, and takes no more.
  void stop();

 private:
  class server;
  std::unique_ptr<server> server_;
};

}  // namespace cellroute::control
