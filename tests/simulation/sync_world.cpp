#include "tests/simulation/sync_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cellroute::simulation {
namespace {

constexpr int row_names = 200;
constexpr std::size_t events_a_router =
    64;  // on the way: a window of chunks, beats and their answers, and some doubled

}  // namespace

sync_world::sync_world(std::uint64_t seed, std::size_t routers, const sync_faults& faults, bool repairs)
    : network_(seed, faults), control_(network_, repairs) {
  for (std::size_t i = 0; i < routers; ++i) {
    routers_.push_back(std::make_unique<sync_router>(network_, control_, i, repairs));
  }
}

void sync_world::run(duration for_so_long) {
  const time_point end = network_.now + for_so_long;
  // Faults come at any moment; where there are none any more, what is due is looked for less often.
  const duration step = is_healed_ ? 50ms : 10ms;
  while (network_.now < end && broken().empty()) {
    const time_point next = network_.now + step;
    while (auto e = network_.take(next)) deliver(*std::move(e));
    network_.now = next;
    fault();
    if (!control_.is_up() && next >= control_up_at_) control_.start();
    if (control_.is_up()) control_.tick();
    for (auto& r : routers_) {
      if (!r->is_up() && next >= r->up_at) r->start();
      r->tick();
      r->end_requests();
    }
    requests_ += routers_[network_.rng.below(routers_.size())]->begin_request() ? 1 : 0;
    if (network_.on_the_way() > events_a_router * routers_.size()) network_.fail("more is on its way than may be");
  }
}

void sync_world::fault() {
  if (is_healed_) return;
  sync_router& r = *routers_[network_.rng.below(routers_.size())];
  const sync_faults& faults = network_.faults;
  if (network_.chance(faults.cut) && r.way().connection != 0) {
    network_.tell(fmt::format("router {}: its connection is cut", r.way().router));
    r.cut();
  }
  if (network_.chance(faults.router_crash) && r.is_up()) r.crash();
  if (network_.chance(faults.stall)) r.stalled_until = network_.now + network_.up_to(20s);
  if (network_.chance(faults.control_crash) && control_.is_up()) stop_control();
  if (network_.chance(faults.rot)) r.rot();
  if (network_.chance(faults.revert)) r.go_back();
}

void sync_world::heal() {
  network_.tell("all is well from here on");
  network_.faults = {};
  is_healed_ = true;
  for (auto& r : routers_) {
    r->stalled_until = network_.now;
    r->up_at = std::min(r->up_at, network_.now);
  }
  if (!control_.is_up()) control_.start();
}

void sync_world::deliver(event e) {
  sync_router& r = *routers_[e.router];
  const bool is_own = std::holds_alternative<check_done>(e.what) || std::holds_alternative<activate_done>(e.what) ||
                      std::holds_alternative<sum_done>(e.what);
  if (is_own) {
    if (e.connection == r.life()) r.take(e);
    return;
  }
  if (e.connection != r.way().connection) return;  // of a connection that is over
  if (e.to_router && network_.now < r.stalled_until) {
    e.at = r.stalled_until;
    network_.post(std::move(e));
  } else if (e.to_router) {
    r.take(e);
  } else if (!control_.is_up()) {
    return;
  } else if (std::holds_alternative<opened>(e.what)) {
    control_.open(r.way());
  } else if (const auto* t = std::get_if<text>(&e.what)) {
    control_.take(r.way(), t->bytes);
  }
}

void sync_world::stop_control() {
  if (control_.is_up()) control_.stop();
  control_up_at_ = network_.now + network_.up_to(5s);
  for (auto& r : routers_) {
    if (r->way().connection != 0) r->cut();
  }
}

bool sync_world::publish_change(int rows, bool is_bad) {
  if (!control_.is_up()) return false;
  small_content next;
  const auto& history = control_.history();
  const auto good = std::find_if(history.rbegin(), history.rend(), [](const auto& v) { return !v.second.is_bad; });
  if (good != history.rend()) next = good->second;
  for (int i = 0; i < rows; ++i) {
    const int key = static_cast<int>(network_.rng.below(row_names));
    if (network_.rng.below(4) == 0) {
      next.rows.erase(key);
    } else {
      next.rows[key] = static_cast<int>(network_.rng.below(1'000'000));
    }
  }
  next.rows[common_row] = static_cast<int>(network_.rng.below(1'000'000'000));  // no two are the same by chance
  next.is_bad = is_bad;
  return publish(std::move(next));
}

bool sync_world::publish_again() {
  if (!control_.is_up()) return false;
  const auto& history = control_.history();
  if (history.empty()) return publish_change(20);
  return publish(history[network_.rng.below(history.size())].second);
}

bool sync_world::publish(small_content content) {
  const auto outcome = control_.publish(std::move(content));
  if (outcome == sync_control::publish_outcome::crashed) stop_control();
  return outcome == sync_control::publish_outcome::acknowledged;
}

bool sync_world::runs_target(std::size_t router) const {
  const auto running = routers_[router]->running();
  return running && running->sum == control_.head().sum;
}

std::size_t sync_world::sound() const {
  return static_cast<std::size_t>(std::ranges::count_if(routers_, [](const auto& r) { return r->is_sound(); }));
}

std::size_t sync_world::on_target() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < routers_.size(); ++i) count += runs_target(i) ? 1 : 0;
  return count;
}

}  // namespace cellroute::simulation
