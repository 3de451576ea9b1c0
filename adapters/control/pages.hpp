#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "adapters/control/front_answer.hpp"
#include "adapters/control/publisher.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/log_writer.hpp"

namespace cellroute::control {

/// starting  nothing is published yet
/// ready     routers are served
/// draining  it stops
enum class control_state : std::uint8_t { starting, ready, draining };
[[nodiscard]] std::string_view to_string(control_state state);

/// What the pages show besides publisher and sessions.
class page_source {
 public:
  [[nodiscard]] virtual control_state state() const = 0;
  /// Why the followed file is not what is published; empty where it is, or none is followed.
  [[nodiscard]] virtual std::span<const std::string> mistakes() const = 0;
  [[nodiscard]] virtual std::string metrics() const = 0;

 protected:
  ~page_source() = default;
};

struct page_options {
  std::string version{};
  std::string commit{};
  std::string watch{};  ///< the file that is followed
  std::string base_dialect{};
  std::uint32_t routers_max = 0;
  bool has_fleet = true;  ///< else there are health and metrics only
};

/// The pages that the control plane answers itself: health, metrics, what is published, and who runs it.
///
/// Threads: the reactor's. What it is given outlives it.
class control_pages final : public edge::exchange_handler {
 public:
  control_pages(const io::loop_clock& clock, const push_server& server, const publisher& published, page_source& source,
                page_options options)
      : clock_(clock),
        server_(server),
        published_(published),
        source_(source),
        options_(std::move(options)),
        answers_(clock) {}

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

 private:
  [[nodiscard]] front_answer answer(std::string_view path) const;
  [[nodiscard]] front_answer ready() const;
  [[nodiscard]] front_answer info() const;
  [[nodiscard]] front_answer config() const;
  [[nodiscard]] front_answer routers() const;
  [[nodiscard]] front_answer router(std::string_view id) const;
  [[nodiscard]] front_answer drift() const;
  [[nodiscard]] std::optional<wire::content_id> target() const;

  const io::loop_clock& clock_;
  const push_server& server_;
  const publisher& published_;
  page_source& source_;
  page_options options_;
  answer_writer answers_;
};

}  // namespace cellroute::control
