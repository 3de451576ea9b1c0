#include "adapters/control/fleet_drift.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

namespace cellroute::control {
namespace {

// By number and digest: two contents under one number are two.
using content_order = std::pair<std::pair<std::uint64_t, std::uint64_t>, wire::digest>;
content_order order_of(const wire::content_id& content) { return {{content.epoch, content.version}, content.sum}; }

/// Routers by what they run.
class counter_of_versions {
 public:
  void add(const std::optional<wire::content_id>& running) {
    version_count& count = counts_[order_of(running.value_or(wire::content_id{}))];
    count.running = running;
    ++count.routers;
  }

  [[nodiscard]] version_counts first(std::size_t most) const {
    version_counts made;
    for (const auto& [order, count] : counts_) {
      if (made.versions.size() < most) {
        made.versions.push_back(count);
      } else {
        ++made.versions_left_out;
      }
    }
    return made;
  }

 private:
  std::map<content_order, version_count, std::greater<>> counts_;
};

struct counted_value {
  std::size_t routers = 0;
  counter_of_versions versions;
};

struct counted_label {
  std::size_t routers = 0;
  std::map<std::string_view, counted_value> values;
};

/// The greatest by `routers`, at most so many; equal ones by name.
template <class Map>
std::vector<const typename Map::value_type*> most_used(const Map& all, std::size_t most) {
  std::vector<const typename Map::value_type*> found;
  for (const auto& each : all) found.push_back(&each);
  std::ranges::sort(found, [](const auto* a, const auto* b) {
    return a->second.routers != b->second.routers ? a->second.routers > b->second.routers : a->first < b->first;
  });
  if (found.size() > most) found.resize(most);
  return found;
}

void count_labels(const std::vector<router_view>& routers, const drift_bounds& bounds, fleet_drift& into) {
  std::map<std::string_view, counted_label> labels;
  for (const router_view& r : routers) {
    if (r.session == 0) continue;
    for (const auto& [name, value] : r.labels) {
      counted_label& label = labels[name];
      ++label.routers;
      counted_value& of = label.values[value];
      ++of.routers;
      of.versions.add(r.running);
    }
  }
  const std::size_t all = labels.size();
  std::erase_if(labels, [&](const auto& each) { return each.first.size() > bounds.label_bytes; });
  for (const auto* label : most_used(labels, bounds.labels)) {
    label_drift& made = into.labels.emplace_back();
    made.name = label->first;
    made.routers = label->second.routers;
    for (const auto* value : most_used(label->second.values, label->second.values.size())) {
      if (made.values.size() == bounds.label_values || value->first.size() > bounds.label_bytes) {
        ++made.values_left_out;
        continue;
      }
      made.values.push_back({std::string(value->first), value->second.routers,
                             value->second.versions.first(bounds.label_value_versions)});
    }
  }
  into.labels_left_out = all - into.labels.size();
}

/// The smallest age that at least this share of them does not exceed. Range: some, ascending.
duration quantile(const std::vector<duration>& ages, std::size_t percent) {
  const std::size_t rank = (ages.size() * percent + 99) / 100;
  return ages[std::max<std::size_t>(rank, 1) - 1];
}

confirmed_ages ages_of(const std::vector<router_view>& routers) {
  confirmed_ages made;
  std::vector<duration> ages;
  for (const router_view& r : routers) {
    if (r.session == 0 || !r.is_native) continue;
    made.never += r.confirmed_ago ? 0 : 1;
    ages.push_back(r.confirmed_ago.value_or(r.known_for));
  }
  made.routers = ages.size();
  if (ages.empty()) return made;
  std::ranges::sort(ages);
  made.p50 = quantile(ages, 50);
  made.p90 = quantile(ages, 90);
  made.p99 = quantile(ages, 99);
  made.longest = ages.back();
  return made;
}

}  // namespace

fleet_drift drift_of(std::vector<router_view> routers, const std::optional<wire::content_id>& target,
                     const drift_bounds& bounds) {
  fleet_drift d;
  d.target = target;
  counter_of_versions versions;
  for (const router_view& r : routers) {
    if (r.session == 0) {
      ++d.away;
      continue;
    }
    ++d.here;
    d.on_target += r.is_on_target ? 1 : 0;
    d.refused += r.state == "rejected" ? 1 : 0;
    if (r.clock_ahead) d.clock_skew = std::max(d.clock_skew, std::chrono::abs(*r.clock_ahead));
    if (bounds.versions > 0) versions.add(r.running);
  }
  d.counts = versions.first(bounds.versions);
  if (bounds.labels > 0) {
    count_labels(routers, bounds, d);
    d.ages = ages_of(routers);
  }
  for (router_view& r : routers) {
    if (r.session == 0 || r.is_on_target) continue;
    if (d.stragglers.size() < bounds.stragglers) {
      d.stragglers.push_back(std::move(r));
    } else {
      ++d.stragglers_left_out;
    }
  }
  return d;
}

running_fleet running_of(const std::vector<router_view>& routers, std::size_t ids_max) {
  running_fleet made;
  std::map<content_order, running_version, std::greater<>> found;
  for (const router_view& r : routers) {
    if (r.session == 0) continue;
    ++made.connected;
    if (!r.running) continue;
    running_version& of = found[order_of(*r.running)];
    of.content = *r.running;
    ++of.routers;
    if (r.is_native && of.ids.size() < ids_max) of.ids.push_back(r.id);
  }
  for (auto& [order, each] : found) made.versions.push_back(std::move(each));
  return made;
}

}  // namespace cellroute::control
