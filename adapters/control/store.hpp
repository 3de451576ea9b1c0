#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/control/store_database.hpp"
#include "adapters/control/store_records.hpp"

/// The store of a control plane: one file of SQLite, in WAL, with every commit synced before it is acknowledged.
///
/// A version is there wholly or not at all. Its rows are single changes, or all rows where more than a tenth of them
/// changed; any past version is read by walking the changes back from the head, or forth from the last of those that
/// have all rows. Contents lie in the file and not beside it: a backup is one file, and none is left over when a
/// publish fails between the two.
///
/// Rejected: a table of rows for each version (24 MB each); a log of our own (the same guarantees, none of the tools);
///           changes alone (a PUT of a million keys would take 10 s and as much room again).
namespace cellroute::control {

/// One connection that only reads, or the reading half of a store.
///
/// Threads: one at a time; several readers read at once, and beside the writer. Each call sees one instant.
class store_reader {
 public:
  /// Errors: `refused`, `unavailable`.
  [[nodiscard]] static stored<store_reader> open(const std::string& path);

  [[nodiscard]] stored<store_head> head();
  [[nodiscard]] stored<std::uint64_t> salt();
  [[nodiscard]] stored<std::string> cluster();

  /// The rows and the document of a version that was published and is still kept.
  ///
  /// `seed` is that of the table. Version 0 is empty: what was there before the first.
  /// Errors: `not_found`, `purged`, `corrupt` where the history contradicts itself.
  /// Cost:   0.3 s a million rows.
  [[nodiscard]] stored<key_table> rows_at(std::uint64_t version, std::uint64_t seed);
  [[nodiscard]] stored<std::string> document_at(std::uint64_t version);

  [[nodiscard]] stored<version_record> version(std::uint64_t version);
  /// The newest first, beginning below `asked.after`; 0: with the head.
  [[nodiscard]] stored<std::vector<version_record>> versions(const page& asked);
  /// The oldest that is kept; 0 where none is.
  [[nodiscard]] stored<std::uint64_t> oldest_version();

  /// What became of a key, the newest first, beginning below version `asked.after`; 0: with the head.
  [[nodiscard]] stored<std::vector<key_event>> history_of(std::string_view key, const page& asked);
  /// The version that changed a key's row last; nothing where it has no row.
  [[nodiscard]] stored<std::optional<std::uint64_t>> last_change_of(std::string_view key);
  /// The version that changed a key's row last, or took it away; 0 where that is not known.
  [[nodiscard]] stored<std::uint64_t> last_touch_of(std::string_view key);
  /// Keys whose row was changed behind a version, or taken away, by their bytes, beginning behind `after`. What a
  /// version took away that has all rows is not known here.
  [[nodiscard]] stored<std::vector<std::string>> keys_touched_since(std::uint64_t version, std::string_view after,
                                                                    std::size_t limit);
  /// Whether a version behind that one has all rows.
  [[nodiscard]] stored<bool> has_whole_since(std::uint64_t version);
  /// Keys whose row was changed behind a version and is still there, by their bytes, beginning behind `after`.
  [[nodiscard]] stored<std::vector<std::string>> keys_changed_since(std::uint64_t version, std::string_view after,
                                                                    std::size_t limit);

  [[nodiscard]] stored<std::optional<token_record>> find_token(const wire::digest& hash);
  [[nodiscard]] stored<std::vector<token_record>> tokens();

  [[nodiscard]] stored<std::optional<idempotent_answer>> find_answer(std::string_view principal, std::string_view key);

  /// By their sequence, beginning behind `asked.after`; with an actor, a target or a key, only those. Of a key:
  /// the versions that changed it, or may have, as `history_of` has them.
  [[nodiscard]] stored<std::vector<audit_record>> audit(const page& asked, std::string_view actor = {},
                                                        std::string_view target = {}, std::string_view key = {});
  /// The number of the last line; 0 where there is none.
  [[nodiscard]] stored<std::uint64_t> last_audit();
  [[nodiscard]] stored<audit_verdict> verify_audit();

  /// Whether the fold of all changes, the rows and the head's digest say the same.
  ///
  /// Errors: `corrupt`, with what differs; `unavailable`, too, once `is_given_up` was set, by any thread, meanwhile.
  /// Cost:   that of reading all rows twice, and of their digest: 0.5 s a million, and 100 MB meanwhile.
  [[nodiscard]] stored<void> check_whole(const std::atomic<bool>* is_given_up = nullptr);

 private:
  friend class store;
  explicit store_reader(database open) : db_(std::move(open)) {}

  // Each within a transaction of the caller's.
  [[nodiscard]] stored<key_table> rows_at_once(std::uint64_t version, std::uint64_t seed);
  [[nodiscard]] stored<std::uint64_t> rows_unlike(const key_table& expected_rows);
  [[nodiscard]] stored<key_table> rows_now(std::uint64_t seed);
  [[nodiscard]] stored<key_table> rows_forward(std::uint64_t version, std::uint64_t seed);
  [[nodiscard]] stored<key_table> rows_backward(std::uint64_t version, std::uint64_t seed);
  [[nodiscard]] stored<void> must_have(std::uint64_t version);

  database db_;
};

/// What a store that is made begins with.
struct store_identity {
  std::string cluster{};   ///< a name that no other store has
  std::uint64_t salt = 0;  ///< of all digests
  std::uint64_t epoch = 1;
};

/// What is let go.
struct purge_policy {
  std::uint64_t versions_max = 10'000;
  std::optional<duration> age_max = 365 * 24h;  ///< none: however old
};

/// The one writer. Threads: one at a time.
class store {
 public:
  /// Makes a store, readable by this user only.
  ///
  /// Errors: `refused` where something has that name already; `full`, `unavailable`.
  [[nodiscard]] static stored<store> create(const std::string& path, const store_identity& identity, wall_time now);

  /// Opens the store that is there, for this process alone. `cluster`, unless empty, is the one that it must be of.
  ///
  /// Errors: `not_found`; `refused`: another user's, open to others, in use by another process, not a store, a newer
  ///         release's, another cluster's, or a backup, which `restore` makes a store of; `corrupt`.
  [[nodiscard]] static stored<store> open(const std::string& path, std::string_view cluster = {});

  /// Makes a store of a backup, at a path where there is none, and in a new epoch: what was published behind the backup
  /// is gone, and routers that run it must not take it for newer.
  ///
  /// Range:  `epoch` is larger than any that routers saw.
  /// Errors: `refused` where it is not, where it is no backup, or where something has that name.
  [[nodiscard]] static stored<store> restore(const std::string& backup, const std::string& path, std::uint64_t epoch,
                                             wall_time now);

  store(store&&) noexcept;
  store& operator=(store&&) = delete;
  ~store();

  [[nodiscard]] store_reader& reading() { return self_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Makes a version out of what changed. Once it returns, no crash takes it back.
  ///
  /// Errors: `conflict` where the head is not the expected one; `corrupt` where the changes do not fit the rows; `full`
  ///         and `unavailable`. Nothing has changed then.
  /// Cost:   a sync, and 3 to 20 us a row.
  [[nodiscard]] stored<version_record> publish(const publication& what);

  /// With `once`, what is answered to it is kept in the same step.
  [[nodiscard]] stored<void> add_token(const token_record& token, std::string_view actor, wall_time now,
                                       const kept_answer* once = nullptr);
  /// Errors: `not_found`.
  [[nodiscard]] stored<void> remove_token(std::string_view id, std::string_view actor, wall_time now);

  /// Keeps an answer to what changed nothing here.
  [[nodiscard]] stored<void> keep_answer(const kept_answer& what, wall_time now);
  /// Lets answers go that were given before.
  [[nodiscard]] stored<void> forget_answers(wall_time before);

  /// Writes something that changes nothing, and syncs it. Errors: `full`, `unavailable`, `corrupt`.
  [[nodiscard]] stored<void> check_writing();

  /// `detail` is JSON or empty. With `once`, what is answered to it is kept in the same step.
  [[nodiscard]] stored<void> append_audit(std::string_view actor, std::string_view action, std::string_view target,
                                          std::string_view detail, wall_time now, const kept_answer* once = nullptr);

  /// The lines of the audit that were written here since it was asked last, in their order. Where a write failed and is
  /// there all the same, its line is not among them.
  [[nodiscard]] std::vector<audit_record> take_audited() { return std::exchange(audited_, {}); }

  /// Lets old versions go, never the head; returns how many. Where any goes it reads all rows: once an hour is enough.
  [[nodiscard]] stored<std::uint64_t> purge(const purge_policy& policy, wall_time now);

  /// Copies all of it into a file, readable by this user only, that is synced when this returns. No store can be opened
  /// from it but by `restore`.
  ///
  /// Errors: `refused` where something has that name.
  [[nodiscard]] stored<void> backup(const std::string& path);

 private:
  class file_lock {
   public:
    explicit file_lock(int descriptor) : descriptor_(descriptor) {}
    file_lock(file_lock&& other) noexcept;
    file_lock& operator=(file_lock&&) = delete;
    ~file_lock();

   private:
    int descriptor_;
  };

  store(store_reader self, std::string path, file_lock lock);
  /// Ends what has written that line.
  [[nodiscard]] stored<void> commit(transaction& work, stored<audit_record> line);
  [[nodiscard]] static stored<file_lock> take_lock(const std::string& path);
  [[nodiscard]] static stored<store> open_locked(const std::string& path, file_lock lock, std::string_view cluster);

  store_reader self_;
  std::string path_;
  file_lock lock_;
  std::vector<audit_record> audited_;
};

}  // namespace cellroute::control
