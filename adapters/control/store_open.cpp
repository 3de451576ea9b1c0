#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/control/store.hpp"
#include "adapters/control/store_detail.hpp"

namespace cellroute::control {
namespace {

using detail::failed;

constexpr std::int64_t schema_version = 1;
constexpr std::int64_t application_id = 0x43525354;  // "CRST", for who looks at a file and wonders

constexpr const char* schema = R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE placement(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE document(id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE route(key BLOB PRIMARY KEY, placement INTEGER NOT NULL REFERENCES placement, rev INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE version(version INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, parent INTEGER NOT NULL,
  document INTEGER NOT NULL REFERENCES document, digest BLOB NOT NULL, nkeys INTEGER NOT NULL, added INTEGER NOT NULL,
  moved INTEGER NOT NULL, removed INTEGER NOT NULL, new_document INTEGER NOT NULL, is_whole INTEGER NOT NULL,
  author TEXT NOT NULL, at INTEGER NOT NULL, label TEXT NOT NULL, message TEXT NOT NULL, rollback_of INTEGER,
  lifted TEXT NOT NULL);
CREATE INDEX version_document ON version(document);
CREATE TABLE change(version INTEGER NOT NULL REFERENCES version, key BLOB NOT NULL, old INTEGER REFERENCES placement,
  new INTEGER REFERENCES placement, PRIMARY KEY(version, key)) WITHOUT ROWID;
CREATE INDEX change_key ON change(key, version);
CREATE TABLE artifact(version INTEGER PRIMARY KEY REFERENCES version, sha256 BLOB NOT NULL, raw_bytes INTEGER NOT NULL,
  keys INTEGER NOT NULL, comp TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE token(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
  placements TEXT NOT NULL, key_prefix BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE TABLE idem(principal TEXT NOT NULL, key TEXT NOT NULL, asked BLOB NOT NULL, status INTEGER NOT NULL,
  answer TEXT NOT NULL, version INTEGER, at INTEGER NOT NULL, PRIMARY KEY(principal, key)) WITHOUT ROWID;
CREATE TABLE audit(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, doc TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL);
)";

/// Makes a file that nobody else reads. It holds nothing yet.
stored<void> make_file(const std::string& path) {
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made >= 0) {
    ::close(made);
    return {};
  }
  if (errno == EEXIST)
    return failed(store_error::refused, path + ": there is something already; name another, or remove it");
  const store_error what = errno == ENOSPC || errno == EDQUOT ? store_error::full : store_error::unavailable;
  return failed(what, fmt::format("{}: cannot be made: {}", path, std::strerror(errno)));
}

stored<void> check_file(const std::string& path) {
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) != 0) {
    const store_error what = errno == ENOENT ? store_error::not_found : store_error::unavailable;
    return failed(what, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(facts.st_mode)) return failed(store_error::refused, path + ": is no file");
  if (facts.st_uid != ::geteuid())
    return failed(store_error::refused, path + ": does not belong to this user; chown it, or name another");
  if ((facts.st_mode & 077) != 0)
    return failed(store_error::refused, path + ": is open to others; chmod 600 it, or name another");
  return {};
}

stored<void> set_meta(database& db, std::string_view name, auto value) {
  return db.run_with("INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = excluded.value", name,
                     value);
}

/// Whether it is a file of ours, of this release, and of the kind that is wanted.
stored<void> check_kind(database& db, const std::string& path, std::string_view kind) {
  const auto format = db.number("PRAGMA application_id");
  if (!format) return unexpected(format.error());
  const auto schema_of_file = db.number("PRAGMA user_version");
  if (!schema_of_file) return unexpected(schema_of_file.error());
  if (*format != application_id)
    return failed(store_error::refused, path + ": is no store, or one that was never finished; name another");
  if (*schema_of_file != schema_version) {
    return failed(store_error::refused, fmt::format("{}: has format {}, and {} is known here; start the release that "
                                                    "wrote it",
                                                    path, *schema_of_file, schema_version));
  }
  auto asked = db.prepare("SELECT value FROM meta WHERE name = 'kind'");
  if (!asked) return unexpected(asked.error());
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  const std::string found(*row ? asked->text(0) : "");
  if (found == kind) return {};
  return failed(store_error::refused, found == "backup"
                                          ? path + ": is a backup; restore it with a new epoch"
                                          : path + ": is no backup; one is made by `backup`, and not by a copy");
}

stored<void> begin_contents(database& db, const store_identity& identity, wall_time now) {
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  const auto all = [&]() -> stored<void> {
    if (auto done = db.run(schema); !done) return done;
    if (auto done = set_meta(db, "kind", "store"); !done) return done;
    if (auto done = set_meta(db, "cluster", std::string_view(identity.cluster)); !done) return done;
    if (auto done = set_meta(db, "salt", identity.salt); !done) return done;
    if (auto done = set_meta(db, "epoch", identity.epoch); !done) return done;
    if (auto line = detail::add_audit(db, "cellroute-control", "create", identity.cluster, {}, now); !line)
      return unexpected(line.error());
    if (auto done = db.run(fmt::format("PRAGMA user_version = {}", schema_version).c_str()); !done) return done;
    return db.run(fmt::format("PRAGMA application_id = {}", application_id).c_str());
  }();
  if (!all) return all;
  return work->commit();
}

}  // namespace

stored<void> detail::prepare_connection(database& db) {
  // The size that the log keeps behind a large publish is bounded; what is not ours in the schema is not run.
  return db.run(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 16777216");
}

stored<store_reader> store_reader::open(const std::string& path) {
  auto db = database::open(path, database_use::read);
  if (!db) return unexpected(db.error());
  if (auto done = detail::prepare_connection(*db); !done) return unexpected(done.error());
  return store_reader(*std::move(db));
}

store::file_lock::file_lock(file_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

store::file_lock::~file_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// In a file of its own: the system would drop SQLite's locks on the store when another descriptor of it is closed.
stored<store::file_lock> store::take_lock(const std::string& path) {
  const std::string name = path + ".lock";
  const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0)
    return failed(store_error::unavailable, fmt::format("{}: cannot be made: {}", name, std::strerror(errno)));
  file_lock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return failed(store_error::refused, path + ": another process uses it; stop that one, or give each its own");
  return lock;
}

store::store(store_reader self, std::string path, file_lock lock)
    : self_(std::move(self)), path_(std::move(path)), lock_(std::move(lock)) {}
store::store(store&&) noexcept = default;
store::~store() = default;

stored<store> store::create(const std::string& path, const store_identity& identity, wall_time now) {
  auto lock = take_lock(path);
  if (!lock) return unexpected(lock.error());
  if (auto made = make_file(path); !made) return unexpected(made.error());
  {
    auto db = database::open(path, database_use::write);
    if (!db) return unexpected(db.error());
    if (auto done = db->run("PRAGMA journal_mode = WAL"); !done) return unexpected(done.error());
    if (auto done = detail::prepare_connection(*db); !done) return unexpected(done.error());
    if (auto done = begin_contents(*db, identity, now); !done) return unexpected(done.error());
  }
  return open_locked(path, *std::move(lock), identity.cluster);
}

stored<store> store::open(const std::string& path, std::string_view cluster) {
  if (auto good = check_file(path); !good) return unexpected(good.error());
  auto lock = take_lock(path);
  if (!lock) return unexpected(lock.error());
  return open_locked(path, *std::move(lock), cluster);
}

stored<store> store::open_locked(const std::string& path, file_lock lock, std::string_view cluster) {
  auto db = database::open(path, database_use::write);
  if (!db) return unexpected(db.error());
  if (auto done = detail::prepare_connection(*db); !done) return unexpected(done.error());
  if (auto good = check_kind(*db, path, "store"); !good) return unexpected(good.error());
  if (auto done = db->run("PRAGMA journal_mode = WAL"); !done) return unexpected(done.error());
  store made(store_reader(*std::move(db)), path, std::move(lock));
  const auto found = made.self_.cluster();
  if (!found) return unexpected(found.error());
  if (!cluster.empty() && *found != cluster) {
    return failed(store_error::refused,
                  fmt::format("{}: is the store of cluster {}, and not of {}; name that one's", path, *found, cluster));
  }
  const auto head = made.self_.head();  // its epoch is looked at, and that it can be read at all
  if (!head) return unexpected(head.error());
  return made;
}

stored<void> store::backup(const std::string& path) {
  if (auto made = make_file(path); !made) return made;
  if (auto done = self_.db_.copy_to(path); !done) return done;
  auto copy = database::open(path, database_use::write);
  if (!copy) return unexpected(copy.error());
  // One file without a log beside it, and marked: a copy that is put in the store's place by hand is not opened.
  if (auto done = copy->run("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL"); !done) return done;
  return set_meta(*copy, "kind", "backup");
}

stored<store> store::restore(const std::string& backup, const std::string& path, std::uint64_t epoch, wall_time now) {
  if (auto good = check_file(backup); !good) return unexpected(good.error());
  auto lock = take_lock(path);
  if (!lock) return unexpected(lock.error());
  auto from = store_reader::open(backup);
  if (!from) return unexpected(from.error());
  if (auto good = check_kind(from->db_, backup, "backup"); !good) return unexpected(good.error());
  const auto head = from->head();
  if (!head) return unexpected(head.error());
  if (epoch <= head->epoch) {
    return failed(store_error::refused,
                  fmt::format("{}: is of epoch {}; restore it with a higher one, above any that routers have seen",
                              backup, head->epoch));
  }
  if (auto good = from->check_whole(); !good) return unexpected(good.error());
  if (auto made = make_file(path); !made) return unexpected(made.error());
  if (auto done = from->db_.copy_to(path); !done) return unexpected(done.error());
  {
    auto db = database::open(path, database_use::write);
    if (!db) return unexpected(db.error());
    if (auto done = db->run("PRAGMA journal_mode = WAL"); !done) return unexpected(done.error());
    if (auto done = detail::prepare_connection(*db); !done) return unexpected(done.error());
    auto work = transaction::begin(*db, true);
    if (!work) return unexpected(work.error());
    const std::string detail = fmt::format("{{\"epoch\":{}}}", epoch);
    if (auto done = set_meta(*db, "epoch", epoch); !done) return unexpected(done.error());
    if (auto line = detail::add_audit(*db, "cellroute-control", "restore", backup, detail, now); !line)
      return unexpected(line.error());
    // Last, and so in the commit that makes the file a store.
    if (auto done = set_meta(*db, "kind", "store"); !done) return unexpected(done.error());
    if (auto done = work->commit(); !done) return unexpected(done.error());
  }
  return open_locked(path, *std::move(lock), {});
}

}  // namespace cellroute::control
