#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/process/disk.hpp"
#include "adapters/proxy/boot_counter.hpp"
#include "adapters/proxy/check_counter.hpp"
#include "adapters/proxy/kept_chain.hpp"
#include "adapters/proxy/kept_notes.hpp"
#include "adapters/sync/content.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::proxy {

/// When a chain of deltas is so long that a snapshot takes its place.
struct log_limits {
  unsigned percent_max = 25;             ///< of the snapshot's bytes
  std::size_t bytes_always = 64u << 10;  ///< so many are no reason, however small the snapshot is: it takes more syncs
};

/// A content that an earlier process left.
struct kept_content {
  sync::content content;
  wire::content_id id;
  std::string label;
};

/// What a start finds.
struct found_contents {
  std::optional<kept_content> newest{};  ///< that is whole and not refused
  std::vector<std::string> told{};       ///< a line for the operator for each thing that is not taken, and why
};

/// The contents that a control plane pushed, as they are kept for the next start: the current one, and the one before.
///
/// In the folder of `process.state_dir`:
///   snap-EPOCH-VERSION-DIGEST.crs   a snapshot, as it came or as it was made here
///   log-EPOCH-VERSION-DIGEST.crd    the deltas that came behind it
///   CURRENT, PREVIOUS               which of these chains to take; the previous one up to where it was left
///   BOOT, QUARANTINE                contents that were begun and have not survived; contents that are refused
///   CHECK, CHECKS                   what is being checked; contents whose check has ended a process
///
/// A small delta is one write and one sync. All else is written under another name, synced and renamed, and `CURRENT`
/// comes last: so after a crash at any moment a start takes the content that was kept last, or the one that was being
/// kept. After any error no record follows in that log; the next content is a snapshot in files of its own.
/// Rejected: a database (the router would carry it for one value), the built table (its bytes are no delta's base, and
/// each of the 21 MB would be written for each key that moves).
///
/// Range:   nobody else writes in the folder: `process::state_lock` is held, and no privileges will be given up.
/// Errors:  name files of the folder, not the folder.
/// Threads: any, one at a time.
class last_known_good {
 public:
  /// `on` outlives this.
  explicit last_known_good(process::disk& on, log_limits limits = {})
      : on_(on), limits_(limits), boots_(on), checks_(on) {}

  /// The newest content that is good; called once, before all else. One that was begun too often without surviving is
  /// refused from here on, with the code `crash_loop`, and so is one whose check has ended as many processes.
  ///
  /// `how.salt` is not asked for: each content has its own. What `limits` do not allow is not taken. `is_start`: what
  /// is found is about to be used, and is begun before it is unpacked, for that can end the process, too. Cost: as
  /// `unpack_chain`; it waits for the disk.
  [[nodiscard]] found_contents load(const sync::unpacking& how, const sync::stored_limits& limits = {},
                                    bool is_start = false);

  /// What `load` found is of no use, though it is whole: the content of the chain before, by the same rules. Called
  /// once, behind `load`.
  [[nodiscard]] found_contents load_previous(const sync::unpacking& how, const sync::stored_limits& limits = {});

  /// The contents that are refused, the latest last: for `intake_memory`.
  [[nodiscard]] const std::vector<wire::quarantined_content>& quarantined() const { return quarantined_; }
  /// Keeps that list, as `content_intake` has it now; nothing is written where it is known.
  [[nodiscard]] expected<void, std::string> quarantine(std::vector<wire::quarantined_content> all);

  /// Keeps a content that came as these bytes, before it is used. A start finds it when this returns.
  ///
  /// Range:  `whole` is what they were unpacked into.
  /// Errors: what the disk says. The content can be used: it is not durable, and what was kept before still is. Called
  ///         again it tries again, with a snapshot.
  /// Cost:   a delta on what was kept last one write and one sync; else six syncs, and for another kind than a snapshot
  ///         `pack_snapshot`.
  [[nodiscard]] expected<void, std::string> keep(const sync::content& whole, const sync::piece& came);
  /// Keeps a content that did not come as bytes: one that was held already, or came as another dialect's text.
  [[nodiscard]] expected<void, std::string> keep(const sync::content& whole, const wire::content_id& id,
                                                 const std::string& label);

  /// As those of `check_counter`.
  void check_begins(const wire::digest& sum) { checks_.begin(sum); }
  void check_ends() { checks_.end(); }

  /// As those of `boot_counter`. A content is begun after it was kept, or loaded, and before it is used.
  [[nodiscard]] expected<void, std::string> begin(const wire::digest& sum) { return boots_.begin(sum); }
  [[nodiscard]] std::uint32_t begun() const { return boots_.begun(); }
  [[nodiscard]] expected<void, std::string> survived() { return boots_.survived(); }
  [[nodiscard]] expected<void, std::string> ended() { return boots_.ended(); }

 private:
  /// The chain of the content that was kept or loaded last.
  struct live_chain {
    std::string stem;
    wire::content_id tip;
    std::uint64_t salt;
    std::size_t snapshot_bytes;
    std::size_t log_bytes;
    bool is_sound;  ///< the next start would take `tip`, and a record may follow it
  };

  [[nodiscard]] std::optional<chain_mark> load_mark(const char* name, found_contents& to);
  void load_quarantine(found_contents& to);
  [[nodiscard]] bool take(const chain_mark& mark, bool is_current, const sync::unpacking& how,
                          const sync::stored_limits& limits, found_contents& to);
  void refuse_fatal_checks(found_contents& to);
  [[nodiscard]] bool is_refused(const wire::content_id& id, found_contents& to);
  [[nodiscard]] bool settle(const kept_chain& chain);
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  [[nodiscard]] expected<void, std::string> append(const std::vector<std::byte>& head, const sync::piece& delta);
  [[nodiscard]] expected<void, std::string> start_chain(const sync::piece& snapshot, std::uint64_t salt);
  [[nodiscard]] expected<std::string, std::string> free_stem(const wire::content_id& id);
  void remove_others();

  process::disk& on_;
  log_limits limits_;
  boot_counter boots_;
  check_counter checks_;
  bool is_start_ = false;
  std::vector<wire::quarantined_content> quarantined_;
  bool is_quarantine_kept_ = true;
  std::optional<live_chain> current_;
  std::string previous_;          ///< the stem of the chain before; empty where there is none
  bool are_marks_known_ = false;  ///< so that what they do not name can go
};

}  // namespace cellroute::proxy
