#include "adapters/process/certificate_metrics.hpp"

#include <chrono>

namespace cellroute::process {

void write_certificate_ends(exposition& to, std::string_view name, std::span<const certificate_facts> all,
                            wall_time now) {
  to.family(name, metric_type::gauge,
            "Time until a configured certificate ends, or the first of those in its file; negative once it has.");
  for (const certificate_facts& c : all)
    to.sample({{"listener", c.listener}, {"name", c.name}}, std::chrono::duration<double>(c.ends - now).count());
}

}  // namespace cellroute::process
