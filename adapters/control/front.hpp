#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/control/gate.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/edge/http_date.hpp"
#include "adapters/edge/listener.hpp"
#include "adapters/io/clock.hpp"

namespace cellroute::control {

/// What is asked of the pages.
struct front_request {
  std::string_view method;
  std::string_view path;
  std::string_view query;  ///< without the question mark
};

/// What they answer.
struct front_answer {
  std::uint16_t status = 200;
  std::string_view type = "application/json";
  std::string body{};
  std::string_view allow{};  ///< of a 405
  std::string etag{};
};

/// Everything that is no session of a router.
class front_pages {
 public:
  [[nodiscard]] virtual front_answer answer(const front_request& asked) = 0;

 protected:
  ~front_pages() = default;
};

/// An error as RFC 9457 has it. Range: `code` and `detail` are texts of ours.
[[nodiscard]] front_answer front_problem(std::uint16_t status, std::string_view code, std::string_view detail);

/// The port of the control plane: lets in whom the gate lets in, makes sessions of `/connect` and `/v1/connect`, and
/// gives all else to the pages.
///
/// Threads: the reactor's. What it is given outlives it.
class front final : public edge::exchange_handler {
 public:
  /// `server` null: sessions are not served here. `guard` null: everybody is let in.
  front(const io::loop_clock& clock, const gate* guard, push_server* server, front_pages& pages)
      : clock_(clock), gate_(guard), server_(server), pages_(pages) {}

  /// What is decided at once needs no frame: a session that lasts for days holds that of its server alone.
  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  [[nodiscard]] io::task<void> connect(edge::exchange& x);
  [[nodiscard]] io::task<void> send(edge::exchange& x, front_answer answer, std::string_view further_fields = {});

  const io::loop_clock& clock_;
  const gate* gate_;
  push_server* server_;
  front_pages& pages_;
  edge::http_date date_;
  std::uint64_t requests_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace cellroute::control
