#include "adapters/proxy/config_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "adapters/process/file_activity.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/proxy/config_guard.hpp"

namespace cellroute::proxy {
namespace {

constexpr duration unsettled_at_most = 10s;  // a writer that never rests cannot put it off for ever

io::loop_clock read_clock() {
  io::loop_clock clock;
  clock.read();
  return clock;
}

bool is_any_being_written(const std::vector<std::string>& files, duration quiet) {
  return std::ranges::any_of(
      files, [quiet](const std::string& f) { return process::is_being_written(f, quiet, read_clock().wall); });
}

}  // namespace

std::string_view to_string(fleet_source source) {
  switch (source) {
    case fleet_source::file:
      return "file";
    case fleet_source::push:
      return "push";
    case fleet_source::state:
      return "state";
  }
  return {};
}

std::string_view to_string(reload_result result) {
  switch (result) {
    case reload_result::applied:
      return "applied";
    case reload_result::unchanged:
      return "unchanged";
    case reload_result::refused:
      return "refused";
  }
  return {};
}

config_source::config_source(io::reactor& reactor, wire::config_file file, published<active_configuration>& current,
                             std::pmr::memory_resource& memory, std::uint64_t seed, config_listener& listener)
    : reactor_(reactor), file_(std::move(file)), current_(current), memory_(memory), seed_(seed), listener_(listener) {
  reactor_.add_tick_listener(*this);
}

config_source::~config_source() {
  if (thread_.joinable()) thread_.join();
  reactor_.remove_tick_listener(*this);
  if (schedule_ && watcher_.descriptor() >= 0) reactor_.remove(watcher_.descriptor());
}

void config_source::start(const wire::configuration& in_use) {
  use(in_use);
  schedule_.emplace(policy_, reactor_.now());
  if (watcher_.descriptor() >= 0 && reactor_.add(watcher_.descriptor(), *this) != 0) return;
  follow();
  if (policy_.watch) schedule_->notice(reactor_.now());  // it may have changed since it was read
}

void config_source::use(const wire::configuration& c) {
  content_in_use_ = c.content;
  files_in_use_ = wire::files_of(c);
  policy_ = c.local.reload;
  guard_ = c.local.guard;
}

void config_source::follow() {
  std::vector<std::string> files;
  if (policy_.watch) {
    files = files_in_use_;
    files.insert(files.end(), files_refused_.begin(), files_refused_.end());
  }
  (void)watcher_.watch(files);  // what cannot be watched is found by the poll
}

void config_source::demand(std::string lifted) {
  if (!lifted.empty()) lifted_ = std::move(lifted);  // another wish beside it takes nothing back
  is_asked_ = true;
  schedule_->demand(reactor_.now());
}

io::task<reload_report> config_source::reload(std::string lifted) {
  const std::uint64_t wanted = begun_ + 1;
  demand(std::move(lifted));
  while (ended_ < wanted) {
    waiter next(*this);
    co_await next;
  }
  co_return report_;
}

void config_source::on_events(std::uint32_t) {
  if (watcher_.take_changes()) schedule_->notice(reactor_.now());
}

void config_source::on_tick(time_point now) {
  take();
  if (schedule_ && schedule_->begin(now)) begin();
}

void config_source::begin() {
  ++begun_;
  reading how{file_,
              files_in_use_,
              content_in_use_,
              content_refused_,
              guard_,
              std::exchange(lifted_, {}),
              std::exchange(is_asked_, false),
              {}};
  follow();  // before it is read: what changes from now on is read again
  was_asked_ = how.is_asked;
  const bool is_late = unsettled_since_ && reactor_.now() - *unsettled_since_ > unsettled_at_most;
  if (!was_asked_ && !is_late) how.quiet = policy_.debounce;
  if (thread_.joinable()) thread_.join();
  try {
    thread_ = std::thread([this, how = std::move(how)] {
      try {
        result_ = read_all(how);
      } catch (const std::bad_alloc&) {
        result_ = read{how.content_in_use, refused{{"there is not enough memory to read it"}, true}};
      }
      const bool has_compiled =
          std::holds_alternative<loaded_configuration>(result_->what) || std::holds_alternative<refused>(result_->what);
      if (has_compiled) process::give_back_memory();  // a table of a million keys took several times its size
      has_result_.store(true, std::memory_order_release);
      try {
        reactor_.post([this] { take(); });
      } catch (const std::bad_alloc&) {  // then the next tick finds it
      }
    });
  } catch (const std::system_error& error) {
    result_ = read{content_in_use_, refused{{fmt::format("no thread can be had to read it: {}", error.what())}, true}};
    has_result_.store(true, std::memory_order_release);
  }
}

/// On a thread of its own.
config_source::read config_source::read_all(const reading& how) const {
  const time_point began = read_clock().now;
  // The usual case reads the files and nothing else.
  if (wire::content_of(how.files_in_use) == how.content_in_use) return {how.content_in_use, unchanged{}};
  if (how.quiet && is_any_being_written(how.files_in_use, *how.quiet)) return {how.content_in_use, unsettled{}};
  auto configuration = wire::load(how.file, &memory_);
  // Files that it names for the first time, too, and whoever began to write meanwhile.
  const std::vector<std::string> files = configuration ? wire::files_of(*configuration) : configuration.error().files;
  if (how.quiet && is_any_being_written(files, *how.quiet)) return {how.content_in_use, unsettled{}};
  const std::uint64_t content = configuration ? configuration->content : configuration.error().content;
  if (content == how.content_refused && !how.is_asked) return {content, still_refused{}};
  if (!configuration) return {content, refused{lines_of(configuration.error())}, files};
  const generation_number generation{current_.generation() + 1};
  const bool was_kept = configuration->kept.table.has_value();
  auto table = wire::compile(*configuration, generation, seed_, &memory_);
  if (!table) {
    wire::load_error error;
    error.mistakes = std::move(table).error();
    return {content, refused{lines_of(error)}, files};
  }
  loaded_configuration loaded{*std::move(configuration), *std::move(table), {}, was_kept, {}};
  std::vector<std::string> broken;
  {
    reader<active_configuration> before(current_);
    const routing_table& old = before.current().value.table;
    loaded.moved = diff(old, loaded.table);
    broken = broken_guards(how.guard, loaded.moved, old.keys().size(), loaded.table.keys().size(), how.lifted);
  }
  if (!broken.empty()) return {content, refused{std::move(broken)}, files};
  loaded.elapsed = read_clock().now - began;
  return {content, std::move(loaded)};
}

void config_source::take() {
  if (!has_result_.exchange(false, std::memory_order_acquire)) return;
  if (thread_.joinable()) thread_.join();
  read got = *std::exchange(result_, {});
  if (std::holds_alternative<unsettled>(got.what)) {
    if (!unsettled_since_) unsettled_since_ = reactor_.now();
    end(reload_result::unchanged);
    if (schedule_->state() == reload_state::idle) schedule_->notice(reactor_.now());
    return;
  }
  unsettled_since_.reset();
  content_loading_ = got.content;
  if (!std::holds_alternative<still_refused>(got.what)) files_refused_ = std::move(got.files);
  if (auto* const loaded = std::get_if<loaded_configuration>(&got.what)) {
    listener_.on_loaded(std::move(*loaded));
  } else if (auto* const refusal = std::get_if<refused>(&got.what)) {
    refuse(std::move(*refusal));
  } else if (std::holds_alternative<still_refused>(got.what)) {
    end(reload_result::refused);
  } else {
    mistakes_.clear();
    content_refused_.reset();
    if (was_asked_) listener_.on_unchanged();
    end(reload_result::unchanged);
  }
}

void config_source::applied(const wire::configuration& in_use) {
  use(in_use);
  content_refused_.reset();
  mistakes_.clear();
  follow();
  end(reload_result::applied);
  schedule_->set_policy(policy_, reactor_.now());
}

void config_source::refuse_for_now(std::string why) { refuse({{std::move(why)}, true}); }

void config_source::refuse(refused refusal) {
  const bool is_told = !was_asked_ && refusal.may_pass && refusal.mistakes == mistakes_;
  content_refused_.reset();
  if (!refusal.may_pass) content_refused_ = content_loading_;
  mistakes_ = std::move(refusal.mistakes);
  follow();
  if (!is_told) listener_.on_refused(mistakes_);
  end(reload_result::refused);
}

void config_source::end(reload_result result) {
  ++ended_;
  schedule_->end(reactor_.now(), result == reload_result::refused);
  report_ = {result, current_.generation(), mistakes_};
  const std::vector<std::coroutine_handle<>> waiting = std::exchange(waiting_, {});
  for (const std::coroutine_handle<> w : waiting) w.resume();
}

}  // namespace cellroute::proxy
