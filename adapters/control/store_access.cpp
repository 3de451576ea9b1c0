#include <algorithm>
#include <utility>

#include "adapters/control/store.hpp"
#include "adapters/control/store_detail.hpp"
#include "adapters/process/json_writer.hpp"

// Tokens and the answers that are given again.
namespace cellroute::control {

using detail::failed;
using detail::number_of;
using detail::time_of;

stored<void> detail::add_answer(database& db, const kept_answer& what, wall_time now) {
  return db.run_with("INSERT OR REPLACE INTO idem VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", what.to.principal, what.to.key,
                     std::span<const std::byte>(what.to.asked), what.status, what.body, what.version, number_of(now));
}

namespace {

/// What the audit tells of a token, which outlives it.
std::string audit_detail(const token_record& token) {
  std::string text;
  process::json_writer out(text);
  out.begin_object().field("name", token.name).field("role", token.role);
  out.name("placements").value(std::span<const std::string>(token.placements));
  out.field("key_prefix", token.key_prefix).field("expires", token.expires).end_object();
  return text;
}

}  // namespace

stored<void> store::add_token(const token_record& token, std::string_view actor, wall_time now,
                              const kept_answer* once) {
  database& db = self_.db_;
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  std::string placements;  // a line each: a name has no line end
  for (const std::string& each : token.placements) placements += each + "\n";
  if (auto done = db.run_with("INSERT INTO token VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", token.id,
                              std::span<const std::byte>(token.hash), token.name, token.role, placements,
                              bytes_of(token.key_prefix), number_of(token.created), number_of(token.expires));
      !done) {
    return done;
  }
  if (once != nullptr) {
    if (auto done = detail::add_answer(db, *once, now); !done) return done;
  }
  return commit(*work, detail::add_audit(db, actor, "token.add", token.id, audit_detail(token), now));
}

stored<void> store::remove_token(std::string_view id, std::string_view actor, wall_time now) {
  database& db = self_.db_;
  auto work = transaction::begin(db, true);
  if (!work) return unexpected(work.error());
  if (const auto found = db.number("DELETE FROM token WHERE id = ?1 RETURNING 1", id); !found) {
    if (found.error().what != store_error::not_found) return unexpected(found.error());
    return failed(store_error::not_found, "there is no token of that id");
  }
  return commit(*work, detail::add_audit(db, actor, "token.remove", id, {}, now));
}

stored<void> store::keep_answer(const kept_answer& what, wall_time now) {
  return detail::add_answer(self_.db_, what, now);
}

stored<void> store::forget_answers(wall_time before) {
  return self_.db_.run_with("DELETE FROM idem WHERE at < ?1", number_of(before));
}

stored<std::vector<token_record>> store_reader::tokens() {
  auto rows = db_.prepare(
      "SELECT id, hash, name, role, placements, key_prefix, created, expires FROM token ORDER BY created, id");
  if (!rows) return unexpected(rows.error());
  std::vector<token_record> found;
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) return found;
    token_record& one = found.emplace_back();
    const auto hash = detail::digest_of(rows->bytes(1));
    if (!hash) return unexpected(hash.error());
    one.id = rows->text(0);
    one.hash = *hash;
    one.name = rows->text(2);
    one.role = rows->text(3);
    std::string_view names = rows->text(4);
    for (std::size_t end = names.find('\n'); end != std::string_view::npos; end = names.find('\n')) {
      one.placements.emplace_back(names.substr(0, end));
      names.remove_prefix(end + 1);
    }
    one.key_prefix = text_of(rows->bytes(5));
    one.created = time_of(rows->number(6));
    one.expires = time_of(rows->number(7));
  }
}

stored<std::optional<token_record>> store_reader::find_token(const wire::digest& hash) {
  auto all = tokens();  // few, and a hash tells nothing to who measures how long it takes
  if (!all) return unexpected(all.error());
  for (token_record& each : *all) {
    if (each.hash == hash) return std::optional(std::move(each));
  }
  return std::optional<token_record>();
}

stored<std::optional<idempotent_answer>> store_reader::find_answer(std::string_view principal, std::string_view key) {
  auto asked = db_.prepare("SELECT asked, status, answer, version, at FROM idem WHERE principal = ?1 AND key = ?2");
  if (!asked) return unexpected(asked.error());
  asked->begin(principal, key);
  const auto row = asked->step();
  if (!row) return unexpected(row.error());
  if (!*row) return std::optional<idempotent_answer>();
  const auto sum = detail::digest_of(asked->bytes(0));
  if (!sum) return unexpected(sum.error());
  idempotent_answer found{
      *sum, static_cast<std::uint16_t>(asked->number(1)), std::string(asked->text(2)), {}, time_of(asked->number(4))};
  if (!asked->is_null(3)) found.version = asked->natural(3);
  return std::optional(std::move(found));
}

}  // namespace cellroute::control
