#include "adapters/tool/ctl_console.hpp"

#include <pthread.h>
#include <signal.h>

#include <cstdio>

namespace cellroute::tool {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

process_console::process_console(api_transport& way, const surroundings& around, bool takes_signals)
    : way_(way), has_terminal_(around.errors_are_terminal), columns_(around.columns), clock_(around.clock) {
  if (!takes_signals) return;
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // threads from here on have it, too
  waits_ = std::jthread([this](const std::stop_token& stop) { wait_for_signal(stop); });
}

process_console::~process_console() {
  if (!waits_.joinable()) return;
  waits_.request_stop();
  waits_.join();
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void process_console::wait_for_signal(const std::stop_token& stop) {
  const sigset_t set = ending_signals();
  const timespec look_period{0, 50'000'000};
  while (!stop.stop_requested()) {
    if (sigtimedwait(&set, nullptr, &look_period) > 0) {
      const std::lock_guard lock(lock_);
      is_ending_ = true;
      ends_.notify_all();
    }
    if (is_ending_) way_.stop();  // again and again: it may begin to wait just now
  }
}

bool process_console::print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

void process_console::note(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

bool process_console::pause(duration how_long) {
  std::unique_lock lock(lock_);
  return !ends_.wait_for(lock, how_long, [this] { return is_ending_.load(); });
}

}  // namespace cellroute::tool
