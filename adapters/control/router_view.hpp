#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// A router that speaks `cellroute.v1`, here or gone; or a session of the base protocol, whose router does not say who
/// it is.
struct router_view {
  std::string id{};     ///< empty in the base protocol
  std::string state{};  ///< as the session's; `suspect`: it answers no beat; `away`: it is not here
  std::uint64_t session = 0;
  std::string peer{};
  std::string build{};
  std::string boot_id{};
  std::string source{};
  std::vector<wire::label> labels{};
  std::optional<wire::content_id> running{};  ///< without digest in the base protocol
  std::string last_refusal{};
  std::optional<wire::pong> status{};       ///< what it said of itself last; none: nothing yet, to this process
  std::optional<duration> clock_ahead{};    ///< of its clock before this machine's; none: it does not say
  std::optional<std::uint64_t> apply_ms{};  ///< how long it took to make current what it told of last
  bool is_native = true;
  bool is_on_target = false;
  duration seen_ago{};
  duration known_for{};                     ///< since this process heard of it first
  std::optional<duration> confirmed_ago{};  ///< since it said last that it runs what it should; none: it never did
  std::optional<wall_time> away_since{};    ///< where it is not here: when it was seen last
};

/// Where a content runs: connected routers that say so.
struct running_version {
  wire::content_id content{};  ///< epoch 0: of the base protocol, which has none
  std::size_t routers = 0;
  std::vector<std::string> ids{};  ///< the first; routers of the base protocol have none
};

struct running_fleet {
  std::size_t connected = 0;
  std::vector<running_version> versions{};  ///< the newest first; who has told of none is in none
};

}  // namespace cellroute::control
