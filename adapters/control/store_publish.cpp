#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "adapters/control/store.hpp"
#include "adapters/control/store_detail.hpp"

namespace cellroute::control {
namespace {

using detail::failed;
using detail::number_of;

/// So many changes are kept one by one, however small the table.
constexpr std::size_t single_changes_max = 10'000;

bool is_kept_whole(std::size_t changes, std::size_t keys) {
  return changes > single_changes_max && changes > keys / 10;
}

/// The number of a placement's name, a new one where it is new.
stored<std::int64_t> placement_number(database& db, std::string_view name) {
  auto known = db.number("SELECT id FROM placement WHERE name = ?1", name);
  if (known || known.error().what != store_error::not_found) return known;
  return db.number("INSERT INTO placement(name) VALUES(?1) RETURNING id", name);
}

/// The document of the head where it is the same, else a new one.
stored<std::int64_t> document_number(database& db, std::uint64_t head, const std::string& document) {
  auto same =
      db.number("SELECT d.id FROM version v JOIN document d ON d.id = v.document WHERE v.version = ?1 AND d.body = ?2",
                head, document);
  if (same || same.error().what != store_error::not_found) return same;
  return db.number("INSERT INTO document(body) VALUES(?1) RETURNING id", document);
}

/// The number of no placement.
constexpr std::int64_t none = 0;

/// Writes rows, and what becomes of each.
class row_writer {
 public:
  static stored<row_writer> prepare(database& db, std::uint64_t version, bool has_rows, bool is_whole) {
    auto find = db.prepare("SELECT placement FROM route WHERE key = ?1");
    if (!find) return unexpected(find.error());
    auto set = db.prepare(
        "INSERT INTO route VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE SET placement = excluded.placement, "
        "rev = excluded.rev");
    if (!set) return unexpected(set.error());
    auto remove = db.prepare("DELETE FROM route WHERE key = ?1");
    if (!remove) return unexpected(remove.error());
    auto note = db.prepare("INSERT INTO change VALUES(?1, ?2, nullif(?3, 0), nullif(?4, 0))");
    if (!note) return unexpected(note.error());
    return row_writer(*std::move(find), *std::move(set), *std::move(remove), *std::move(note), version, has_rows,
                      is_whole);
  }

  /// Errors: `corrupt` where the row is as it is to become already: whoever made the changes saw other rows.
  stored<void> write(std::string_view key, std::int64_t to) {
    const auto from = placement_of(key);
    if (!from) return unexpected(from.error());
    if (*from == to) {
      return failed(store_error::corrupt,
                    "the rows of the store are not those that the changes were made from; check "
                    "the store");
    }
    const auto done = to != none ? set_.run(bytes_of(key), to, version_) : remove_.run(bytes_of(key));
    if (!done) return done;
    ++(*from == none ? added : to != none ? moved : removed);
    if (is_whole_) return {};
    return note_.run(version_, bytes_of(key), *from, to);
  }

  std::uint64_t added = 0;
  std::uint64_t moved = 0;
  std::uint64_t removed = 0;

 private:
  row_writer(statement find, statement set, statement remove, statement note, std::uint64_t version, bool has_rows,
             bool is_whole)
      : find_(std::move(find)),
        set_(std::move(set)),
        remove_(std::move(remove)),
        note_(std::move(note)),
        version_(version),
        has_rows_(has_rows),
        is_whole_(is_whole) {}

  stored<std::int64_t> placement_of(std::string_view key) {
    if (!has_rows_) return none;
    find_.begin(bytes_of(key));
    const auto row = find_.step();
    if (!row) return unexpected(row.error());
    return *row ? find_.number(0) : none;
  }

  statement find_;
  statement set_;
  statement remove_;
  statement note_;
  std::uint64_t version_;
  bool has_rows_;
  bool is_whole_;
};

stored<void> write_rows(database& db, const row_changes& changes, bool has_rows, version_record& made) {
  std::vector<std::int64_t> numbers;
  for (const std::string_view name : changes.names) {
    const auto number = placement_number(db, name);
    if (!number) return unexpected(number.error());
    numbers.push_back(*number);
  }
  auto rows = row_writer::prepare(db, made.version, has_rows, made.is_whole);
  if (!rows) return unexpected(rows.error());
  for (const key_change& each : changes.changes) {
    if (auto done = rows->write(each.key, each.outcome ? numbers[*each.outcome] : none); !done) return done;
  }
  made.added = rows->added;
  made.moved = rows->moved;
  made.removed = rows->removed;
  return {};
}

std::string audit_detail(const version_record& made) {
  std::string out = fmt::format("{{\"version\":{},\"added\":{},\"moved\":{},\"removed\":{},\"document\":{}",
                                made.version, made.added, made.moved, made.removed, made.is_document_new);
  if (made.rollback_of) out += fmt::format(",\"rollback_of\":{}", *made.rollback_of);
  if (!made.lifted.empty()) out += fmt::format(",\"override\":\"{}\"", made.lifted);
  return out + "}";
}

stored<void> write_version(database& db, const version_record& v, std::int64_t document) {
  return db.run_with("INSERT INTO version VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
                     v.version, v.epoch, v.parent, document, std::span<const std::byte>(v.sum), v.keys, v.added,
                     v.moved, v.removed, v.is_document_new, v.is_whole, v.author, number_of(v.at), v.label, v.message,
                     v.rollback_of, v.lifted);
}

/// Completes what only the rows tell.
stored<void> write_counts(database& db, const version_record& v) {
  return db.run_with("UPDATE version SET added = ?2, moved = ?3, removed = ?4 WHERE version = ?1", v.version, v.added,
                     v.moved, v.removed);
}

version_record record_of(const publication& what, const store_head& head) {
  version_record made;
  made.version = head.version + 1;
  made.epoch = head.epoch;
  made.parent = head.version;
  made.sum = what.content.sum;
  made.keys = what.content.keys.size();
  made.is_whole = is_kept_whole(what.changes.changes.size(), std::max<std::size_t>(head.keys, made.keys));
  made.author = what.author;
  made.at = what.at;
  made.label = what.label;
  made.message = what.message;
  made.rollback_of = what.rollback_of;
  made.lifted = what.lifted;
  return made;
}

}  // namespace

stored<version_record> store::publish(const publication& what) {
  database& db = self_.db_;
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  const auto head = self_.head();
  if (!head) return unexpected(head.error());
  if (head->version != what.expected_version) {
    return failed(store_error::conflict,
                  fmt::format("version {} was published meanwhile; look at it, and begin anew", head->version));
  }
  version_record made = record_of(what, *head);
  const auto document = document_number(db, head->version, what.content.document);
  if (!document) return unexpected(document.error());
  const auto before = db.number("SELECT coalesce((SELECT document FROM version WHERE version = ?1), 0)", head->version);
  if (!before) return unexpected(before.error());
  made.is_document_new = *before != *document;

  if (auto done = write_version(db, made, *document); !done) return unexpected(done.error());
  if (auto done = write_rows(db, what.changes, head->keys > 0, made); !done) return unexpected(done.error());
  if (head->keys + made.added - made.removed != made.keys)
    return failed(store_error::corrupt, "the changes do not make the rows that are to be published; check the store");
  if (auto done = write_counts(db, made); !done) return unexpected(done.error());
  if (made.is_whole) {
    auto done = detail::add_whole(db, what.content, made.epoch, made.version);
    if (!done) return unexpected(done.error());
  }
  if (what.asked_once) {
    const std::string text = what.answer_of != nullptr ? what.answer_of(made) : std::string();
    auto done = detail::add_answer(db, {*what.asked_once, 200, text, made.version}, what.at);
    if (!done) return unexpected(done.error());
  }
  const std::string target = fmt::format("version {}", made.version);
  auto line = detail::add_audit(db, what.author, what.action, target, audit_detail(made), what.at);
  if (auto done = commit(*work, std::move(line)); !done) return unexpected(done.error());
  return made;
}

stored<void> store::commit(transaction& work, stored<audit_record> line) {
  if (!line) return unexpected(line.error());
  if (auto done = work.commit(); !done) return done;
  audited_.push_back(*std::move(line));
  return {};
}

stored<void> detail::add_whole(database& db, const sync::content& all, std::uint64_t epoch, std::uint64_t version) {
  const sync::artifact packed = sync::pack_snapshot(all, {epoch, version, all.sum});
  return db.run_with("INSERT OR REPLACE INTO artifact VALUES(?1, ?2, ?3, ?4, ?5, ?6)", version,
                     std::span<const std::byte>(packed.sum), packed.raw_bytes, packed.keys, packed.compression,
                     std::span<const std::byte>(packed.bytes));
}

stored<void> store::check_writing() { return self_.db_.run("UPDATE meta SET value = value WHERE name = 'epoch'"); }

stored<void> store::append_audit(std::string_view actor, std::string_view action, std::string_view target,
                                 std::string_view detail, wall_time now, const kept_answer* once) {
  database& db = self_.db_;
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  if (once != nullptr) {
    if (auto done = detail::add_answer(db, *once, now); !done) return done;
  }
  return commit(*work, detail::add_audit(db, actor, action, target, detail, now));
}

stored<std::uint64_t> store::purge(const purge_policy& policy, wall_time now) {
  database& db = self_.db_;
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  const auto head = self_.head();
  if (!head) return unexpected(head.error());
  if (head->version == 0) return std::uint64_t{0};
  const auto oldest = self_.oldest_version();
  if (!oldest) return unexpected(oldest.error());
  const std::uint64_t most = std::max<std::uint64_t>(policy.versions_max, 1);
  std::uint64_t keep = std::max(*oldest, head->version > most ? head->version - most + 1 : *oldest);
  if (policy.age_max) {
    // A clock that was put back makes no version younger than one before it.
    const auto old = db.number("SELECT coalesce(max(version), 0) FROM version WHERE at < ?1 AND version < ?2",
                               number_of(now - *policy.age_max), head->version);
    if (!old) return unexpected(old.error());
    keep = std::max(keep, static_cast<std::uint64_t>(*old) + 1);
  }
  if (keep <= *oldest) return std::uint64_t{0};

  const auto record = self_.version(keep);
  if (!record) return unexpected(record.error());
  auto rows = self_.rows_at_once(keep, 0);
  if (!rows) return unexpected(rows.error());
  auto document = self_.document_at(keep);
  if (!document) return unexpected(document.error());
  const auto salt = self_.salt();
  if (!salt) return unexpected(salt.error());
  const sync::content base = sync::make_content(*std::move(document), *std::move(rows), *salt);
  if (base.sum != record->sum)
    return failed(store_error::corrupt, fmt::format("version {} has not the digest that it had", keep));
  if (auto done = detail::add_whole(db, base, record->epoch, keep); !done) return unexpected(done.error());
  // The changes that led to it are in its rows now.
  constexpr std::array statements = {"DELETE FROM change WHERE version <= ?1",
                                     "DELETE FROM artifact WHERE version < ?1",
                                     "DELETE FROM version WHERE version < ?1"};
  for (const char* each : statements) {
    if (auto done = db.run_with(each, keep); !done) return unexpected(done.error());
  }
  if (auto done = db.run("DELETE FROM document WHERE id NOT IN (SELECT document FROM version)"); !done)
    return unexpected(done.error());
  const std::string target = fmt::format("versions {} to {}", *oldest, keep - 1);
  auto line = detail::add_audit(db, "cellroute-control", "purge", target, {}, now);
  if (auto done = commit(*work, std::move(line)); !done) return unexpected(done.error());
  return keep - *oldest;
}

}  // namespace cellroute::control
