// Both ends of a repair, over a wire of texts: what a router has, and what it should have, are tables; what is said in
// between is a row.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sync/content.hpp"
#include "adapters/sync/push_session.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/wire/chunk_frame.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/base/random.hpp"
#include "tests/unit/sync/made_content.hpp"

namespace cellroute::sync {
namespace {

/// The first digits of a group or bucket, where a row is to name one.
std::string numbers(const std::vector<std::uint32_t>& groups) {
  std::string text;
  for (const std::uint32_t group : groups) text += " " + std::to_string(group);
  return text;
}

/// What is said, in short; beats and credit have tests of their own.
struct short_words {
  std::string operator()(const wire::hello&) const { return "hello"; }
  std::string operator()(const wire::config_begin& m) const {
    constexpr std::string_view kinds[] = {"snapshot", "delta", "repair"};
    return "begin " + std::string(kinds[static_cast<std::size_t>(m.kind)]);
  }
  std::string operator()(const wire::repair& m) const { return "repair" + numbers(m.groups); }
  std::string operator()(const wire::repair_request& m) const {
    return std::string("repair_req") + (m.base ? "" : " nothing") + numbers(m.groups) + ":" +
           std::to_string(m.sums.size());
  }
  std::string operator()(const wire::ack& m) const {
    constexpr std::string_view statuses[] = {"applied", "prepared", "rejected", "superseded"};
    return std::string(statuses[static_cast<std::size_t>(m.status)]) + (m.code.empty() ? "" : " " + m.code);
  }
  std::string operator()(const wire::session_error& m) const { return "error " + m.code; }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

/// A control plane that has published `wanted`, and a router that runs `here`; the control plane has no delta from it.
struct pair_of_ends {
  content wanted;
  wire::content_id target;
  std::map<wire::digest, content> held;
  push_settings settings;
  std::list<artifact_use::counted> artifacts;
  publication published;
  time_point now{1h};
  push_session session;
  router_link link;
  std::string said;
  std::uint64_t text_bytes = 0;  ///< of the questions and answers of a repair
  int contents_refused = 0;      ///< so many that come are told to be damaged

  pair_of_ends(std::optional<content> here, content should_be, push_settings with = any_size())
      : wanted(std::move(should_be)),
        target{1, 9, wanted.sum},
        settings(with),
        session(settings, 5, now),
        link({}, {"r", "b", "", {}, ""}, limits(), {.held = keep(std::move(here)), .quarantined = {}}, 7) {
    published.target = {1, 9, target};
    published.rows = &wanted.digest;
    session.publish(published, now);
  }

  static push_settings any_size() {
    push_settings s;
    s.salt = test_salt;
    s.repair_keys_min = 0;
    return s;
  }
  static intake_limits limits() {
    intake_limits l;
    l.can.content_bytes_max = 1 << 24;
    l.can.keys_max = 1'000'000;
    l.can.compressions = {"zstd"};
    l.can.repair = true;
    return l;
  }
  std::vector<wire::content_id> keep(std::optional<content> here) {
    if (!here) return {};
    const wire::content_id id{1, 2, here->sum};
    held.emplace(here->sum, *std::move(here));
    return {id};
  }

  void note(const wire::message& m) {
    const std::string words = std::visit(short_words(), m);
    if (!words.empty()) said += (said.empty() ? "" : ", ") + words;
    const bool is_question = std::holds_alternative<wire::repair>(m) || std::holds_alternative<wire::repair_request>(m);
    if (is_question) text_bytes += wire::write_message(m).size();
  }
  artifact_use::counted* make(artifact a) {
    artifacts.emplace_back().what = std::move(a);
    return &artifacts.back();
  }
  /// What the publisher does for whoever needs it.
  void make_ways() {
    const repair_need* const need = session.needs_repair();
    if (need != nullptr && !published.repairs.contains(*need)) {
      const repair_need key = *need;
      published.repairs[key] = make(pack_repair(wanted, key.buckets, key.base, test_salt, target));
      session.publish(published, now);
    }
    if (session.needs_all() && published.snapshot == nullptr) {
      published.snapshot = make(pack_snapshot(wanted, target));
      session.publish(published, now);
    }
  }
  void check(const check_content& job) {
    const auto base = job.what.base ? held.find(*job.what.base) : held.end();
    auto made = unpack(job.what, job.bytes, base != held.end() ? &base->second : nullptr, {test_salt, 3});
    if (made && contents_refused-- > 0) made = unexpected(refusal{wire::refusal_code::digest_mismatch, "it says"});
    if (!made) return link.checked(job.what.content, made.error());
    const std::uint64_t keys = made->keys.size();
    held.insert_or_assign(made->sum, *std::move(made));
    link.checked(job.what.content, keys);
  }
  void sum_up_rows_of(const sum_up_rows& job) {
    const auto at = held.find(job.base.sum);
    std::vector<wire::digest> sums;
    if (at != held.end()) sums = sums_of(sum_up(at->second, test_salt), job.asked.groups);
    link.summed_up(job, std::move(sums));
  }
  bool act() {
    const auto actions = link.take_actions();
    for (const link_action& action : actions) {
      if (std::holds_alternative<open_connection>(action)) link.opened(true, now);
      if (const auto* m = std::get_if<wire::message>(&action)) {
        note(*m);
        const auto read = wire::read_message(wire::write_message(*m));
        REQUIRE(read);
        session.take(*read, now);
      }
      if (const auto* job = std::get_if<check_content>(&action)) check(*job);
      if (const auto* job = std::get_if<activate_content>(&action)) link.activated(job->content, true);
      if (const auto* job = std::get_if<sum_up_rows>(&action)) sum_up_rows_of(*job);
    }
    return !actions.empty();
  }
  bool push() {
    make_ways();
    const auto out = session.next_output();
    if (!out) return false;
    if (const auto* m = std::get_if<wire::message>(&*out)) {
      note(*m);
      link.take_text(wire::write_message(*m), now);
    } else {
      const auto& c = std::get<send_chunk>(*out);
      const auto head = wire::write_chunk_head({c.transfer, c.seq, c.total, c.offset, c.payload});
      std::vector<std::byte> frame(head.begin(), head.end());
      frame.insert(frame.end(), c.payload.begin(), c.payload.end());
      link.take_binary(frame, now);
    }
    return true;
  }
  /// Until nobody has anything to say any more.
  const std::string& run() {
    link.tick(now);
    for (int i = 0; i < 10'000; ++i) {
      const bool has_acted = act();
      const bool has_pushed = push();
      if (!has_acted && !has_pushed) break;
    }
    return said;
  }
  [[nodiscard]] bool is_done() const { return link.contents().running() == target && held.contains(wanted.sum); }
};

struct repair_case {
  std::string_view says;
  void (*change)(rows& here, std::string& document);
  std::string_view expected;
};

TEST_CASE("repair: what is said, by what differs") {
  const repair_case cases[] = {
      {"one row", [](rows& here, std::string&) { here["tenant-3"] = "tier1"; },
       "hello, repair, repair_req:64, repair 14, repair_req 14:64, begin repair, applied"},
      {"a row less, and one more",
       [](rows& here, std::string&) {
         here.erase("tenant-4");
         here["stranger"] = "visa";
       },
       "hello, repair, repair_req:64, repair 3 55, repair_req 3 55:128, begin repair, applied"},
      {"the document alone: no row goes", [](rows&, std::string& document) { document = "[]"; },
       "hello, repair, repair_req:64, begin repair, applied"},
      {"so much that all of it is no longer", [](rows& here, std::string&) { here.clear(); }, ""},
  };
  for (const repair_case& row : cases) {
    CAPTURE(row.says);
    rows here = many(5'000);
    std::string document = "{}";
    row.change(here, document);
    pair_of_ends ends(content_of(here, document), content_of(many(5'000)));
    if (row.expected.empty()) {
      CHECK(ends.run().ends_with(":4096, begin snapshot, applied"));
    } else {
      CHECK(ends.run() == row.expected);
    }
    CHECK(ends.is_done());
  }
}

TEST_CASE("repair: who has nothing, cannot, or has too few keys for it gets all of it") {
  pair_of_ends nothing(std::nullopt, content_of(many(500)));
  CHECK(nothing.run() == "hello, begin snapshot, applied");
  CHECK(nothing.is_done());

  pair_of_ends cannot(content_of(many(499)), content_of(many(500)));
  cannot.link = router_link({}, {"r", "b", "", {}, ""}, {.can = {32'768, 4, 1 << 24, 1'000, {"zstd"}, false}},
                            {.held = {{1, 2, content_of(many(499)).sum}}, .quarantined = {}}, 7);
  CHECK(cannot.run() == "hello, begin snapshot, applied");

  push_settings settings = pair_of_ends::any_size();
  settings.repair_keys_min = 501;
  pair_of_ends few(content_of(many(499)), content_of(many(500)), settings);
  CHECK(few.run() == "hello, begin snapshot, applied");
  settings.repair_keys_min = 500;
  pair_of_ends enough(content_of(many(499)), content_of(many(500)), settings);
  CHECK(enough.run().ends_with("begin repair, applied"));
}

TEST_CASE("repair: what a delta does not make is repaired once, then sent whole, then given up") {
  rows before = many(5'000);
  before["tenant-3"] = "tier1";
  const std::string_view expected[] = {
      "hello, begin delta, applied",
      "hello, begin delta, rejected digest_mismatch, repair, repair_req:64, repair 14, repair_req 14:64, "
      "begin repair, applied",
      "hello, begin delta, rejected digest_mismatch, repair, repair_req:64, repair 14, repair_req 14:64, "
      "begin repair, rejected digest_mismatch, begin snapshot, applied",
      "hello, begin delta, rejected digest_mismatch, repair, repair_req:64, repair 14, repair_req 14:64, "
      "begin repair, rejected digest_mismatch, begin snapshot, rejected digest_mismatch",
  };
  for (int refused = 0; refused < 4; ++refused) {
    CAPTURE(refused);
    const content here = content_of(before);
    pair_of_ends ends(content_of(before), content_of(many(5'000)));
    ends.contents_refused = refused;
    ends.published.deltas[here.sum] = ends.make(pack_delta(here, ends.wanted, ends.target));
    ends.session.publish(ends.published, ends.now);
    CHECK(ends.run() == expected[refused]);
    CHECK(ends.is_done() == (refused < 3));
    CHECK((ends.session.state() == session_state::rejected) == (refused == 3));
  }
}

TEST_CASE("repair: rows that changed in memory are found, though their content has the name of what it was") {
  rows damaged = many(5'000);
  damaged["tenant-7"] = "nowhere";
  content lies = content_of(damaged);
  lies.sum = content_of(many(4'999)).sum;
  lies.digest = content_of(many(4'999)).digest;
  pair_of_ends ends(std::move(lies), content_of(many(5'000)));
  CHECK(ends.run().ends_with("begin repair, applied"));
  CHECK(ends.is_done());
}

TEST_CASE("repair: what came from another control plane, under another salt, is repaired too") {
  pair_of_ends ends(content_of(many(4'999), "{}", test_salt + 1), content_of(many(5'000)));
  CHECK(ends.run().ends_with("begin repair, applied"));
  CHECK(ends.is_done());
}

TEST_CASE("repair: a delta that is being made is waited for; one that comes meanwhile is taken") {
  const content here = content_of(many(499));
  pair_of_ends waits(content_of(many(499)), content_of(many(500)));
  waits.published.bases = {here.sum};
  waits.session.publish(waits.published, waits.now);
  CHECK(waits.run() == "hello");
  waits.published.deltas[here.sum] = waits.make(pack_delta(here, waits.wanted, waits.target));
  waits.session.publish(waits.published, waits.now);
  CHECK(waits.run() == "hello, begin delta, applied");

  pair_of_ends asks(content_of(many(499)), content_of(many(500)));
  asks.link.tick(asks.now);
  while (asks.said.find("repair") == std::string::npos) {
    (void)asks.act();
    (void)asks.push();
  }
  asks.published.deltas[here.sum] = asks.make(pack_delta(here, asks.wanted, asks.target));
  asks.session.publish(asks.published, asks.now);
  CHECK(asks.run() == "hello, repair, begin delta, repair_req:64, applied");
  CHECK(asks.is_done());
}

TEST_CASE("repair: who does not answer gets all of it; a target that changes is asked about anew") {
  pair_of_ends ends(content_of(many(4'999)), content_of(many(5'000)));
  ends.held.clear();  // it has lost what it says that it runs
  CHECK(ends.run() == "hello, repair, repair_req nothing:0, begin snapshot, applied");

  pair_of_ends silent(content_of(many(4'999)), content_of(many(5'000)));
  wire::hello said;
  said.can = pair_of_ends::limits().can;
  said.have = {{1, 2, content_of(many(4'999)).sum}};
  silent.session.take(said, silent.now);
  CHECK_FALSE(silent.session.needs_all());
  for (int i = 0; i < 4; ++i) {
    silent.now += 2s;
    silent.session.take(wire::pong{}, silent.now);
    silent.session.tick(silent.now);
    CHECK_FALSE(silent.session.needs_all());
  }
  silent.now += 2s;
  silent.session.take(wire::pong{}, silent.now);
  silent.session.tick(silent.now);
  CHECK(silent.session.needs_all());
}

struct broken_case {
  std::string_view says;
  void (*change)(wire::repair_request& said);
  repair_step expected;
};

TEST_CASE("repair talk: answers that are none") {
  const content wanted = content_of(many(5'000));
  rows other = many(5'000);
  other["tenant-3"] = "tier1";
  const content here = content_of(other);
  const wire::content_id id{1, 9, wanted.sum};
  const wire::repair_request groups{id, here.sum, {}, sums_of(here.digest, {})};
  const std::vector<std::uint32_t> differing{14};
  const wire::repair_request buckets{id, here.sum, differing, sums_of(here.digest, differing)};
  const broken_case first[] = {
      {"as it should be", [](wire::repair_request&) {}, repair_step::asks},
      {"of another content", [](wire::repair_request& said) { ++said.content.version; }, repair_step::ignored},
      {"it has none", [](wire::repair_request& said) { said.base.reset(); }, repair_step::hopeless},
      {"a digest less", [](wire::repair_request& said) { said.sums.pop_back(); }, repair_step::broken},
      {"a digest more", [](wire::repair_request& said) { said.sums.emplace_back(); }, repair_step::broken},
      {"of groups that nobody asked for", [](wire::repair_request& said) { said.groups = {1}; }, repair_step::broken},
  };
  for (const broken_case& row : first) {
    CAPTURE(row.says);
    repair_talk talk(id);
    wire::repair_request said = groups;
    row.change(said);
    CHECK((talk.take(said, wanted.digest) == row.expected));
    CHECK(talk.found() == nullptr);
  }
  const broken_case second[] = {
      {"as it should be", [](wire::repair_request&) {}, repair_step::found},
      {"the first answer once more", [](wire::repair_request& said) { said.groups.clear(); }, repair_step::ignored},
      {"another group", [](wire::repair_request& said) { said.groups = {51}; }, repair_step::broken},
      {"a digest less", [](wire::repair_request& said) { said.sums.pop_back(); }, repair_step::broken},
      {"of another base", [](wire::repair_request& said) { said.base = wire::digest(); }, repair_step::hopeless},
  };
  for (const broken_case& row : second) {
    CAPTURE(row.says);
    repair_talk talk(id);
    REQUIRE((talk.take(groups, wanted.digest) == repair_step::asks));
    wire::repair_request said = buckets;
    row.change(said);
    CHECK((talk.take(said, wanted.digest) == row.expected));
    CHECK((talk.found() != nullptr) == (row.expected == repair_step::found));
  }
}

TEST_CASE("repair: whatever the two tables are, the digests are equal after it; few rows take few bytes") {
  random_numbers rng(21);
  for (int round = 0; round < 30; ++round) {
    rows here = many(static_cast<int>(rng.below(6'000)));
    rows should = here;
    const std::uint64_t changes = std::uint64_t{1} << rng.below(11);
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::string key = "tenant-" + std::to_string(rng.below(9'000));
      rows& one = rng.below(2) == 0 ? here : should;
      rng.below(3) == 0 ? (void)one.erase(key) : (void)(one[key] = "tier" + std::to_string(rng.below(9)));
    }
    CAPTURE(round);
    pair_of_ends ends(content_of(here), content_of(should, rng.below(2) == 0 ? "{}" : "[]"));
    CHECK(ends.run().ends_with("applied"));
    REQUIRE(ends.is_done());
    const content& now = ends.held.at(ends.wanted.sum);
    CHECK((now.digest == ends.wanted.digest));
    CHECK((now.document == ends.wanted.document));
  }
  rows should;
  for (std::uint64_t i = 0; i < 100'000; ++i) should[std::to_string(mix(i))] = "tier" + std::to_string(i % 9);
  rows here = should;
  for (std::uint64_t i = 0; i < 3; ++i) here[std::to_string(mix(31'000 * i))] = "elsewhere";
  pair_of_ends ends(content_of(here), content_of(should));
  CHECK(ends.run().ends_with("begin repair, applied"));
  const std::size_t whole = pack_snapshot(ends.wanted, ends.target).bytes.size();
  CHECK(20 * ends.session.bytes_sent() < whole);
  CHECK(5 * (ends.session.bytes_sent() + ends.text_bytes) < whole);
}

}  // namespace
}  // namespace cellroute::sync
