#include "adapters/control/request_log.hpp"

#include "adapters/control/request_trace.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t path_bytes_max = 256;  // in a line

}  // namespace

std::string request_log::trace_of(const request_view& asked) { return control::trace_of(asked.fields, rng_); }

void request_log::note(const edge::exchange& x, std::uint16_t status, std::string_view trace) {
  if (log_ == nullptr || status < 400) return;
  using process::log_level;
  const std::string_view target = x.request.target;
  const std::string_view path = target.substr(0, target.find('?'));  // a query may hold what is nobody's business
  // Whoever asks each second whether it is ready needs no line for each.
  const bool is_asked_often = path == "/readyz";
  const log_level level = is_asked_often ? log_level::debug : status >= 500 ? log_level::warn : log_level::info;
  const std::string peer = io::to_string(x.facts.peer);
  log_->event(clock_.wall, level, "request_refused", "a request was answered with a problem",
              {{"trace", trace},
               {"method", x.request.method},
               {"path", path.substr(0, path_bytes_max)},
               {"status", std::uint64_t{status}},
               {"peer", std::string_view(peer)}});
}

}  // namespace cellroute::control
