#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/edge/http_date.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/proxy/config_source.hpp"
#include "adapters/proxy/local_answer.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "cellroute/base/time.hpp"
#include "cellroute/snapshot/published.hpp"

namespace cellroute::proxy {

/// Whether the router wants new requests.
enum class readiness : std::uint8_t {
  starting,
  unconfigured,  ///< nothing has come from the control plane yet, and the file has no routing
  stale,         ///< what runs was not confirmed for `process.max_config_age`; it serves on
  ready,
  draining,
};
[[nodiscard]] std::string_view to_string(readiness state);

/// A configuration that was refused.
struct config_refusal {
  std::optional<wall_time> at;
  std::vector<std::string> mistakes{};
};

/// What the admin pages show of the router. Called on the admin's reactor.
class admin_source {
 public:
  [[nodiscard]] virtual readiness ready() const = 0;
  [[nodiscard]] virtual std::string metrics() const = 0;
  [[nodiscard]] virtual std::string_view config_origin() const = 0;  ///< as the metrics have it: `file`, `push`
  [[nodiscard]] virtual std::string config_file() const = 0;
  [[nodiscard]] virtual wall_time config_applied_at() const = 0;
  /// What a control plane sent, where that is current.
  [[nodiscard]] virtual std::optional<wire::content_id> pushed() const = 0;
  /// The last refusal; without mistakes where the file, or what was pushed last, is what is current.
  [[nodiscard]] virtual config_refusal last_refusal() const = 0;
  /// The rows of the current configuration that are not served.
  [[nodiscard]] virtual const wire::quarantine& quarantined() const = 0;
  /// Whether whoever reaches the admin listener may have the configuration read again.
  [[nodiscard]] virtual bool may_reload() const = 0;
  /// Has it read again. `lifted` names a guard that does not count this time, or nothing.
  [[nodiscard]] virtual io::task<reload_report> reload(std::string lifted) = 0;

 protected:
  ~admin_source() = default;
};

struct admin_options {
  std::string metrics_path = "/metrics";
  std::string version;
  std::string commit;
};

/// The pages of the admin listener: health, readiness, version, metrics, configuration, explanation; and the wish to
/// have the configuration read again.
///
/// The contract is docs/openapi.yaml. Threads: one reactor's.
class admin_pages final : public edge::exchange_handler {
 public:
  admin_pages(const io::loop_clock& clock, published<active_configuration>& configurations, admin_source& source,
              admin_options options)
      : clock_(clock), configurations_(configurations), source_(source), options_(std::move(options)) {}

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;
  void set_metrics_path(const std::string& path) { options_.metrics_path = path; }
  /// Once a tick: lets go of a table that was replaced while nobody asked for a page.
  void refresh() { (void)configurations_.current(); }

 private:
  struct page {
    std::uint16_t status = 200;
    std::string_view type = "application/json";
    std::string body;
    std::string_view allow;
  };
  [[nodiscard]] page make_page(const edge::exchange& x);
  [[nodiscard]] std::optional<std::string_view> why_denied(const edge::exchange& x) const;
  [[nodiscard]] io::task<page> reload(const edge::exchange& x, std::string_view query);
  [[nodiscard]] page debug_config();
  [[nodiscard]] page explain(std::string_view query);
  [[nodiscard]] static page error_page(std::uint16_t status, std::string_view code, std::string_view message);
  [[nodiscard]] static page error_page(const key_refusal& refused);

  const io::loop_clock& clock_;
  reader<active_configuration> configurations_;
  admin_source& source_;
  admin_options options_;
  edge::http_date date_;
};

}  // namespace cellroute::proxy
