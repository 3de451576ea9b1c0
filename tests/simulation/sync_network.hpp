#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/sync/content_intake.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::simulation {

/// What may go wrong, as shares of a thousand.
struct sync_faults {
  int cut = 0;           ///< of all moments: a connection ends
  int router_crash = 0;  ///< of all moments
  int control_crash = 0;
  int stall = 0;          ///< of all moments: a router reads nothing for a while
  int damage = 0;         ///< of all binary messages: a bit flips
  int lost = 0;           ///< of all messages; the connection does not see it
  int doubled = 0;        ///< of all messages
  int late = 0;           ///< of all messages: others overtake it
  int disk = 0;           ///< of all contents that run: the router's disk does not take them
  int rot = 0;            ///< of all moments: a content that a router holds changes in its memory
  int revert = 0;         ///< of all moments: what a router runs does harm, and it goes back to what ran before
  int failed_commit = 0;  ///< of all publishes: the store takes nothing, and says so
  int torn_commit = 0;    ///< of all publishes: the control plane crashes, before the store has it or after
};

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
struct sum_done {
  sync::sum_up_rows job;
};
/// What travels between the two ends; the last three are a router's own work.
using parcel = std::variant<opened, refused, ended, text, binary, check_done, activate_done, sum_done>;

/// Between one router and the control plane.
struct route {
  std::size_t router = 0;
  std::uint64_t connection = 0;    ///< 0: none
  std::uint64_t session = 0;       ///< the control plane's number of it; 0: none
  time_point control_to_router{};  ///< when the last message on the way arrives: none overtakes it
  time_point router_to_control{};
};

struct event {
  time_point at{};
  std::uint64_t order = 0;
  std::size_t router = 0;
  std::uint64_t connection = 0;  ///< of a router's own work: the router's life
  bool to_router = true;
  parcel what{};
};

/// What all parts of a world share: its clock, its chance, what goes between them, and the story of it.
class sync_network {
 public:
  sync_network(std::uint64_t seed, const sync_faults& with) : rng(seed), faults(with) {}

  random_numbers rng;
  sync_faults faults;
  time_point now{1h};

  [[nodiscard]] bool chance(int per_mille) {
    return per_mille > 0 && rng.below(1'000) < static_cast<std::uint64_t>(per_mille);
  }
  [[nodiscard]] duration up_to(duration longest) {
    return duration(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(longest.count()) + 1)));
  }

  /// A connection is being made; the answer comes as `opened` or `refused`.
  void connect(route& of, bool is_anybody_there);
  /// On its way, with all that can happen there.
  void send(route& of, bool to_router, parcel what);
  void post(event e);
  /// The next event up to a time; the clock goes there.
  [[nodiscard]] std::optional<event> take(time_point until);
  [[nodiscard]] std::size_t on_the_way() const { return events_.size(); }

  void tell(std::string line);
  /// Something does not hold.
  void fail(std::string what);
  [[nodiscard]] const std::string& broken() const { return broken_; }
  [[nodiscard]] std::string story() const;

 private:
  struct later {
    bool operator()(const event& a, const event& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };
  struct line {
    time_point at{};
    std::string what{};
  };

  std::uint64_t order_ = 0;
  std::vector<event> events_;  // a heap
  std::deque<line> story_;
  std::string broken_;
};

}  // namespace cellroute::simulation
