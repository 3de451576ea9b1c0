#include "adapters/control/fleet_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "adapters/control/store_detail.hpp"

namespace cellroute::control {
namespace {

constexpr std::int64_t form = 0x63720001;  // of the tables, in `user_version`

// Exclusive: another process with a store in the same folder must not write here, too; and it is not waited for long.
constexpr const char* pragmas =
    "PRAGMA busy_timeout = 200; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = "
    "OFF;"
    "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY";

constexpr const char* tables =
    "DROP TABLE IF EXISTS fleet_of; DROP TABLE IF EXISTS routers;"
    "CREATE TABLE fleet_of(cluster TEXT NOT NULL);"
    "CREATE TABLE routers(id TEXT PRIMARY KEY, seen INTEGER NOT NULL, epoch INTEGER, version INTEGER, digest BLOB,"
    " build TEXT NOT NULL, refusal TEXT NOT NULL) WITHOUT ROWID";

stored<bool> is_of(database& db, std::string_view cluster) {
  const auto version = db.number("PRAGMA user_version");
  if (!version) return unexpected(version.error());
  if (*version == 0) {
    const auto others = db.number("SELECT count(*) FROM sqlite_schema");
    if (!others) return unexpected(others.error());
    if (*others > 0) return unexpected(store_failure{store_error::refused, "it is a database of something else"});
  }
  if (*version != form) return false;
  const auto count = db.number("SELECT count(*) FROM fleet_of WHERE cluster = ?1", cluster);
  if (!count) return unexpected(count.error());
  return *count == 1;
}

stored<void> begin_anew(database& db, std::string_view cluster) {
  if (auto done = db.run(tables); !done) return done;
  if (auto done = db.run_with("INSERT INTO fleet_of VALUES(?1)", cluster); !done) return done;
  return db.run(fmt::format("PRAGMA user_version = {}", form).c_str());
}

known_router router_of(const statement& row) {
  known_router made;
  made.id = row.text(0);
  made.seen = detail::time_of(row.number(1));
  if (!row.is_null(2)) {
    made.running = wire::content_id{row.natural(2), row.natural(3)};
    const auto digest = row.bytes(4);
    if (digest.size() == made.running->sum.size()) std::ranges::copy(digest, made.running->sum.begin());
  }
  made.build = row.text(5);
  made.last_refusal = row.text(6);
  return made;
}

}  // namespace

stored<fleet_file> fleet_file::open(const std::string& path, std::string_view cluster) {
  auto db = database::open(path, database_use::create);
  if (!db) return unexpected(db.error());
  (void)::chmod(path.c_str(), 0600);
  if (auto done = db->run(pragmas); !done) return unexpected(done.error());
  auto work = transaction::begin(*db, true);
  if (!work) return unexpected(work.error());
  const auto is_right = is_of(*db, cluster);
  if (!is_right) return unexpected(is_right.error());
  if (!*is_right) {
    if (auto done = begin_anew(*db, cluster); !done) return unexpected(done.error());
  }
  if (auto done = work->commit(); !done) return unexpected(done.error());
  return fleet_file(*std::move(db));
}

stored<std::vector<known_router>> fleet_file::read() {
  auto asked = db_.prepare("SELECT id, seen, epoch, version, digest, build, refusal FROM routers ORDER BY id");
  if (!asked) return unexpected(asked.error());
  std::vector<known_router> all;
  asked->begin();
  for (;;) {
    const auto row = asked->step();
    if (!row) return unexpected(row.error());
    if (!*row) return all;
    all.push_back(router_of(*asked));
  }
}

stored<void> fleet_file::write(std::span<const known_router> some, wall_time forget_before) {
  auto work = transaction::begin(db_, true);
  if (!work) return unexpected(work.error());
  auto put = db_.prepare("INSERT OR REPLACE INTO routers VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!put) return unexpected(put.error());
  for (const known_router& each : some) {
    using number = std::optional<std::uint64_t>;
    using bytes = std::optional<std::span<const std::byte>>;
    const auto& ran = each.running;
    const auto done =
        put->run(each.id, detail::number_of(each.seen), ran ? number(ran->epoch) : number(),
                 ran ? number(ran->version) : number(), ran ? bytes(ran->sum) : bytes(), each.build, each.last_refusal);
    if (!done) return unexpected(done.error());
  }
  if (auto done = db_.run_with("DELETE FROM routers WHERE seen < ?1", detail::number_of(forget_before)); !done)
    return done;
  return work->commit();
}

}  // namespace cellroute::control
