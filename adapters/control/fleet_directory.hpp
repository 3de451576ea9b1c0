#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/api.hpp"
#include "adapters/control/fleet.hpp"
#include "adapters/control/publisher.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/control/watch.hpp"
#include "adapters/io/reactor.hpp"

namespace cellroute::control {

/// Answers the API's questions about routers: asked on any thread, answered by the reactor, whose the sessions are.
///
/// Outlives the reactor's run. Once `close` was called, or where the reactor does not answer within some seconds, it
/// knows nobody.
class fleet_directory final : public router_directory {
 public:
  /// `watched` and `past` may be null.
  fleet_directory(io::reactor& reactor, push_server& server, const publisher& published, watched_file* watched,
                  const fleet_memory* past)
      : reactor_(reactor), server_(server), published_(published), watched_(watched), past_(past) {}
  fleet_directory(const fleet_directory&) = delete;
  fleet_directory& operator=(const fleet_directory&) = delete;
  ~fleet_directory() = default;

  [[nodiscard]] listing routers(const filter& asked) override;
  [[nodiscard]] std::optional<std::string> router(std::string_view id) override;
  [[nodiscard]] std::string drift() override;
  [[nodiscard]] std::optional<running_fleet> running(std::size_t ids_max) override;
  [[nodiscard]] std::vector<std::string> mistakes() override;
  [[nodiscard]] bool retry_file(std::string_view lifted) override;
  [[nodiscard]] bool command(std::string_view id, std::string_view what) override;

  /// Nobody waits any longer.
  void close() { is_closed_ = true; }

 private:
  [[nodiscard]] fleet look() const;
  template <class Answer, class Question>
  [[nodiscard]] Answer ask(Question question);

  io::reactor& reactor_;
  push_server& server_;
  const publisher& published_;
  watched_file* watched_;
  const fleet_memory* past_;
  std::atomic<bool> is_closed_ = false;
};

}  // namespace cellroute::control
