#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "adapters/control/store_database.hpp"
#include "adapters/control/store_records.hpp"

/// What the parts of the store share.
namespace cellroute::control::detail {

[[nodiscard]] inline std::int64_t number_of(wall_time at) { return at.time_since_epoch().count(); }
[[nodiscard]] inline wall_time time_of(std::int64_t number) { return wall_time(duration(number)); }

[[nodiscard]] inline unexpected<store_failure> failed(store_error what, std::string detail) {
  return unexpected(store_failure{what, std::move(detail)});
}

/// A digest out of a column. Errors: `corrupt`.
[[nodiscard]] stored<wire::digest> digest_of(std::span<const std::byte> bytes);

/// Adds a line to the audit, within a transaction of the caller's. The line.
[[nodiscard]] stored<audit_record> add_audit(database& db, std::string_view actor, std::string_view action,
                                             std::string_view target, std::string_view detail, wall_time now);

/// Keeps an answer, within a transaction of the caller's.
[[nodiscard]] stored<void> add_answer(database& db, const kept_answer& what, wall_time now);

/// What every connection is told before it is used.
[[nodiscard]] stored<void> prepare_connection(database& db);

/// Puts all rows of a content away as one, within a transaction of the caller's.
[[nodiscard]] stored<void> add_whole(database& db, const sync::content& all, std::uint64_t epoch,
                                     std::uint64_t version);

}  // namespace cellroute::control::detail
