#include "adapters/proxy/pushed_contents.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <new>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/background_thread.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/wire/config_guard.hpp"
#include "adapters/wire/fleet.hpp"
#include "adapters/wire/print.hpp"
#include "adapters/wire/regex_compiler.hpp"

namespace cellroute::proxy {
namespace {

constexpr int attempts_max = 5;  // where another change was faster

bool is_late(time_point asked_at) { return io::read_clock().now - asked_at >= sync::link_settings{}.check_timeout; }

std::string joined(const wire::diagnostics& mistakes) {
  std::string text;
  for (const wire::diagnostic& d : mistakes) text += (text.empty() ? "" : "; ") + to_string(d);
  return text;
}

/// Every mistake in a text.
sync::refusal refusal_of(const wire::diagnostics& mistakes) { return {wire::refusal_code::schema, joined(mistakes)}; }

sync::refusal refusal_of(const violations& found) {
  std::string text;
  for (const violation& v : found) text += (text.empty() ? "" : "; ") + v.path + ": " + v.what;
  return {wire::refusal_code::reference, std::move(text)};
}

/// The local fleet sections with what the base protocol says of routing and of the endpoints of placements.
table_spec merged_with(local_part local, const table_spec& pushed) {
  table_spec made = std::move(local.spec);
  made.version = pushed.version;
  made.default_placement = pushed.default_placement;
  made.assignments.clear();
  made.rules = pushed.rules;
  made.canaries = pushed.canaries;
  made.overrides = pushed.overrides;
  std::vector<placement> placements;
  std::vector<cell> cells;
  for (const placement& told : pushed.placements) {
    const auto known = std::ranges::find(made.placements, told.id, &placement::id);
    placement p = told;
    p.policy = local.defaults;
    if (known != made.placements.end()) {
      p.policy = known->policy;
      p.kind = known->kind == placement_kind::shard ? told.kind : known->kind;
    }
    placements.push_back(std::move(p));
    const auto own = std::ranges::find(pushed.cells, told.cell, &cell::id);
    const bool is_there = std::ranges::find(cells, told.cell, &cell::id) != cells.end();
    if (own != pushed.cells.end() && !is_there) cells.push_back(*own);
  }
  made.placements = std::move(placements);
  made.cells = std::move(cells);
  return made;
}

}  // namespace

pushed_contents::pushed_contents(io::reactor& reactor, published<active_configuration>& current,
                                 std::pmr::memory_resource& memory, std::uint64_t seed, pushed_listener& listener,
                                 duration scrub_period)
    : reactor_(reactor),
      current_(current),
      memory_(memory),
      seed_(seed),
      listener_(listener),
      started_at_(io::read_clock().now),
      stays_(asio::make_work_guard(context_)),
      probation_(context_),
      scrub_period_(scrub_period),
      scrub_timer_(context_) {}

pushed_contents::~pushed_contents() {
  stays_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
  port_.reset();
  if (kept_) (void)kept_->contents().ended();  // who is told to end does not crash
}

void pushed_contents::start(local_part local, std::unique_ptr<kept_place> kept, std::optional<kept_content> running) {
  set_local(std::move(local));
  kept_ = std::move(kept);
  if (running) {
    running_ = running->id;
    source_ = fleet_source::state;
    if (kept_) note_boots();
    held_.emplace(running_->sum, held_content{std::move(running->content), std::move(running->label)});
    begin_probation();
  }
  begin_scrub();
  thread_ = std::thread([this] {
    process::become_background_thread();
    context_.run();
  });
  run([this] {
    if (!kept_) return;
    load_others(*kept_);
    refused_ = kept_->contents().quarantined();
  });
}

void pushed_contents::connect(control_link_options link, bool is_elsewhere) {
  const turn_number turn = ++wanted_turn_;
  run([this, turn, is_elsewhere, link = std::move(link)]() mutable {
    end_link(turn);
    if (is_elsewhere) is_number_foreign_ = true;
    if (running_) link.memory.held = {is_number_foreign_ ? wire::content_id{0, 0, running_->sum} : *running_};
    link.memory.quarantined = refused_;
    link.who.source = to_string(source_.load());
    reactor_.post([this, turn, link = std::move(link)]() mutable { open_link(turn, std::move(link)); });
  });
}

void pushed_contents::open_link(turn_number turn, control_link_options options) {
  if (turn != wanted_turn_) return;
  auto made = std::make_unique<port>(*this, turn, std::move(options));
  control_link& link = made->link();
  run(turn, [this, made = std::move(made)]() mutable { port_ = std::move(made); });  // before all that it says
  link.start();
}

void pushed_contents::disconnect() {
  run([this, turn = ++wanted_turn_] {
    end_link(turn);
    figures_.confirmed_at.store(-1, std::memory_order_relaxed);
  });
}

/// Whatever came of it is let go.
void pushed_contents::end_link(turn_number next) {
  turn_ = next;
  if (port_) {
    port_->link().stop();
    refused_ = port_->link().contents().quarantined();
    port_.reset();
  }
  const auto abandoned = std::exchange(activating_, std::nullopt);
  attempts_ = 0;
  let_go_of_others();
  if (!abandoned || !kept_) return;
  if (!running_) return void(kept_->contents().ended());
  const auto kept = write_what_runs(*kept_);  // it was kept before it was handed over
  tell_once(kept ? std::string() : kept.error());
}

void pushed_contents::let_go_of_others() {
  prepared_.reset();
  summed_.reset();
  std::erase_if(held_, [this](const auto& one) { return !running_ || one.first != running_->sum; });
}

void pushed_contents::left() {
  run([this] {
    running_.reset();
    is_sound_ = true;
    scrubbed_at_ = -1;
    source_ = fleet_source::file;
    if (!activating_) let_go_of_others();
    probation_.cancel();
    if (kept_) (void)kept_->contents().ended();
  });
}

expected<void, std::string> pushed_contents::write_what_runs(kept_place& to) {
  const auto& id = activating_ ? activating_ : running_;
  if (!id) return {};
  const auto held = held_.find(id->sum);
  if (held == held_.end()) return {};
  if (auto kept = to.contents().keep(held->second.content, *id, held->second.label); !kept) return kept;
  return to.contents().begin(id->sum);
}

/// What is in a folder already is not taken: something else runs.
void pushed_contents::load_others(kept_place& from) {
  found_contents found = from.load({0, seed_, &memory_});
  if (found.told.empty()) return;
  reactor_.post([this, told = std::move(found.told)] { listener_.on_not_taken(told); });
}

void pushed_contents::report(wire::pong counts) {
  const std::lock_guard lock(counts_mutex_);
  counts_ = std::move(counts);
}

wire::pong pushed_contents::counts() const {
  const std::lock_guard lock(counts_mutex_);
  return counts_;
}

wire::pong pushed_contents::status() const {
  const auto seconds_since = [now = io::read_clock().now](time_point at) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, (now - at) / 1s));
  };
  wire::pong told = counts();
  told.source = to_string(source_.load());
  told.uptime_s = seconds_since(started_at_);
  told.boots = boots_;
  const std::int64_t kept_at = kept_at_;
  if (kept_at >= 0) told.lkg_age_s = seconds_since(time_point(duration(kept_at)));
  told.scrub = scrubbed();
  return told;
}

std::optional<wire::scrub_result> pushed_contents::scrubbed() const {
  const std::int64_t at = scrubbed_at_;
  if (at < 0) return std::nullopt;
  return wire::scrub_result{is_sound_, static_cast<std::uint64_t>(at)};
}

/// How often what runs was begun, and that it was written down now.
void pushed_contents::note_boots() {
  boots_ = kept_->contents().begun();
  kept_at_ = io::read_clock().now.time_since_epoch().count();
}

void pushed_contents::prepare(std::unique_ptr<kept_place> other) {
  run([this, other = std::move(other)]() mutable { prepare_now(std::move(other)); });
}

void pushed_contents::prepare_now(std::unique_ptr<kept_place> other) {
  load_others(*other);
  auto written = write_what_runs(*other);
  if (written && kept_) written = other->contents().quarantine(kept_->contents().quarantined());
  drop_prepared();
  prepared_place_ = std::move(other);
  if (!written) drop_prepared();
  reactor_.post([this, why = written ? std::string() : written.error()] { listener_.on_prepared(why); });
  process::give_back_memory();
}

void pushed_contents::use_prepared() {
  run([this] { change_folder(std::exchange(prepared_place_, {})); });
}
void pushed_contents::use_no_folder() {
  run([this] { change_folder({}); });
}
void pushed_contents::forget_prepared() {
  run([this] { drop_prepared(); });
}

/// What was begun there runs elsewhere.
void pushed_contents::drop_prepared() {
  if (!prepared_place_) return;
  (void)prepared_place_->contents().ended();
  prepared_place_.reset();
}

void pushed_contents::change_folder(std::unique_ptr<kept_place> to) {
  if (kept_) (void)kept_->contents().ended();
  kept_ = std::move(to);
  reactor_.post([this] { listener_.on_folder_changed(); });
  if (!kept_) {
    probation_.cancel();
    return;
  }
  const auto kept = write_what_runs(*kept_);  // another may have come meanwhile
  tell_once(kept ? std::string() : kept.error());
  if (running_) begin_probation();
}

void pushed_contents::set_local(local_part local) {
  const std::lock_guard lock(mutex_);
  local_ = std::move(local);
}

local_part pushed_contents::local() const {
  const std::lock_guard lock(mutex_);
  return local_;
}

void pushed_contents::port::check(sync::check_content what, std::uint64_t salt) {
  of_.run(turn_, [this, what = std::move(what), salt, asked_at = io::read_clock().now] {
    of_.check_now(what, salt, asked_at);
  });
}
void pushed_contents::port::check(sync::check_base_content what) {
  of_.run(turn_,
          [this, what = std::move(what), asked_at = io::read_clock().now] { of_.check_base_now(what, asked_at); });
}
void pushed_contents::port::activate(const wire::content_id& content) {
  of_.run(turn_, [this, content] {
    of_.attempts_ = 0;
    of_.activate_now(content);
  });
}
void pushed_contents::port::drop(const wire::content_id& content) {
  of_.run(turn_, [this, sum = content.sum] {
    of_.held_.erase(sum);
    if (of_.prepared_ && of_.prepared_->sum == sum) of_.prepared_.reset();
  });
}
void pushed_contents::port::sum_up(sync::sum_up_rows what, std::uint64_t salt) {
  of_.run(turn_, [this, what = std::move(what), salt] { of_.sum_up_now(what, salt); });
}
void pushed_contents::port::on_overdue(const std::string& label, const std::string& why) {
  of_.reactor_.post([&of = of_, label, why] { of.listener_.on_push_refused(label, why); });
}
void pushed_contents::port::on_link_event(const std::string& event, const std::string& message) {
  of_.reactor_.post([&of = of_, event, message] { of.listener_.on_link_event(event, message); });
}

void pushed_contents::check_now(const sync::check_content& what, std::uint64_t salt, time_point asked_at) {
  const wire::content_id id = what.what.content;
  const auto refuse = [this, &id, &what, asked_at](sync::refusal why) {
    if (is_late(asked_at)) return;
    tell_refused(what.what.label, why.error);
    post([this, id, turn = turn_, why = std::move(why)](sync::router_link& link, time_point) {
      link.checked(id, why);
      run(turn, [this, all = link.contents().quarantined()] { keep_quarantine(all); });
    });
  };
  try {
    const noted_check noted(*this, id.sum);
    const auto base = what.what.base ? held_.find(*what.what.base) : held_.end();
    const sync::content* const from = base != held_.end() ? &base->second.content : nullptr;
    auto content = sync::unpack(what.what, what.bytes, from, {salt, seed_, &memory_});
    if (!content) return refuse(std::move(content).error());
    held_content held{*std::move(content), what.what.label};
    auto loaded = build(held);
    if (!loaded) return refuse(std::move(loaded).error());
    if (is_late(asked_at)) return;
    const std::uint64_t keys = held.content.keys.size();
    if (kept_) held.came = arrival{what.what, what.bytes};
    hold(std::move(held), *std::move(loaded));
    post([this, id, keys, turn = turn_, is_forced = what.what.force](sync::router_link& link, time_point) {
      link.checked(id, keys);
      if (is_forced) run(turn, [this, all = link.contents().quarantined()] { keep_quarantine(all); });
    });
  } catch (const std::bad_alloc&) {
    refuse({wire::refusal_code::no_memory, "there is not enough memory to build it"});
  }
  process::give_back_memory();
}

void pushed_contents::sum_up_now(const sync::sum_up_rows& what, std::uint64_t salt) {
  const auto held = held_.find(what.base.sum);
  const auto before = std::exchange(summed_, std::nullopt);
  std::vector<wire::digest> sums;
  if (held != held_.end()) {
    const bool is_there =
        !what.asked.groups.empty() && before && before->sum == what.base.sum && before->digest.salt() == salt;
    summed_.emplace(summed_rows{what.base.sum, is_there ? before->digest : sync::sum_up(held->second.content, salt)});
    sums = sync::sums_of(summed_->digest, what.asked.groups);
    if (!what.asked.groups.empty()) summed_.reset();
  }
  post([what, sums = std::move(sums)](sync::router_link& link, time_point) { link.summed_up(what, sums); });
}

void pushed_contents::check_base_now(const sync::check_base_content& what, time_point asked_at) {
  const auto refuse = [this, &what, asked_at](sync::refusal why) {
    if (is_late(asked_at)) return;
    tell_refused(wire::to_string(what.what.version), why.error);
    post([number = what.number, why = std::move(why)](sync::router_link& link, time_point) {
      link.base_checked(number, why);
    });
  };
  try {
    // Its rows are not known before it was read, and that may be what ends the process.
    const wire::digest text_sum = sync::sha256(std::as_bytes(std::span(what.text)));
    if (has_ended_processes(text_sum))
      return refuse({wire::refusal_code::crash_loop, "its check has ended this router, again and again"});
    const noted_check noted(*this, text_sum);
    auto content = read_base(what);
    if (!content) return refuse(std::move(content).error());
    held_content held{*std::move(content), wire::to_string(what.what.version)};
    auto loaded = build(held);
    if (!loaded) return refuse(std::move(loaded).error());
    if (is_late(asked_at)) return;
    const std::uint64_t keys = held.content.keys.size();
    const wire::digest sum = held.content.sum;
    hold(std::move(held), *std::move(loaded));
    post([number = what.number, sum, keys](sync::router_link& link, time_point) {
      link.base_checked(number, sum, keys);
    });
  } catch (const std::bad_alloc&) {
    refuse({wire::refusal_code::no_memory, "there is not enough memory to build it"});
  }
  process::give_back_memory();
}

bool pushed_contents::has_ended_processes(const wire::digest& sum) const {
  if (!kept_) return false;
  const auto& refused = kept_->contents().quarantined();
  return std::ranges::find(refused, sum, &wire::quarantined_content::sum) != refused.end();
}

void pushed_contents::hold(held_content held, loaded_configuration loaded) {
  const wire::digest sum = held.content.sum;
  held_.insert_or_assign(sum, std::move(held));
  prepared_.emplace(prepared_content{sum, std::move(loaded)});
}

expected<sync::content, sync::refusal> pushed_contents::read_base(const sync::check_base_content& what) {
  auto read = wire::read_message_of_maps(what.text, "config of the control plane");
  if (!read) return unexpected(refusal_of(read.error()));
  tell_ignored(read->ignored);
  std::vector<std::string_view> outcomes;
  for (const placement& p : read->spec.placements) outcomes.push_back(p.id.value);
  auto keys = key_table::build(read->inline_keys.rows, seed_, outcomes, &memory_);
  if (!keys) return unexpected(sync::refusal{wire::refusal_code::schema, std::string(to_string(keys.error().what))});
  const local_part mine = local();
  wire::configuration document;
  document.spec = merged_with(mine, read->spec);
  document.key = mine.key;
  return sync::make_content(wire::write_json(wire::print_fleet(document)), *std::move(keys), 0);
}

/// Once for the same fields: they come with each message.
void pushed_contents::tell_ignored(const std::vector<std::string>& fields) {
  constexpr std::size_t told_max = 5;
  if (fields == ignored_) return;
  ignored_ = fields;
  if (fields.empty()) return;
  std::string names;
  for (const std::string& name : std::span(fields).first(std::min(fields.size(), told_max))) {
    names += (names.empty() ? "" : ", ") + wire::quote(name.substr(0, 64));
  }
  reactor_.post(
      [this, text = fmt::format("{} fields of its messages are not known here, and ignored: {}", fields.size(),
                                names)] { listener_.on_link_event("control_plane_fields_ignored", text); });
}

expected<loaded_configuration, sync::refusal> compile_content(const sync::content& content,
                                                              generation_number generation, std::uint64_t seed) {
  auto read = wire::read_configuration(content.document, "pushed configuration");
  if (!read) return unexpected(refusal_of(read.error()));
  if (!read->key_files.empty() || !read->inline_keys.rows.empty()) {
    return unexpected(sync::refusal{wire::refusal_code::schema, "routing.keys: must come apart from the document"});
  }
  // The keys are those that the next delta starts from, too.
  auto table = routing_table::compile(read->spec, generation, seed, content.keys.shared(), wire::by_re2);
  if (!table) return unexpected(refusal_of(table.error()));
  loaded_configuration loaded{*std::move(read), *std::move(table), {}, false, {}};
  loaded.origin = fleet_source::push;
  loaded.configuration.source = wire::node();
  loaded.configuration.text.reset();
  return loaded;
}

expected<loaded_configuration, sync::refusal> pushed_contents::build(const held_content& held) const {
  const time_point began = io::read_clock().now;
  auto made = compile_content(held.content, generation_number{current_.generation() + 1}, seed_);
  if (!made) return made;
  loaded_configuration loaded = *std::move(made);
  reader<active_configuration> before(current_);
  const routing_table& old = before.current().value.table;
  loaded.moved = diff(old, loaded.table);
  const std::vector<std::string> broken =
      wire::broken_guards(local().guard, loaded.moved, old.keys().size(), loaded.table.keys().size(), {}, {});
  if (!broken.empty()) {
    const bool is_moved = broken.front().starts_with("guard.max_moved_percent");
    return unexpected(sync::refusal{is_moved ? wire::refusal_code::guard_moved : wire::refusal_code::guard_removed,
                                    fmt::format("{}", fmt::join(broken, "; "))});
  }
  loaded.elapsed = io::read_clock().now - began;
  return loaded;
}

void pushed_contents::activate_now(const wire::content_id& id) {
  try {
    build_and_hand_over(id);
  } catch (const std::bad_alloc&) {
    refuse_activation(id, {wire::refusal_code::no_memory, "there is not enough memory to build it"});
  }
}

void pushed_contents::refuse_activation(const wire::content_id& id, sync::refusal why) {
  post([id, why = std::move(why)](sync::router_link& link, time_point) { link.activated(id, why); });
}

void pushed_contents::build_and_hand_over(const wire::content_id& id) {
  const auto held = held_.find(id.sum);
  if (held == held_.end()) return refuse_activation(id, {wire::refusal_code::base_mismatch, "it is not held any more"});
  std::optional<loaded_configuration> ready;
  if (prepared_ && prepared_->sum == id.sum) ready = std::move(prepared_->loaded);
  prepared_.reset();
  if (!ready || ready->table.generation().value <= current_.generation()) {
    auto again = build(held->second);
    if (!again) return refuse_activation(id, std::move(again).error());
    ready = *std::move(again);
  }
  ready->pushed = id;
  activating_ = id;
  is_durable_ = keep(id, held->second);
  reactor_.post([this, turn = turn_, loaded = *std::move(ready)]() mutable {
    if (turn == wanted_turn_) listener_.on_pushed(std::move(loaded));
  });
}

bool pushed_contents::keep(const wire::content_id& id, held_content& held) {
  if (!kept_) return false;
  const auto came = std::exchange(held.came, std::nullopt);
  auto kept = came ? kept_->contents().keep(held.content, {came->what, came->bytes})
                   : kept_->contents().keep(held.content, id, held.label);
  if (kept) kept = kept_->contents().begin(id.sum);
  if (kept) note_boots();
  tell_once(kept ? std::string() : kept.error());
  return kept.has_value();
}

void pushed_contents::keep_quarantine(std::vector<wire::quarantined_content> all) {
  if (!kept_) return;
  if (const auto kept = kept_->contents().quarantine(std::move(all)); !kept) tell_once(kept.error());
}

void pushed_contents::begin_probation() {
  if (!kept_) return;
  probation_.expires_after(probation_time);
  probation_.async_wait([this](const asio::error_code& error) {
    if (error) return;  // another content has come meanwhile
    if (const auto kept = kept_->contents().survived(); !kept) tell_once(kept.error());
  });
}

void pushed_contents::begin_scrub() {
  scrub_timer_.expires_after(scrub_period_);
  scrub_timer_.async_wait([this](const asio::error_code&) {
    try {
      scrub();
    } catch (const std::bad_alloc&) {
    }  // the next one looks elsewhere; a round goes on
    begin_scrub();
  });
}

/// What is damaged goes on serving: most of it is right, and nothing better is at hand. Its digest becomes that of the
/// rows as they are, so that no change of it is taken for what was announced: the control plane then mends it.
void pushed_contents::scrub() {
  const auto held = running_ ? held_.find(running_->sum) : held_.end();
  if (held == held_.end()) return;
  held_content& runs = held->second;
  if (!runs.is_damaged && !scrub_.is_sound(runs.content)) {
    runs.content.digest = sync::sum_up(runs.content, runs.content.digest.salt());
    runs.is_damaged = true;
    reactor_.post([this, label = runs.label] { listener_.on_damaged(label); });
  }
  is_sound_ = !runs.is_damaged;
  scrubbed_at_ = io::read_wall_clock().time_since_epoch() / 1s;
}

/// A disk that is full is told of once, not with each content.
void pushed_contents::tell_once(const std::string& why) {
  if (std::exchange(told_, why) == why || why.empty()) return;
  reactor_.post([this, why] { listener_.on_not_kept(why); });
}

void pushed_contents::applied() {
  run([this] { ended({}); });
}
void pushed_contents::refused(std::string why) {
  run([this, why = std::move(why)] { ended(why); });
}

void pushed_contents::ended(std::optional<std::string> why) {
  const auto id = std::exchange(activating_, std::nullopt);
  if (!id) return;
  if (!why) {
    running_ = *id;
    is_number_foreign_ = false;
    source_ = fleet_source::push;
    const auto held = held_.find(id->sum);
    is_sound_ = held == held_.end() || !held->second.is_damaged;
    begin_probation();
    const bool durable = is_durable_;
    post([id = *id, durable](sync::router_link& link, time_point) { link.activated(id, durable); });
  } else if (++attempts_ < attempts_max) {
    activate_now(*id);
  } else {
    refuse_activation(*id, {wire::refusal_code::internal, *std::move(why)});
  }
}

void pushed_contents::tell_refused(std::string label, std::string why) {
  reactor_.post([this, label = std::move(label), why = std::move(why)] { listener_.on_push_refused(label, why); });
}

}  // namespace cellroute::proxy
