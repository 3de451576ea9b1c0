#include "adapters/process/file_follower.hpp"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/background_thread.hpp"
#include "adapters/process/file_activity.hpp"
#include "adapters/process/process_usage.hpp"

namespace cellroute::process {
namespace {

constexpr duration unsettled_at_most = 10s;  // a writer that never rests cannot put it off for ever

}  // namespace

bool is_any_being_written(std::span<const std::string> files, duration quiet) {
  const wall_time now = io::read_wall_clock();
  return std::ranges::any_of(files, [&](const std::string& f) { return is_being_written(f, quiet, now); });
}

file_follower::file_follower(io::reactor& reactor, file_reader& reader) : reactor_(reactor), reader_(reader) {
  reactor_.add_tick_listener(*this);
}

file_follower::~file_follower() {
  if (thread_.joinable()) thread_.join();
  reactor_.remove_tick_listener(*this);
  if (schedule_ && watcher_.descriptor() >= 0) reactor_.remove(watcher_.descriptor());
}

void file_follower::start(const follow_policy& policy, std::span<const std::string> files) {
  policy_ = policy;
  schedule_.emplace(policy_, reactor_.now());
  if (watcher_.descriptor() >= 0 && reactor_.add(watcher_.descriptor(), *this) != 0) return;
  follow(files);
  if (policy_.watch) schedule_->notice(reactor_.now());
}

void file_follower::follow(std::span<const std::string> files) {
  files_.assign(files.begin(), files.end());
  watch();
}

void file_follower::watch() {
  // What cannot be watched is found by the poll.
  (void)watcher_.watch(policy_.watch ? std::span<const std::string>(files_) : std::span<const std::string>());
}

void file_follower::set_policy(const follow_policy& policy) {
  policy_ = policy;
  watch();
  schedule_->set_policy(policy_, reactor_.now());
}

std::uint64_t file_follower::demand() {
  is_asked_ = true;
  schedule_->demand(reactor_.now());
  return begun_ + 1;
}

void file_follower::on_events(std::uint32_t) {
  if (watcher_.take_changes()) schedule_->notice(reactor_.now());
}

void file_follower::on_tick(time_point now) {
  take();
  if (schedule_ && schedule_->begin(now)) begin();
}

void file_follower::begin() {
  ++begun_;
  follow_reading how;
  how.is_asked = std::exchange(is_asked_, false);
  const bool is_late = unsettled_since_ && reactor_.now() - *unsettled_since_ > unsettled_at_most;
  if (!how.is_asked && !is_late) how.quiet = policy_.debounce;
  watch();  // before it is read: what changes from now on is read again
  reader_.begin(how);
  if (thread_.joinable()) thread_.join();
  why_not_.clear();
  try {
    thread_ = std::thread([this] {
      become_background_thread();
      try {
        reader_.read();
      } catch (const std::bad_alloc&) {
        why_not_ = "there is not enough memory to read it";
      }
      has_read_.store(true, std::memory_order_release);
      try {
        reactor_.post([this] { take(); });
      } catch (const std::bad_alloc&) {  // then the next tick finds it
      }
    });
  } catch (const std::system_error& error) {
    why_not_ = std::string("no thread can be had to read it: ") + error.what();
    has_read_.store(true, std::memory_order_release);
  }
}

void file_follower::take() {
  if (!has_read_.exchange(false, std::memory_order_acquire)) return;
  if (thread_.joinable()) thread_.join();
  reader_.take(why_not_);
}

void file_follower::end(bool is_refused) {
  ++ended_;
  unsettled_since_.reset();
  schedule_->end(reactor_.now(), is_refused);
}

void file_follower::end_unsettled() {
  ++ended_;
  if (!unsettled_since_) unsettled_since_ = reactor_.now();
  schedule_->end(reactor_.now(), false);
  if (schedule_->state() == reload_state::idle) schedule_->notice(reactor_.now());
}

}  // namespace cellroute::process
