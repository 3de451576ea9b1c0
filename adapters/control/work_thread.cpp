#include "adapters/control/work_thread.hpp"

#include <utility>

namespace cellroute::control {

work_thread::work_thread(io::reactor& reactor)
    : reactor_(reactor), thread_([this](const std::stop_token& stop) { run(stop); }) {}

work_thread::~work_thread() = default;

void work_thread::add(std::unique_ptr<job> next) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(next));
  }
  something_.notify_one();
}

void work_thread::run(const std::stop_token& stop) {
  for (;;) {
    std::unique_ptr<job> next;
    {
      std::unique_lock lock(mutex_);
      if (!something_.wait(lock, stop, [this] { return !jobs_.empty(); }) || stop.stop_requested()) return;
      next = std::move(jobs_.front());
      jobs_.pop_front();
    }
    next->work();
    reactor_.post([finished = std::move(next)] { finished->done(); });
  }
}

}  // namespace cellroute::control
