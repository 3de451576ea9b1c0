// Many routers and their control planes over a long time, with a clock that jumps: how they come back.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/sync/push_hub.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/wire/chunk_frame.hpp"

namespace cellroute::simulation {
namespace {

wire::content_id content_of(std::uint64_t version, char name) {
  wire::content_id made{1, version, {}};
  made.sum.front() = static_cast<std::byte>(name);
  return made;
}

sync::intake_limits any_size() {
  sync::intake_limits limits;
  limits.can.content_bytes_max = 1 << 20;
  limits.can.keys_max = 1'000;
  return limits;
}

/// A control plane whose connections take no time.
struct control_double {
  explicit control_double(sync::hub_settings settings = {}) : hub(std::move(settings)) {}

  void publish(const wire::content_id& content, time_point now, std::size_t bytes = 100) {
    snapshot.what.content = content;
    snapshot.what.sum = content.sum;
    snapshot.what.bytes.assign(bytes, std::byte{'x'});
    snapshot.what.raw_bytes = bytes;
    sync::publication what;
    what.target = {content.epoch, content.version, content};
    what.snapshot = &snapshot;
    hub.publish(std::move(what), now);
  }
  [[nodiscard]] int count(sync::hub_event_kind kind) {
    int found = 0;
    for (const sync::hub_event& e : hub.take_events()) found += e.kind == kind ? 1 : 0;
    return found;
  }

  sync::artifact_use::counted snapshot;  // before the hub, whose sessions use it
  sync::push_hub hub;
};

/// A router that takes all that it is sent.
struct router_double {
  explicit router_double(std::size_t index, std::vector<wire::content_id> held = {})
      : link({}, {"rt-" + std::to_string(index), "b", "", {}, ""}, any_size(),
             {.held = std::move(held), .quarantined = {}}, index + 1) {}

  /// Does what it wants done; `to` is where a connection leads, null where none can be made.
  void act(control_double* to, time_point now) {
    for (auto actions = link.take_actions(); !actions.empty(); actions = link.take_actions()) {
      for (sync::link_action& action : actions) perform(action, to, now);
    }
  }
  void perform(sync::link_action& action, control_double* to, time_point now) {
    if (std::holds_alternative<sync::open_connection>(action)) {
      tries.push_back(now);
      session = to != nullptr ? to->hub.open(true, now).value_or(0) : 0;
      session != 0 ? link.opened(true, now) : link.failed(sync::open_failure::unreachable, 0s, now);
    } else if (std::holds_alternative<sync::close_connection>(action)) {
      leave(to, now);
    } else if (const auto* m = std::get_if<wire::message>(&action)) {
      if (session != 0) to->hub.take_text(session, wire::write_message(*m), now);
    } else if (const auto* job = std::get_if<sync::check_content>(&action)) {
      link.checked(job->what.content, 1);
    } else if (const auto* next = std::get_if<sync::activate_content>(&action)) {
      link.activated(next->content, true);
    } else if (const auto* said = std::get_if<sync::tell>(&action)) {
      told.push_back(said->event);
    }
  }
  void leave(control_double* from, time_point now) {
    if (session != 0) from->hub.closed(std::exchange(session, 0), now);
  }
  /// Takes what its session has to say. False: nothing.
  bool listen(control_double& to, time_point now) {
    bool is_news = false;
    while (session != 0) {
      const auto out = to.hub.next_output(session, now);
      if (!out) break;
      is_news = true;
      hear(*out, now);
      act(&to, now);
    }
    return is_news;
  }
  void hear(const sync::push_hub::output& said, time_point now) {
    if (const auto* m = std::get_if<wire::message>(&said)) link.take_text(wire::write_message(*m), now);
    const auto* const c = std::get_if<sync::send_chunk>(&said);
    if (c == nullptr) return;
    const auto head = wire::write_chunk_head({c->transfer, c->seq, c->total, c->offset, c->payload});
    std::vector<std::byte> frame(head.begin(), head.end());
    frame.insert(frame.end(), c->payload.begin(), c->payload.end());
    link.take_binary(frame, now);
  }
  /// Until nobody has anything to say any more.
  void talk(control_double& to, time_point now) {
    link.tick(now);
    act(&to, now);
    while (listen(to, now)) act(&to, now);
  }
  [[nodiscard]] bool is_live() const { return link.state() == sync::link_state::live; }

  sync::router_link link;
  std::uint64_t session = 0;
  std::vector<time_point> tries{};
  std::vector<std::string> told{};
};

TEST_CASE("sync: two days without a control plane: tries within their bounds, nothing grows, and then it is back") {
  constexpr duration outage = 48h;
  const wire::content_id old = content_of(1, 'a');
  for (std::size_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    router_double router(seed, {old});
    time_point now{1h};
    const time_point end = now + outage;
    duration longest{};
    duration bound = 250ms;
    while (now < end) {
      router.link.tick(now);
      const auto actions = router.link.take_actions();
      REQUIRE(actions.size() == 1);  // one try at a time, and nothing that waits
      REQUIRE(std::holds_alternative<sync::open_connection>(actions.front()));
      router.tries.push_back(now);
      router.link.failed(sync::open_failure::unreachable, 0s, now);
      const duration wait = router.link.next_tick() - now;
      REQUIRE(wait >= duration(0));
      REQUIRE(wait <= bound);
      bound = std::min<duration>(2 * bound, 30s);
      longest = std::max(longest, wait);
      now = router.link.next_tick();
    }
    CHECK(longest > 29s);
    const auto expected = static_cast<double>(outage / 15s);  // half of the longest wait, on average
    CHECK(static_cast<double>(router.tries.size()) > 0.95 * expected);
    CHECK(static_cast<double>(router.tries.size()) < 1.05 * expected);
    CHECK((router.link.contents().held() == std::vector{old}));
    CHECK((router.link.contents().running() == old));

    control_double control;
    control.publish(content_of(2, 'b'), now);
    REQUIRE(router.link.next_tick() - end <= 30s);  // it is there, and no try has come yet
    router.talk(control, now);
    CHECK(router.is_live());
    CHECK((router.link.contents().running() == content_of(2, 'b')));
  }
}

TEST_CASE(
    "sync: 5,000 routers are cut off at once: their tries are spread, none is let in too fast, all are soon back") {
  constexpr std::size_t count = 5'000;
  constexpr std::uint32_t a_second = 2'000;
  sync::hub_settings settings;
  settings.hellos_per_second = 0;
  auto control = std::make_unique<control_double>(settings);
  const wire::content_id content = content_of(1, 'a');
  time_point now{1h};
  control->publish(content, now);
  std::vector<std::unique_ptr<router_double>> routers;
  for (std::size_t i = 0; i < count; ++i) {
    routers.push_back(std::make_unique<router_double>(i));
    routers.back()->talk(*control, now);
    REQUIRE((routers.back()->link.contents().running() == content));
  }
  for (int beats = 0; beats < 31; ++beats) {  // a minute: what comes now is a first failure
    now += 2s;
    control->hub.tick(now);
    for (auto& r : routers) r->talk(*control, now);
  }

  settings.hellos_per_second = a_second;
  auto next = std::make_unique<control_double>(settings);
  next->publish(content, now);
  const time_point cut = now;
  for (auto& r : routers) {
    REQUIRE(r->is_live());
    r->session = 0;
    r->tries.clear();
    r->link.closed(now);
  }
  std::size_t live = 0;
  std::array<int, 10> first_tries{};  // in each tenth of 250 ms
  while (live < count && now < cut + 30s) {
    now += 1ms;
    next->hub.tick(now);
    live = 0;
    for (auto& r : routers) {
      if (r->link.next_tick() <= now || !r->is_live() || (now - cut) % 100ms == duration(0)) r->talk(*next, now);
      live += r->is_live() ? 1 : 0;
    }
    const auto room = static_cast<double>(a_second) * (1 + std::chrono::duration<double>(now - cut).count());
    REQUIRE(static_cast<double>(live) <= room + 1);
  }
  MESSAGE("all back after " << std::chrono::duration<double>(now - cut).count() << " s");
  CHECK(live == count);
  CHECK(next->hub.turned_away() >= count - a_second - a_second / 2);
  for (const auto& r : routers) {
    REQUIRE_FALSE(r->tries.empty());
    ++first_tries[static_cast<std::size_t>(std::clamp<std::int64_t>((r->tries.front() - cut - 1ns) / 25ms, 0, 9))];
    CHECK(r->tries.size() <= 4);
  }
  for (const int tries : first_tries) {  // evenly: 500 each, give or take five standard deviations
    CHECK(tries > 500 - 110);
    CHECK(tries < 500 + 110);
  }
  CHECK(next->hub.session_count() == count);
}

TEST_CASE("sync: two control planes of one cluster under one number: routers keep the first, and both hear of it") {
  time_point now{1h};
  control_double one;
  control_double two;
  one.publish(content_of(7, 'a'), now);
  two.publish(content_of(7, 'b'), now);
  router_double left(1);
  router_double right(2);
  left.talk(one, now);
  right.talk(two, now);
  now += 2s;
  for (control_double* c : {&one, &two}) c->hub.tick(now);
  left.talk(one, now);
  right.talk(two, now);
  CHECK((left.link.contents().running() == content_of(7, 'a')));
  CHECK((right.link.contents().running() == content_of(7, 'b')));
  CHECK(one.count(sync::hub_event_kind::conflict) == 0);
  CHECK(two.count(sync::hub_event_kind::conflict) == 0);

  const auto change_over = [&now](router_double& r, control_double& from, control_double& to) {
    r.leave(&from, now);
    r.link.closed(now);
    now += 1s;
    for (int beats = 0; beats < 5; ++beats) {
      to.hub.tick(now);
      r.talk(to, now);
      now += 2s;
    }
  };
  const time_point agreed = now;
  change_over(left, one, two);
  change_over(right, two, one);
  CHECK((left.link.contents().running() == content_of(7, 'a')));
  CHECK((right.link.contents().running() == content_of(7, 'b')));
  for (const router_double* r : {&left, &right}) {
    CHECK(std::ranges::count(r->told, "split_brain") == 1);
    CHECK((r->link.confirmed_at() == agreed));  // who says something else confirms nothing
  }
  CHECK(one.count(sync::hub_event_kind::conflict) == 1);
  CHECK(two.count(sync::hub_event_kind::conflict) == 1);
}

/// Sends all that may be on its way, then lets `bytes_left` of the chunks' bytes arrive: a chunk that is not whole is
/// none, and nothing comes behind it. False: it was cut.
bool send_until(control_double& control, router_double& router, std::int64_t& bytes_left, std::size_t& sent,
                time_point now) {
  for (;;) {
    std::vector<sync::push_hub::output> window;
    while (auto out = control.hub.next_output(router.session, now)) window.push_back(*std::move(out));
    if (window.empty()) return true;
    for (const sync::push_hub::output& out : window) {
      const auto* const c = std::get_if<sync::send_chunk>(&out);
      if (c != nullptr) {
        sent += c->payload.size();
        bytes_left -= static_cast<std::int64_t>(c->payload.size());
      }
      if (bytes_left < 0) continue;
      router.hear(out, now);
      router.act(&control, now);
    }
    if (bytes_left < 0) return false;
  }
}

TEST_CASE("sync: a transfer that is cut at any chunk's edge goes on there: all of it costs a twentieth more at most") {
  constexpr std::size_t chunk_bytes = 1'000;
  constexpr std::size_t chunks = 100;
  constexpr std::size_t bytes = chunk_bytes * chunks - 1;
  const wire::content_id content = content_of(1, 'a');
  sync::hub_settings settings;
  settings.push.chunk_bytes = chunk_bytes;
  int cuts = 0;
  for (std::size_t edge = 0; edge <= chunks; ++edge) {
    for (const int off : {-1, 0, 1}) {
      std::int64_t arriving = static_cast<std::int64_t>(edge * chunk_bytes) + off;
      if (arriving < 0) continue;
      CAPTURE(arriving);
      time_point now{1h};
      control_double control(settings);
      control.publish(content, now, bytes);
      router_double router(1);
      router.link.tick(now);
      router.act(&control, now);
      std::size_t sent = 0;
      if (!send_until(control, router, arriving, sent, now)) {
        ++cuts;
        router.leave(&control, now);
        router.link.closed(now);
        now = router.link.next_tick();
        router.link.tick(now);
        router.act(&control, now);
        arriving = bytes;
        CHECK(send_until(control, router, arriving, sent, now));
      }
      CHECK((router.link.contents().running() == content));
      CHECK(20 * sent <= 21 * bytes);
    }
  }
  CHECK(cuts >= 298);
}

}  // namespace
}  // namespace cellroute::simulation
