// Thousands of short lives of a router at random: clients and cells do whatever peers may do, at any time, and what
// must always hold is checked at every end (`forwarding_world::check_at_rest`, and what the fake peers see). A failure
// prints its seed and the story; set CELLROUTE_SEED to see one again.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"
#include "tests/simulation/forwarding_world.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint64_t first_seed = 1;
constexpr std::uint64_t lives = 3000;
constexpr int steps_a_life = 80;

class life {
 public:
  explicit life(std::uint64_t seed) : rng_(seed), world_(make_settings()) {}

  void run() {
    for (int i = 0; i < steps_a_life; ++i) step();
    settle();
  }
  forwarding_world& world() { return world_; }

 private:
  [[nodiscard]] bool chance(std::uint64_t percent) { return rng_.below(100) < percent; }
  template <class T>
  [[nodiscard]] T& any_of(std::vector<T*>& list) {
    return *list[rng_.below(list.size())];
  }

  world_settings make_settings() {
    world_settings s;
    s.endpoints = {"a", "b", "c"};
    s.endpoints.resize(1 + rng_.below(3));
    timeout_policy& t = s.policy.timeouts;
    if (chance(30)) t.total = 45s;
    if (chance(50)) t.stream_idle = 20s;
    if (chance(20)) t.response_header.reset();
    if (chance(20)) s.policy.retries.attempts = 0;
    if (chance(20)) s.policy.request_body_max = 20;
    if (chance(20)) s.on_unknown = unknown_key_policy::reject;
    return s;
  }

  void step() {
    const std::uint64_t kind = rng_.below(10);
    std::vector<fake_client*> clients = world_.running_clients();
    std::vector<fake_connection*> connections = world_.lent_connections();
    if (kind == 0 || clients.empty()) {
      if (started_ < 12) start();
    } else if (kind <= 3) {
      act(any_of(clients));
    } else if (kind <= 7 && !connections.empty()) {
      act(any_of(connections));
    } else if (kind == 8) {
      std::vector<fake_endpoint*> endpoints = world_.endpoints();
      act(any_of(endpoints));
    } else {
      pass_time();
    }
    world_.advance(0s);
  }

  void start() {
    constexpr std::array<std::string_view, 5> methods = {"GET", "PUT", "POST", "HEAD", "DELETE"};
    client_request r;
    r.name = "r" + std::to_string(++started_);
    r.method = methods[rng_.below(methods.size())];
    if (chance(95)) r.fields.emplace_back("X-Routing-Key", chance(90) ? "acme" : "nobody");
    if (chance(50)) {
      r.body = {true, std::nullopt};
      r.content_ends = chance(40);
      if (chance(60)) r.content = token();
      r.content_breaks = chance(5);
      r.expects_continue = r.content.empty() && !r.content_ends && chance(30);
    } else if (chance(20)) {
      r.upgrade = "websocket";
    }
    if (chance(3)) r.refused_status = 400;
    world_.start(std::move(r));
  }

  [[nodiscard]] std::string token() { return "<" + std::to_string(++tokens_) + ">"; }

  void act(fake_client& c) {
    switch (rng_.below(8)) {
      case 0:
      case 1:
      case 2:
        if (!c.has_sent_end() && !c.what().content_breaks) c.sends(chance(80) ? token() : "", chance(40));
        break;
      case 3:
        c.stops_reading();
        break;
      case 4:
      case 5:
        c.reads_on();
        break;
      case 6:
        if (!c.has_sent_end() && !c.is_tunnel() && chance(20)) c.breaks_content();
        break;
      default:
        if (chance(40)) c.leaves(chance(50));
    }
  }

  void act(fake_connection& c) {
    if (c.is_connecting()) {
      chance(70) ? c.accepts() : c.refuses();
      return;
    }
    if (!c.has_request() || c.has_failed()) return;
    switch (rng_.below(10)) {
      case 0:
        c.resets();
        break;
      case 1:
        if (chance(30)) c.breaks();
        break;
      case 2:
        c.stops_reading();
        break;
      case 3:
        c.reads_on();
        break;
      case 4:
        if (chance(20)) c.refuses_content();
        break;
      case 5:
        if (chance(20)) c.starts_answer();
        break;
      default:
        c.has_given_head() ? send(c) : answer(c);
    }
  }

  void send(fake_connection& c) {
    if (!c.has_sent_end()) c.sends(chance(80) ? token() : "", chance(40));
  }

  void answer(fake_connection& c) {
    cell_answer a;
    a.status = c.asks_upgrade() && chance(60) ? std::uint16_t{101}
               : chance(20)                   ? std::uint16_t{103}
                                              : std::uint16_t{200};
    if (a.status >= 200) {
      if (chance(60)) a.content = token();
      a.content_ends = chance(50);
      a.breaks = chance(5);
      a.closes = chance(20);
      if (a.breaks) a.content.clear();
    }
    c.answers(a);
  }

  void act(fake_endpoint& e) {
    constexpr std::array<edge::stream_fault, 4> outcomes = {edge::stream_fault::none, edge::stream_fault::none,
                                                            edge::stream_fault::closed,
                                                            edge::stream_fault::no_descriptor};
    if (chance(30)) {
      e.connect_outcome.reset();
    } else {
      e.connect_outcome = outcomes[rng_.below(outcomes.size())];
    }
    e.has_address = chance(90);
    // An idle connection may die at any time; nobody knows before it is used.
    for (const auto& c : e.connections()) {
      if (c->is_idle() && chance(20)) c->resets();
    }
  }

  void pass_time() {
    const std::optional<time_point> next = world_.time.next_deadline();
    const duration until = next && *next > world_.time.clock.now ? *next - world_.time.clock.now : 1ms;
    switch (rng_.below(4)) {
      case 0:
        world_.advance(until);
        break;
      case 1:
        world_.advance(until - 1ns);
        break;
      default:
        world_.advance(duration(rng_.below(8'000'000'000)));
        break;
    }
  }

  /// Nobody does anything any more: every wait has a deadline, so everything ends by itself.
  void settle() {
    for (int i = 0; i < 20 && !world_.running_clients().empty(); ++i) {
      world_.advance(6min);
      // Without a limit on it, an answer's head may take for ever; here it does not.
      for (fake_connection* c : world_.lent_connections()) {
        if (c->has_request() && !c->has_given_head() && !c->has_failed()) c->resets();
      }
    }
    world_.check_at_rest();
  }

  random_numbers rng_;
  forwarding_world world_;
  int started_ = 0;
  int tokens_ = 0;
};

std::string story(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

TEST_CASE("forwarding: whatever peers do and whenever, each request ends once, and nothing is kept or mixed up") {
  const char* const chosen = std::getenv("CELLROUTE_SEED");
  const std::uint64_t from = chosen == nullptr ? first_seed : std::strtoull(chosen, nullptr, 10);
  const std::uint64_t count = chosen == nullptr ? lives : 1;
  std::size_t requests = 0;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    life one(seed);
    one.run();
    transcript& out = one.world().out;
    requests += one.world().log_records().size();
    if (!out.violations.empty()) {
      FAIL("seed " << seed << ":" << story(out.violations) << "\nwhat happened:" << story(out.lines));
    }
  }
  // Chance must not have kept everybody from asking.
  if (chosen == nullptr) CHECK(requests > 3 * lives);
}

}  // namespace
}  // namespace cellroute::simulation
