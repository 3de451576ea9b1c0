// All that can happen to a few messages: a router or two, three versions, and a network that may lose, double and
// reorder. Routers share nothing but what is published: what can happen to any number of them can happen to one. So one
// is explored as far as six messages go, whatever befalls them, and two as far as that takes no hours.
//
// Every order is tried, by replaying what led to it; what was seen before, by what each machine was told and what is on
// its way, is not tried again. After each of them the network becomes a good one, and all must end well.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adapters/sync/content_intake.hpp"
#include "adapters/sync/push_session.hpp"
#include "cellroute/base/hash.hpp"
#include "tests/support/full_size.hpp"
#include "tests/support/sanitizer.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint64_t versions = 3;

/// How far is looked.
struct bounds {
  std::size_t routers = 0;
  int messages = 0;  ///< that arrive, or are lost, before the network becomes a good one
  int faults = 0;    ///< of these are lost or doubled, or overtake others
};

/// Each disturbance more is ten times the states: scripts/soak looks further than every run of the tests.
std::vector<bounds> looked_at() {
  if (support::is_full_size()) return {{1, 6, 6}, {2, 6, 2}, {2, 5, 3}};
  if (CELLROUTE_SANITIZER != 0) return {{1, 4, 4}, {2, 4, 1}};
  return {{1, 5, 5}, {2, 6, 1}, {2, 4, 2}};
}

wire::content_id content_of(std::uint64_t version) {
  wire::content_id made{1, version, {}};
  made.sum.front() = static_cast<std::byte>('a' + version);
  return made;
}

/// What is on its way between one router and its session; chunks as what they carry.
struct on_the_way {
  bool to_router = true;
  std::variant<wire::message, wire::chunk> what{};
  std::string name{};  ///< tells it from others
};

/// One step: what happens to which message, or a publish.
struct choice {
  enum class kind : std::uint8_t { publish, deliver, lose, twice } what = kind::publish;
  std::size_t router = 0;
  std::size_t message = 0;
  bool is_fault = false;
};

/// A control plane and its routers, as far as contents go: sessions are open.
class small_world {
 public:
  /// A world to which all of this has happened.
  small_world(std::size_t routers, const std::vector<choice>& path) : ends_(routers) {
    settings_.chunk_bytes = 100;
    sync::intake_limits limits;
    limits.can.content_bytes_max = 1'000;
    limits.can.keys_max = 10;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      ends_[i].session = std::make_unique<sync::push_session>(settings_, i + 1, now_);
      ends_[i].intake = std::make_unique<sync::content_intake>(limits);
      wire::hello said;
      said.router_id = "r";
      said.boot_id = "b";
      ends_[i].intake->introduce(said);
      ends_[i].intake->session_opened(i + 1);
      ends_[i].session->take(said, now_);
    }
    publish();
    for (const choice& c : path) take(c);
  }
  small_world(const small_world&) = delete;
  small_world& operator=(const small_world&) = delete;

  [[nodiscard]] bool may_publish() const { return published_.target.rev < versions; }
  [[nodiscard]] std::size_t routers() const { return ends_.size(); }
  [[nodiscard]] const std::vector<on_the_way>& way(std::size_t router) const { return ends_[router].way; }
  [[nodiscard]] const std::string& broken() const { return broken_; }

  void take(const choice& c) {
    if (c.what == choice::kind::publish) return publish();
    end& e = ends_[c.router];
    const on_the_way m = e.way[c.message];
    if (c.what != choice::kind::twice) e.way.erase(e.way.begin() + static_cast<std::ptrdiff_t>(c.message));
    if (c.what != choice::kind::lose) deliver(e, m);
  }

  /// What each machine was told, in this order, and what is on its way, in any.
  [[nodiscard]] std::string signature() const {
    std::string all = std::to_string(published_.target.rev);
    for (const end& e : ends_) {
      std::vector<std::string> names;
      for (const on_the_way& m : e.way) names.push_back(m.name);
      std::ranges::sort(names);
      all += "|" + e.told_session + "|" + e.told_router;
      for (const std::string& name : names) all += "," + name;
    }
    return all;
  }

  /// From here on nothing is lost any more; time passes. Then each router must run the newest.
  void end_well() {
    const auto is_over = [this] {
      return std::ranges::all_of(ends_, [this](const end& e) {
        const auto running = e.intake->running();
        return running && running->sum == published_.target.run.sum && e.way.empty();
      });
    };
    while (may_publish()) publish();
    for (int beats = 0; beats < 60 && broken_.empty(); ++beats) {
      for (end& e : ends_) {
        while (!e.way.empty() && broken_.empty()) {
          const on_the_way m = e.way.front();
          e.way.erase(e.way.begin());
          deliver(e, m);
        }
      }
      if (is_over()) return;
      now_ += 2s;
      for (end& e : ends_) {
        e.session->tick(now_);
        // A session that lost its order is opened anew by its router.
        if (e.session->state() == sync::session_state::ended) reopen(e);
        pull(e);
      }
    }
    fail("a router never ran the newest content");
  }

 private:
  struct end {
    std::unique_ptr<sync::push_session> session;
    std::unique_ptr<sync::content_intake> intake;
    std::vector<on_the_way> way;
    std::string told_session;
    std::string told_router;
    std::pair<std::uint64_t, std::uint64_t> target_seen;
    std::vector<wire::digest> ran;  ///< in this order
  };

  void fail(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
  }

  sync::artifact_use::counted* make(std::uint64_t version, std::optional<std::uint64_t> from) {
    auto& made = artifacts_.emplace_back();
    made.what.kind = from ? wire::transfer_kind::delta : wire::transfer_kind::snapshot;
    if (from) made.what.base = content_of(*from).sum;
    made.what.content = content_of(version);
    made.what.sum.front() = static_cast<std::byte>('A' + 4 * version + from.value_or(0));
    made.what.bytes.resize(10);
    made.what.raw_bytes = 10;
    return &made;
  }

  void publish() {
    const std::uint64_t version = published_.target.rev + 1;
    published_.target = {1, version, content_of(version)};
    published_.snapshot = make(version, std::nullopt);
    published_.deltas.clear();
    for (std::uint64_t from = 1; from < version; ++from) {
      published_.deltas[content_of(from).sum] = make(version, from);
    }
    for (end& e : ends_) {
      e.told_session += "p";
      e.session->publish(published_, now_);
      pull(e);
    }
  }

  void reopen(end& e) {
    e.intake->session_closed();
    e.way.clear();
    const std::uint64_t number = e.session->number() + ends_.size();
    e.session = std::make_unique<sync::push_session>(settings_, number, now_);
    e.session->publish(published_, now_);
    wire::hello said;
    said.router_id = "r";
    said.boot_id = "b";
    e.intake->introduce(said);
    e.intake->session_opened(number);
    e.session->take(said, now_);
  }

  void deliver(end& e, const on_the_way& m) {
    (m.to_router ? e.told_router : e.told_session) += m.name + ";";
    if (!m.to_router) {
      e.session->take(std::get<wire::message>(m.what), now_);
    } else if (const auto* c = std::get_if<wire::chunk>(&m.what)) {
      if (!e.intake->take(*c)) e.session->end("protocol", "out of order");  // the router would break it off
    } else {
      const auto& said = std::get<wire::message>(m.what);
      if (const auto* p = std::get_if<wire::ping>(&said)) answer(e, *p);
      if (const auto* b = std::get_if<wire::config_begin>(&said)) e.intake->take(*b);
      if (const auto* a = std::get_if<wire::config_abort>(&said)) e.intake->take(*a);
    }
    pull(e);
    verify(e);
  }

  void answer(end& e, const wire::ping& said) {
    e.intake->take(said);
    do_work(e);
    wire::pong answer;
    answer.seq = said.seq;
    answer.running = e.intake->running();
    say(e, false, wire::message(answer), "pong" + std::to_string(said.seq) + name_of(answer.running));
  }

  static std::string name_of(const std::optional<wire::content_id>& c) {
    return c ? std::to_string(c->version) : std::string("-");
  }

  void say(end& e, bool to_router, std::variant<wire::message, wire::chunk> what, std::string name) {
    e.way.push_back({to_router, std::move(what), std::move(name)});
  }

  /// What the router's machine wants done, at once.
  void do_work(end& e) {
    for (;;) {
      auto actions = e.intake->take_actions();
      if (actions.empty()) return;
      for (sync::intake_action& action : actions) {
        if (auto* m = std::get_if<wire::message>(&action)) say(e, false, *m, wire::write_message(*m));
        if (const auto* job = std::get_if<sync::check_content>(&action)) {
          const auto& base = job->what.base;
          const auto is_base = [&base](const wire::content_id& c) { return c.sum == *base; };
          if (base && std::ranges::none_of(e.intake->held(), is_base)) {
            e.intake->checked(job->what.content, {wire::refusal_code::base_mismatch, "gone"});
          } else {
            e.intake->checked(job->what.content, 1);
          }
        }
        if (const auto* job = std::get_if<sync::activate_content>(&action)) {
          if (!e.ran.empty() && e.ran.back() == job->content.sum) fail("what runs was made to run again");
          e.ran.push_back(job->content.sum);
          e.intake->activated(job->content, true);
        }
      }
    }
  }

  /// Brings what both ends want to say on its way.
  void pull(end& e) {
    do_work(e);
    while (auto out = e.session->next_output()) {
      if (const auto* m = std::get_if<wire::message>(&*out)) {
        say(e, true, *m, wire::write_message(*m));
      } else {
        const auto& c = std::get<sync::send_chunk>(*out);
        say(e, true, wire::chunk{c.transfer, c.seq, c.total, c.offset, c.payload}, "c" + std::to_string(c.transfer));
      }
    }
  }

  void verify(end& e) {
    if (e.intake->held().size() > 3) fail("a router holds more than three contents");
    if (e.way.size() > 40) fail("more is on its way than may be");
    if (!e.intake->target()) return;
    const auto seen = std::pair(e.intake->target()->epoch, e.intake->target()->rev);
    if (seen < e.target_seen) fail("a router's orders went back");
    e.target_seen = seen;
  }

  sync::push_settings settings_;
  std::deque<sync::artifact_use::counted> artifacts_;  // before the sessions, which use them
  sync::publication published_;
  time_point now_{1h};
  std::vector<end> ends_;
  std::string broken_;
};

std::string words_of(const std::vector<choice>& path) {
  constexpr std::array<std::string_view, 4> words{"publish", "deliver", "lose", "twice"};
  std::string all;
  for (const choice& c : path) {
    all += std::string(words[static_cast<std::size_t>(c.what)]) + " " + std::to_string(c.router) + "." +
           std::to_string(c.message) + ", ";
  }
  return all;
}

struct exploration {
  std::size_t routers = 1;
  std::unordered_set<std::uint64_t> seen{};  ///< their hashes: of ten million states two are one by 1 in 400,000
  std::vector<choice> path{};

  [[nodiscard]] static std::vector<choice> next_of(const small_world& here, int messages_left, int faults_left,
                                                   std::size_t from) {
    std::vector<choice> next;
    if (here.may_publish()) next.push_back({choice::kind::publish, 0, 0, false});
    for (std::size_t r = from; r < here.routers() && messages_left > 0; ++r) {
      std::array<bool, 2> has_first{};  // of each direction
      for (std::size_t m = 0; m < here.way(r).size(); ++m) {
        const bool is_first = !std::exchange(has_first[here.way(r)[m].to_router ? 1 : 0], true);
        if (is_first || faults_left > 0) next.push_back({choice::kind::deliver, r, m, !is_first});
        if (faults_left == 0) continue;
        next.push_back({choice::kind::lose, r, m, true});
        next.push_back({choice::kind::twice, r, m, true});
      }
    }
    return next;
  }

  /// `from`: routers before this one had their turn since the last publish. What they do is nothing to the others, so
  /// that other orders come to the same.
  void explore(int messages_left, int faults_left, std::size_t from) {
    small_world here(routers, path);
    REQUIRE_MESSAGE(here.broken().empty(), here.broken() << ": " << words_of(path));
    const std::string left = std::to_string(messages_left) + "/" + std::to_string(faults_left) + std::to_string(from);
    if (!seen.insert(text_hasher(0)(here.signature() + left)).second) return;
    for (const choice& c : next_of(here, messages_left, faults_left, from)) {
      const bool is_publish = c.what == choice::kind::publish;
      path.push_back(c);
      explore(messages_left - (is_publish ? 0 : 1), faults_left - (c.is_fault ? 1 : 0), is_publish ? 0 : c.router);
      path.pop_back();
    }
    here.end_well();
    REQUIRE_MESSAGE(here.broken().empty(), here.broken() << ": " << words_of(path));
  }
};

TEST_CASE("sync exploration: whatever is lost, doubled or reordered of a few messages, all end with the newest") {
  for (const bounds& far : looked_at()) {
    exploration all{far.routers};
    all.explore(far.messages, far.faults, 0);
    MESSAGE(far.routers << " routers, " << far.messages << " messages, " << far.faults
                        << " of them disturbed: " << all.seen.size() << " states");
    CHECK(all.seen.size() > 1'000);
  }
}

}  // namespace
}  // namespace cellroute::simulation
