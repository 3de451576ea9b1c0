#include "adapters/control/api_home.hpp"

#include <chrono>
#include <filesystem>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/json_writer.hpp"

namespace cellroute::control {
namespace {

using process::log_level;

constexpr std::size_t api_threads = 8;        // requests of the API that are answered at once, beside those who watch
constexpr std::size_t api_requests_max = 64;  // and with those that wait for that
constexpr std::string_view fleet_file_name = "fleet.db";
constexpr duration purge_period = 1h;
constexpr duration event_beat = 15s;  // for those who watch, so that a cut is noticed

/// The number that events of a process that began then come behind: a million a second are few enough.
std::uint64_t first_event(wall_time began) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(began.time_since_epoch()).count());
}

}  // namespace

api_home::api_home(io::reactor& reactor, const settings& from, const api_surface& about)
    : reactor_(reactor),
      settings_(from),
      about_(about),
      memory_(std::in_place, reactor, about.server.hub(), from.fleet.forget_after,
              static_cast<fleet_memory::listener&>(*this)),
      directory_(reactor, about.server, about.published, about.watched, &*memory_),
      events_(from.api.watchers_max, event_beat, first_event(io::read_wall_clock())) {}

api_home::~api_home() { end(); }

expected<void, std::string> api_home::open(const std::string& build) {
  api_settings how;
  how.loopback_without_token = settings_.auth.loopback_without_token;
  how.admin_token = about_.guard.admin_token();
  how.is_following_file = about_.watched != nullptr;
  how.build = build;
  how.require_preconditions = settings_.api.require_preconditions;
  how.body_max = settings_.api.body_max;
  how.idempotency_for = settings_.api.idempotency_for;
  how.version_interval = settings_.api.version_interval;
  how.version_burst = settings_.api.version_burst;
  how.base_dialect = to_string(settings_.push.base_dialect);
  how.routers_max = settings_.push.routers_max;
  const std::size_t body_max = how.body_max;
  const auto audited = about_.of.tell_audit_to(&events_);
  if (!audited) return unexpected("store: " + audited.error().detail);
  events_.begin(*audited);
  auto opened = api::open(about_.of, std::move(how), {&directory_, &events_});
  if (!opened) return unexpected("store: " + std::move(opened).error().detail);
  api_ = *std::move(opened);
  server_.emplace(*api_, body_max, api_threads + settings_.api.watchers_max);
  carrier_.emplace(reactor_, *server_, about_.guard, about_.requests, api_requests_max + settings_.api.watchers_max,
                   body_max);
  chores_.emplace(reactor_);
  readiness_.emplace(reactor_, about_.of);
  about_.guard.set_book(*api_);
  return open_memory();
}

expected<void, std::string> api_home::open_memory() {
  if (settings_.store.empty()) return {};  // nothing is kept then
  store_check_listener& hears = *this;
  if (settings_.history.verify_every) check_.emplace(reactor_, about_.of, *settings_.history.verify_every, hears);
  std::string cluster;
  {
    registry::turn turn = about_.of.begin();
    auto found = turn.stored().reading().cluster();
    if (!found) return unexpected("store: " + found.error().detail);
    cluster = *std::move(found);
  }
  const std::filesystem::path store(file_of_store(settings_.store));
  memory_->open((store.parent_path() / fleet_file_name).string(), cluster);
  return {};
}

void api_home::on_fleet_not_kept(const std::string& why) {
  about_.log.event(io::read_wall_clock(), log_level::warn, "fleet_not_kept",
                   "who was here is not known after the next start", {{"reason", std::string_view(why)}});
}

void api_home::on_store_checked(const stored<void>& found, duration took) {
  const double took_ms = std::chrono::duration<double, std::milli>(took).count();
  process::log_writer& log = about_.log;
  if (found) {
    return log.event(io::read_wall_clock(), log_level::info, "store_verified",
                     "the history, the rows and the digest of what is published say the same", {{"took_ms", took_ms}});
  }
  const std::string_view why = found.error().detail;
  if (found.error().what != store_error::corrupt) {
    return log.event(io::read_wall_clock(), log_level::warn, "store_not_verified",
                     "whether the store is whole could not be found out; that is tried again", {{"reason", why}});
  }
  log.event(io::read_wall_clock(), log_level::error, "store_damaged",
            "the store contradicts itself: routers are served what is in memory; export the keys, and restore a backup",
            {{"reason", why}});
  std::string data;
  process::json_writer out(data);
  out.begin_object().field("reason", why).end_object();
  events_.add("store.damaged", data);
}

class api_home::purge_job final : public job {
 public:
  explicit purge_job(api_home& of) : of_(of) {}
  void work() override {
    registry::turn turn = of_.about_.of.begin();
    const history_settings& keep = of_.settings_.history;
    result_ = turn.stored().purge({keep.versions_max, keep.age_max}, io::read_wall_clock());
  }
  void done() override {
    process::log_writer& log = of_.about_.log;
    if (!result_) {
      log.event(io::read_wall_clock(), log_level::error, "purge_failed", "old versions stay",
                {{"reason", std::string_view(result_.error().detail)}});
    } else if (*result_ > 0) {
      log.event(io::read_wall_clock(), log_level::info, "history_purged", "old versions are gone, as history says",
                {{"versions", *result_}});
    }
  }

 private:
  api_home& of_;  // outlives its chores
  stored<std::uint64_t> result_ = std::uint64_t{0};
};

void api_home::on_tick(time_point now) {
  if (readiness_) readiness_->on_tick(now);
  tell_readiness();
  if (check_) check_->on_tick(now);
  if (memory_) memory_->on_tick(now);
  purge_history(now);
}

void api_home::tell_readiness() {
  if (!readiness_ || why_not_ready() == told_) return;
  told_ = why_not_ready();
  if (told_.empty()) {
    about_.log.event(io::read_wall_clock(), log_level::info, "store_usable", "changes are published again");
  } else {
    about_.log.event(io::read_wall_clock(), log_level::error, "store_unusable",
                     "nothing can be published; what is published stays, and routers are served",
                     {{"reason", std::string_view(told_)}});
  }
}

void api_home::purge_history(time_point now) {
  if (now < purge_at_ || !chores_) return;
  purge_at_ = now + purge_period;
  chores_->add(std::make_unique<purge_job>(*this));
}

void api_home::stop_asking() {
  directory_.close();
  events_.close();
}

void api_home::end() {
  stop_asking();
  server_.reset();  // waits for its threads
  check_.reset();
  chores_.reset();  // and for these
  readiness_.reset();
  static_cast<void>(about_.of.tell_audit_to(nullptr));
  memory_.reset();  // it writes once more
}

}  // namespace cellroute::control
