#include "adapters/sync/push_session.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/sync/script.hpp"

namespace cellroute::sync {
namespace {

/// A control plane with one router, and what is said in short.
struct control {
  push_settings settings;
  std::deque<artifact_use::counted> artifacts;
  publication published;
  std::uint64_t revs = 0;
  time_point now{1h};
  push_session session;

  control() : settings(small()), session(settings, 9, now) {}

  static push_settings small() {
    push_settings s;
    s.chunk_bytes = 10;
    s.window = 2;
    return s;
  }
  artifact_use::counted* make(wire::content_id content, std::size_t chunks, std::optional<wire::digest> base = {}) {
    artifact_use::counted made;
    made.what.kind = base ? wire::transfer_kind::delta : wire::transfer_kind::snapshot;
    made.what.base = base;
    made.what.content = content;
    made.what.sum = base ? sum_of('D') : content.sum;
    made.what.bytes.resize(10 * chunks - 1);
    artifacts.push_back(std::move(made));
    return &artifacts.back();
  }
  /// A snapshot of three chunks, and deltas of one chunk from some.
  std::string publish(wire::content_id content, std::vector<wire::content_id> bases = {}) {
    published.target = {content.epoch, ++revs, content};
    published.snapshot = make(content, 3);
    published.deltas.clear();
    for (const wire::content_id& base : bases) published.deltas[base.sum] = make(content, 1, base.sum);
    session.publish(published, now);
    return said();
  }
  std::string said() {
    std::vector<push_output> all;
    while (auto out = session.next_output()) all.push_back(*std::move(out));
    return words_of(all);
  }
  std::string take(wire::message m) {
    session.take(m, now);
    return said();
  }
  std::string hello(std::vector<wire::content_id> have = {}) {
    wire::hello m;
    m.router_id = "r";
    m.boot_id = "b";
    m.have = std::move(have);
    return take(std::move(m));
  }
  std::string next(std::uint64_t transfer, std::uint32_t chunk) { return take(wire::chunk_ack{transfer, chunk}); }
  std::string ack(wire::ack_status status, wire::content_id content, std::uint64_t transfer, std::string code = "") {
    wire::ack m;
    m.status = status;
    m.content = content;
    m.session = 9;
    m.transfer = transfer;
    m.code = std::move(code);
    return take(std::move(m));
  }
  std::string wait(duration by) {
    now += by;
    session.tick(now);
    return said();
  }
  std::string_view state() const { return to_string(session.state()); }
};

using wire::ack_status;

TEST_CASE("push session: who it is comes first, then a content, within the window, then its ack") {
  control c;
  CHECK(c.publish(a1).empty());
  CHECK(c.state() == "waiting_hello");
  CHECK(c.hello() == "hello_ack 9, ping 1a, begin snapshot 1a, chunk 0, chunk 1");
  CHECK(c.state() == "sending");
  CHECK(c.next(1, 0).empty());
  CHECK(c.next(1, 1) == "chunk 2");
  CHECK(c.next(1, 3).empty());
  CHECK(c.state() == "waiting_ack");
  CHECK(c.ack(ack_status::applied, a1, 1).empty());
  CHECK(c.state() == "in_sync");
  CHECK((c.session.router().running == a1));
}

TEST_CASE("push session: who has the content already is sent none") {
  control c;
  (void)c.publish(a1);
  CHECK(c.hello({a1}) == "hello_ack 9, ping 1a");
  CHECK(c.state() == "in_sync");
  CHECK(c.publish(b2, {a1}) == "ping 2b, begin delta 2b, chunk 0");
  CHECK(c.ack(ack_status::prepared, b2, 1).empty());
  CHECK(c.state() == "behind");
  CHECK(c.ack(ack_status::applied, b2, 0).empty());
  CHECK(c.state() == "in_sync");
  CHECK(c.publish(content_of(3, 'a')) == "ping 3a");  // back to what it still has
  CHECK(c.state() == "behind");
}

TEST_CASE("push session: a router keeps three contents; what it let go is sent again") {
  control c;
  (void)c.publish(a1);
  (void)c.hello({a1});
  for (const wire::content_id& next : {b2, c3, content_of(4, 'd')}) {
    (void)c.publish(next);
    (void)c.ack(ack_status::applied, next, next.version - 1);
  }
  CHECK(c.publish(content_of(5, 'b')) == "ping 5b");  // d, c and b are there
  (void)c.ack(ack_status::applied, content_of(5, 'b'), 0);
  CHECK(c.publish(content_of(6, 'a')) == "ping 6a, begin snapshot 6a, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::prepared, content_of(6, 'a'), 4).empty());
  CHECK(c.ack(ack_status::applied, content_of(6, 'a'), 0).empty());
  // What was checked and did not run is behind what runs, and let the oldest go.
  (void)c.publish(content_of(7, 'e'));
  (void)c.ack(ack_status::prepared, content_of(7, 'e'), 5);
  CHECK(c.publish(content_of(8, 'b')) == "ping 8b");
  CHECK(c.publish(content_of(9, 'd')) == "ping 9d, begin snapshot 9d, chunk 0, chunk 1");
}

TEST_CASE("push session: what was checked and could not be activated is not there any more, and is tried again") {
  control c;
  c.settings.ping = 1h;
  (void)c.publish(a1);
  (void)c.hello({a1});
  (void)c.publish(b2);
  for (std::uint64_t transfer = 1; transfer < 3; ++transfer) {
    CHECK(c.ack(ack_status::prepared, b2, transfer).empty());
    CHECK(c.ack(ack_status::rejected, b2, 0, "no_memory").empty());
    CHECK(c.wait(std::chrono::seconds(2 * transfer) - 1ns).empty());
    CHECK(c.wait(1ns) == "begin snapshot 2b, chunk 0, chunk 1");
  }
  CHECK(c.ack(ack_status::prepared, b2, 3).empty());
  CHECK(c.ack(ack_status::rejected, b2, 0, "no_memory").empty());
  CHECK(c.state() == "rejected");
}

TEST_CASE("push session: from what it has by a delta, else by a snapshot, and by nothing while none is made") {
  control c;
  (void)c.hello({a1});
  c.published.target = {1, ++c.revs, b2};
  c.session.publish(c.published, c.now);
  CHECK(c.said() == "ping 2b");
  CHECK(c.state() == "behind");
  c.published.snapshot = c.make(b2, 1);
  c.session.publish(c.published, c.now);
  CHECK(c.said() == "begin snapshot 2b, chunk 0");
}

TEST_CASE("push session: a newer target waits for what leads to it, and ends what does not") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  CHECK(c.publish(b2, {a1}) == "ping 2b");
  CHECK(c.next(1, 2) == "chunk 2");
  CHECK(c.ack(ack_status::prepared, a1, 1) == "begin delta 2b, chunk 0");
  CHECK(c.publish(c3) == "ping 3c, abort, begin snapshot 3c, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::superseded, b2, 2).empty());
  CHECK(c.state() == "sending");
}

TEST_CASE("push session: what it refuses for what it is is not sent again") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  (void)c.next(1, 3);
  CHECK(c.ack(ack_status::rejected, a1, 1, "schema").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.wait(2s) == "ping 1a");
  CHECK(c.publish(b2) == "ping 2b, begin snapshot 2b, chunk 0, chunk 1");
  CHECK(c.publish(content_of(3, 'a')) == "ping 3a, abort");
  CHECK(c.state() == "rejected");
}

TEST_CASE("push session: an operator has what was refused sent again, by force, until there is another target") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  (void)c.ack(ack_status::rejected, a1, 1, "schema");
  c.session.forget_refusals();
  c.session.publish(c.published, c.now);
  CHECK(c.said() == "begin snapshot 1a by force, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::rejected, a1, 2, "schema").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.publish(b2) == "ping 2b, begin snapshot 2b, chunk 0, chunk 1");
}

TEST_CASE("push session: what it refused in an earlier session is not sent either") {
  control c;
  (void)c.publish(a1);
  wire::hello said;
  said.quarantined = {{a1.sum, "crash_loop"}};
  CHECK(c.take(said) == "hello_ack 9, ping 1a");
  CHECK(c.state() == "rejected");
  REQUIRE(c.session.router().last_refusal);
  CHECK((c.session.router().last_refusal->content == a1));
  CHECK(c.session.router().last_refusal->code == "crash_loop");
}

TEST_CASE("push session: why it does not take what is published is told, though it said so before it was") {
  control c;
  wire::hello said;
  said.quarantined = {{b2.sum, "crash_loop"}};
  (void)c.take(said);
  CHECK_FALSE(c.session.router().last_refusal);
  (void)c.publish(a1);
  CHECK_FALSE(c.session.router().last_refusal);
  CHECK(c.publish(b2) == "ping 2b, abort");
  CHECK(c.state() == "rejected");
  REQUIRE(c.session.router().last_refusal);
  CHECK(c.session.router().last_refusal->code == "crash_loop");
}

TEST_CASE("push session: what came too late for a router is not sent to it, and is under a newer number") {
  control c;
  (void)c.publish(a1);
  CHECK(c.hello({content_of(5, 'e'), a1}) == "hello_ack 9, ping 1a");  // it holds it, and follows newer orders
  CHECK(c.state() == "behind");
  CHECK(c.ack(ack_status::rejected, a1, 0, "stale_version").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.session.router().last_refusal->code == "stale_version");
  CHECK(c.wait(2s) == "ping 1a");
  CHECK(c.publish(b2) == "ping 2b, begin snapshot 2b, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::rejected, b2, 0, "stale_version") == "abort");
  CHECK(c.ack(ack_status::rejected, b2, 1, "stale_version").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.publish(content_of(6, 'a')) == "ping 6a");
  CHECK(c.state() == "behind");
  CHECK(c.publish(content_of(7, 'b')) == "ping 7b, begin snapshot 7b, chunk 0, chunk 1");
  CHECK(c.session.refused().empty());
}

TEST_CASE("push session: what it refused after it was given up is not sent when it comes back") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  CHECK(c.publish(b2) == "ping 2b, abort, begin snapshot 2b, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::rejected, a1, 1, "schema").empty());
  CHECK(c.state() == "sending");
  CHECK(c.publish(content_of(3, 'a')) == "ping 3a, abort");
  CHECK(c.state() == "rejected");
}

TEST_CASE("push session: a reason that this version does not know is a lasting one") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  CHECK(c.ack(ack_status::rejected, a1, 1, "moon_phase").empty());
  CHECK(c.state() == "rejected");
}

TEST_CASE("push session: a base that is not there is answered with the whole, and what fails thrice is given up") {
  control c;
  c.settings.ping = 1h;
  (void)c.publish(b2, {a1});
  CHECK(c.hello({a1}) == "hello_ack 9, ping 2b, begin delta 2b, chunk 0");
  CHECK(c.ack(ack_status::rejected, b2, 1, "digest_mismatch") == "begin snapshot 2b, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::rejected, b2, 2, "no_memory").empty());
  CHECK(c.wait(4s) == "begin snapshot 2b, chunk 0, chunk 1");
  CHECK(c.ack(ack_status::rejected, b2, 3, "no_memory").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.wait(1h - 5s).empty());
}

TEST_CASE("push session: who had no time or memory is left alone for 2 s and then 4 s, but for what is newer") {
  for (const std::string_view code : {"no_memory", "timeout", "internal"}) {
    CAPTURE(code);
    control c;
    c.settings.ping = 1h;
    (void)c.publish(a1);
    (void)c.hello();
    CHECK(c.ack(ack_status::rejected, a1, 1, std::string(code)).empty());
    CHECK(c.state() == "behind");
    c.session.publish(c.published, c.now);  // another way to the same
    CHECK(c.said().empty());
    CHECK(c.wait(2s - 1ns).empty());
    CHECK(c.wait(1ns) == "begin snapshot 1a, chunk 0, chunk 1");
    CHECK(c.ack(ack_status::rejected, a1, 2, std::string(code)).empty());
    CHECK(c.wait(4s - 1ns).empty());
    CHECK(c.publish(b2) == "ping 2b, begin snapshot 2b, chunk 0, chunk 1");
    CHECK(c.ack(ack_status::rejected, b2, 3, std::string(code)).empty());
    c.session.forget_refusals();
    c.session.publish(c.published, c.now);
    CHECK(c.said() == "begin snapshot 2b by force, chunk 0, chunk 1");
  }
}

TEST_CASE("push session: a transfer goes on where the last session ended") {
  control c;
  (void)c.publish(a1);
  wire::hello said;
  said.resume = wire::resume_point{a1.sum, 2};
  CHECK(c.take(said) == "hello_ack 9, ping 1a, begin snapshot 1a");
  CHECK(c.next(1, 2) == "chunk 2");
  control other;
  (void)other.publish(a1);
  said.resume = wire::resume_point{b2.sum, 2};  // of another artifact
  CHECK(other.take(said) == "hello_ack 9, ping 1a, begin snapshot 1a, chunk 0, chunk 1");
}

TEST_CASE("push session: a lost ack is made good by what the router says that it runs") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  (void)c.next(1, 3);
  wire::pong beat;
  beat.running = a1;
  CHECK(c.take(beat).empty());
  CHECK(c.state() == "in_sync");
}

TEST_CASE("push session: beats go while nothing else happens, and who answers none is dead") {
  control c;
  (void)c.publish(a1);
  (void)c.hello({a1});
  CHECK(c.wait(2s - 1ns).empty());
  CHECK(c.wait(1ns) == "ping 1a");
  CHECK(c.wait(2s) == "ping 1a");
  CHECK(c.wait(2s - 1ns).empty());
  CHECK(c.wait(1ns) == "error dead");
  CHECK(c.state() == "ended");
  CHECK(c.wait(10s).empty());
}

TEST_CASE("push session: a beat that nobody took is replaced by the next one: a stalled router costs one message") {
  control c;
  (void)c.publish(a1);
  wire::hello said;
  said.have = {a1};
  c.session.take(said, c.now);
  for (int i = 0; i < 2; ++i) {
    c.now += 2s;
    c.session.tick(c.now);
  }
  CHECK(c.said() == "hello_ack 9, ping 1a");
}

TEST_CASE("push session: who takes no chunk, or sends no hello, is let go") {
  control c;
  CHECK(c.wait(5s - 1ns).empty());
  CHECK(c.wait(1ns) == "error hello_timeout");
  control d;
  (void)d.publish(a1);
  (void)d.hello();
  for (int i = 0; i < 4; ++i) {
    (void)d.wait(2s);
    (void)d.take(wire::pong{});
  }
  CHECK(d.wait(2s - 1ns).empty());
  CHECK(d.wait(1ns) == "error transfer_idle");
}

TEST_CASE("push session: a content that came in whole and is not answered for is tried again") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  (void)c.next(1, 3);
  for (int i = 0; i < 30; ++i) {
    CHECK(c.wait(2s) == "ping 1a");
    (void)c.take(wire::pong{});
  }
  CHECK(c.wait(2s) == "begin snapshot 1a, ping 1a, chunk 0, chunk 1");
}

struct protocol_case {
  std::string_view says;
  wire::message said;
};

TEST_CASE("push session: what cannot come now ends the session") {
  const protocol_case rows[] = {
      {"a second hello", wire::hello{}},
      {"more chunks than there are", wire::chunk_ack{1, 4}},
  };
  for (const protocol_case& row : rows) {
    CAPTURE(row.says);
    control c;
    (void)c.publish(a1);
    (void)c.hello();
    CHECK(c.take(row.said) == "error protocol");
  }
  control c;
  CHECK(c.take(wire::pong{}) == "error protocol");  // before hello
  control d;
  wire::hello said;
  said.can.window = 0;
  CHECK(d.take(said) == "error protocol");
  control g;
  wire::hello newer;
  newer.proto = 99;
  CHECK(g.take(newer) == "error protocol");
  CHECK(g.session.why() == "protocol: version 99 of the protocol is not spoken here, 1 is");
  control e;
  (void)e.publish(a1);
  (void)e.hello();
  (void)e.next(1, 2);
  CHECK(e.next(1, 1) == "error protocol");  // it takes back what it said
  control f;
  (void)f.publish(a1);
  (void)f.hello();
  CHECK(f.next(77, 9).empty());  // of a transfer that was given up: late, and no mistake
}

TEST_CASE("push session: an ack of another session is none of this one's") {
  control c;
  (void)c.publish(a1);
  (void)c.hello();
  wire::ack late;
  late.content = a1;
  late.session = 8;
  late.transfer = 1;
  CHECK(c.take(late).empty());
  CHECK(c.state() == "sending");
}

TEST_CASE("push session: an artifact stays while a session sends it") {
  control c;
  (void)c.publish(a1);
  CHECK(c.artifacts.front().users == 0);
  (void)c.hello();
  CHECK(c.artifacts.front().users == 1);
  (void)c.next(1, 3);
  (void)c.ack(ack_status::applied, a1, 1);
  CHECK(c.artifacts.front().users == 0);
}

}  // namespace
}  // namespace cellroute::sync
