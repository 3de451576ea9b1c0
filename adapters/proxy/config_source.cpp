#include "adapters/proxy/config_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/wire/config_guard.hpp"

namespace cellroute::proxy {
namespace {

process::follow_policy policy_of(const wire::reload_settings& reload) {
  return {reload.watch, reload.poll, reload.debounce, reload.backoff_on_error};
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
    : file_(std::move(file)),
      current_(current),
      memory_(memory),
      seed_(seed),
      listener_(listener),
      follower_(reactor, *this) {}

void config_source::start(const wire::configuration& in_use) {
  use(in_use);
  follower_.start(policy_of(policy_), files_in_use_);
}

void config_source::use(const wire::configuration& c) {
  content_in_use_ = c.content;
  files_in_use_ = wire::files_of(c);
  policy_ = c.local.reload;
  guard_ = c.local.guard;
  is_told_ = c.local.control_plane.has_value();
  has_routing_ = c.has_routing;
}

void config_source::set_fleet_source(fleet_source source) {
  if (std::exchange(fleet_source_, source) != source) content_refused_.reset();  // a guard may have refused it
}

void config_source::follow() {
  std::vector<std::string> files = files_in_use_;
  files.insert(files.end(), files_refused_.begin(), files_refused_.end());
  follower_.follow(files);
}

void config_source::demand(std::string lifted) { (void)demand_reading(std::move(lifted)); }

std::uint64_t config_source::demand_reading(std::string lifted) {
  if (!lifted.empty()) lifted_ = std::move(lifted);  // another wish beside it takes nothing back
  return follower_.demand();
}

io::task<reload_report> config_source::reload(std::string lifted) {
  const std::uint64_t wanted = demand_reading(std::move(lifted));
  while (follower_.ended() < wanted) {
    waiter next(*this);
    co_await next;
  }
  co_return report_;
}

void config_source::begin(const process::follow_reading& how) {
  const bool is_file = fleet_source_ == fleet_source::file;
  reading_ = {file_, files_in_use_, content_in_use_, content_refused_, guard_, is_file, std::exchange(lifted_, {}),
              how};
  // Who is left by his control plane, or leaves it, goes on with what he has.
  reading_.file.may_lack_routing = (is_told_ || !has_routing_ || !is_file) && has_table();
  result_.reset();
}

bool config_source::has_table() const {
  reader<active_configuration> current(current_);
  return !current.current().value.table.is_none();
}

void config_source::read() {
  result_ = read_all();
  const bool has_compiled =
      std::holds_alternative<loaded_configuration>(result_->what) || std::holds_alternative<refused>(result_->what);
  if (has_compiled) process::give_back_memory();  // a table of a million keys took several times its size
}

/// On a thread of its own.
config_source::read_result config_source::read_all() const {
  const reading& how = reading_;
  const std::optional<duration> quiet = how.how.quiet;
  const time_point began = io::read_clock().now;
  // The usual case reads the files and nothing else.
  if (wire::content_of(how.files_in_use) == how.content_in_use) return {how.content_in_use, unchanged{}};
  if (quiet && process::is_any_being_written(how.files_in_use, *quiet)) return {how.content_in_use, unsettled{}};
  auto configuration = wire::load(how.file, &memory_);
  // Files that it names for the first time, too, and whoever began to write meanwhile.
  const std::vector<std::string> files = configuration ? wire::files_of(*configuration) : configuration.error().files;
  if (quiet && process::is_any_being_written(files, *quiet)) return {how.content_in_use, unsettled{}};
  const std::uint64_t content = configuration ? configuration->content : configuration.error().content;
  if (content == how.content_refused && !how.how.is_asked) return {content, still_refused{}};
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
    // Without routing it takes no key away: what is in use stays, as it does beside what was pushed.
    const bool counts = how.is_file_in_use || !loaded.configuration.local.control_plane;
    if (loaded.configuration.has_routing && counts)
      broken = wire::broken_guards(how.guard, loaded.moved, old.keys().size(), loaded.table.keys().size(), how.lifted);
  }
  if (!broken.empty()) return {content, refused{std::move(broken)}, files};
  loaded.elapsed = io::read_clock().now - began;
  return {content, std::move(loaded)};
}

void config_source::take(const std::string& why_not) {
  read_result got =
      why_not.empty() ? *std::exchange(result_, {}) : read_result{content_in_use_, refused{{why_not}, true}};
  if (std::holds_alternative<unsettled>(got.what)) {
    follower_.end_unsettled();
    return report(reload_result::unchanged);
  }
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
    if (reading_.how.is_asked) listener_.on_unchanged();
    end(reload_result::unchanged);
  }
}

void config_source::applied(const wire::configuration& in_use) {
  use(in_use);
  content_refused_.reset();
  mistakes_.clear();
  follow();
  follower_.end(false);
  follower_.set_policy(policy_of(policy_));
  report(reload_result::applied);
}

void config_source::refuse_for_now(std::string why) { refuse({{std::move(why)}, true}); }

void config_source::refuse(refused refusal) {
  const bool is_told = !reading_.how.is_asked && refusal.may_pass && refusal.mistakes == mistakes_;
  content_refused_.reset();
  if (!refusal.may_pass) content_refused_ = content_loading_;
  mistakes_ = std::move(refusal.mistakes);
  follow();
  if (!is_told) listener_.on_refused(mistakes_);
  end(reload_result::refused);
}

void config_source::end(reload_result result) {
  follower_.end(result == reload_result::refused);
  report(result);
}

void config_source::report(reload_result result) {
  report_ = {result, current_.generation(), mistakes_};
  const std::vector<std::coroutine_handle<>> waiting = std::exchange(waiting_, {});
  for (const std::coroutine_handle<> w : waiting) w.resume();
}

}  // namespace cellroute::proxy
