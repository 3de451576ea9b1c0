#include "adapters/sync/content_intake.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/sync/script.hpp"

namespace cellroute::sync {
namespace {

const std::vector<std::byte> payload(10, std::byte{'p'});

/// A router's intake, and what it is told in short.
struct router {
  content_intake intake;
  std::uint64_t transfers = 0;

  explicit router(intake_memory memory = {}) : intake(limits(), std::move(memory)) { intake.session_opened(9); }

  static intake_limits limits() {
    intake_limits l;
    l.can.content_bytes_max = 1'000;
    l.can.keys_max = 100;
    l.can.compressions = {"zstd"};
    return l;
  }
  std::string done() { return words_of(intake.take_actions()); }

  std::string order(std::uint64_t rev, wire::content_id run, std::uint64_t epoch = 1) {
    intake.take(wire::ping{1, wire::targets{epoch, rev, run}});
    return done();
  }
  wire::config_begin offer(wire::content_id content, std::uint32_t chunks = 1) {
    wire::config_begin said;
    said.transfer = ++transfers;
    said.content = content;
    said.artifact = content.sum;
    said.bytes = chunks * payload.size();
    said.raw_bytes = said.bytes;
    said.keys = 5;
    said.chunks = chunks;
    said.compression = "none";
    return said;
  }
  std::string begin(const wire::config_begin& said) {
    intake.take(said);
    return done();
  }
  std::string chunk(std::uint32_t seq, std::uint32_t total = 1) {
    if (!intake.take(wire::chunk{transfers, seq, total, seq * payload.size(), payload})) return "out of order";
    return done();
  }
  std::string checked(wire::content_id content) {
    intake.checked(content, 5);
    return done();
  }
  std::string failed(wire::content_id content, wire::refusal_code code) {
    intake.checked(content, {code, "because"});
    return done();
  }
  std::string activated(wire::content_id content, bool durable = true) {
    intake.activated(content, durable);
    return done();
  }
};

TEST_CASE("content intake: a content is received, checked, and runs once the orders name it") {
  router r;
  CHECK(r.order(1, a1).empty());
  CHECK(r.begin(r.offer(a1, 2)) == "next 0");
  CHECK(r.chunk(0, 2) == "next 1");
  CHECK(r.chunk(1, 2) == "next 2, check 1a");
  CHECK(r.checked(a1) == "activate 1a");
  CHECK_FALSE(r.intake.running());
  CHECK(r.activated(a1) == "applied 1a durable");
  CHECK((r.intake.running() == a1));
  CHECK(r.intake.is_on_target());
}

TEST_CASE("content intake: a content that no order names is held, and runs by the order alone") {
  router r;
  (void)r.begin(r.offer(a1));
  (void)r.chunk(0);
  CHECK(r.checked(a1) == "prepared 1a");
  CHECK_FALSE(r.intake.running());
  CHECK(r.order(1, a1) == "activate 1a");
  CHECK(r.activated(a1, false) == "applied 1a");
}

TEST_CASE("content intake: orders only go forward") {
  router r({.held = {a1, b2}, .quarantined = {}});
  CHECK(r.order(5, a1) == "unchanged 1a, applied 1a noop");
  CHECK(r.order(4, b2) == "refuse 2, rejected 2b stale_version");
  CHECK(r.order(4, b2).empty());  // once, not with each beat
  CHECK(r.order(4, a1).empty());  // it runs, whoever says so
  CHECK(r.order(5, a1).empty());  // said again with each beat
  CHECK(r.order(5, b2) == "tell split_brain");
  CHECK(r.order(5, b2).empty());  // said again with each beat, told once
  CHECK(r.order(1, b2, 0) == "refuse 2, rejected 2b stale_epoch");
  r.intake.session_closed();
  r.intake.session_opened(10);
  CHECK(r.order(1, b2, 0) == "refuse 2, rejected 2b stale_epoch");  // each control plane is told
  CHECK(r.order(6, b2) == "activate 2b");
  CHECK(r.order(1, a1, 2).empty());  // another epoch, later; while one is under way it waits
  CHECK(r.activated(b2) == "applied 2b durable, activate 1a");
}

TEST_CASE("content intake: an earlier content under a new number runs without a byte") {
  router r({.held = {b2, a1}, .quarantined = {}});
  const wire::content_id again = content_of(3, 'a');
  CHECK(r.order(7, again) == "activate 3a");
  CHECK(r.activated(again) == "applied 3a durable");
  CHECK((r.intake.held() == std::vector{again, b2}));
  const wire::content_id renamed = content_of(4, 'a');
  CHECK(r.order(8, renamed) == "unchanged 4a, applied 4a noop");
  CHECK((r.intake.running() == renamed));
}

struct refused_offer {
  std::string_view says;
  void (*change)(wire::config_begin& said);
  std::string_view expected;
};
const refused_offer refused_offers[] = {
    {"another content under a number that is here", [](wire::config_begin& said) { said.content = content_of(2, 'x'); },
     "rejected 2x conflict"},
    {"an older number", [](wire::config_begin& said) { said.content = content_of(1, 'x'); },
     "rejected 1x stale_version"},
    {"an older epoch", [](wire::config_begin& said) { said.content = content_of(9, 'x', 0); },
     "rejected 9x stale_epoch"},
    {"a delta from nothing", [](wire::config_begin& said) { said.kind = wire::transfer_kind::delta; },
     "rejected 3c base_mismatch"},
    {"a delta from what is not here",
     [](wire::config_begin& said) {
       said.kind = wire::transfer_kind::delta;
       said.base = sum_of('q');
     },
     "rejected 3c base_mismatch"},
    {"a byte too many",
     [](wire::config_begin& said) {
       said.bytes = 1'001;
       said.chunks = 1;
     },
     "rejected 3c too_large"},
    {"a byte too many once it is unpacked", [](wire::config_begin& said) { said.raw_bytes = 1'001; },
     "rejected 3c too_large"},
    {"a key too many", [](wire::config_begin& said) { said.keys = 101; }, "rejected 3c too_many_keys"},
    {"a compression of later versions", [](wire::config_begin& said) { said.compression = "brotli"; },
     "rejected 3c unsupported"},
    {"no chunks", [](wire::config_begin& said) { said.chunks = 0; }, "rejected 3c unsupported"},
    {"more chunks than bytes", [](wire::config_begin& said) { said.chunks = 11; }, "rejected 3c unsupported"},
};

TEST_CASE("content intake: what cannot be taken is refused before its first byte") {
  for (const refused_offer& row : refused_offers) {
    CAPTURE(row.says);
    router r({.held = {b2}, .quarantined = {}});
    wire::config_begin said = r.offer(c3);
    row.change(said);
    CHECK(r.begin(said) == "refuse " + std::to_string(said.content.version) + ", " + std::string(row.expected));
    CHECK((r.intake.running() == b2));
  }
  router r({.held = {b2}, .quarantined = {}});
  wire::config_begin said = r.offer(c3);
  said.kind = wire::transfer_kind::delta;
  said.base = b2.sum;
  said.raw_bytes = 1'000;
  said.keys = 100;
  said.compression = "zstd";
  CHECK(r.begin(said) == "next 0");
}

TEST_CASE("content intake: what was refused for what it is stays refused; what may pass is forgotten") {
  router r;
  (void)r.begin(r.offer(a1));
  (void)r.chunk(0);
  CHECK(r.failed(a1, wire::refusal_code::schema) == "refuse 1, rejected 1a schema");
  CHECK(r.begin(r.offer(content_of(2, 'a'))) == "refuse 2, rejected 2a schema");
  r.intake.session_closed();
  wire::hello said;
  r.intake.introduce(said);
  CHECK(in_words()(said) == "hello without a");

  r.intake.session_opened(10);
  (void)r.begin(r.offer(c3));
  (void)r.chunk(0);
  CHECK(r.failed(c3, wire::refusal_code::no_memory) == "refuse 3, rejected 3c no_memory");
  CHECK(r.begin(r.offer(c3)) == "next 0");
}

TEST_CASE("content intake: what an operator wants tried again is not refused for what it was refused for before") {
  router r({.held = {}, .quarantined = {{sum_of('z'), "crash_loop"}, {a1.sum, "schema"}}});
  CHECK(r.begin(r.offer(a1)) == "refuse 1, rejected 1a schema");
  wire::config_begin said = r.offer(a1);
  said.force = true;
  CHECK(r.begin(said) == "next 0");
  CHECK((r.intake.quarantined() == std::vector{wire::quarantined_content{sum_of('z'), "crash_loop"}}));
  CHECK(r.chunk(0) == "next 1, check 1a");
  CHECK(r.failed(a1, wire::refusal_code::schema) == "refuse 1, rejected 1a schema");
  CHECK(r.begin(r.offer(a1)) == "refuse 1, rejected 1a schema");  // no word of force: as before
}

TEST_CASE("content intake: the list of what stays refused is there to be kept, bounded, the latest last") {
  const wire::quarantined_content old{sum_of('z'), "crash_loop"};
  router r({.held = {}, .quarantined = {old}});
  CHECK((r.intake.quarantined() == std::vector{old}));
  (void)r.begin(r.offer(a1));
  (void)r.chunk(0);
  (void)r.failed(a1, wire::refusal_code::schema);
  CHECK((r.intake.quarantined() == std::vector{old, {a1.sum, "schema"}}));
  for (char name = 'A'; name < 'A' + 16; ++name) {
    const wire::content_id next = content_of(2, name);
    (void)r.begin(r.offer(next));
    (void)r.chunk(0);
    (void)r.failed(next, wire::refusal_code::reference);
  }
  CHECK(r.intake.quarantined().size() == 16);
  CHECK((r.intake.quarantined().front() == wire::quarantined_content{sum_of('A'), "reference"}));
}

TEST_CASE("content intake: a chunk that does not follow the one before ends the session") {
  const auto after_begin = [](std::uint32_t seq, std::uint32_t total, std::uint64_t offset, std::size_t size) {
    router r;
    (void)r.begin(r.offer(a1, 3));
    const std::vector<std::byte> bytes(size);
    return r.intake.take(wire::chunk{1, seq, total, offset, bytes});
  };
  CHECK(after_begin(0, 3, 0, 10));
  CHECK_FALSE(after_begin(1, 3, 10, 10));  // one is missing
  CHECK_FALSE(after_begin(0, 2, 0, 10));   // not as many as were announced
  CHECK_FALSE(after_begin(0, 3, 5, 10));   // elsewhere
  CHECK_FALSE(after_begin(0, 3, 0, 31));   // more than was announced
  CHECK_FALSE(after_begin(0, 3, 0, 30));   // all of it, and not in the last one
  router r;
  (void)r.begin(r.offer(a1, 1));
  CHECK_FALSE(r.intake.take(wire::chunk{1, 0, 1, 0, std::span(payload).first(9)}));  // the last one, and not all of it
  CHECK(r.intake.take(wire::chunk{77, 0, 1, 0, payload}));  // of a transfer that was given up: late, and no mistake
  CHECK(r.done().empty());
}

TEST_CASE("content intake: a transfer that was cut goes on where it ended, in the next session") {
  router r;
  (void)r.begin(r.offer(a1, 3));
  (void)r.chunk(0, 3);
  r.intake.session_closed();
  wire::hello said;
  r.intake.introduce(said);
  CHECK(in_words()(said) == "hello resume a@1");
  r.intake.session_opened(10);
  CHECK(r.begin(r.offer(a1, 3)) == "next 1");
  CHECK(r.chunk(1, 3) == "next 2");
  CHECK(r.chunk(2, 3) == "next 3, check 1a");
}

TEST_CASE("content intake: what an earlier session left is not taken for a transfer of this one") {
  router r;
  (void)r.begin(r.offer(a1, 3));
  (void)r.chunk(0, 3);
  r.intake.session_closed();
  r.intake.session_opened(10);
  r.transfers = 0;
  CHECK(r.begin(r.offer(b2)) == "next 0");  // the other was never offered in this session: no word of it
  CHECK(r.chunk(0) == "next 1, check 2b");
  r.intake.session_closed();
  r.intake.session_opened(11);
  r.intake.checked(b2, 5);
  const auto done = r.intake.take_actions();
  REQUIRE(done.size() == 1);
  CHECK(std::get<wire::ack>(std::get<wire::message>(done.front())).transfer == 0);
}

TEST_CASE("content intake: of contents that come faster than they are checked the latest is next") {
  router r;
  (void)r.begin(r.offer(a1));
  CHECK(r.chunk(0) == "next 1, check 1a");
  (void)r.begin(r.offer(b2));
  CHECK(r.chunk(0) == "next 1");
  (void)r.begin(r.offer(c3));
  CHECK(r.chunk(0) == "next 1, superseded 2b");
  CHECK(r.checked(a1) == "check 3c, prepared 1a");
  CHECK(r.checked(b2).empty());  // nobody asked
  CHECK(r.checked(c3) == "prepared 3c");
}

TEST_CASE("content intake: a transfer is given up by its end, and by another one") {
  router r;
  (void)r.begin(r.offer(a1, 3));
  r.intake.take(wire::config_abort{r.transfers, "superseded"});
  CHECK(r.done() == "superseded 1a");
  r.intake.take(wire::config_abort{r.transfers, "superseded"});
  CHECK(r.done().empty());
  (void)r.begin(r.offer(a1, 3));
  CHECK(r.begin(r.offer(b2, 3)) == "superseded 1a, next 0");
}

TEST_CASE("content intake: what rows run here is said when it is asked for, and only the latest question is answered") {
  router r({.held = {a1}, .quarantined = {}});
  const auto ask = [&r](std::vector<std::uint32_t> groups) {
    return r.intake.take(wire::repair{b2, std::move(groups)}) ? r.done() : "out of order";
  };
  const auto answer = [&r](std::vector<std::uint32_t> groups, std::size_t sums) {
    r.intake.summed_up({a1, {b2, std::move(groups)}}, std::vector<wire::digest>(sums));
    return r.done();
  };
  CHECK(ask({}) == "sum up 1a");
  CHECK(answer({}, 64) == "repair_req a 64 digests");
  CHECK(answer({}, 64).empty());  // nobody asks any more
  CHECK(ask({0, 63}) == "sum up 1a 0 63");
  CHECK(ask({5}) == "sum up 1a 5");
  CHECK(answer({0, 63}, 128).empty());
  CHECK(answer({5}, 64) == "repair_req a 5 64 digests");
  CHECK(ask({7}) == "sum up 1a 7");
  CHECK(answer({7}, 0) == "repair_req 0 digests");  // it was dropped meanwhile
  CHECK(ask({64}) == "out of order");
  CHECK(ask({3, 3}) == "out of order");
  CHECK(ask({4, 3}) == "out of order");
  CHECK(ask({}) == "sum up 1a");
  r.intake.session_closed();
  r.intake.session_opened(10);
  CHECK(answer({}, 64).empty());  // of the session before

  router empty;
  CHECK(empty.intake.take(wire::repair{b2, {}}));
  CHECK(empty.done() == "repair_req 0 digests");
}

TEST_CASE("content intake: three contents are held, and those that are needed never go") {
  router r({.held = {a1}, .quarantined = {}});
  (void)r.order(1, c3);
  for (const wire::content_id& next : {b2, content_of(4, 'd'), content_of(5, 'e')}) {
    (void)r.begin(r.offer(next));
    (void)r.chunk(0);
    (void)r.checked(next);
  }
  CHECK((r.intake.held() == std::vector{a1, content_of(5, 'e'), content_of(4, 'd')}));
  CHECK((r.intake.running() == a1));
}

TEST_CASE("content intake: a content that was damaged has to come again, as if it had never been here") {
  router r({.held = {a1, b2}, .quarantined = {}});
  CHECK(r.order(1, a1) == "unchanged 1a, applied 1a noop");
  r.intake.forget(sum_of('c'));
  CHECK(r.done().empty());
  r.intake.forget(a1.sum);
  CHECK(r.done() == "drop 1a");
  CHECK_FALSE(r.intake.running());
  CHECK((r.intake.held() == std::vector{b2}));
  CHECK(r.order(1, a1).empty());
  CHECK(r.begin(r.offer(a1)) == "next 0");
  CHECK(r.chunk(0) == "next 1, check 1a");
  CHECK(r.checked(a1) == "activate 1a");
  CHECK(r.activated(a1) == "applied 1a durable");
  CHECK((r.intake.held() == std::vector{a1, b2}));
}

TEST_CASE("content intake: what does harm is left for what ran before, and stays refused") {
  router r({.held = {b2, a1}, .quarantined = {}});
  CHECK(r.order(1, b2) == "unchanged 2b, applied 2b noop");
  CHECK(r.intake.go_back(b2.sum, a1, {wire::refusal_code::local_guard, "because"}));
  CHECK(r.done() == "activate 1a");
  CHECK(r.activated(a1) == "applied 1a durable, drop 2b, rejected 2b local_guard");
  CHECK((r.intake.held() == std::vector{a1}));
  CHECK((r.intake.quarantined() == std::vector{wire::quarantined_content{b2.sum, "local_guard"}}));
  CHECK_FALSE(r.intake.is_on_target());
  CHECK(r.order(1, b2).empty());  // said again with each beat
  CHECK(r.begin(r.offer(b2)) == "refuse 2, rejected 2b local_guard");
  CHECK(r.order(2, content_of(3, 'a')) == "unchanged 3a, applied 3a noop");
  CHECK(r.order(3, content_of(4, 'd')).empty());
  CHECK(r.begin(r.offer(content_of(4, 'd'))) == "next 0");
}

TEST_CASE("content intake: what is gone back to need not be held here, and is one more until the other goes") {
  router r({.held = {c3, b2, content_of(4, 'd')}, .quarantined = {}});
  CHECK(r.intake.go_back(c3.sum, a1, {wire::refusal_code::local_guard, "because"}));
  CHECK(r.done() == "activate 1a");
  CHECK(r.activated(a1) == "applied 1a durable, drop 3c, rejected 3c local_guard");
  CHECK((r.intake.held() == std::vector{a1, b2, content_of(4, 'd')}));
}

TEST_CASE("content intake: nobody goes back from what does not run, or while another is about to") {
  router r({.held = {b2, a1}, .quarantined = {}});
  const refusal why{wire::refusal_code::local_guard, "because"};
  CHECK_FALSE(r.intake.go_back(a1.sum, b2, why));
  CHECK_FALSE(r.intake.go_back(b2.sum, b2, why));
  CHECK(r.order(1, a1) == "activate 1a");
  CHECK_FALSE(r.intake.go_back(b2.sum, a1, why));
  CHECK(r.activated(a1) == "applied 1a durable");
  CHECK(r.intake.quarantined().empty());
}

TEST_CASE("content intake: what cannot be gone back to leaves what runs where it is, and not refused") {
  router r({.held = {b2, a1}, .quarantined = {}});
  REQUIRE(r.intake.go_back(b2.sum, a1, {wire::refusal_code::local_guard, "because"}));
  (void)r.done();
  r.intake.activated(a1, {wire::refusal_code::internal, "no port"});
  CHECK(r.done() == "drop 1a, refuse 1, rejected 1a internal");
  CHECK((r.intake.running() == b2));
  CHECK(r.intake.quarantined().empty());
}

TEST_CASE("content intake: what is wanted meanwhile runs behind what was gone back to") {
  router r({.held = {b2, a1, c3}, .quarantined = {}});
  REQUIRE(r.intake.go_back(b2.sum, a1, {wire::refusal_code::local_guard, "because"}));
  (void)r.done();
  CHECK(r.order(1, c3).empty());
  CHECK(r.activated(a1) == "applied 1a durable, drop 2b, rejected 2b local_guard, activate 3c");
}

TEST_CASE("content intake: an ack tells how long it took until requests could see the content") {
  router r({.held = {a1, b2}, .quarantined = {}});
  CHECK(r.order(1, b2) == "activate 2b");
  r.intake.activated(b2, true, 1'234'567us);
  const std::vector<intake_action> told = r.intake.take_actions();
  REQUIRE(told.size() == 1);
  CHECK(std::get<wire::ack>(std::get<wire::message>(told.front())).apply_ms == 1'234);
}

TEST_CASE("content intake: a content that cannot be made to run goes, and what ran runs on") {
  router r({.held = {a1, b2}, .quarantined = {}});
  CHECK(r.order(1, b2) == "activate 2b");
  r.intake.activated(b2, {wire::refusal_code::guard_moved, "60 % of the keys would move"});
  CHECK(r.done() == "drop 2b, refuse 2, rejected 2b guard_moved");
  CHECK((r.intake.running() == a1));
  CHECK_FALSE(r.intake.is_on_target());
  CHECK(r.begin(r.offer(b2)) == "refuse 2, rejected 2b guard_moved");
}

}  // namespace
}  // namespace cellroute::sync
