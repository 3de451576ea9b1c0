#include "adapters/control/fleet_memory.hpp"

#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/io/reactor.hpp"

namespace cellroute::control {
namespace {

constexpr duration write_period = 3s;
constexpr duration seen_period = 1min;  // in which it is written that a router is still here

known_router known(const std::string& id, const sync::router_record& record, time_point now, wall_time wall) {
  known_router made;
  made.id = id;
  made.seen = record.session != 0 ? wall : wall - (now - record.seen);
  made.running = record.facts.running;
  made.build = record.facts.build;
  if (record.facts.last_refusal)
    made.last_refusal = record.facts.last_refusal->code + ": " + record.facts.last_refusal->error;
  return made;
}

/// Whether the file need not know better.
bool is_as_written(const known_router& now, const known_router& then) {
  known_router later = then;
  later.seen = now.seen;
  return later == now && now.seen - then.seen < seen_period;
}

}  // namespace

class fleet_memory::writing final : public job {
 public:
  writing(fleet_memory& of, std::vector<known_router> some, wall_time forget_before)
      : of_(of), some_(std::move(some)), forget_before_(forget_before) {}
  void work() override { result_ = of_.file_->write(some_, forget_before_); }
  void done() override {
    of_.is_writing_ = false;
    if (result_) return of_.tell({});
    for (const known_router& each : some_) of_.written_.erase(each.id);  // they are tried again
    of_.tell(result_.error().detail);
  }

 private:
  fleet_memory& of_;  // outlives its thread
  std::vector<known_router> some_;
  wall_time forget_before_;
  stored<void> result_;
};

fleet_memory::fleet_memory(io::reactor& reactor, const sync::push_hub& hub, duration forget_after, listener& hears)
    : reactor_(reactor), hub_(hub), forget_after_(forget_after), hears_(hears) {}

fleet_memory::~fleet_memory() {
  chores_.reset();
  if (file_) (void)file_->write(changes(true), io::read_wall_clock() - forget_after_);
}

void fleet_memory::open(const std::string& path, std::string_view cluster) {
  auto file = fleet_file::open(path, cluster);
  if (!file) return tell(path + ": " + file.error().detail);
  auto before = file->read();
  if (!before) return tell(path + ": " + before.error().detail);
  for (known_router& each : *before) {
    std::string id = each.id;
    if (is_remembered(each.seen)) missing_.emplace(std::move(id), std::move(each));
  }
  file_ = *std::move(file);
  chores_.emplace(reactor_);
}

void fleet_memory::on_tick(time_point now) {
  if (now < write_at_) return;
  write_at_ = now + write_period;
  std::erase_if(missing_, [this](const auto& each) {
    return hub_.routers().contains(each.first) || !is_remembered(each.second.seen);
  });
  if (!chores_ || is_writing_) return;
  std::erase_if(written_, [this](const auto& each) { return !hub_.routers().contains(each.first); });
  std::vector<known_router> some = changes(false);
  if (some.empty()) return;
  for (const known_router& each : some) written_[each.id] = each;
  is_writing_ = true;
  chores_->add(std::make_unique<writing>(*this, std::move(some), reactor_.clock().wall - forget_after_));
}

bool fleet_memory::is_remembered(wall_time seen) const { return reactor_.clock().wall - seen < forget_after_; }

std::vector<known_router> fleet_memory::changes(bool is_all) {
  std::vector<known_router> some;
  for (const auto& [id, record] : hub_.routers()) {
    known_router each = known(id, record, reactor_.now(), reactor_.clock().wall);
    const auto then = written_.find(id);
    if (is_all || then == written_.end() || !is_as_written(each, then->second)) some.push_back(std::move(each));
  }
  return some;
}

void fleet_memory::tell(const std::string& why) {
  if (why != std::exchange(told_, why) && !why.empty()) hears_.on_fleet_not_kept(why);
}

}  // namespace cellroute::control
