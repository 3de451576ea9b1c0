#include "adapters/proxy/pushed_contents.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/background_thread.hpp"

// The link, what is asked of it, and the way of a content to the requests.
namespace cellroute::proxy {
namespace {

constexpr int attempts_max = 5;  // where another change was faster

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
    running_since_ = started_at_;
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
    if (running_ && is_sound_)
      link.memory.held = {is_number_foreign_ ? wire::content_id{0, 0, running_->sum} : *running_};
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
  end_revert("its control plane is left");
  let_go_of_others();
  if (!abandoned || !kept_) return;
  if (!running_) return void(kept_->contents().ended());
  const auto kept = write_what_runs(*kept_);  // it was kept before it was handed over
  tell_once(kept ? std::string() : kept.error());
}

void pushed_contents::let_go_of_others() {
  prepared_.reset();
  summed_.reset();
  proven_.reset();
  std::erase_if(held_, [this](const auto& one) { return !running_ || one.first != running_->sum; });
}

void pushed_contents::left() {
  run([this] {
    running_.reset();
    proven_.reset();
    is_sound_ = true;
    scrubbed_at_ = -1;
    source_ = fleet_source::file;
    if (!activating_) let_go_of_others();
    probation_.cancel();
    if (kept_) (void)kept_->contents().ended();
  });
}

void pushed_contents::revert(std::string why) {
  run([this, why = std::move(why)]() mutable { revert_now(std::move(why)); });
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
  told.clock_ms = static_cast<std::uint64_t>(io::read_wall_clock().time_since_epoch() / 1ms);
  return told;
}

std::optional<wire::scrub_result> pushed_contents::scrubbed() const {
  const std::int64_t at = scrubbed_at_;
  if (at < 0) return std::nullopt;
  return wire::scrub_result{is_sound_, static_cast<std::uint64_t>(at)};
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
    of_.activation_began_at_ = io::read_clock().now;
    of_.activate_now(content);
  });
}
void pushed_contents::port::unchanged(const wire::content_id& content) {
  of_.run(turn_, [this, content] {
    if (!of_.running_ || of_.running_->sum != content.sum) return;
    of_.running_ = content;
    of_.is_number_foreign_ = false;
    of_.reactor_.post([&of = of_, content] { of.listener_.on_push_unchanged(content); });
  });
}
void pushed_contents::port::drop(const wire::content_id& content) {
  of_.run(turn_, [this, sum = content.sum] {
    const auto held = of_.held_.find(sum);
    if (held == of_.held_.end()) return;
    held->second.is_let_go = true;
    if (!of_.proven_ || of_.proven_->sum != sum) of_.held_.erase(held);
    if (of_.prepared_ && of_.prepared_->sum == sum) of_.prepared_.reset();
  });
}
void pushed_contents::port::sum_up(sync::sum_up_rows what, std::uint64_t salt) {
  of_.run(turn_, [this, what = std::move(what), salt] { of_.sum_up_now(what, salt); });
}
void pushed_contents::port::on_refused(const std::string& label, const std::string& why) {
  of_.reactor_.post([&of = of_, label, why] { of.listener_.on_push_refused(label, why); });
}
void pushed_contents::port::on_link_event(const std::string& event, const std::string& message) {
  of_.reactor_.post([&of = of_, event, message] { of.listener_.on_link_event(event, message); });
}

void pushed_contents::activate_now(const wire::content_id& id) {
  try {
    build_and_hand_over(id);
  } catch (const std::bad_alloc&) {
    refuse_activation(id, {wire::refusal_code::no_memory, "there is not enough memory to build it"});
  }
}

void pushed_contents::revert_now(std::string why) {
  if (!running_ || activating_ || reverting_) return;
  const auto held = held_.find(running_->sum);
  reverting_ = reverting{held != held_.end() ? held->second.label : std::string(), why};
  const auto to = proven_ ? held_.find(proven_->sum) : held_.end();
  const bool is_there = to != held_.end() && !to->second.is_damaged && proven_->sum != running_->sum;
  if (!is_there || !port_) return end_revert("what ran before it was not pushed by this control plane");
  post([this, turn = turn_, from = running_->sum, to = *proven_, why = std::move(why)](sync::router_link& link,
                                                                                       time_point) {
    if (link.go_back(from, to, {wire::refusal_code::local_guard, why})) return;
    run(turn, [this] { reverting_.reset(); });  // another takes its place, and is watched
  });
}

/// What has run for a while is one to go back to; where there is none yet, what runs at all. So it stays the same where
/// changes come quickly, one after the other, each of which may do harm.
void pushed_contents::note_running(const wire::content_id& id) {
  const time_point now = io::read_clock().now;
  if (running_ && running_->sum != id.sum) {
    const bool has_survived = now - running_since_ >= probation_time;
    if (!is_way_back(id) && (!proven_ || has_survived)) trust(is_number_foreign_ ? std::nullopt : running_);
    running_since_ = now;
  }
  running_ = id;
  if (const auto held = held_.find(id.sum); held != held_.end())
    held->second.is_let_go = false;  // the link has it again
}

void pushed_contents::trust(std::optional<wire::content_id> id) {
  const auto before = std::exchange(proven_, std::move(id));
  if (!before || (proven_ && proven_->sum == before->sum)) return;
  const auto held = held_.find(before->sum);
  if (held != held_.end() && held->second.is_let_go) held_.erase(held);
}

void pushed_contents::end_revert(std::optional<std::string> why_not) {
  if (!reverting_) return;
  reactor_.post([this, was = *std::exchange(reverting_, std::nullopt), why_not = std::move(why_not)] {
    if (why_not) {
      listener_.on_not_reverted(was.label, was.why + "; " + *why_not);
    } else {
      listener_.on_reverted(was.label, was.why);
    }
  });
}

bool pushed_contents::is_way_back(const wire::content_id& id) const {
  return reverting_ && proven_ && proven_->sum == id.sum;
}

void pushed_contents::refuse_activation(const wire::content_id& id, sync::refusal why) {
  if (is_way_back(id)) end_revert("what ran before it cannot be used: " + why.error);
  post([id, why = std::move(why)](sync::router_link& link, time_point) { link.activated(id, why); });
}

void pushed_contents::build_and_hand_over(const wire::content_id& id) {
  const auto held = held_.find(id.sum);
  if (held == held_.end()) return refuse_activation(id, {wire::refusal_code::base_mismatch, "it is not held any more"});
  std::optional<loaded_configuration> ready;
  if (prepared_ && prepared_->sum == id.sum) ready = std::move(prepared_->loaded);
  prepared_.reset();
  if (!ready || ready->table.generation().value <= current_.generation()) {
    auto again = build(held->second, is_way_back(id));
    if (!again) return refuse_activation(id, std::move(again).error());
    ready = *std::move(again);
  }
  ready->pushed = id;
  ready->is_way_back = is_way_back(id);
  activating_ = id;
  is_durable_ = keep(id, held->second);
  reactor_.post([this, turn = turn_, loaded = *std::move(ready)]() mutable {
    if (turn == wanted_turn_) listener_.on_pushed(std::move(loaded));
  });
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
    const bool is_back = is_way_back(*id);
    note_running(*id);
    is_number_foreign_ = false;
    source_ = fleet_source::push;
    const auto held = held_.find(id->sum);
    is_sound_ = held == held_.end() || !held->second.is_damaged;
    begin_probation();
    const bool durable = is_durable_;
    const duration took = io::read_clock().now - activation_began_at_;
    post([this, turn = turn_, id = *id, durable, took, is_back](sync::router_link& link, time_point) {
      link.activated(id, durable, took);
      if (is_back) run(turn, [this, all = link.contents().quarantined()] { keep_quarantine(all); });
    });
    if (is_back) end_revert(std::nullopt);
  } else if (++attempts_ < attempts_max) {
    activate_now(*id);
  } else {
    refuse_activation(*id, {wire::refusal_code::internal, *std::move(why)});
  }
}

}  // namespace cellroute::proxy
