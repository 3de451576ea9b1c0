#include "tests/simulation/sync_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cellroute::simulation {
namespace {

constexpr std::size_t story_lines = 400;

}  // namespace

void sync_network::connect(route& of, bool is_anybody_there) {
  of.connection = ++order_;
  of.control_to_router = of.router_to_control = now;
  const time_point at = now + 1ms + up_to(5ms);
  is_anybody_there ? post({at, 0, of.router, of.connection, false, opened{}})
                   : post({at, 0, of.router, of.connection, true, refused{}});
}

void sync_network::send(route& of, bool to_router, parcel what) {
  if (std::holds_alternative<text>(what) || std::holds_alternative<binary>(what)) {
    if (chance(faults.lost)) return;
    if (auto* b = std::get_if<binary>(&what); b != nullptr && chance(faults.damage)) {
      b->bytes[rng.below(b->bytes.size())] ^= std::byte{16};
    }
  }
  time_point& last = to_router ? of.control_to_router : of.router_to_control;
  time_point at = std::max(last, now + 1ms + up_to(5ms));
  if (chance(faults.late)) {
    at += up_to(500ms);
  } else {
    last = at;
  }
  const bool is_doubled = chance(faults.doubled);
  event e{at, 0, of.router, of.connection, to_router, std::move(what)};
  if (is_doubled) post(e);
  post(std::move(e));
}

void sync_network::post(event e) {
  e.order = ++order_;
  events_.push_back(std::move(e));
  std::push_heap(events_.begin(), events_.end(), later());
}

std::optional<event> sync_network::take(time_point until) {
  if (events_.empty() || events_.front().at > until) return std::nullopt;
  std::pop_heap(events_.begin(), events_.end(), later());
  event e = std::move(events_.back());
  events_.pop_back();
  now = std::max(now, e.at);
  return e;
}

void sync_network::tell(std::string what) {
  story_.push_back({now, std::move(what)});
  if (story_.size() > story_lines) story_.pop_front();
}

void sync_network::fail(std::string what) {
  tell("BROKEN: " + what);
  if (broken_.empty()) broken_ = std::move(what);
}

std::string sync_network::story() const {
  std::string all;
  for (const line& one : story_) {
    const auto seconds = static_cast<double>((one.at.time_since_epoch() - 1h).count()) / 1e9;
    all += fmt::format("{:>9.3f} {}\n", seconds, one.what);
  }
  return all;
}

}  // namespace cellroute::simulation
