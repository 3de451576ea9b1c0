#include "adapters/control/store_check.hpp"

#include <algorithm>
#include <memory>

#include "adapters/io/clock.hpp"
#include "adapters/process/background_thread.hpp"
#include "adapters/process/process_usage.hpp"

namespace cellroute::control {
namespace {

constexpr duration first_look = 10min;  // a start has other things to do

stored<void> check(registry& of, const std::atomic<bool>& is_given_up) {
  auto reading = store_reader::open(of.store_path());
  if (!reading) return unexpected(reading.error());
  return reading->check_whole(&is_given_up);
}

}  // namespace

class store_check::look final : public job {
 public:
  explicit look(store_check& of) : of_(of) {}
  void work() override {
    process::become_background_thread();
    const time_point began = io::read_clock().now;
    found_ = check(of_.of_, of_.is_given_up_);
    took_ = io::read_clock().now - began;
    process::give_back_memory();
  }
  void done() override {
    of_.is_looking_ = false;
    if (found_ || found_.error().what == store_error::corrupt) {
      of_.is_whole_ = found_.has_value();
      of_.at_ = io::read_wall_clock();
    }
    of_.hears_.on_store_checked(found_, took_);
  }

 private:
  store_check& of_;  // outlives its thread
  stored<void> found_;
  duration took_{};
};

store_check::store_check(io::reactor& reactor, registry& of, duration every, store_check_listener& hears)
    : reactor_(reactor),
      of_(of),
      every_(every),
      hears_(hears),
      look_at_(reactor_.now() + std::min(every, first_look)),
      thread_(reactor) {}

void store_check::on_tick(time_point now) {
  if (is_looking_ || now < look_at_) return;
  is_looking_ = true;
  look_at_ = now + every_;
  thread_.add(std::make_unique<look>(*this));
}

}  // namespace cellroute::control
