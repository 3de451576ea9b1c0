#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "adapters/control/store.hpp"
#include "adapters/control/store_detail.hpp"
#include "cellroute/table/outcome_list.hpp"

namespace cellroute::control {
namespace {

using detail::failed;
using detail::time_of;

constexpr std::string_view version_columns =
    "version, epoch, parent, digest, nkeys, added, moved, removed, new_document, is_whole, author, at, label, message, "
    "rollback_of, lifted";

stored<version_record> read_version(const statement& row) {
  version_record v;
  const auto sum = detail::digest_of(row.bytes(3));
  if (!sum) return unexpected(sum.error());
  v.version = row.natural(0);
  v.epoch = row.natural(1);
  v.parent = row.natural(2);
  v.sum = *sum;
  v.keys = row.natural(4);
  v.added = row.natural(5);
  v.moved = row.natural(6);
  v.removed = row.natural(7);
  v.is_document_new = row.number(8) != 0;
  v.is_whole = row.number(9) != 0;
  v.author = row.text(10);
  v.at = time_of(row.number(11));
  v.label = row.text(12);
  v.message = row.text(13);
  if (!row.is_null(14)) v.rollback_of = row.natural(14);
  v.lifted = row.text(15);
  return v;
}

/// The names of placements by their numbers in the store, as views of its own.
class placement_names {
 public:
  [[nodiscard]] static stored<placement_names> read(database& db) {
    auto rows = db.prepare("SELECT id, name FROM placement");
    if (!rows) return unexpected(rows.error());
    placement_names made;
    for (;;) {
      const auto row = rows->step();
      if (!row) return unexpected(row.error());
      if (!*row) return made;
      made.names_.emplace(rows->number(0), made.memory_.keep(rows->text(1)));
    }
  }

  /// Empty where it has none.
  [[nodiscard]] std::string_view text(std::int64_t id) const {
    const auto name = names_.find(id);
    return name != names_.end() ? name->second : std::string_view();
  }

  /// The number of a placement among `in_use`, which grows. Errors: `corrupt`.
  [[nodiscard]] stored<std::uint16_t> number(std::int64_t id, outcome_list& in_use) const {
    const auto name = names_.find(id);
    if (name == names_.end()) return failed(store_error::corrupt, "a row leads to a placement without a name");
    const auto number = in_use.add(name->second);
    if (!number) return failed(store_error::corrupt, "the rows lead to more placements than a table can have");
    return *number;
  }

 private:
  placement_names() = default;
  text_memory memory_;
  std::unordered_map<std::int64_t, std::string_view> names_;
};

stored<key_table> build(std::span<const key_row> rows, const outcome_list& names, std::uint64_t seed) {
  auto made = key_table::build(rows, seed, names.texts());
  if (!made)
    return failed(store_error::corrupt, fmt::format("the rows make no table: {}", to_string(made.error().what)));
  return *std::move(made);
}

/// The table after the changes that a statement brings: keys, and placements or nothing.
stored<key_table> changed(database& db, key_table table, statement& rows) {
  const auto placements = placement_names::read(db);
  if (!placements) return unexpected(placements.error());
  text_memory keys;
  outcome_list names;
  std::vector<key_change> changes;
  for (;;) {
    const auto row = rows.step();
    if (!row) return unexpected(row.error());
    if (!*row) break;
    key_change each{keys.keep(text_of(rows.bytes(0))), std::nullopt};
    if (!rows.is_null(1)) {
      const auto number = placements->number(rows.number(1), names);
      if (!number) return unexpected(number.error());
      each.outcome = *number;
    }
    changes.push_back(each);
  }
  if (changes.empty()) return table;
  const row_changes all = changes_of({names.texts().begin(), names.texts().end()}, std::move(changes));
  auto made = apply(table, all);
  if (!made)
    return failed(store_error::corrupt, fmt::format("the changes make no table: {}", to_string(made.error().what)));
  if (auto leaner = without_idle_outcomes(*made)) return *std::move(leaner);
  return *std::move(made);
}

stored<std::string> text_in_meta(database& db, std::string_view name) {
  auto asked = db.prepare("SELECT value FROM meta WHERE name = ?1");
  if (!asked) return unexpected(asked.error());
  asked->begin(name);
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row) return failed(store_error::corrupt, fmt::format("the store does not say its {}", name));
  return std::string(asked->text(0));
}

/// All rows that were put away with a version, or with the last one before it that has them; none where there are none.
struct whole_rows {
  std::uint64_t version = 0;
  key_table rows;
};

stored<whole_rows> read_whole(database& db, std::uint64_t version, std::uint64_t salt, std::uint64_t seed) {
  auto asked = db.prepare(
      "SELECT a.version, a.sha256, a.raw_bytes, a.keys, a.comp, a.bytes, v.epoch, v.digest FROM artifact a JOIN "
      "version "
      "v ON v.version = a.version WHERE a.version <= ?1 ORDER BY a.version DESC LIMIT 1");
  if (!asked) return unexpected(asked.error());
  asked->begin(version);
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row) return whole_rows{};
  const auto artifact = detail::digest_of(asked->bytes(1));
  if (!artifact) return unexpected(artifact.error());
  const auto sum = detail::digest_of(asked->bytes(7));
  if (!sum) return unexpected(sum.error());
  wire::config_begin said;
  said.artifact = *artifact;
  said.raw_bytes = asked->natural(2);
  said.keys = asked->natural(3);
  said.compression = asked->text(4);
  said.bytes = asked->bytes(5).size();
  said.content = {asked->natural(6), asked->natural(0), *sum};
  auto made = sync::unpack(said, asked->bytes(5), nullptr, {salt, seed});
  if (!made) {
    return failed(store_error::corrupt,
                  fmt::format("the rows of version {}: {}", asked->natural(0), made.error().error));
  }
  return whole_rows{asked->natural(0), std::move(made->keys)};
}

/// Keys that a statement brings, behind a version and behind a key.
stored<std::vector<std::string>> keys_of(database& db, const char* asked, std::uint64_t version, std::string_view after,
                                         std::size_t limit) {
  auto rows = db.prepare(asked);
  if (!rows) return unexpected(rows.error());
  rows->begin(version, bytes_of(after), limit);
  std::vector<std::string> found;
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) return found;
    found.emplace_back(text_of(rows->bytes(0)));
  }
}

}  // namespace

stored<std::string> store_reader::cluster() { return text_in_meta(db_, "cluster"); }

stored<std::uint64_t> store_reader::salt() {
  const auto found = db_.number("SELECT value FROM meta WHERE name = 'salt'");
  if (!found) return unexpected(found.error());
  return static_cast<std::uint64_t>(*found);
}

stored<store_head> store_reader::head() {
  auto asked = db_.prepare(
      "SELECT (SELECT value FROM meta WHERE name = 'epoch'), v.version, v.digest, v.nkeys FROM (SELECT 1) LEFT JOIN "
      "(SELECT * FROM version ORDER BY version DESC LIMIT 1) v");
  if (!asked) return unexpected(asked.error());
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row || asked->number(0) < 1) return failed(store_error::corrupt, "the store does not say its epoch");
  store_head found;
  found.epoch = asked->natural(0);
  if (asked->is_null(1)) return found;
  const auto sum = detail::digest_of(asked->bytes(2));
  if (!sum) return unexpected(sum.error());
  found.version = asked->natural(1);
  found.sum = *sum;
  found.keys = asked->natural(3);
  return found;
}

stored<std::uint64_t> store_reader::oldest_version() {
  const auto found = db_.number("SELECT coalesce(min(version), 0) FROM version");
  if (!found) return unexpected(found.error());
  return static_cast<std::uint64_t>(*found);
}

stored<void> store_reader::must_have(std::uint64_t version) {
  const auto now = head();
  if (!now) return unexpected(now.error());
  const auto oldest = oldest_version();
  if (!oldest) return unexpected(oldest.error());
  if (version > now->version) return failed(store_error::not_found, fmt::format("there is no version {}", version));
  if (version < *oldest && (version > 0 || *oldest > 1)) {
    return failed(store_error::purged, fmt::format("version {} is no longer kept; the oldest is {}", version, *oldest));
  }
  return {};
}

stored<version_record> store_reader::version(std::uint64_t version) {
  if (version == 0) return failed(store_error::not_found, "versions begin with 1");
  if (auto there = must_have(version); !there) return unexpected(there.error());
  auto asked = db_.prepare(fmt::format("SELECT {} FROM version WHERE version = ?1", version_columns));
  if (!asked) return unexpected(asked.error());
  asked->begin(version);
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row) return failed(store_error::corrupt, fmt::format("version {} is missing", version));
  return read_version(*asked);
}

stored<std::vector<version_record>> store_reader::versions(const page& asked) {
  auto rows = db_.prepare(fmt::format(
      "SELECT {} FROM version WHERE ?1 = 0 OR version < ?1 ORDER BY version DESC LIMIT ?2", version_columns));
  if (!rows) return unexpected(rows.error());
  rows->begin(asked.after, asked.limit);
  std::vector<version_record> found;
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) return found;
    auto one = read_version(*rows);
    if (!one) return unexpected(one.error());
    found.push_back(*std::move(one));
  }
}

stored<std::string> store_reader::document_at(std::uint64_t version) {
  if (auto there = must_have(version); !there) return unexpected(there.error());
  auto asked = db_.prepare("SELECT d.body FROM version v JOIN document d ON d.id = v.document WHERE v.version = ?1");
  if (!asked) return unexpected(asked.error());
  asked->begin(version);
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row) return failed(store_error::not_found, fmt::format("version {} has no document", version));
  return std::string(asked->text(0));
}

stored<key_table> store_reader::rows_now(std::uint64_t seed) {
  const auto placements = placement_names::read(db_);
  if (!placements) return unexpected(placements.error());
  auto asked = db_.prepare("SELECT key, placement FROM route");
  if (!asked) return unexpected(asked.error());
  text_memory keys;
  outcome_list names;
  std::vector<key_row> rows;
  std::unordered_map<std::int64_t, std::uint16_t> numbers;
  for (;;) {
    const auto row = asked->step();
    if (!row) return unexpected(row.error());
    if (!*row) break;
    const std::int64_t id = asked->number(1);
    auto number = numbers.find(id);
    if (number == numbers.end()) {
      const auto made = placements->number(id, names);
      if (!made) return unexpected(made.error());
      number = numbers.emplace(id, *made).first;
    }
    rows.push_back({keys.keep(text_of(asked->bytes(0))), number->second});
  }
  return build(rows, names, seed);
}

stored<key_table> store_reader::rows_backward(std::uint64_t version, std::uint64_t seed) {
  auto now = rows_now(seed);
  if (!now) return now;
  // What a key was before the first change behind that version; of such a group the other columns are those of the row
  // with the minimum (SQLite, "bare columns in an aggregate query").
  auto rows = db_.prepare("SELECT key, old, min(version) FROM change WHERE version > ?1 GROUP BY key");
  if (!rows) return unexpected(rows.error());
  rows->begin(version);
  return changed(db_, *std::move(now), *rows);
}

stored<key_table> store_reader::rows_forward(std::uint64_t version, std::uint64_t seed) {
  const auto salt_now = salt();
  if (!salt_now) return unexpected(salt_now.error());
  auto base = read_whole(db_, version, *salt_now, seed);
  if (!base) return unexpected(base.error());
  auto rows =
      db_.prepare("SELECT key, new, max(version) FROM change WHERE version > ?1 AND version <= ?2 GROUP BY key");
  if (!rows) return unexpected(rows.error());
  rows->begin(base->version, version);
  return changed(db_, std::move(base->rows), *rows);
}

stored<key_table> store_reader::rows_at(std::uint64_t version, std::uint64_t seed) {
  const auto work = transaction::begin(db_, false);
  if (!work) return unexpected(work.error());
  return rows_at_once(version, seed);
}

stored<key_table> store_reader::rows_at_once(std::uint64_t version, std::uint64_t seed) {
  if (auto there = must_have(version); !there) return unexpected(there.error());
  const auto has_whole = has_whole_since(version);
  if (!has_whole) return unexpected(has_whole.error());
  auto made = *has_whole ? rows_forward(version, seed) : rows_backward(version, seed);
  if (!made || version == 0) return made;
  const auto keys = db_.number("SELECT nkeys FROM version WHERE version = ?1", version);
  if (!keys) return unexpected(keys.error());
  if (made->size() != static_cast<std::uint64_t>(*keys)) {
    return failed(store_error::corrupt,
                  fmt::format("version {} had {} rows, and {} are found", version, *keys, made->size()));
  }
  return made;
}

stored<std::vector<key_event>> store_reader::history_of(std::string_view key, const page& asked) {
  // A version that has all rows could have changed the key, if it is not in its own row what changed it last.
  auto rows = db_.prepare(fmt::format(
      "SELECT {}, c.key IS NULL, (SELECT name FROM placement WHERE id = c.old), (SELECT name FROM placement WHERE id = "
      "c.new) FROM (SELECT version v FROM change WHERE key = ?1 UNION SELECT version FROM version WHERE is_whole) "
      "JOIN version ON version.version = v LEFT JOIN change c ON c.version = v AND c.key = ?1 "
      "WHERE ?2 = 0 OR v < ?2 ORDER BY v DESC LIMIT ?3",
      "version.version, epoch, parent, digest, nkeys, added, moved, removed, new_document, is_whole, author, at, "
      "label, message, rollback_of, lifted"));
  if (!rows) return unexpected(rows.error());
  rows->begin(bytes_of(key), asked.after, asked.limit);
  std::vector<key_event> found;
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) return found;
    auto one = read_version(*rows);
    if (!one) return unexpected(one.error());
    key_event event{*std::move(one), {}, {}, rows->number(16) != 0};
    if (!rows->is_null(17)) event.from = rows->text(17);
    if (!rows->is_null(18)) event.to = rows->text(18);
    found.push_back(std::move(event));
  }
}

stored<std::optional<std::uint64_t>> store_reader::last_change_of(std::string_view key) {
  const auto found = db_.number("SELECT rev FROM route WHERE key = ?1", bytes_of(key));
  if (found) return std::optional(static_cast<std::uint64_t>(*found));
  if (found.error().what == store_error::not_found) return std::optional<std::uint64_t>();
  return unexpected(found.error());
}

stored<std::uint64_t> store_reader::last_touch_of(std::string_view key) {
  const auto found = db_.number(
      "SELECT max(coalesce((SELECT rev FROM route WHERE key = ?1), 0), "
      "coalesce((SELECT max(version) FROM change WHERE key = ?1), 0))",
      bytes_of(key));
  if (!found) return unexpected(found.error());
  return static_cast<std::uint64_t>(*found);
}

stored<bool> store_reader::has_whole_since(std::uint64_t version) {
  const auto found = db_.number("SELECT count(*) FROM version WHERE version > ?1 AND is_whole", version);
  if (!found) return unexpected(found.error());
  return *found > 0;
}

stored<std::vector<std::string>> store_reader::keys_touched_since(std::uint64_t version, std::string_view after,
                                                                  std::size_t limit) {
  return keys_of(db_,
                 "SELECT key FROM route WHERE rev > ?1 AND key > ?2 UNION "
                 "SELECT key FROM change WHERE version > ?1 AND key > ?2 ORDER BY key LIMIT ?3",
                 version, after, limit);
}

stored<std::vector<std::string>> store_reader::keys_changed_since(std::uint64_t version, std::string_view after,
                                                                  std::size_t limit) {
  return keys_of(db_, "SELECT key FROM route WHERE rev > ?1 AND key > ?2 ORDER BY key LIMIT ?3", version, after, limit);
}

/// Holds the rows against a table, one after the other: how many are in one alone, or another in both.
stored<std::uint64_t> store_reader::rows_unlike(const key_table& expected_rows) {
  const auto placements = placement_names::read(db_);
  if (!placements) return unexpected(placements.error());
  auto asked = db_.prepare("SELECT key, placement FROM route");
  if (!asked) return unexpected(asked.error());
  std::unordered_map<std::int64_t, std::optional<std::uint16_t>> numbers;  // of placements, in the table
  const auto number_of = [&](std::int64_t id) {
    const auto [at, is_new] = numbers.try_emplace(id);
    if (!is_new) return at->second;
    const auto texts = expected_rows.outcomes();
    const auto found = std::ranges::find(texts, placements->text(id));
    if (found != texts.end()) at->second = static_cast<std::uint16_t>(found - texts.begin());
    return at->second;
  };
  std::uint64_t alike = 0;
  std::uint64_t rows = 0;
  for (;; ++rows) {
    const auto row = asked->step();
    if (!row) return unexpected(row.error());
    if (!*row) break;
    const auto here = number_of(asked->number(1));
    alike += here && expected_rows.find(text_of(asked->bytes(0))) == here ? 1 : 0;
  }
  return std::max<std::uint64_t>(rows, expected_rows.size()) - alike;
}

stored<void> store_reader::check_whole(const std::atomic<bool>* is_given_up) {
  db_.end_on(is_given_up);
  const auto work = transaction::begin(db_, false);
  if (!work) return unexpected(work.error());
  const auto now = head();
  if (!now) return unexpected(now.error());
  auto folded = rows_forward(now->version, 0);
  if (!folded) return unexpected(folded.error());
  const auto unlike = rows_unlike(*folded);
  if (!unlike) return unexpected(unlike.error());
  if (*unlike > 0) {
    return failed(store_error::corrupt, fmt::format("{} rows differ from what the history makes of them", *unlike));
  }
  if (folded->size() != now->keys)
    return failed(store_error::corrupt, fmt::format("there are {} rows, and not {}", folded->size(), now->keys));
  if (now->version == 0) return {};
  auto document = document_at(now->version);
  if (!document) return unexpected(document.error());
  const auto salt_now = salt();
  if (!salt_now) return unexpected(salt_now.error());
  const sync::content whole = sync::make_content(*std::move(document), *std::move(folded), *salt_now);
  if (whole.sum != now->sum)
    return failed(store_error::corrupt, "rows and document have another digest than the one that was published");
  return {};
}

}  // namespace cellroute::control
