#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/sync_control.hpp"
#include "tests/simulation/sync_network.hpp"
#include "tests/simulation/sync_router.hpp"

namespace cellroute::simulation {

/// One control plane and its routers, in one thread, under a clock that moves by itself.
///
/// What must always hold is checked as it happens, each where it can be seen: of a router in `sync_router::verify`, of
/// the store in `sync_control::read_store`, and wherever `fail` is called; the first thing that does not is `broken()`.
class sync_world {
 public:
  /// With `repairs` who is far behind is repaired; without, it takes all of the content, which is faster to simulate.
  sync_world(std::uint64_t seed, std::size_t routers, const sync_faults& faults, bool repairs = false);
  sync_world(const sync_world&) = delete;
  sync_world& operator=(const sync_world&) = delete;

  /// Lets time pass, and faults happen.
  void run(duration for_so_long);
  /// From here on nothing goes wrong any more, and all that was down comes up.
  void heal();

  /// A further content, made from the newest by some changes. False: the control plane is down, or did not acknowledge
  /// it.
  bool publish_change(int rows, bool is_bad = false);
  /// The content of an earlier version, under a new one.
  bool publish_again();
  void crash_control() { stop_control(); }
  /// What a router runs changes in its memory.
  void damage(std::size_t router) { routers_[router]->rot_what_runs(); }
  /// What a router runs does harm there.
  void go_back(std::size_t router) { routers_[router]->go_back(); }

  /// How many routers run the newest content.
  [[nodiscard]] std::size_t on_target() const;
  [[nodiscard]] bool runs_target(std::size_t router) const;
  /// How many run what they were sent, as it was sent.
  [[nodiscard]] std::size_t sound() const;
  [[nodiscard]] const std::string& broken() const { return network_.broken(); }
  /// What happened, a line each; the last ones.
  [[nodiscard]] std::string story() const { return network_.story(); }
  [[nodiscard]] std::uint64_t content_bytes() const { return control_.content_bytes(); }
  [[nodiscard]] const std::map<wire::transfer_kind, int>& transfers() const { return control_.transfers(); }
  /// Requests that found a table.
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::size_t acknowledged() const { return control_.acknowledged(); }
  /// Versions in the store.
  [[nodiscard]] std::uint64_t versions() const { return control_.head().version; }

 private:
  void fault();
  void deliver(event e);
  void stop_control();
  bool publish(small_content content);

  sync_network network_;
  sync_control control_;
  std::vector<std::unique_ptr<sync_router>> routers_;
  time_point control_up_at_{};
  bool is_healed_ = false;
  std::uint64_t requests_ = 0;
};

}  // namespace cellroute::simulation
