#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/proxy/pushed_contents.hpp"
#include "adapters/wire/config_guard.hpp"
#include "adapters/wire/fleet.hpp"
#include "adapters/wire/print.hpp"
#include "adapters/wire/regex_compiler.hpp"

// What came is unpacked, checked and compiled; what runs is looked at again and again.
namespace cellroute::proxy {
namespace {

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

void pushed_contents::check_now(const sync::check_content& what, std::uint64_t salt, time_point asked_at) {
  const wire::content_id id = what.what.content;
  const auto refuse = [this, &id, asked_at](sync::refusal why) {
    if (is_late(asked_at)) return;
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

expected<loaded_configuration, sync::refusal> pushed_contents::build(const held_content& held, bool is_back) const {
  const time_point began = io::read_clock().now;
  auto made = compile_content(held.content, generation_number{current_.generation() + 1}, seed_);
  if (!made) return made;
  loaded_configuration loaded = *std::move(made);
  reader<active_configuration> before(current_);
  const routing_table& old = before.current().value.table;
  loaded.moved = diff(old, loaded.table);
  const wire::guard_settings guard = is_back ? wire::guard_settings() : local().guard;
  const std::vector<std::string> broken =
      wire::broken_guards(guard, loaded.moved, old.keys().size(), loaded.table.keys().size(), {}, {});
  if (!broken.empty()) {
    const bool is_moved = broken.front().starts_with("guard.max_moved_percent");
    return unexpected(sync::refusal{is_moved ? wire::refusal_code::guard_moved : wire::refusal_code::guard_removed,
                                    fmt::format("{}", fmt::join(broken, "; "))});
  }
  loaded.elapsed = io::read_clock().now - began;
  return loaded;
}

void pushed_contents::hold(held_content held, loaded_configuration loaded) {
  const wire::digest sum = held.content.sum;
  held_.insert_or_assign(sum, std::move(held));
  prepared_.emplace(prepared_content{sum, std::move(loaded)});
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

/// What is damaged goes on serving, until it has come again: most of it is right, and nothing better is at hand. Its
/// digest becomes that of the rows as they are, so that no change of it is taken for what was announced.
///
/// Asked again is once an hour at most: a fleet that damages all that it gets must not ask for it without end.
void pushed_contents::scrub() {
  const auto held = running_ ? held_.find(running_->sum) : held_.end();
  if (held == held_.end()) return;
  held_content& runs = held->second;
  const bool is_found = !runs.is_damaged && !scrub_.is_sound(runs.content);
  if (is_found) {
    runs.content.digest = sync::sum_up(runs.content, runs.content.digest.salt());
    runs.is_damaged = true;
  }
  is_sound_ = !runs.is_damaged;  // before the link hears of it: it tells this first
  scrubbed_at_ = io::read_wall_clock().time_since_epoch() / 1s;
  if (!is_found) return;
  reactor_.post([this, label = runs.label] { listener_.on_damaged(label); });
  const time_point now = io::read_clock().now;
  if (asked_again_at_ && now - *asked_again_at_ < 1h) return;
  asked_again_at_ = now;
  post([sum = running_->sum](sync::router_link& link, time_point at) { link.damaged(sum, at); });
}

}  // namespace cellroute::proxy
