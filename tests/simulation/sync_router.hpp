#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/sync/router_link.hpp"
#include "tests/simulation/sync_content.hpp"
#include "tests/simulation/sync_control.hpp"
#include "tests/simulation/sync_network.hpp"

namespace cellroute::simulation {

/// The row that every content of a world has: what requests ask for.
inline constexpr int common_row = 1'000;

/// A router of a world: the machine, what is done for it in threads of its own, its disk, and a data plane in small.
///
/// What must hold of it is checked after all that happens to it.
class sync_router {
 public:
  sync_router(sync_network& network, sync_control& control, std::size_t index, bool repairs);
  sync_router(const sync_router&) = delete;
  sync_router& operator=(const sync_router&) = delete;

  void start();
  void crash();
  [[nodiscard]] bool is_up() const { return link_ != nullptr; }
  /// While it is down: when it comes up.
  time_point up_at{};
  time_point stalled_until{};

  [[nodiscard]] route& way() { return way_; }
  [[nodiscard]] std::uint64_t life() const { return life_; }
  void take(event& e);
  void tick();
  /// Its connection ends.
  void cut();
  /// A content changes in its memory; and the one that runs, if any, which it finds by itself.
  void rot();
  void rot_what_runs();
  /// What runs does harm: what ran before it runs again, where that is known.
  void go_back();

  /// A request begins; it ends within a second. False: there is nothing to route by yet.
  bool begin_request();
  void end_requests();

  [[nodiscard]] std::optional<wire::content_id> running() const;
  /// Whether what it runs is what it was sent.
  [[nodiscard]] bool is_sound() const;

 private:
  struct held_content {
    small_content content{};
    wire::digest actual{};    ///< of what is there, whatever it is called
    bool is_damaged = false;  ///< and known to be
  };
  /// What requests see.
  struct table {
    wire::content_id id{};
    small_content content{};
    int users = 0;
  };
  struct request {
    table* seen = nullptr;
    int value = 0;
    time_point ends_at{};
  };

  static void change(held_content& content);
  void carry_out();
  void check(const sync::check_content& job);
  void activate(const wire::content_id& content);
  void sum_up(const sync::sum_up_rows& job);
  void show(const wire::content_id& id, const small_content& content);
  void verify();
  void fail(const char* what);

  sync_network& network_;
  sync_control& control_;
  bool repairs_;
  route way_;
  std::uint64_t life_ = 0;
  std::unique_ptr<sync::router_link> link_;  // none while it is down
  std::map<wire::digest, held_content> contents_;
  std::optional<std::pair<wire::content_id, held_content>>
      before_;  // what ran before; held as long as it may be needed
  bool is_going_back_ = false;
  std::list<table> tables_;  // the current one first
  std::vector<request> requests_;
  // On the disk:
  std::optional<std::pair<wire::content_id, small_content>> last_known_good_;
  std::vector<wire::quarantined_content> quarantined_;
  // What an observer knows:
  std::pair<std::uint64_t, std::uint64_t> target_seen_{};
};

}  // namespace cellroute::simulation
