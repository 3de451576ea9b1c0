#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/sync/push_hub.hpp"
#include "adapters/sync/router_link.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::simulation {

/// A content in small: what a table is to the real thing. A content that is `bad` is refused by every router's checks.
struct small_content {
  std::map<int, int> rows;
  bool is_bad = false;
  friend bool operator==(const small_content&, const small_content&) = default;
};

[[nodiscard]] wire::digest digest_of(const small_content& c);

/// What may go wrong, as shares of a thousand.
struct sync_faults {
  int cut = 0;           ///< of all moments: a connection ends
  int router_crash = 0;  ///< of all moments
  int control_crash = 0;
  int stall = 0;    ///< of all moments: a router reads nothing for a while
  int damage = 0;   ///< of all binary messages: a bit flips
  int lost = 0;     ///< of all messages; the connection does not see it
  int doubled = 0;  ///< of all messages
  int late = 0;     ///< of all messages: others overtake it
  int disk = 0;     ///< of all contents that run: the disk does not take them
  int rot = 0;      ///< of all moments: a content that a router holds changes in its memory
};

/// One control plane and its routers, in one thread, under a clock that moves by itself.
///
/// What must always hold is checked as it happens; the first thing that does not hold is `broken()`.
class sync_world {
 public:
  sync_world(std::uint64_t seed, std::size_t routers, sync_faults faults);
  ~sync_world();
  sync_world(const sync_world&) = delete;
  sync_world& operator=(const sync_world&) = delete;

  /// Lets time pass, and faults happen.
  void run(duration for_so_long);
  /// From here on nothing goes wrong any more, and all that was down comes up.
  void heal();

  /// A further content, made from the newest by some changes.
  void publish_change(int rows, bool is_bad = false);
  /// The content of an earlier version, under a new one.
  void publish_again();

  /// How many routers run the newest content.
  [[nodiscard]] std::size_t on_target() const;
  [[nodiscard]] bool runs_target(std::size_t router) const;
  [[nodiscard]] std::size_t router_count() const { return routers_.size(); }
  [[nodiscard]] bool target_is_bad() const;
  [[nodiscard]] const std::string& broken() const { return broken_; }
  /// What happened, a line each; the last ones.
  [[nodiscard]] std::string story() const;
  /// Bytes of contents that went to routers.
  [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }

 private:
  struct router_node;
  struct control_node;

  struct opened {};
  struct refused {};
  struct ended {};
  struct text {
    std::string bytes;
  };
  struct binary {
    std::vector<std::byte> bytes;
  };
  struct check_done {
    sync::check_content job;
  };
  struct activate_done {
    wire::content_id content;
  };
  struct event {
    time_point at;
    std::uint64_t order = 0;
    std::size_t router = 0;
    std::uint64_t connection = 0;  ///< of check and activation: the router's life
    bool to_router = true;
    std::variant<opened, refused, ended, text, binary, check_done, activate_done> what;
  };
  struct later {
    bool operator()(const event& a, const event& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };

  void fault();
  void deliver(event e);
  void deliver_to_router(router_node& r, event& e);
  void deliver_to_control(router_node& r, event& e);
  void check(router_node& r, sync::check_content job);
  void activate(router_node& r, const wire::content_id& content);
  void carry_out(router_node& r);
  void flush();
  void flush_session(router_node& r);
  void send(router_node& r, bool to_router,
            std::variant<opened, refused, ended, text, binary, check_done, activate_done> what);
  void post(event e);
  void end_session(router_node& r);
  void cut(router_node& r);
  void start_router(router_node& r);
  void stop_router(router_node& r);
  void start_control();
  void stop_control();
  void publish(small_content content);
  void announce();
  void verify(router_node& r);
  void fail(std::string what);
  void tell(std::string line);
  [[nodiscard]] bool chance(int per_mille) {
    return per_mille > 0 && rng_.below(1'000) < static_cast<std::uint64_t>(per_mille);
  }
  [[nodiscard]] duration up_to(duration longest) {
    return duration(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(longest.count()) + 1)));
  }

  random_numbers rng_;
  sync_faults faults_;
  time_point now_{1h};
  std::uint64_t order_ = 0;
  std::vector<event> events_;  // a heap
  std::vector<std::unique_ptr<router_node>> routers_;
  std::unique_ptr<control_node> control_;
  std::string broken_;
  std::deque<std::string> story_;
  std::uint64_t content_bytes_ = 0;
};

}  // namespace cellroute::simulation
