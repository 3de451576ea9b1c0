#include "adapters/sync/router_link.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/sync/script.hpp"

namespace cellroute::sync {
namespace {

struct linked_router {
  time_point now{1h};
  router_link link;

  explicit linked_router(std::size_t addresses = 1, intake_memory memory = {}, intake_limits limits = {})
      : linked_router(settings_of(addresses), std::move(memory), std::move(limits)) {}
  linked_router(const link_settings& settings, intake_memory memory, intake_limits limits)
      : link(settings, {"r", "b", "", {}, "file"}, std::move(limits), std::move(memory), 7) {}

  static link_settings settings_of(std::size_t addresses) {
    link_settings s;
    s.addresses = addresses;
    return s;
  }
  std::uint64_t number = 0;  ///< of the last check that was asked for
  std::string done() {
    const auto actions = link.take_actions();
    for (const link_action& one : actions) {
      if (const auto* check = std::get_if<check_base_content>(&one)) number = check->number;
    }
    return words_of(actions);
  }
  std::string tick() {
    link.tick(now);
    return done();
  }
  std::string wait(duration by) {
    now += by;
    return tick();
  }
  std::string told(const wire::message& m) {
    link.take_text(wire::write_message(m), now);
    return done();
  }
  std::string told_text(std::string_view text) {
    link.take_text(text, now);
    return done();
  }
  std::string opened(bool is_native = true) {
    link.opened(is_native, now);
    return done();
  }
  /// Up to the open session.
  void live() {
    (void)tick();
    (void)opened();
    wire::hello_ack m;
    m.session = 3;
    m.ping_ms = 2'000;
    (void)told(m);
  }
  std::string_view state() const { return to_string(link.state()); }
};

TEST_CASE("router link: it opens, says hello once, and answers beats; nothing else is sent of its own accord") {
  linked_router r(1, {.held = {a1}, .quarantined = {}});
  CHECK(r.tick() == "open 0");
  CHECK(r.opened() == "hello 1a");
  CHECK(r.state() == "negotiating");
  wire::hello_ack m;
  m.session = 3;
  m.ping_ms = 2'000;
  CHECK(r.told(m).empty());
  CHECK(r.state() == "live");
  CHECK(r.wait(5s).empty());
  CHECK(r.told(wire::ping{1, std::nullopt}) == "pong 1a");
  CHECK_FALSE(r.link.confirmed_at());
  CHECK(r.told(wire::ping{2, wire::targets{1, 1, a1}}) == "unchanged 1a, applied 1a noop, pong 1a");
  CHECK((r.link.confirmed_at() == r.now));
}

TEST_CASE("router link: a content comes through it, and its checks and its ack go back") {
  linked_router r;
  r.live();
  const wire::digest sum = sum_of('a');
  CHECK(r.told(wire::ping{1, wire::targets{1, 1, a1}}) == "pong");
  wire::config_begin begin;
  begin.transfer = 5;
  begin.content = a1;
  begin.artifact = sum;
  begin.chunks = 1;
  begin.bytes = begin.raw_bytes = 3;
  begin.compression = "none";
  CHECK(r.told(begin) == "refuse 1, rejected 1a too_large");  // the limits of this one are 0
}

struct end_case {
  std::string_view says;
  void (*happens)(linked_router& r);
  std::string_view expected;
};

TEST_CASE("router link: what ends a session") {
  const end_case rows[] = {
      {"it is closed", [](linked_router& r) { r.link.closed(r.now); }, ""},
      {"no beat came for three", [](linked_router& r) { r.now += 6s, r.link.tick(r.now); },
       "tell control_plane_lost, close"},
      {"a text that is no message", [](linked_router& r) { r.link.take_text("{}", r.now); },
       "tell control_plane_lost, close"},
      {"a second hello_ack", [](linked_router& r) { r.link.take_text(wire::write_message(wire::hello_ack{}), r.now); },
       "tell control_plane_lost, close"},
      {"a damaged chunk", [](linked_router& r) { r.link.take_binary(std::as_bytes(std::span("CRC")), r.now); },
       "tell control_plane_lost, close"},
      {"goaway", [](linked_router& r) { r.link.take_text(wire::write_message(wire::goaway{}), r.now); }, "close"},
      {"a question for groups that there are not",
       [](linked_router& r) { r.link.take_text(wire::write_message(wire::repair{a1, {64}}), r.now); },
       "tell control_plane_lost, close"},
      {"a fatal error",
       [](linked_router& r) { r.link.take_text(R"({"type":"error","code":"protocol","fatal":true})", r.now); },
       "tell control_plane_error, close"},
  };
  for (const end_case& row : rows) {
    CAPTURE(row.says);
    linked_router r;
    r.live();
    row.happens(r);
    CHECK(r.done() == row.expected);
    CHECK(r.state() == "idle");
    CHECK(r.link.next_tick() >= r.now);
    CHECK(r.link.next_tick() <= r.now + 250ms);
    r.now = r.link.next_tick();
    CHECK(r.tick() == "open 0");
  }
}

TEST_CASE("router link: how long it waits, where its session is taken away") {
  struct away_case {
    std::string_view says;
    std::string_view text;
    duration at_least;
    duration at_most;
  };
  const away_case rows[] = {
      {"too many come", R"({"type":"error","code":"busy","retry_after_ms":1500})", 1500ms, 1750ms},
      {"another process has its id: no haste mends it", R"({"type":"error","code":"duplicate","fatal":true})", 30s,
       31s},
      {"it is to come later, with others", R"({"type":"goaway","after_ms":1000,"spread_ms":2000})", 1s, 3250ms},
      {"longer than anybody waits", R"({"type":"goaway","after_ms":10000000000000,"spread_ms":0})", 1h, 1h + 250ms},
      {"the same, with others", R"({"type":"goaway","after_ms":0,"spread_ms":10000000000000000})", 0s, 1h + 250ms},
      {"the same, where too many come", R"({"type":"error","code":"busy","retry_after_ms":10000000000000})", 1h,
       1h + 250ms},
  };
  for (const away_case& row : rows) {
    CAPTURE(row.says);
    linked_router r;
    r.live();
    (void)r.told_text(row.text);
    CHECK(r.state() == "idle");
    CHECK(r.link.next_tick() >= r.now + row.at_least);
    CHECK(r.link.next_tick() <= r.now + row.at_most);
  }
  linked_router early;
  (void)early.tick();
  (void)early.opened();
  CHECK(early.told_text(rows[0].text) == "tell control_plane_error, close");  // in place of hello_ack
  CHECK(early.link.next_tick() >= early.now + 1500ms);
}

TEST_CASE("router link: what it runs is confirmed with each beat; cut off, the age of that grows with the time") {
  linked_router r(1, {.held = {a1}, .quarantined = {}});
  r.live();
  for (std::uint64_t seq = 1; seq < 100; ++seq) {  // nothing changes for minutes
    (void)r.told(wire::ping{seq, wire::targets{1, 1, a1}});
    CHECK((r.link.confirmed_at() == r.now));
    (void)r.wait(2s);
  }
  const time_point last = r.now - 2s;
  for (int seconds = 0; seconds < 600; ++seconds) {
    (void)r.wait(1s);
    if (r.state() == "connecting") r.link.failed(open_failure::unreachable, 0s, r.now);
    CHECK((r.link.confirmed_at() == last));
  }
  (void)r.wait(30s);
  (void)r.opened();
  wire::hello_ack m;
  m.session = 4;
  (void)r.told(m);
  (void)r.told(wire::ping{1, wire::targets{1, 2, content_of(2, 'b')}});  // that it is connected says nothing
  CHECK((r.link.confirmed_at() == last));
  (void)r.told(wire::ping{2, wire::targets{1, 3, a1}});
  CHECK((r.link.confirmed_at() == r.now));
}

TEST_CASE("router link: what the last beat named is confirmed as soon as it runs, before the next beat") {
  linked_router r(1, {.held = {a1, b2, c3}, .quarantined = {}});
  r.live();
  time_point last{};
  for (std::uint64_t rev = 1; rev < 60; ++rev) {  // with each beat another one, and each runs before the next
    const wire::content_id run = content_of(rev + 3, rev % 2 == 1 ? 'b' : 'c');
    (void)r.told(wire::ping{rev, wire::targets{1, rev, run}});
    last = r.now;
    (void)r.wait(500ms);
    r.link.activated(run, true);
    CHECK((r.link.confirmed_at() == last));
    (void)r.wait(500ms);
  }
  (void)r.told(wire::ping{60, wire::targets{1, 60, content_of(70, 'c')}});
  (void)r.told(wire::ping{61, wire::targets{1, 61, content_of(71, 'a')}});
  r.link.activated(content_of(70, 'c'), true);  // by then another one should
  CHECK((r.link.confirmed_at() == last));
}

TEST_CASE("router link: what does not end a session") {
  linked_router r;
  r.live();
  CHECK(r.wait(6s - 1ns).empty());
  CHECK(r.told(wire::ping{1, std::nullopt}) == "pong");
  CHECK(r.wait(6s - 1ns).empty());
  CHECK(r.told_text(R"({"type":"weather","rain":true})").empty());
  CHECK(r.told(wire::chunk_ack{1, 2}).empty());  // of the other direction
  CHECK(r.link.unknown_messages() == 2);
  CHECK(r.told_text(R"({"type":"error","code":"slow_down"})") == "tell control_plane_error");
  CHECK(r.state() == "live");
}

TEST_CASE("router link: each wait for an answer has an end") {
  linked_router r;
  (void)r.tick();
  CHECK(r.wait(5s - 1ns).empty());
  CHECK(r.wait(1ns) == "tell control_plane_unreachable, close");
  r.now = r.link.next_tick();
  (void)r.tick();
  CHECK(r.opened() == "hello");
  CHECK(r.wait(5s - 1ns).empty());
  CHECK(r.wait(1ns) == "tell control_plane_lost, close");
}

TEST_CASE("router link: who comes too late moves nothing") {
  linked_router r;
  CHECK(r.opened().empty());
  r.link.failed(open_failure::unreachable, 0ns, r.now);
  r.link.closed(r.now);
  CHECK(r.state() == "idle");
  CHECK(r.told(wire::ping{1, std::nullopt}).empty());
}

TEST_CASE("router link: how long it waits for the next try, by what went wrong") {
  struct wait_case {
    std::string_view says;
    open_failure why;
    duration retry_after;
    duration at_least;
  };
  const wait_case rows[] = {
      {"nobody is there", open_failure::unreachable, 0s, 0s},
      {"it asks to wait", open_failure::busy, 3s, 3s},
      {"it asks to wait for years", open_failure::busy, std::chrono::seconds(4'294'967'295), 1h},
      {"a token that is not taken: no haste mends it", open_failure::unauthorized, 0s, 30s},
  };
  for (const wait_case& row : rows) {
    CAPTURE(row.says);
    linked_router r;
    (void)r.tick();
    r.link.failed(row.why, row.retry_after, r.now);
    CHECK(r.link.next_tick() >= r.now + row.at_least);
    CHECK(r.link.next_tick() <= r.now + row.at_least + 250ms);
  }
}

TEST_CASE(
    "router link: a control plane that speaks another version of the protocol is left, and not soon tried again") {
  linked_router r;
  (void)r.tick();
  (void)r.opened();
  wire::hello_ack m;
  m.proto = 99;
  m.session = 3;
  CHECK(r.told(m) == "tell control_plane_lost, close");
  CHECK(r.state() == "idle");
  CHECK(r.link.next_tick() >= r.now + 30s);
}

TEST_CASE("router link: tries grow apart, and a session that lasted makes the next wait a first one") {
  linked_router r;
  duration longest{};
  for (int i = 0; i < 12; ++i) {
    (void)r.tick();
    r.link.failed(open_failure::unreachable, 0ns, r.now);
    longest = std::max(longest, r.link.next_tick() - r.now);
    r.now = r.link.next_tick();
  }
  CHECK(longest > 5s);
  CHECK(longest <= 30s);
  r.live();
  for (int i = 0; i < 12; ++i) {
    r.now += 5s;
    (void)r.told(wire::ping{1, std::nullopt});
  }
  (void)r.told(wire::goaway{});  // however it ends
  CHECK(r.link.next_tick() - r.now <= 250ms);
}

TEST_CASE("router link: where the base protocol is spoken, its bounds count: from 1 s to 60 s") {
  linked_router r;
  (void)r.tick();
  r.link.opened(false, r.now);
  r.link.closed(r.now);
  duration first = r.link.next_tick() - r.now;
  duration longest{};
  for (int i = 0; i < 40; ++i) {
    r.now = r.link.next_tick();
    (void)r.tick();
    r.link.failed(open_failure::unreachable, 0ns, r.now);
    longest = std::max(longest, r.link.next_tick() - r.now);
  }
  CHECK(first <= 1s);
  CHECK(longest > 30s);
  CHECK(longest <= 60s);
}

TEST_CASE("router link: the next try goes to the next address; where the first goes is chance") {
  linked_router r(3);
  std::set<std::string> tried;
  for (int i = 0; i < 3; ++i) {
    tried.insert(r.tick());
    r.link.failed(open_failure::unreachable, 0ns, r.now);
    r.now = r.link.next_tick();
  }
  CHECK(tried.size() == 3);
}

// --- the base protocol ---

std::string update(std::string_view version) {
  return R"({"type":"config_update","version":)" + std::string(version) + R"(,"config":{}})";
}
std::string applied(std::string_view version) {
  return R"({"type":"ack","version":)" + std::string(version) + R"(,"status":"applied"})";
}
std::string rejected(std::string_view version, std::string_view why) {
  return R"({"type":"ack","version":)" + std::string(version) + R"(,"status":"rejected","error":")" + std::string(why) +
         R"("})";
}

struct base_router : linked_router {
  explicit base_router(intake_memory memory = {}, const link_settings& settings = settings_of(1))
      : linked_router(settings, std::move(memory), {}) {
    (void)tick();
    (void)opened(false);
  }
  std::string checked(char sum) {
    link.base_checked(number, sum_of(sum), 5);
    return done();
  }
  std::string refused(std::string why) {
    link.base_checked(number, refusal{wire::refusal_code::schema, std::move(why)});
    return done();
  }
  std::string activated(wire::content_id content) {
    link.activated(content, true);
    return done();
  }
};

/// The next session of the base protocol.
void begin_again(base_router& r) {
  r.link.closed(r.now);
  r.now = r.link.next_tick();
  (void)r.tick();
  (void)r.opened(false);
}

TEST_CASE("router link, base: a content is checked, runs, and is acknowledged in its own words") {
  base_router r;
  CHECK(r.state() == "live_base");
  CHECK(r.told_text(update("42")) == "check 42");
  CHECK(r.checked('a') == "activate 42a");
  CHECK(r.activated(content_of(42, 'a', 0)) == applied("42"));
  CHECK(r.told_text(R"({"type":"config_snapshot","version":"1.4.0"})") == "check 1.4.0");
  CHECK(r.checked('b') == "activate 0b");
  CHECK(r.activated(content_of(0, 'b', 0)) == applied(R"("1.4.0")"));
}

TEST_CASE("router link, base: what is damaged is asked for again at once, by a new session") {
  base_router r({.held = {a1}, .quarantined = {}});
  r.link.damaged(a1.sum, r.now);
  CHECK(r.done() == "drop 1a, tell content_asked_again, close");
  base_router other({.held = {a1}, .quarantined = {}});
  other.link.closed(other.now);
  other.link.damaged(a1.sum, other.now);
  CHECK(other.done().empty());
  other.now = other.link.next_tick();
  (void)other.tick();
  CHECK(other.opened(false) == "drop 1a");
  CHECK(other.told_text(update("7")) == "check 7");
  CHECK(other.checked('a') == "activate 7a");
}

TEST_CASE("router link, base: the same content again is acknowledged, and nothing changes") {
  base_router r;
  (void)r.told_text(update("1"));
  (void)r.checked('a');
  (void)r.activated(content_of(1, 'a', 0));
  CHECK(r.told_text(update("2")) == "check 2");
  CHECK(r.checked('a') == "unchanged 2a, " + applied("2"));
}

TEST_CASE("router link, base: what is refused is told with its reason, in the dialect of the content") {
  base_router r;
  (void)r.told_text(update("1"));
  CHECK(r.refused("no placement tier9") == "refuse 1, " + rejected("1", "no placement tier9"));
  (void)r.told_text(R"({"type":"config_snapshot","version":"x"})");
  CHECK(r.refused("bad") == R"(refuse x, {"type":"nack","version":"x","error":"bad"})");
  (void)r.told_text(update("2"));
  (void)r.checked('c');
  r.link.activated(content_of(2, 'c', 0), {wire::refusal_code::guard_moved, "too many keys move"});
  CHECK(r.done() == "drop 2c, refuse 2, " + rejected("2", "too many keys move"));
}

TEST_CASE("router link, base: numbers only grow within a session; the next session may begin lower") {
  base_router r;
  (void)r.told_text(update("42"));
  (void)r.checked('a');
  (void)r.activated(content_of(42, 'a', 0));
  CHECK(r.told_text(update("41")) == rejected("41", "version 42 came before"));
  CHECK(r.told_text(update("42")) == "check 42");
  CHECK(r.checked('a') == "unchanged 42a, " + applied("42"));
  begin_again(r);
  CHECK(r.told_text(update("1")) == "tell version_reset, check 1");
  CHECK(r.checked('a') == "unchanged 1a, " + applied("1"));
  CHECK(r.told_text(update("0")) == rejected("0", "version 1 came before"));
}

TEST_CASE(
    "router link, base: where versions must not begin lower, what runs is the bound, and what is lower is refused") {
  link_settings strict = base_router::settings_of(1);
  strict.accept_version_reset = false;
  const std::string why = "version 42 runs, and control_plane.accept_version_reset is off here";
  base_router r({.held = {content_of(42, 'a', 0)}, .quarantined = {}}, strict);  // after a start, too
  CHECK(r.told_text(update("41")) == "refuse 41, " + rejected("41", why));
  CHECK(r.told_text(update("7")) == "refuse 7, " + rejected("7", why));
  CHECK(r.told_text(update("42")) == "check 42");
  CHECK(r.checked('a') == "unchanged 42a, " + applied("42"));
  CHECK(r.told_text(update("43")) == "check 43");
  CHECK(r.refused("bad") == "refuse 43, " + rejected("43", "bad"));
  begin_again(r);
  CHECK(r.told_text(update("42")) == "check 42");  // 43 never ran
  CHECK(r.checked('b') == "activate 42b");
  CHECK(r.activated(content_of(42, 'b', 0)) == applied("42"));
  begin_again(r);
  CHECK(r.told_text(R"({"type":"config_snapshot","version":"x"})") == "check x");  // a name has no order
  // The numbers of another protocol say nothing here.
  base_router other({.held = {content_of(42, 'a')}, .quarantined = {}}, strict);
  CHECK(other.told_text(update("1")) == "check 1");
}

TEST_CASE("router link, base: of contents that come faster than they are checked the latest is next") {
  base_router r;
  CHECK(r.told_text(update("1")) == "check 1");
  CHECK(r.told_text(update("2")).empty());
  CHECK(r.told_text(update("3")).empty());
  CHECK(r.checked('a') == "activate 1a");
  CHECK(r.activated(content_of(1, 'a', 0)) ==
        applied("1") + ", " + rejected("2", "version 3 came before this was checked") + ", check 3");
}

TEST_CASE("router link, base: each content gets one answer, in the order in which they came") {
  base_router r;
  CHECK(r.told_text(update("1")) == "check 1");
  CHECK(r.told_text(update("7")).empty());
  CHECK(r.told_text(update("4")).empty());  // it overtakes nothing
  CHECK(r.told_text(R"({"type":"config_snapshot","version":"x"})").empty());
  CHECK(r.told_text(update("6")).empty());
  CHECK(r.refused("bad") == "refuse 1, " + rejected("1", "bad") + ", " +
                                rejected("7", "version x came before this was checked") + ", " +
                                rejected("4", "version 7 came before") + ", check x");
  CHECK(r.checked('a') == "activate 0a");
  CHECK(r.activated(content_of(0, 'a', 0)) == applied(R"("x")") + ", " + rejected("6", "version 7 came before"));
  std::size_t answers = 0;
  (void)r.told_text(update("100"));
  for (int i = 101; i < 400; ++i) CHECK(r.told_text(update(std::to_string(i))).empty());
  const std::string said = r.refused("bad");
  for (std::size_t at = said.find("rejected"); at != std::string::npos; at = said.find("rejected", at + 1)) ++answers;
  CHECK(answers == 299);
  CHECK(said.ends_with("check 399"));
}

TEST_CASE("router link, base: who sends contents without end is told to begin again") {
  base_router r;
  for (int i = 1; i <= 1'001; ++i) (void)r.told_text(update(std::to_string(i)));
  CHECK(r.state() == "live_base");
  CHECK(r.told_text(update("1002")) == "tell control_plane_lost, close");
}

TEST_CASE("router link, base: what a check came to counts for its own session, and is let go after it") {
  base_router r;
  CHECK(r.told_text(update("1")) == "check 1");
  begin_again(r);
  CHECK(r.told_text(update("2")).empty());  // one check at a time
  CHECK(r.told_text(update("3")) == rejected("2", "version 3 came before this was checked"));
  CHECK(r.refused("bad") == "check 3");
  CHECK(r.checked('b') == "activate 3b");
  CHECK(r.activated(content_of(3, 'b', 0)) == applied("3"));
  (void)r.told_text(update("4"));
  begin_again(r);
  CHECK(r.told_text(update("5")).empty());
  CHECK(r.checked('c') == "drop 0c, check 5");  // nobody would let it go later
  begin_again(r);
  CHECK(r.checked('b').empty());  // it runs, whoever asked
}

TEST_CASE("router link, base: an activation counts for its own content") {
  base_router r;
  (void)r.told_text(update("1"));
  CHECK(r.checked('a') == "activate 1a");
  begin_again(r);
  CHECK(r.told_text(update("2")) == "check 2");
  CHECK(r.activated(content_of(1, 'a', 0)).empty());
  CHECK(r.checked('b') == "activate 2b");
  begin_again(r);
  CHECK(r.told_text(update("3")) == "check 3");
  CHECK(r.checked('a').empty());  // it runs still, and is about not to
  CHECK(r.activated(content_of(2, 'b', 0)) == "activate 3a");
  CHECK(r.activated(content_of(3, 'a', 0)) == applied("3"));
  // The same, where what was under way comes to nothing.
  (void)r.told_text(update("4"));
  CHECK(r.checked('c') == "activate 4c");
  begin_again(r);
  (void)r.told_text(update("5"));
  CHECK(r.checked('a').empty());
  r.link.activated(content_of(4, 'c', 0), {wire::refusal_code::internal, "no port"});
  CHECK(r.done() == "drop 4c, refuse 4, unchanged 5a, " + applied("5"));
}

TEST_CASE(
    "router link, base: what crashed the process does not run again; what else was refused is as good as its checks") {
  base_router r(
      {.held = {a1},
       .quarantined = {{sum_of('k'), "crash_loop"}, {sum_of('g'), "guard_moved"}, {sum_of('h'), "local_guard"}}});
  CHECK(r.told_text(update("2")) == "check 2");
  CHECK(r.checked('k') == "drop 2k, refuse 2, " + rejected("2", "crash_loop: the process crashed while it ran this"));
  CHECK((r.link.contents().running() == a1));
  CHECK(r.told_text(update("3")) == "check 3");
  CHECK(r.checked('g') == "activate 3g");
  CHECK(r.activated(content_of(3, 'g', 0)) == applied("3"));
  CHECK(r.told_text(update("4")) == "check 4");
  CHECK(r.checked('h') ==
        "drop 4h, refuse 4, " + rejected("4",
                                         "local_guard: requests failed while it ran here, and it was left for the "
                                         "one before"));
}

TEST_CASE("router link, base: what does harm is left without a further answer, and refused when it is sent again") {
  base_router r({.held = {a1}, .quarantined = {}});
  CHECK(r.told_text(update("2")) == "check 2");
  CHECK(r.checked('b') == "activate 2b");
  CHECK(r.activated(content_of(2, 'b', 0)) == applied("2"));
  REQUIRE(r.link.go_back(sum_of('b'), a1, {wire::refusal_code::local_guard, "because"}));
  CHECK(r.done() == "activate 1a");
  CHECK(r.activated(a1) == "drop 2b");
  CHECK((r.link.contents().running() == a1));
  begin_again(r);
  CHECK(r.told_text(update("2")) == "check 2");
  CHECK(r.checked('b').find("drop 2b") == 0);
  CHECK((r.link.contents().running() == a1));
}

TEST_CASE("router link, base: a beat confirms what this session last said, once it runs, and nothing else") {
  const std::string ping = R"({"type":"ping"})";
  base_router r({.held = {a1}, .quarantined = {}});
  (void)r.told_text(ping);
  CHECK_FALSE(r.link.confirmed_at());  // it never said a content
  (void)r.told_text(update("1"));
  const time_point said = r.now;
  (void)r.wait(1s);
  (void)r.checked('b');
  CHECK_FALSE(r.link.confirmed_at());
  (void)r.activated(content_of(1, 'b', 0));
  CHECK((r.link.confirmed_at() == said));
  (void)r.told_text(ping);
  const time_point last = r.now;
  CHECK((r.link.confirmed_at() == last));
  const auto passes = [&r, &ping] {
    (void)r.wait(1s);
    (void)r.told_text(ping);
  };
  (void)r.told_text(update("2"));
  passes();
  (void)r.refused("bad");
  passes();
  CHECK((r.link.confirmed_at() == last));
  (void)r.told_text(update("3"));
  (void)r.checked('b');  // the one that runs
  CHECK((r.link.confirmed_at() == r.now));
  const time_point again = r.now;
  passes();
  CHECK((r.link.confirmed_at() == r.now));
  (void)r.told_text(update("1"));  // an older number
  CHECK((r.link.confirmed_at() == again + 1s));
  passes();
  begin_again(r);
  passes();
  CHECK((r.link.confirmed_at() == again + 1s));
}

TEST_CASE("router link, base: a beat is answered; who has sent one has to go on, who sends none need not") {
  base_router r;
  CHECK(r.wait(10min).empty());
  CHECK(r.told_text(R"({"type":"ping"})") == R"({"type":"pong"})");
  CHECK(r.wait(15s - 1ns).empty());
  CHECK(r.wait(1ns) == "tell control_plane_lost, close");
}

TEST_CASE(
    "router link, base: what the file or another session brought is replaced, and the next native session orders") {
  base_router r({.held = {a1}, .quarantined = {}});
  (void)r.told_text(update("7"));
  CHECK(r.checked('b') == "activate 7b");
  (void)r.activated(content_of(7, 'b', 0));
  r.link.closed(r.now);
  r.now = r.link.next_tick();
  r.live();
  CHECK(r.told(wire::ping{1, wire::targets{1, 1, a1}}) == "activate 1a, pong 7b");
}

TEST_CASE("router link: an answer to a beat tells what was reported, what runs, and what is held besides") {
  const wire::content_id other = content_of(2, 'b');
  linked_router r(1, {.held = {a1, other}, .quarantined = {}});
  r.live();
  wire::pong status;
  status.source = "push";
  status.uptime_s = 7;
  status.latency = {{5, 10}, {10, 3}};
  r.link.report(status);
  r.link.take_text(wire::write_message(wire::ping{4, std::nullopt}), r.now);
  const std::vector<link_action> actions = r.link.take_actions();
  REQUIRE(actions.size() == 1);
  const auto* said = std::get_if<wire::message>(&actions.front());
  const auto* pong = said != nullptr ? std::get_if<wire::pong>(said) : nullptr;
  REQUIRE(pong != nullptr);
  status.seq = 4;
  status.running = a1;
  status.prepared = {other};
  CHECK((*pong == status));
  status.latency = {{5, 10}, {10, 4}, {{}, 2}};  // since the process began
  r.link.report(status);
  r.link.take_text(wire::write_message(wire::ping{5, std::nullopt}), r.now);
  const std::vector<link_action> more = r.link.take_actions();
  REQUIRE(more.size() == 1);
  status.seq = 5;
  status.latency = {{10, 1}, {{}, 2}};  // since the answer before
  CHECK((std::get<wire::pong>(std::get<wire::message>(more.front())) == status));
}

TEST_CASE("router link: what is damaged is asked for again, once the control plane has heard of it") {
  linked_router r(1, {.held = {a1}, .quarantined = {}});
  r.live();
  r.link.damaged(a1.sum, r.now);
  CHECK(r.done().empty());
  CHECK(r.told(wire::ping{1, wire::targets{1, 1, a1}}) == "pong 1a, drop 1a, tell content_asked_again, close");
  CHECK(r.state() == "idle");
  r.now = r.link.next_tick();
  CHECK(r.tick() == "open 0");
  CHECK(r.opened() == "hello");
}

TEST_CASE("router link: what is damaged while there is no session is told of in the next one, and asked for then") {
  linked_router r(1, {.held = {a1}, .quarantined = {}});
  r.link.damaged(a1.sum, r.now);
  (void)r.tick();
  CHECK(r.opened() == "hello 1a");
  wire::hello_ack m;
  m.session = 3;
  CHECK(r.told(m).empty());
  CHECK(r.told(wire::ping{1, std::nullopt}) == "pong 1a, drop 1a, tell content_asked_again, close");
}

TEST_CASE("router link: what is damaged and does not run any more is not run, and the control plane hears of it anew") {
  linked_router r(1, {.held = {a1, b2}, .quarantined = {}});
  r.live();
  r.link.damaged(b2.sum, r.now);
  CHECK(r.told(wire::ping{1, wire::targets{1, 1, b2}}) == "pong 1a, drop 2b, tell content_asked_again, close");
  r.now = r.link.next_tick();
  (void)r.tick();
  CHECK(r.opened() == "hello 1a");
}

TEST_CASE("router link: what is damaged and not held any more is nobody's business") {
  linked_router r(1, {.held = {a1}, .quarantined = {}});
  r.live();
  r.link.damaged(b2.sum, r.now);
  CHECK(r.told(wire::ping{1, wire::targets{1, 1, a1}}) == "unchanged 1a, applied 1a noop, pong 1a");
  CHECK(r.state() == "live");
}

TEST_CASE("router link: a check that takes longer than 30 s is a refusal, and what comes of it later is let go") {
  intake_limits limits;
  limits.can.content_bytes_max = 100;
  limits.can.keys_max = 10;
  linked_router r(1, {.held = {a1}, .quarantined = {}}, limits);
  r.live();
  const wire::content_id next = content_of(2, 'b');
  const auto offer = [&](std::uint64_t transfer) {
    (void)r.told(wire::ping{transfer, wire::targets{1, 2, next}});
    wire::config_begin begin;
    begin.transfer = transfer;
    begin.content = next;
    begin.artifact = sum_of('b');
    begin.chunks = 1;
    begin.bytes = begin.raw_bytes = 3;
    begin.compression = "none";
    begin.label = "blue";
    (void)r.told(begin);
    wire::chunk all;
    all.transfer = transfer;
    all.total = 1;
    all.payload = std::as_bytes(std::span("abc", 3));
    const auto head = wire::write_chunk_head(all);
    std::vector<std::byte> bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), all.payload.begin(), all.payload.end());
    r.link.take_binary(bytes, r.now);
    return r.done();
  };
  const auto beats_for = [&](duration time) {
    std::string all;
    for (const time_point end = r.now + time; r.now < end;) {
      r.now = std::min<time_point>(end, r.now + 1s);
      r.link.take_text(wire::write_message(wire::ping{9, std::nullopt}), r.now);
      r.link.tick(r.now);
      const std::string done = r.done();
      if (done != "pong 1a") all += (all.empty() ? "" : ", ") + done;
    }
    return all;
  };
  CHECK(offer(5).ends_with("check 2b"));
  CHECK(r.tick().empty());  // from here on its time counts
  CHECK(beats_for(30s - 1ns).empty());
  r.now += 1ns;
  CHECK(r.tick() == "refuse blue, rejected 2b timeout, drop 2b");
  r.link.checked(next, 1);
  CHECK(r.done().empty());
  CHECK(r.link.contents().running() == a1);
  CHECK(r.link.contents().quarantined().empty());  // it may pass: it is taken when it is sent again
  CHECK(offer(6).ends_with("check 2b"));
  CHECK(r.tick().empty());
  (void)beats_for(29s);
  r.link.checked(next, 1);
  CHECK(r.done() == "activate 2b");
  CHECK(beats_for(60s).empty());
}

TEST_CASE("router link, base: a check that takes longer than 30 s is a refusal; the next content is not taken for it") {
  base_router r;
  CHECK(r.told_text(update("1")) == "check 1");
  CHECK(r.tick().empty());
  CHECK(r.wait(30s - 1ns).empty());
  const std::uint64_t first = r.number;
  const std::string late = "its check took longer than 30 s; it is not used, whatever comes of it later";
  CHECK(r.told_text(update("2")).empty());
  CHECK(r.wait(1ns) == "refuse 1, " + rejected("1", late) + ", check 2");
  r.link.base_checked(first, sum_of('a'), 5);
  CHECK(r.done().empty());
  CHECK(r.checked('b') == "activate 2b");
  CHECK(r.activated(content_of(2, 'b', 0)) == applied("2"));
  CHECK(r.wait(60s).empty());
}

}  // namespace
}  // namespace cellroute::sync
