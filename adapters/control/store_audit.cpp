#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "adapters/control/store.hpp"
#include "adapters/control/store_detail.hpp"

namespace cellroute::control {
namespace {

using detail::number_of;
using detail::time_of;

/// What stands before the first line.
constexpr wire::digest no_hash{};

/// The hash of a line: of the one before, and of each member with its size, so that no two lines are the same bytes.
wire::digest hash_of(const wire::digest& before, const audit_record& line) {
  std::vector<std::byte> message(before.begin(), before.end());
  const auto number = [&message](std::uint64_t value) {
    for (int i = 0; i < 8; ++i) message.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  number(line.sequence);
  number(static_cast<std::uint64_t>(number_of(line.at)));
  for (const std::string* text : {&line.actor, &line.action, &line.target, &line.detail}) {
    number(text->size());
    const auto bytes = bytes_of(*text);
    message.insert(message.end(), bytes.begin(), bytes.end());
  }
  return sync::sha256(message);
}

audit_record read_line(const statement& row) {
  audit_record line;
  line.sequence = row.natural(0);
  line.at = time_of(row.number(1));
  line.actor = row.text(2);
  line.action = row.text(3);
  line.target = row.text(4);
  line.detail = row.text(5);
  return line;
}

}  // namespace

stored<wire::digest> detail::digest_of(std::span<const std::byte> bytes) {
  wire::digest sum{};
  if (bytes.size() != sum.size()) return failed(store_error::corrupt, "a digest has another size");
  std::memcpy(sum.data(), bytes.data(), sum.size());
  return sum;
}

stored<audit_record> detail::add_audit(database& db, std::string_view actor, std::string_view action,
                                       std::string_view target, std::string_view detail, wall_time now) {
  auto last = db.prepare("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
  if (!last) return unexpected(last.error());
  const auto row = last->step();
  if (!row) return unexpected(row.error());
  wire::digest before = no_hash;
  audit_record line{0, now, std::string(actor), std::string(action), std::string(target), std::string(detail), {}};
  if (*row) {
    const auto found = digest_of(last->bytes(1));
    if (!found) return unexpected(found.error());
    before = *found;
    line.sequence = last->natural(0);
  }
  last->reset();
  // Where somebody took lines off the end, their numbers stay missing, whatever is written after.
  const auto written = db.number("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'audit_rows'");
  if (!written) return unexpected(written.error());
  line.sequence = std::max(line.sequence, static_cast<std::uint64_t>(*written)) + 1;
  line.hash = hash_of(before, line);
  if (auto done = db.run_with("INSERT INTO audit VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", line.sequence,
                              number_of(line.at), line.actor, line.action, line.target, line.detail,
                              std::span<const std::byte>(before), std::span<const std::byte>(line.hash));
      !done) {
    return unexpected(done.error());
  }
  if (auto done = db.run_with(
          "INSERT INTO meta VALUES('audit_rows', ?1) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
          line.sequence);
      !done) {
    return unexpected(done.error());
  }
  return line;
}

stored<std::vector<audit_record>> store_reader::audit(const page& asked, std::string_view actor,
                                                      std::string_view target, std::string_view key) {
  auto rows = db_.prepare(
      "SELECT seq, at, actor, action, target, doc, hash FROM audit WHERE seq > ?1 AND (?3 = '' OR actor = ?3) AND "
      "(?4 = '' OR target = ?4) AND (coalesce(length(?5), 0) = 0 OR target IN (SELECT 'version ' || version FROM "
      "change WHERE key = ?5 "
      "UNION SELECT 'version ' || version FROM version WHERE is_whole)) ORDER BY seq LIMIT ?2");
  if (!rows) return unexpected(rows.error());
  rows->begin(asked.after, asked.limit, actor, target, bytes_of(key));
  std::vector<audit_record> found;
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) return found;
    found.push_back(read_line(*rows));
    const auto hash = detail::digest_of(rows->bytes(6));
    if (!hash) return unexpected(hash.error());
    found.back().hash = *hash;
  }
}

stored<std::uint64_t> store_reader::last_audit() {
  const auto last = db_.number("SELECT coalesce(max(seq), 0) FROM audit");
  if (!last) return unexpected(last.error());
  return static_cast<std::uint64_t>(*last);
}

stored<audit_verdict> store_reader::verify_audit() {
  auto work = transaction::begin(db_, false);
  if (!work) return unexpected(work.error());
  const auto written = db_.number("SELECT value FROM meta WHERE name = 'audit_rows'");
  if (!written) return unexpected(written.error());
  auto rows = db_.prepare("SELECT seq, at, actor, action, target, doc, prev_hash, hash FROM audit ORDER BY seq");
  if (!rows) return unexpected(rows.error());
  audit_verdict verdict;
  verdict.head = no_hash;
  const auto bad = [&verdict](std::uint64_t sequence, std::string why) {
    verdict.first_bad = sequence;
    verdict.why = std::move(why);
    return verdict;
  };
  for (;;) {
    const auto row = rows->step();
    if (!row) return unexpected(row.error());
    if (!*row) break;
    ++verdict.rows;
    const audit_record line = read_line(*rows);
    if (line.sequence != verdict.rows) return bad(verdict.rows, "the line is missing");
    const auto same = [](std::span<const std::byte> bytes, const wire::digest& sum) {
      return std::ranges::equal(bytes, sum);
    };
    if (!same(rows->bytes(6), verdict.head)) return bad(line.sequence, "the line before is not the one it was");
    verdict.head = hash_of(verdict.head, line);
    if (!same(rows->bytes(7), verdict.head)) return bad(line.sequence, "the line is not as it was written");
  }
  const auto expected_rows = static_cast<std::uint64_t>(*written);
  if (verdict.rows != expected_rows) {
    return bad(std::min(verdict.rows, expected_rows) + 1,
               verdict.rows < expected_rows ? "the line is missing" : "the line was added by somebody else");
  }
  return verdict;
}

}  // namespace cellroute::control
