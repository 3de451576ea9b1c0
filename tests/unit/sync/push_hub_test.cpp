#include "adapters/sync/push_hub.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/sync/script.hpp"

namespace cellroute::sync {
namespace {

std::string id_text(const wire::content_id& c) {
  return R"({"epoch":)" + std::to_string(c.epoch) + R"(,"version":)" + std::to_string(c.version) + R"(,"digest":")" +
         wire::to_hex(c.sum) + R"("})";
}

struct hub_control {
  artifact_use::counted snapshot;  // before the hub, whose sessions use it
  push_hub hub;
  time_point now{1h};
  std::uint64_t revs = 0;

  explicit hub_control(hub_settings settings = {}) : hub(std::move(settings)) {}

  void publish(wire::content_id content) {
    snapshot.what.content = content;
    snapshot.what.sum = content.sum;
    snapshot.what.bytes.resize(10);
    publication what;
    what.target = {content.epoch, ++revs, content};
    what.snapshot = &snapshot;
    hub.publish(std::move(what), now);
  }
  std::uint64_t open(bool is_native = true) { return hub.open(is_native, now).value_or(0); }
  void hello(std::uint64_t session, std::string router_id, std::string boot_id = "b",
             std::vector<wire::content_id> have = {}) {
    wire::hello m;
    m.router_id = std::move(router_id);
    m.boot_id = std::move(boot_id);
    m.have = std::move(have);
    hub.take_text(session, wire::write_message(m), now);
  }
  void ack(std::uint64_t session, wire::ack_status status, wire::content_id content, std::string code = "") {
    wire::ack m;
    m.status = status;
    m.content = content;
    m.session = session;
    m.transfer = 1;
    m.code = std::move(code);
    hub.take_text(session, wire::write_message(m), now);
  }
  /// All that is ready to go, by session.
  std::string said() {
    std::string all;
    for (const std::uint64_t session : hub.take_ready()) {
      all += (all.empty() ? "" : " | ") + std::to_string(session) + ":";
      while (const auto out = hub.next_output(session, now)) all += " " + words_of_one(*out);
      if (hub.has_ended(session)) all += " end";
    }
    return all;
  }
  static std::string words_of_one(const push_hub::output& out) {
    if (const auto* own = std::get_if<std::string>(&out)) return *own;
    if (const auto* shared = std::get_if<base_use>(&out)) return (*shared)->text;
    if (const auto* chunk = std::get_if<send_chunk>(&out)) return in_words()(*chunk);
    return in_words()(std::get<wire::message>(out));
  }
  static std::string name_of_content(const wire::content_id& c) {
    return c.sum == wire::digest() ? std::to_string(c.version) : name_of(c);  // of the base protocol: no digest
  }
  std::string events() {
    std::string all;
    for (const hub_event& e : hub.take_events()) {
      all += (all.empty() ? "" : ", ") + std::string(to_string(e.kind)) + " " + e.router_id +
             (e.content ? " " + name_of_content(*e.content) : "") + (e.why.empty() ? "" : " " + e.why);
    }
    return all;
  }
};

TEST_CASE("push hub: each session is told what is published, and each router has a record") {
  hub_control c;
  const std::uint64_t one = c.open();
  const std::uint64_t two = c.open();
  c.hello(one, "r1");
  CHECK(c.said() == "1: hello_ack 1 ping");
  c.publish(a1);
  c.hello(two, "r2", "b", {a1});
  CHECK(c.said() == "1: ping 1a begin snapshot 1a chunk 0 | 2: hello_ack 2 ping 1a");
  c.ack(one, wire::ack_status::applied, a1);
  CHECK(c.events() == "joined r1, joined r2, applied r1 1a");
  CHECK(c.hub.routers().at("r1").state == session_state::in_sync);
  CHECK((c.hub.routers().at("r2").facts.running == a1));
  c.hub.closed(one, c.now);
  CHECK(c.events() == "left r1");
  CHECK(c.hub.routers().at("r1").session == 0);
  CHECK((c.hub.routers().at("r1").facts.running == a1));
}

TEST_CASE("push hub: what a router last said of itself is known, long lists not whole, until another process comes") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  const router_record& record = c.hub.routers().at("r1");
  CHECK(!record.status);
  wire::pong beat;
  beat.requests = 7;
  beat.prepared.assign(1'000, a1);
  beat.latency.assign(1'000, {1, 1});
  c.hub.take_text(one, wire::write_message(beat), c.now);
  beat.prepared.resize(8);
  beat.latency.resize(32);
  CHECK((record.status == beat));
  c.hub.take_text(one, wire::write_message(wire::pong{}), c.now);
  CHECK((record.status == wire::pong{}));
  c.hub.closed(one, c.now);
  CHECK(record.status);
  c.hello(c.open(), "r1", "another");
  CHECK(!record.status);
}

TEST_CASE("push hub: a router that lets two beats go by is suspect, until it speaks or counts as gone") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  const router_record& record = c.hub.routers().at("r1");
  CHECK_FALSE(c.hub.is_suspect(record, c.now + 3999ms));
  CHECK(c.hub.is_suspect(record, c.now + 4s));
  c.hub.take_text(one, wire::write_message(wire::pong{}), c.now + 5s);
  CHECK_FALSE(c.hub.is_suspect(record, c.now + 5s));
  CHECK(c.hub.is_suspect(record, c.now + 10s));
  c.hub.tick(c.now + 11s);
  CHECK(c.hub.has_ended(one));
  CHECK_FALSE(c.hub.is_suspect(record, c.now + 11s));
  c.hub.closed(one, c.now + 11s);
  CHECK_FALSE(c.hub.is_suspect(record, c.now + 11s));
}

TEST_CASE("push hub: messages of kinds that are not known here are ignored, and counted") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  c.hub.take_text(one, R"({"type":"of_a_later_release","what":7})", c.now);
  c.hub.take_text(one, R"({"type":"of_a_later_release"})", c.now);
  CHECK(c.hub.unknown_messages() == 2);
  CHECK_FALSE(c.hub.has_ended(one));
  c.hub.closed(one, c.now);
  CHECK(c.hub.unknown_messages() == 2);
}

TEST_CASE("push hub: how long a router took to make current what it told of last is known while it is here") {
  hub_control c;
  c.publish(a1);
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  const router_record& record = c.hub.routers().at("r1");
  CHECK(!record.facts.apply_ms);
  wire::ack said;
  said.content = a1;
  said.session = one;
  said.apply_ms = 12;
  c.hub.take_text(one, wire::write_message(said), c.now);
  CHECK(record.facts.apply_ms == 12);
  said.noop = true;
  said.apply_ms = 0;
  c.hub.take_text(one, wire::write_message(said), c.now);
  CHECK(record.facts.apply_ms == 12);
}

TEST_CASE("push hub: a router that has found its rows damaged is told of once, and again after it was mended") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  (void)c.events();
  const auto beat = [&](std::optional<wire::scrub_result> scrub) {
    wire::pong said;
    said.scrub = scrub;
    c.hub.take_text(one, wire::write_message(said), c.now);
    return c.events();
  };
  CHECK(beat({}).empty());
  CHECK(beat(wire::scrub_result{true, 1}).empty());
  CHECK(beat(wire::scrub_result{false, 2}) == "damaged r1");
  CHECK(beat(wire::scrub_result{false, 3}).empty());
  CHECK(beat(wire::scrub_result{true, 4}).empty());
  CHECK(beat(wire::scrub_result{false, 5}) == "damaged r1");
}

TEST_CASE("push hub: a router confirms what is published by each word while it runs it, and by none before") {
  hub_control c;
  c.publish(a1);
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  const router_record& record = c.hub.routers().at("r1");
  const time_point came = c.now;
  CHECK(!record.confirmed);
  CHECK(record.known_since == came);
  c.now += 1s;
  c.ack(one, wire::ack_status::applied, a1);
  CHECK(record.confirmed == c.now);
  const time_point last = c.now;
  c.now += 1s;
  c.publish(b2);  // nobody has said anything about that
  CHECK(record.confirmed == last);
  wire::pong beat;
  beat.running = a1;
  c.hub.take_text(one, wire::write_message(beat), c.now);
  CHECK(record.confirmed == last);
  c.hub.closed(one, c.now);
  c.now += 1s;
  c.hello(c.open(), "r1", "b", {b2});
  CHECK(record.confirmed == c.now);
  CHECK(record.known_since == came);
}

TEST_CASE("push hub: what a router says in its hello that it refused is told once, with its reason, as an ack's is") {
  hub_control c;
  c.publish(a1);
  wire::hello m;
  m.router_id = "r1";
  m.boot_id = "b";
  m.quarantined = {{a1.sum, "crash_loop"}, {b2.sum, "schema"}};
  for (const char* const expected : {"joined r1, refused r1 1a crash_loop: it was refused before", "joined r1"}) {
    const std::uint64_t session = c.open();
    c.hub.take_text(session, wire::write_message(m), c.now);
    CHECK(c.events() == expected);
    const router_record& record = c.hub.routers().at("r1");
    CHECK(record.state == session_state::rejected);
    CHECK(record.facts.last_refusal->code == "crash_loop");
    c.hub.closed(session, c.now);
    (void)c.events();
  }
  const std::uint64_t last = c.open();
  c.hub.take_text(last, wire::write_message(m), c.now);
  (void)c.events();
  c.publish(b2);
  CHECK(c.events() == "refused r1 2b schema: it was refused before");
  c.publish(c3);
  c.ack(last, wire::ack_status::rejected, c3, "schema");
  CHECK(c.events() == "refused r1 3c schema: ");  // once
}

TEST_CASE("push hub: a session is ready once, however often it has more to say") {
  hub_control c;
  c.hello(c.open(), "r1");
  c.publish(a1);
  c.publish(b2);
  CHECK(c.hub.take_ready().size() == 1);
  CHECK(c.hub.take_ready().empty());
  CHECK(c.hub.next_output(1, c.now));
  c.publish(content_of(3, 'c'));
  CHECK(c.hub.take_ready().size() == 1);
}

TEST_CASE("push hub: the newest connection of a router is the router's; another process with its id is told") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hello(one, "r1", "b1");
  (void)c.said();
  const std::uint64_t two = c.open();
  c.hello(two, "r1", "b1");  // the same process: the connection before is dead and does not know it
  CHECK(c.said() == "1: error replaced end | 2: hello_ack 2 ping");
  c.hub.closed(one, c.now);
  CHECK(c.events() == "joined r1, joined r1");
  CHECK(c.hub.routers().at("r1").session == two);
  c.hello(c.open(), "r1", "b2");
  CHECK(c.said() == "2: error duplicate end | 3: hello_ack 3 ping");
  CHECK(c.events() == "duplicate r1, joined r1");
  c.hub.closed(two, c.now);
  const std::uint64_t four = c.open();
  c.hello(four, "r1", "b1");  // the older process comes again: the newer one stays
  CHECK(c.said() == "4: error duplicate end");
  CHECK(c.events() == "duplicate r1");
  CHECK(c.hub.routers().at("r1").session == 3);
  c.hub.closed(four, c.now);
  c.hub.closed(3, c.now);
  c.hello(c.open(), "r1", "b1");  // once that has gone, it is the router
  CHECK(c.said() == "5: hello_ack 5 ping");
  c.hello(c.open(), "r1", "b2");
  CHECK(c.said() == "5: error duplicate end | 6: hello_ack 6 ping");
}

TEST_CASE("push hub: hellos beyond a second's worth are turned away, each with a turn of its own") {
  hub_settings few;
  few.hellos_per_second = 4;
  hub_control c(few);
  for (int i = 0; i < 4; ++i) {
    c.hello(c.open(), "r" + std::to_string(i));
  }
  CHECK(c.said().find("error") == std::string::npos);
  for (const std::uint64_t wait : {250u, 500u, 750u}) {
    const std::uint64_t session = c.open();
    c.hello(session, "late-" + std::to_string(wait));
    const auto out = c.hub.next_output(session, c.now);
    REQUIRE(out);
    CHECK((std::get<wire::message>(*out) ==
           wire::message(wire::session_error{"busy", "too many routers come at once", false, wait})));
    CHECK(c.hub.has_ended(session));
    CHECK_FALSE(c.hub.next_output(session, c.now));
  }
  CHECK(c.hub.turned_away() == 3);
  CHECK_FALSE(c.hub.routers().contains("late-250"));
  (void)c.said();
  c.now += 250ms - 1ns;
  c.hello(c.open(), "early");
  CHECK(c.said() == "8: error busy end");
  c.now += 1ns;
  c.hello(c.open(), "late-250");
  CHECK(c.said() == "9: hello_ack 9 ping");
  c.now += 1h;
  for (int i = 0; i < 5; ++i) c.hello(c.open(), "again-" + std::to_string(i));
  CHECK(c.hub.turned_away() == 5);  // one of five: it does not save up for more than a second
}

TEST_CASE("push hub: a session of six hours, give or take a fifth, is sent away; those that came together go apart") {
  hub_settings settings;
  settings.hellos_per_second = 0;
  settings.push.ping = 100h;  // none is dead
  hub_control c(settings);
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) c.hello(c.open(), "r" + std::to_string(i));
  const auto ended = [&c] {
    c.hub.tick(c.now);
    int ends = 0;
    for (std::uint64_t session = 1; session <= count; ++session) ends += c.hub.has_ended(session) ? 1 : 0;
    return ends;
  };
  const time_point began = c.now;
  c.now = began + 288min - 1ns;
  CHECK(ended() == 0);
  for (int part = 1; part < 4; ++part) {
    c.now = began + 288min + part * 36min;
    CHECK(ended() > part * count / 4 - 25);
    CHECK(ended() < part * count / 4 + 25);
  }
  c.now = began + 432min;
  CHECK(ended() == count);
  CHECK(c.hub.why_ended(1) == "goaway: its session is old");
  hub_settings never;
  never.session_age = 0s;
  never.push.ping = 1000h;
  hub_control d(never);
  d.hello(d.open(), "r");
  d.now += 100h;
  d.hub.tick(d.now);
  CHECK_FALSE(d.hub.has_ended(1));
}

TEST_CASE("push hub: what a router refused is not sent to it in the next session, whatever that says") {
  hub_control c;
  c.publish(a1);
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  (void)c.said();
  c.ack(one, wire::ack_status::rejected, a1, "schema");
  CHECK(c.events() == "joined r1, refused r1 1a schema: ");
  c.hub.closed(one, c.now);
  c.hello(c.open(), "r1", "b2");
  CHECK(c.said() == "2: hello_ack 2 ping 1a");
  CHECK(c.hub.routers().at("r1").state == session_state::rejected);
  c.hello(c.open(), "r2");
  CHECK(c.said() == "3: hello_ack 3 ping 1a begin snapshot 1a chunk 0");
}

TEST_CASE("push hub: that a router needs all of it is known, and asked for once") {
  hub_control c;
  CHECK_FALSE(c.hub.take_needs());
  c.hello(c.open(), "r1");
  CHECK_FALSE(c.hub.take_needs());  // there is nothing yet
  publication what;
  what.target = {1, 1, a1};
  c.hub.publish(what, c.now);
  CHECK(c.hub.take_needs());
  CHECK_FALSE(c.hub.take_needs());
  CHECK(c.hub.routers().at("r1").needs_all);
  c.publish(a1);
  CHECK_FALSE(c.hub.routers().at("r1").needs_all);
}

TEST_CASE("push hub: a router for which a whole content does not come out as it was sent is told of as damaged") {
  hub_control c;
  c.publish(a1);
  const std::uint64_t one = c.open();
  c.hello(one, "r1");
  c.ack(one, wire::ack_status::rejected, a1, "digest_mismatch");
  CHECK(c.events() == "joined r1, refused r1 1a digest_mismatch: , corrupted r1 1a digest_mismatch: ");
  CHECK(c.hub.routers().at("r1").state == session_state::rejected);
}

TEST_CASE(
    "push hub: a router with another content under the number of what is published shows a second control plane") {
  hub_control c;
  c.publish(a1);
  c.hello(c.open(), "r1", "b", {content_of(1, 'x')});
  CHECK(c.events() == "joined r1, conflict r1 1x another control plane gave it another content under this number");
  c.hub.take_text(1, R"({"type":"pong","seq":1,"running":)" + id_text(content_of(1, 'x')) + "}", c.now);
  CHECK(c.events().empty());                              // once a session
  c.hello(c.open(), "r2", "b", {content_of(1, 'x', 0)});  // of another epoch: what comes after a restore
  c.hello(c.open(), "r3", "b", {content_of(2, 'x')});
  CHECK(c.events() == "joined r2, joined r3");
}

TEST_CASE("push hub: one session too many is not opened, and one record too many forgets who left first") {
  hub_settings small;
  small.sessions_max = 2;
  small.records_max = 2;
  hub_control c(small);
  c.hello(c.open(), "r1");
  c.hello(c.open(), "r2");
  CHECK(c.open() == 0);
  c.hub.closed(2, c.now);
  c.now += 1s;
  c.hub.closed(1, c.now);
  c.hello(c.open(), "r3");
  CHECK(c.hub.routers().size() == 2);
  CHECK(c.hub.routers().contains("r1"));
  CHECK(c.hub.routers().contains("r3"));
}

TEST_CASE("push hub: routers of the base protocol take the text of the same content") {
  hub_control c;
  CHECK_FALSE(c.hub.has_base_sessions());
  const std::uint64_t one = c.open(false);
  CHECK(c.hub.has_base_sessions());
  c.publish(a1);
  CHECK(c.said().empty());
  c.hub.publish_base({1, "content 1", ""}, c.now);
  CHECK(c.said() == "1: content 1");
  c.hub.take_text(one, R"({"type":"ack","version":1,"status":"applied"})", c.now);
  CHECK(c.events() == "applied  1");
  CHECK(c.hub.base(one)->acked() == 1);
  c.hub.publish_base({2, "content 2", ""}, c.now);
  CHECK(c.said() == "1: content 2");
  c.hub.take_text(one, R"({"type":"nack","version":"2","error":"no tier9"})", c.now);
  CHECK(c.events() == "refused  2 no tier9");
  CHECK(c.hub.why_ended(one).empty());
  c.hub.publish_base({3, "", "placement tier1 has two endpoints"}, c.now);
  CHECK(c.said() == "1: end");
  CHECK(c.hub.why_ended(one) == "placement tier1 has two endpoints");
  c.hub.closed(one, c.now);
  CHECK(c.hub.base(one) == nullptr);
  CHECK_FALSE(c.hub.has_base_sessions());
}

TEST_CASE("push hub: a text that is being sent stays what it is, whatever is published meanwhile") {
  hub_control c;
  const std::uint64_t one = c.open(false);
  c.hub.publish_base({1, "content 1", ""}, c.now);
  const auto sending = c.hub.next_output(one, c.now);
  REQUIRE(sending);
  const std::string_view text = std::get<base_use>(*sending)->text;
  for (std::uint64_t version = 2; version < 10; ++version) c.hub.publish_base({version, "other", ""}, c.now);
  CHECK(text == "content 1");
}

TEST_CASE("push hub: a chunk that is being sent stays what it is, though its transfer is given up") {
  hub_control c;
  c.publish(a1);
  c.hello(c.open(), "r1");
  std::optional<push_hub::output> sending;
  while (auto out = c.hub.next_output(1, c.now)) sending = std::move(out);
  REQUIRE(std::holds_alternative<send_chunk>(*sending));
  CHECK(c.snapshot.users == 2);
  c.hub.closed(1, c.now);
  CHECK(c.snapshot.users == 1);
  sending.reset();
  CHECK(c.snapshot.users == 0);
}

TEST_CASE("push hub: all are sent away, each in the words of its protocol") {
  hub_control c;
  c.publish(a1);
  c.hello(c.open(), "r1");
  CHECK(c.open(false) == 2);
  c.hub.publish_base({1, "content 1", ""}, c.now);
  c.hub.goaway("it stops", 100ms, 2s);
  CHECK(c.said() == "1: goaway end | 2: end");
  CHECK(c.hub.why_ended(1) == "goaway: it stops");
  CHECK(c.hub.why_ended(2) == "it stops");
}

TEST_CASE("push hub: what is no message ends a session of cellroute.v1; who says no name is not taken") {
  hub_control c;
  const std::uint64_t one = c.open();
  c.hub.take_text(one, "nonsense", c.now);
  CHECK(c.said() == "1: error protocol end");
  const std::uint64_t two = c.open();
  c.hello(two, "");
  CHECK(c.said() == "2: error protocol end");
  CHECK(c.events().empty());
  c.hub.take_text(77, "nobody", c.now);
  c.hub.closed(77, c.now);
  CHECK_FALSE(c.hub.next_output(77, c.now));
}

TEST_CASE("push hub: beats go to all, and who answers none has ended") {
  hub_control c;
  c.hello(c.open(), "r1");
  c.hello(c.open(), "r2");
  (void)c.said();
  for (int i = 0; i < 3; ++i) {
    c.now += 2s;
    c.hub.take_text(2, R"({"type":"pong","seq":1})", c.now);
    c.hub.tick(c.now);
  }
  CHECK(c.said().find("error dead end") != std::string::npos);
  CHECK(c.hub.has_ended(1));
  CHECK_FALSE(c.hub.has_ended(2));
}

}  // namespace
}  // namespace cellroute::sync
