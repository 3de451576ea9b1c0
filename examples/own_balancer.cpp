// A balancing policy of one's own: what chooses endpoints is any type with `rebuild` and `pick`, so a server can keep
// the core's smooth round robin for one placement and something else for another.
#include <cellroute/cellroute.hpp>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace {

/// Sends each endpoint as many requests in a row as its weight says: for cells whose caches like runs. Same interface
/// as `cellroute::round_robin`.
class runs {
 public:
  void rebuild(std::span<const std::uint32_t> weights) {
    weights_.assign(weights.begin(), weights.end());
    at_ = 0;
    sent_ = 0;
  }

  [[nodiscard]] std::optional<std::size_t> pick() {
    for (std::size_t tried = 0; tried <= weights_.size(); ++tried) {
      if (at_ < weights_.size() && sent_ < weights_[at_]) {
        ++sent_;
        return at_;
      }
      at_ = at_ + 1 < weights_.size() ? at_ + 1 : 0;
      sent_ = 0;
    }
    return std::nullopt;  // nobody has a weight
  }

 private:
  std::vector<std::uint32_t> weights_;
  std::size_t at_ = 0;
  std::uint32_t sent_ = 0;
};

template <class Balancer>
void show(std::string_view name, const cellroute::cell& cell) {
  std::vector<std::uint32_t> weights;
  for (const cellroute::endpoint& each : cell.endpoints) weights.push_back(each.weight);
  Balancer balancer;
  balancer.rebuild(weights);
  std::cout << name << ':';
  for (int request = 0; request < 8; ++request) {
    if (const auto chosen = balancer.pick()) std::cout << ' ' << cell.endpoints[*chosen].id;
  }
  std::cout << '\n';
}

}  // namespace

int main() {
  using namespace cellroute;
  const cell tier1 = {cell_id("tier1"),
                      {{.id = "a", .host = "10.0.0.1", .port = 9001, .weight = 3},
                       {.id = "b", .host = "10.0.0.2", .port = 9001, .weight = 1}}};
  show<round_robin>("round_robin", tier1);
  show<runs>("runs", tier1);
}
