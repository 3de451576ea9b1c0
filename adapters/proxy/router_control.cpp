// How a router follows its control plane, and what it keeps of that for the next start.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/proxy/router.hpp"
#include "adapters/proxy/router_log.hpp"

namespace cellroute::proxy {
namespace {

// What a control plane may send at most.
constexpr std::uint64_t pushed_bytes_max = std::uint64_t{1} << 30;
constexpr std::uint64_t pushed_keys_max = 50'000'000;

/// Whether the same link does for both.
bool is_same_link(const wire::control_plane_settings& a, wire::control_plane_settings b) {
  b.revert_on_5xx_percent = a.revert_on_5xx_percent;
  return a == b;
}

}  // namespace

control_link_options router::link_options() const {
  const wire::control_plane_settings& wished = *configuration_.local.control_plane;
  control_link_options link;
  link.urls = wished.urls;
  if (wished.token_file) link.token_file = wire::path_from_file(configuration_, *wished.token_file);
  const auto file = [this](const std::string& written) {
    return written.empty() ? std::string() : wire::path_from_file(configuration_, written);
  };
  link.tls.ca_file = file(wished.tls.ca_file);
  link.tls.cert_file = file(wished.tls.cert_file);
  link.tls.key_file = file(wished.tls.key_file);
  link.accept_version_reset = wished.accept_version_reset;
  if (wished.backoff) link.backoff = {wished.backoff->min, wished.backoff->max};
  if (!wished.ring.empty()) link.who.labels.push_back({"ring", wished.ring});
  link.seed = options_.seed;
  link.who.build = options_.version;
  link.who.router_id = router_id();
  link.who.boot_id = boot_id_;
  link.limits.can.compressions = {"zstd"};
  link.limits.can.repair = true;
  link.limits.can.content_bytes_max = pushed_bytes_max;
  link.limits.can.keys_max = pushed_keys_max;
  return link;
}

void router::make_pushed() {
  if (pushed_) return;
  pushed_listener& told = *this;
  pushed_.emplace(reactor_, *configurations_, table_memory_, options_.seed, told);
  if (!known_good_) known_good_ = open_place({});
  pushed_->start(local_part_, std::move(known_good_), std::exchange(found_, {}));
}

std::unique_ptr<kept_place> router::open_place(std::optional<process::identity> later) {
  if (!state_lock_) return nullptr;
  auto opened = kept_place::open(*wire::state_folder_of(configuration_), *state_lock_, std::move(later));
  if (opened) return *std::move(opened);
  on_not_kept(opened.error());
  return nullptr;
}

void router::follow_control_plane(const std::optional<wire::control_plane_settings>& before) {
  const auto& wished = configuration_.local.control_plane;
  if (!wished) {
    if (!before) return;
    pushed_->disconnect();
    push_refusal_.reset();
    linked_as_.clear();
    std::erase_if(loaded_, [](const loaded_configuration& l) { return !l.is_of_file(); });
    return event(process::log_level::info, "control_plane_left", "the file names none any more: the link has ended");
  }
  if (before && is_same_link(*before, *wished) && linked_as_ == router_id()) return;
  const bool is_first = !pushed_;
  make_pushed();
  if (before) {
    std::erase_if(loaded_, [](const loaded_configuration& l) { return !l.is_of_file(); });
    event(process::log_level::info, "control_plane_changed",
          "the link ends, and another one is opened as the file says");
  } else {
    linked_since_ = reactor_.now();
  }
  linked_as_ = router_id();
  const auto is_known = [&before](const wire::control_plane_url& url) {
    return before && std::ranges::find(before->urls, url) != before->urls.end();
  };
  pushed_->connect(link_options(), !is_first && std::ranges::none_of(wished->urls, is_known));
}

bool router::is_state_ready(const wire::configuration& wanted) {
  if (!state_move_) begin_state_move(wanted);
  return !state_move_ || !state_move_->is_waiting;
}

/// The folder is locked and, where something that was pushed runs, has that before anything of the edit counts.
void router::begin_state_move(const wire::configuration& wanted) {
  if (drain_.state() != process::drain_state::serving) return;
  const auto before = wire::state_folder_of(configuration_);
  const auto folder = wire::state_folder_of(wanted);
  if (before == folder) return;
  std::error_code ignored;
  if (before && folder && std::filesystem::equivalent(*before, *folder, ignored)) return;  // in other words
  state_move_.emplace();
  state_move_->folder = folder;
  if (!folder) return;
  auto lock = process::state_lock::take(*folder);
  if (!lock) {
    state_move_->why_not = lock.error().what;
    return;
  }
  state_move_->lock.emplace(*std::move(lock));
  if (!pushed_) return;
  auto place = kept_place::open(*folder, *state_move_->lock, {});
  if (!place) {
    state_move_->why_not = place.error();
    return;
  }
  state_move_->is_waiting = true;
  pushed_->prepare(*std::move(place));
}

void router::on_prepared(const std::string& why_not) {
  if (!state_move_) return;
  state_move_->is_waiting = false;
  if (!why_not.empty())
    state_move_->why_not =
        fmt::format("state_dir {}: what runs cannot be kept there: {}", *state_move_->folder, why_not);
  if (!loaded_.empty()) apply_when_named(reactor_.now());
}

void router::use_moved_state() {
  if (!state_move_) return;
  if (state_move_->folder != wire::state_folder_of(configuration_)) {  // who stops stays where he is
    if (pushed_) pushed_->forget_prepared();
    return state_move_.reset();
  }
  if (pushed_ && state_move_->folder) pushed_->use_prepared();
  if (pushed_ && !state_move_->folder) pushed_->use_no_folder();
  state_lock_.reset();
  if (state_move_->lock) state_lock_.emplace(*std::move(state_move_->lock));
  has_told_keeping_failed_ = false;
  state_move_.reset();
  if (!pushed_) on_folder_changed();
}

void router::on_folder_changed() {
  const auto folder = wire::state_folder_of(configuration_);
  event(process::log_level::info, "state_moved", "what is kept for the next start is kept elsewhere from now on",
        {{"folder", folder ? std::string_view(*folder) : std::string_view("off")}});
}

void router::load_known_good() {
  if (!configuration_.local.control_plane) return;
  const auto later = later_identity();
  known_good_ = open_place(later ? *later : std::optional<process::identity>());
  if (known_good_) found_ = tell_not_taken(known_good_->load({0, options_.seed, &table_memory_}, true));
}

void router::on_not_taken(const std::vector<std::string>& told) { (void)tell_not_taken({{}, told}); }

std::optional<kept_content> router::tell_not_taken(found_contents found) {
  for (const std::string& line : found.told) {
    event(process::log_level::warn, "kept_content_refused", "of what a control plane pushed before, this is not taken",
          {{"reason", std::string_view(line)}});
  }
  return std::move(found.newest);
}

/// What was pushed last comes before the file's own fleet sections; where it makes no table here, what was pushed
/// before.
void router::take_known_good() {
  if (!found_) return;
  auto made = compile_content(found_->content, generation_number{2}, options_.seed);
  if (!made) {
    (void)tell_not_taken({{}, {made.error().error}});
    found_ = tell_not_taken(known_good_->contents().load_previous({0, options_.seed, &table_memory_}));
    if (!found_) return;
    made = compile_content(found_->content, generation_number{2}, options_.seed);
  }
  if (!made) {
    (void)tell_not_taken({{}, {made.error().error}});
    return found_.reset();
  }
  configuration_.spec = std::move(made->configuration.spec);
  configuration_.key = std::move(made->configuration.key);
  configuration_.kept = {};
  origin_ = fleet_source::state;
  content_ = found_->id;
  (void)configurations_->publish({2, {std::move(made->table), request_settings_of(configuration_)}});  // the second one
}

void router::on_not_kept(const std::string& why) {
  event(process::log_level::warn, "state_not_kept", "a restart would not find what the control plane pushed last",
        {{"reason", std::string_view(why)}});
}

void router::on_damaged(const std::string& label) {
  event(process::log_level::error, "config_damaged",
        "rows in use are not those that the control plane pushed any more: memory of this machine is at fault, or this "
        "program; they stay in use until they have come again, which is asked for once an hour at most, or until the "
        "next change, or a restart, mends them",
        {{"source", std::string_view("push")}, {"version", std::string_view(label)}});
}

void router::watch_content(const reactor_metrics::traffic& counted, time_point now) {
  watch_.count({counted.finished, counted.own_5xx}, now);
  const std::optional<double>& percent = configuration_.local.control_plane->revert_on_5xx_percent;
  if (!percent) return watch_.ended();
  if (auto harm = watch_.take_harm(*percent, now)) pushed_->revert(*std::move(harm));
}

void router::watch_from_now_on(bool is_way_back) {
  const time_point now = reactor_.now();
  const reactor_metrics::traffic all = count_requests();
  watch_.count({all.finished, all.own_5xx}, now);
  is_way_back ? watch_.went_back(now) : watch_.began(now);
}

void router::on_reverted(const std::string& label, const std::string& why) {
  ++push_refused_count_;
  refused_at_ = io::read_wall_clock();
  push_refusal_ = fmt::format("push {}: {}", label, why);
  event(process::log_level::error, "config_reverted",
        "requests failed while what was pushed last was in use: what ran before is in use again, and it is refused "
        "from now on",
        {{"source", std::string_view("push")},
         {"version", std::string_view(label)},
         {"generation", configurations_->generation()},
         {"reason", std::string_view(why)}});
}

void router::on_not_reverted(const std::string& label, const std::string& why) {
  event(
      process::log_level::error, "revert_impossible",
      "requests fail since what was pushed last is in use, and nothing can take its place: it stays",
      {{"source", std::string_view("push")}, {"version", std::string_view(label)}, {"reason", std::string_view(why)}});
}

/// Routers of one host have admin ports of their own.
std::string router::router_id() const {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  return fmt::format("{}:{}", host.front() == '\0' ? "router" : host.data(), admin_port_->address().port);
}

void router::on_push_unchanged(const wire::content_id& content) {
  ++push_unchanged_count_;
  push_refusal_.reset();
  if (!content_ || content_->sum != content.sum || content_ == content) return;
  content_ = content;
  event(process::log_level::info, "config_unchanged", "what was pushed runs already, under another number until now",
        {{"source", std::string_view("push")},
         {"generation", configurations_->generation()},
         {"pushed_epoch", content.epoch},
         {"pushed_version", content.version}});
}

void router::on_push_refused(const std::string& label, const std::string& why) {
  ++push_refused_count_;
  refused_at_ = io::read_wall_clock();
  push_refusal_ = fmt::format("push {}: {}", label, why);
  event(process::log_level::error, "config_rejected", "the configuration is refused; what was in use stays in use",
        {{"source", std::string_view("push")},
         {"version", std::string_view(label)},
         {"generation", configurations_->generation()},
         {"reason", std::string_view(why)}});
}

void router::on_link_event(const std::string& name, const std::string& message) {
  const bool is_good = name == "control_plane_connected";
  event(is_good ? process::log_level::info : process::log_level::warn, name, message);
}

}  // namespace cellroute::proxy
