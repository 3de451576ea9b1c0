#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/registry_document.hpp"
#include "adapters/control/store.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/config_guard.hpp"
#include "adapters/wire/configuration.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/snapshot/published.hpp"
#include "cellroute/table/diff.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::control {

/// What is published, with all that it takes to read it. Const from birth.
struct active_content {
  store_head head{};      ///< version 0: nothing is published yet, and the rest is empty
  sync::content content;  ///< what travels
  std::string label{};    ///< the operator's own name of it, opaque
  document doc{};
  std::optional<routing_table> table{};  ///< none while nothing is published

  [[nodiscard]] wire::content_id id() const { return {head.epoch, head.version, head.sum}; }
};

/// Is told of each version, in their order, on the thread that published it. What it is given holds during the call:
/// who needs a content longer makes artifacts of it then, or reads `registry::current`.
class publication_listener {
 public:
  virtual void on_published(const active_content& now, const active_content& before) = 0;

 protected:
  ~publication_listener() = default;
};

/// Is told of each line of the audit once it is stored, in their order, on the thread that had the right to write. A
/// line may be left out where a write failed and is there all the same: the store has it.
class audit_listener {
 public:
  virtual void on_audited(const audit_record& line) = 0;

 protected:
  ~audit_listener() = default;
};

struct registry_settings {
  wire::guard_settings guard{};
  std::uint64_t seed = 0;  ///< of the tables: a secret of this process
  std::pmr::memory_resource* resource = std::pmr::get_default_resource();
};

/// What a change would do: the answer to a dry run and to a comparison of versions.
struct blast_radius {
  table_diff keys{};  ///< with the first ten as examples
  std::size_t keys_before = 0;
  std::size_t keys_after = 0;
  std::vector<std::string> placements_added{};
  std::vector<std::string> placements_changed{};  ///< the placement, its cell or an endpoint
  std::vector<std::string> placements_removed{};
  std::vector<std::string> endpoints_added{};  ///< each as `cell/id`
  std::vector<std::string> endpoints_changed{};
  std::vector<std::string> endpoints_removed{};
  bool is_document_new = false;

  [[nodiscard]] bool is_nothing() const { return keys.moved + keys.added + keys.removed == 0 && !is_document_new; }
};

/// A version that could be published: whole, and checked as a router would check it.
struct next_content {
  sync::content content;
  row_changes changes{};  ///< from the current rows to these; texts of its own, or of the two tables
  document doc{};
  routing_table table;
  blast_radius radius{};
};

/// How a change came about.
struct publish_order {
  std::string author{};
  std::string message{};
  std::string lifted{};  ///< the guards that do not count, as `a,b`; empty: all do
  wall_time now{};
  std::string action = "publish";
  std::optional<std::uint64_t> rollback_of{};
  std::optional<idempotency_key> asked_once{};
  std::string (*answer_of)(const version_record&) = nullptr;  ///< kept for who asks once more
};

/// The configuration that a control plane owns: what is current, in memory, and the only way to a next one.
///
/// Everything is checked before it is stored, by the rules that a router has for its file; then it is stored; then it
/// is current, and told. What is refused changes nothing. Threads: `current` and `store_path` on any; a `turn` on one
/// at a time, the others wait.
class registry {
 public:
  /// Takes over what the store has published last.
  ///
  /// `listener` may be null; it outlives the registry. Errors: those of the store; a stored document that this release
  /// does not take.
  [[nodiscard]] static expected<std::unique_ptr<registry>, problem> open(store from, const registry_settings& settings,
                                                                         publication_listener* listener);

  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  /// For readers: `reader<active_content> now(r.current())` holds what is current then until it is asked again.
  [[nodiscard]] published<active_content>& current() { return current_; }
  [[nodiscard]] const std::string& store_path() const { return path_; }
  [[nodiscard]] const registry_settings& settings() const { return settings_; }
  [[nodiscard]] std::uint64_t salt() const { return salt_; }

  class turn;
  /// The right to write. Waits for whoever has it.
  [[nodiscard]] turn begin();
  /// Whether the store takes what is written. Whoever writes at the moment knows better, and is not waited for.
  [[nodiscard]] stored<void> check_writing();

  /// From now on; null: nobody. It is told nothing any more once this has returned. The number of the last line that
  /// there is.
  [[nodiscard]] stored<std::uint64_t> tell_audit_to(audit_listener* listener);

  /// The store failed at something. Any thread.
  void note_store_error() { store_errors_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t store_errors() const { return store_errors_.load(std::memory_order_relaxed); }

 private:
  registry(store from, const registry_settings& settings, publication_listener* listener, std::uint64_t salt,
           active_content first);
  void tell_audit();

  std::atomic<std::uint64_t> store_errors_{0};
  store store_;
  std::string path_;
  registry_settings settings_;
  publication_listener* listener_;
  std::uint64_t salt_;
  published<active_content> current_;
  std::mutex writing_;
  // Of whoever has the right to write.
  audit_listener* audit_listener_ = nullptr;
};

/// The right to write: what is current stays so while it lives. Threads: one owner.
class registry::turn {
 public:
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() { owner_.tell_audit(); }

  [[nodiscard]] const active_content& base() { return now_.current().value; }
  [[nodiscard]] store& stored() { return owner_.store_; }

  /// What a whole configuration makes of the current one. Errors: `too_large`.
  [[nodiscard]] expected<next_content, problem> replace_all(whole_configuration all);
  /// All rows are others; the document stays. Errors: `invalid` where rows lead to no placement, each by its key.
  [[nodiscard]] expected<next_content, problem> replace_rows(key_table rows);
  /// Some rows are others. Changes that change nothing are left out. Errors: as above.
  [[nodiscard]] expected<next_content, problem> change_rows(const row_changes& some);
  /// Another document, with the rows as they are. Errors: `invalid`; `in_use` where a row leads to a placement that is
  /// no longer there.
  /// With `also`, some rows change with it.
  [[nodiscard]] expected<next_content, problem> change_document(const wire::node& tree,
                                                                const row_changes* also = nullptr);
  /// The content of a version that is still kept. Errors: `unknown`, `gone`, `invalid` where this release does not take
  /// it; `damaged`.
  [[nodiscard]] expected<next_content, problem> content_of(std::uint64_t version);

  /// What the guards say of a change; those in `lifted` do not count. A rollback is not asked: it leads to what ran
  /// before.
  [[nodiscard]] std::vector<wire::guard_verdict> judge(const blast_radius& radius, std::string_view lifted,
                                                       std::string_view call) const;

  /// Stores it, makes it current, and tells.
  ///
  /// Errors: `conflict`, `full`, `unavailable`, `damaged`; nothing has changed then. A change of nothing is not
  ///         published: then the record is that of the current version, and it is what is answered to `asked_once`.
  [[nodiscard]] expected<version_record, problem> publish(next_content next, const publish_order& order);

 private:
  friend class registry;
  explicit turn(registry& owner) : owner_(owner), lock_(owner.writing_), now_(owner.current_) {}

  [[nodiscard]] expected<next_content, problem> complete(document doc, sync::content content, row_changes changes);
  [[nodiscard]] expected<next_content, problem> with_rows(document doc, const row_changes& some);

  registry& owner_;
  std::unique_lock<std::mutex> lock_;
  reader<active_content> now_;
};

/// A version that is still kept, as it was current.
///
/// Errors: `unknown`, `gone`; `invalid` where this release does not take it; `damaged`; `unavailable`.
/// Cost:   0.5 s a million rows.
[[nodiscard]] expected<active_content, problem> read_version(store_reader& from, std::uint64_t version,
                                                             const registry_settings& settings);

/// What differs between two versions of rows and documents.
///
/// Range: `changes` are those from `before` on.
[[nodiscard]] blast_radius radius_of(const key_table& before, const row_changes& changes, const document& from,
                                     const document& to);

}  // namespace cellroute::control
