#include "adapters/control/event_log.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace cellroute::control {
namespace {

constexpr std::uint64_t born_behind = 1'000;  // events of this process have numbers behind this one

audit_record audit_line_of(std::uint64_t number) {
  return {number, {}, "ann", "publish", "version " + std::to_string(number), {}, {}};
}

/// A store with the lines up to a number; where it is broken, it has none.
class stored_audit final : public audit_source {
 public:
  explicit stored_audit(std::uint64_t last) : last_(last) {}
  stored<std::vector<audit_record>> lines_behind(std::uint64_t sequence, std::size_t limit) override {
    std::vector<audit_record> found;
    while (sequence < last_ && found.size() < limit) found.push_back(audit_line_of(++sequence));
    return found;
  }

 private:
  std::uint64_t last_;
};

/// Short words for what a stream of events has: `a7` a line of the audit, `lost`, or the kind; each with the id.
std::string words_of_events(std::string_view text) {
  std::string words;
  std::string id;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (line.starts_with("id: ")) id = line.substr(4);
    if (!line.starts_with("event: ")) continue;
    words += (words.empty() ? "" : " ") + std::string(line.substr(7));
    if (!id.empty()) words += "@" + std::exchange(id, {});
  }
  return words;
}

/// What one hears who comes with that mark, until nothing is new.
std::string hears_of(event_log& from, std::optional<event_mark> last, std::uint64_t stored) {
  const auto stream = from.watch(last, std::make_unique<stored_audit>(stored));
  REQUIRE(stream);
  std::string all;
  std::string piece;
  while (stream->next(piece) && piece.find("nothing new") == std::string::npos) all += piece;
  return words_of_events(all);
}

std::optional<event_mark> mark_at(std::uint64_t audit, std::optional<std::uint64_t> event = {}) {
  return event_mark{audit, event};
}

/// The process began behind line 5. Then a router joined, line 6 was written, and the router left.
event_log& with_history(event_log& log) {
  log.begin(5);
  log.add("joined", "{}");
  log.on_audited(audit_line_of(6));
  log.add("left", "{}");
  return log;
}

TEST_CASE("events: whoever comes again hears what he has missed") {
  event_log log(4, 1ms, born_behind);
  with_history(log);
  struct row {
    const char* name;
    std::optional<event_mark> last;
    const char* hears;
  };
  const row rows[] = {
      {"who is new hears what comes", {}, ""},
      {"all seen", mark_at(6, 1'003), ""},
      {"cut behind a line", mark_at(6, 1'002), "left@6.1003"},
      {"cut before it", mark_at(5, 1'001), "audit@6.1002 left@6.1003"},
      {"nothing but the start seen", mark_at(5, 1'000), "joined@5.1001 audit@6.1002 left@6.1003"},
      {"of an earlier process, lines from the store", mark_at(3, 700),
       "lost audit@4.0 audit@5.0 joined@5.1001 audit@6.1002 left@6.1003"},
      {"cut among lines from the store", mark_at(4, 0), "lost audit@5.0 joined@5.1001 audit@6.1002 left@6.1003"},
      {"of an earlier process that wrote no line since", mark_at(5, 700),
       "lost joined@5.1001 audit@6.1002 left@6.1003"},
      {"a line alone, that is here", mark_at(6), "left@6.1003"},
      {"a line alone, the last of before", mark_at(5), "joined@5.1001 audit@6.1002 left@6.1003"},
      {"a line alone, of before", mark_at(4), "audit@5.0 joined@5.1001 audit@6.1002 left@6.1003"},
      {"from the first line", mark_at(0),
       "audit@1.0 audit@2.0 audit@3.0 audit@4.0 audit@5.0 joined@5.1001 audit@6.1002 left@6.1003"},
      {"a line that is not there: the store went back", mark_at(9), "lost"},
      {"of a process whose store is gone", mark_at(9, 700), "lost joined@5.1001 audit@6.1002 left@6.1003"},
      {"an event that is not there", mark_at(6, 2'000), "lost"},
  };
  for (const row& each : rows) {
    CAPTURE(each.name);
    CHECK(hears_of(log, each.last, 6) == each.hears);
  }
}

TEST_CASE("events: lines that are not here any more are read from the store, the rest is lost") {
  event_log log(4, 1ms, born_behind);
  log.begin(0);
  for (std::uint64_t line = 1; line <= 1'200; ++line) log.on_audited(audit_line_of(line));
  const auto watched = log.watch(mark_at(150), std::make_unique<stored_audit>(1'200));
  std::uint64_t next = 151;
  std::string piece;
  std::string all;
  while (watched->next(piece) && piece.find("nothing new") == std::string::npos) all += piece;
  std::size_t at = 0;
  while ((at = all.find("\nid: ", at)) != std::string::npos) {
    at += 5;
    CHECK(std::stoull(all.substr(at)) == next++);
  }
  CHECK(next == 1'201);
  CHECK(all.find("event: lost") != std::string::npos);  // there may have been other events between those lines
}

TEST_CASE("events: a store that cannot be read takes nothing else away") {
  event_log log(4, 1ms, born_behind);
  with_history(log);
  CHECK(hears_of(log, mark_at(3), 0) == "lost joined@5.1001 audit@6.1002 left@6.1003");
}

TEST_CASE("events: who watches hears at once, and the end") {
  event_log log(1, 10s, born_behind);
  log.begin(5);
  const auto stream = log.watch({}, std::make_unique<stored_audit>(5));
  CHECK(log.watch({}, nullptr) == nullptr);  // one is enough here
  std::string piece;
  REQUIRE(stream->next(piece));
  CHECK(piece == ": watching\n\n");
  log.on_audited(audit_line_of(6));
  REQUIRE(stream->next(piece));
  CHECK(words_of_events(piece) == "audit@6.1001");
  CHECK(piece.find("\"target\":\"version 6\"") != std::string::npos);
  log.close();
  CHECK_FALSE(stream->next(piece));
}

}  // namespace
}  // namespace cellroute::control
