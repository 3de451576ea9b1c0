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
