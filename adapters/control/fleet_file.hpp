#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/store_database.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// What is remembered of a router.
struct known_router {
  std::string id{};
  wall_time seen{};  ///< last
  std::optional<wire::content_id> running{};
  std::string build{};
  std::string last_refusal{};
  friend bool operator==(const known_router&, const known_router&) = default;
};

/// What is known of routers, for the next start: a file beside the store, of which nothing is synced. It holds no
/// truth: where it is lost, or damaged, routers tell it again as they come.
///
/// Threads: one at a time.
class fleet_file {
 public:
  /// A file that is no such file, another cluster's, or of another release is begun anew.
  /// Errors: `unavailable`, where another process has it or it cannot be written; `refused` where it holds something
  ///         else.
  [[nodiscard]] static stored<fleet_file> open(const std::string& path, std::string_view cluster);

  [[nodiscard]] stored<std::vector<known_router>> read();
  /// Writes these, and forgets who was not seen since. All or nothing.
  [[nodiscard]] stored<void> write(std::span<const known_router> some, wall_time forget_before);

 private:
  explicit fleet_file(database open) : db_(std::move(open)) {}
  database db_;
};

}  // namespace cellroute::control
