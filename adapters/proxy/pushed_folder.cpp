#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/proxy/pushed_contents.hpp"

// What of the contents is kept for the next start, and where.
namespace cellroute::proxy {

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

/// A disk that is full is told of once, not with each content.
void pushed_contents::tell_once(const std::string& why) {
  if (std::exchange(told_, why) == why || why.empty()) return;
  reactor_.post([this, why] { listener_.on_not_kept(why); });
}

}  // namespace cellroute::proxy
