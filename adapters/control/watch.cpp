#include "adapters/control/watch.hpp"

#include <algorithm>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/wire/print.hpp"

namespace cellroute::control {
namespace {

constexpr std::string_view retry_call = "POST /v1/watch:retry";  // what lifts a guard, but for its name

/// What a router does with local sections does not happen here: it keeps no table in a router's folder.
wire::config_file without_local_state(std::string path) {
  wire::config_file file{std::move(path), {}, {}};
  file.flags.state_dir = "off";
  return file;
}

}  // namespace

watched_file::watched_file(io::reactor& reactor, std::string path, registry& to, watch_listener& listener)
    : file_(without_local_state(std::move(path))),
      to_(to),
      listener_(listener),
      files_{file_.path},
      follower_(reactor, *this) {}

expected<std::uint64_t, std::vector<std::string>> watched_file::read_first() {
  how_ = {};
  reading first = read_all();
  hash_ = first.hash;
  files_ = std::move(first.files);
  if (auto* why = std::get_if<refused>(&first.what)) {
    if (!why->is_guarded) return unexpected(std::move(why->mistakes));
    mistakes_ = std::move(why->mistakes);
    return 0;
  }
  const auto* made = std::get_if<taken>(&first.what);
  return made != nullptr ? made->rows_quarantined : 0;
}

void watched_file::tell_first() const {
  if (!mistakes_.empty()) listener_.on_refused(mistakes_);
}

void watched_file::demand(std::string lifted) {
  lifted_ = std::move(lifted);
  demand();
}

void watched_file::begin(const process::follow_reading& how) {
  how_ = how;
  lifted_now_ = std::exchange(lifted_, {});
}

void watched_file::start() { follower_.start({}, files_); }

/// On a thread of its own, but for the first time.
watched_file::reading watched_file::read_all() {
  if (hash_ != 0 && !how_.is_asked && wire::content_of(files_) == hash_) return {hash_, files_, unchanged{}};
  if (how_.quiet && process::is_any_being_written(files_, *how_.quiet)) return {hash_, files_, unsettled{}};
  auto c = wire::load(file_);
  reading got{c ? c->content : c.error().content, c ? wire::files_of(*c) : c.error().files, unchanged{}};
  // Files that it names for the first time, too, and whoever began to write meanwhile.
  if (how_.quiet && process::is_any_being_written(got.files, *how_.quiet)) return {hash_, files_, unsettled{}};
  if (c) {
    got.what = publish(*c);
    process::give_back_memory();  // a table of a million keys took several times its size
  } else {
    got.what = refused{lines_of(c.error())};
  }
  return got;
}

watched_file::outcome watched_file::publish(wire::configuration& c) {
  const auto refuse_as = [](const problem& why) {
    wire::load_error error;
    error.mistakes = why.mistakes;
    if (why.mistakes.empty()) error.otherwise = why.detail;
    const bool is_in_file = why.what == problem_kind::invalid || why.what == problem_kind::too_large;
    return refused{lines_of(error), !is_in_file};
  };
  auto all = whole_of(c, to_.settings().seed, to_.settings().resource);
  if (!all) return refuse_as(all.error());
  const std::uint64_t rows_quarantined = all->quarantined;
  registry::turn turn = to_.begin();
  auto next = turn.replace_all(*std::move(all));
  if (!next) return refuse_as(next.error());
  const active_content& now = turn.base();
  if (now.head.version > 0 && next->content.sum == now.content.sum) return unchanged{};
  const bool is_first = now.head.version == 0;  // of nothing there is nothing to lose
  auto broken =
      is_first ? std::vector<std::string>{} : wire::lines_of_broken(turn.judge(next->radius, lifted_now_, retry_call));
  if (!broken.empty()) return refused{std::move(broken), false, true};
  publish_order order;
  order.lifted = lifted_now_;
  order.author = "watch";
  order.message = file_.path;
  order.action = "config.watch";
  order.now = io::read_wall_clock();
  if (auto done = turn.publish(*std::move(next), order); !done) return refuse_as(done.error());
  return taken{rows_quarantined};
}

void watched_file::take(const std::string& why_not) {
  reading got = why_not.empty() ? *std::exchange(reading_, {}) : reading{hash_, files_, refused{{why_not}, true}};
  if (std::holds_alternative<unsettled>(got.what)) {
    if (lifted_.empty()) lifted_ = std::exchange(lifted_now_, {});  // it was not read
    return follower_.end_unsettled();
  }
  const bool is_same = got.hash == hash_;
  hash_ = got.hash;
  files_ = std::move(got.files);
  follower_.follow(files_);
  if (auto* why = std::get_if<refused>(&got.what)) return refuse(std::move(*why));
  follower_.end(false);
  if (const auto* made = std::get_if<taken>(&got.what)) {
    mistakes_.clear();
    return listener_.on_taken(made->rows_quarantined);
  }
  if (is_same && !how_.is_asked) return;  // also where it is still refused
  mistakes_.clear();
  listener_.on_unchanged(how_.is_asked);
}

void watched_file::refuse(refused why) {
  const bool is_told = !how_.is_asked && why.mistakes == mistakes_;
  if (why.may_pass) hash_ = 0;  // it is tried again, however it is
  mistakes_ = std::move(why.mistakes);
  follower_.end(true);
  if (!is_told) listener_.on_refused(mistakes_);
}

}  // namespace cellroute::control
