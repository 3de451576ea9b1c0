#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/sync/content.hpp"
#include "cellroute/base/time.hpp"
#include "cellroute/table/table_rows.hpp"

/// What the store keeps, as values. A version here is what style.md calls a generation: 1 at the first publish, one
/// more at each.
namespace cellroute::control {

/// What is published last.
struct store_head {
  std::uint64_t epoch = 1;    ///< grows when an older store takes over
  std::uint64_t version = 0;  ///< 0: nothing was published yet
  wire::digest sum{};
  std::uint64_t keys = 0;
  friend bool operator==(const store_head&, const store_head&) = default;
};

/// A version as the history has it.
struct version_record {
  std::uint64_t version = 0;
  std::uint64_t epoch = 0;
  std::uint64_t parent = 0;
  wire::digest sum{};
  std::uint64_t keys = 0;
  std::uint64_t added = 0;
  std::uint64_t moved = 0;
  std::uint64_t removed = 0;
  bool is_document_new = false;  ///< something else than rows changed
  bool is_whole = false;         ///< so many rows changed that the history has all of them instead of the changed ones
  std::string author{};
  wall_time at{};
  std::string label{};
  std::string message{};
  std::optional<std::uint64_t> rollback_of{};  ///< the version whose content it has again
  std::string lifted{};                        ///< the guards that were overridden, as `a,b`
  friend bool operator==(const version_record&, const version_record&) = default;
};

/// Whose request with an `Idempotency-Key` it was, and what was asked.
struct idempotency_key {
  std::string principal{};
  std::string key{};
  wire::digest asked{};  ///< of method, target and body
};

/// What was answered to it.
struct idempotent_answer {
  wire::digest asked{};
  std::uint16_t status = 0;
  std::string body{};
  std::optional<std::uint64_t> version{};  ///< that it tells of
  wall_time at{};
};

/// An answer to be kept, so that the same request gets it again.
struct kept_answer {
  idempotency_key to{};
  std::uint16_t status = 0;
  std::string body{};
  std::optional<std::uint64_t> version{};  ///< that it tells of
};

/// A new version.
struct publication {
  std::uint64_t expected_version = 0;  ///< the head that it is made for
  const sync::content& content;
  const row_changes& changes;  ///< from the head's rows to the content's
  std::string author{};
  wall_time at{};
  std::string label{};
  std::string message{};
  std::optional<std::uint64_t> rollback_of{};
  std::string lifted{};
  std::string action = "publish";                             ///< in the audit
  std::optional<idempotency_key> asked_once{};                ///< answered by this version from now on
  std::string (*answer_of)(const version_record&) = nullptr;  ///< and how, once its record is known
};

/// What happened to a key in a version.
struct key_event {
  version_record version{};
  std::optional<std::string> from{};
  std::optional<std::string> to{};
  /// Neither is known: the version has all rows instead of the changed ones. What is known is that it is one of those
  /// that could have changed the key.
  bool is_unknown = false;
};

/// A way in. The secret itself is nowhere.
struct token_record {
  std::string id{};
  wire::digest hash{};  ///< SHA-256 of the secret
  std::string name{};
  std::string role{};
  std::vector<std::string> placements{};  ///< where rows lead that it may see and change; empty: any
  std::string key_prefix{};               ///< how their keys begin
  wall_time created{};
  wall_time expires{};
  friend bool operator==(const token_record&, const token_record&) = default;
};

/// A line of the audit. Its hash is that of all its members and of the hash before.
struct audit_record {
  std::uint64_t sequence = 0;
  wall_time at{};
  std::string actor{};
  std::string action{};
  std::string target{};
  std::string detail{};  ///< JSON, or empty
  wire::digest hash{};
};

/// What is asked of a list: what stands behind `after`, at most so many.
struct page {
  std::uint64_t after = 0;
  std::size_t limit = 100;
};

/// Whether the audit is as it was written.
struct audit_verdict {
  std::uint64_t rows = 0;                    ///< looked at, the bad one included
  std::optional<std::uint64_t> first_bad{};  ///< its sequence
  std::string why{};
  wire::digest head{};  ///< the hash of the last row: kept elsewhere, it tells whether rows were taken from the end
};

}  // namespace cellroute::control
