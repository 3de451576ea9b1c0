#include "adapters/sync/base_session.hpp"

#include <utility>

namespace cellroute::sync {

std::string_view to_string(base_state state) {
  switch (state) {
    case base_state::in_sync:
      return "in_sync";
    case base_state::waiting_ack:
      return "waiting_ack";
    case base_state::rejected:
      return "rejected";
    case base_state::ended:
      return "ended";
  }
  return {};
}

void base_session::take(const wire::base_message& said, time_point now) {
  if (state_ == base_state::ended) return;
  heard_ = now;
  if (std::holds_alternative<wire::base_pong>(said)) answers_beats_ = true;
  const auto* done = std::get_if<wire::base_ack>(&said);
  if (done == nullptr || state_ != base_state::waiting_ack) return;
  // Routers there are that leave the version out; then it is that of the only content on its way.
  const bool is_named =
      wire::to_string(done->version) == std::to_string(sent_) || wire::to_string(done->version).empty();
  if (!is_named) return;
  if (done->is_applied) {
    acked_ = sent_;
    state_ = base_state::in_sync;
  } else {
    last_refusal_ = done->error;
    state_ = base_state::rejected;
  }
  decide();
}

void base_session::publish(base_use::counted& what, time_point) {
  published_ = &what;
  decide();
}

void base_session::decide() {
  if (state_ == base_state::ended || published_ == nullptr) return;
  if (published_->what.version == 0) {  // what was to go is no news any more
    wants_content_ = false;
    return;
  }
  if (!published_->what.why_not.empty()) return end(published_->what.why_not);
  wants_content_ = state_ != base_state::waiting_ack && published_->what.version != sent_;
}

void base_session::tick(time_point now) {
  if (state_ == base_state::ended) return;
  if (answers_beats_ && now - heard_ >= settings_.dead_after * settings_.ping) return end("it answers no beat");
  if (state_ == base_state::waiting_ack && now - sent_at_ >= settings_.ack_timeout) {
    state_ = base_state::in_sync;  // as far as can be known
    decide();
  }
  if (now < next_beat_) return;
  next_beat_ = now + settings_.ping;
  if (own_.empty()) own_.push_back(wire::write_base_ping());
}

std::optional<base_session::output> base_session::next_output(time_point now) {
  if (!own_.empty()) {
    output first(std::move(own_.front()));
    own_.pop_front();
    return first;
  }
  if (!wants_content_) return std::nullopt;
  wants_content_ = false;
  state_ = base_state::waiting_ack;
  sent_ = published_->what.version;
  sent_at_ = now;
  return output(base_use(*published_));
}

void base_session::end(std::string why) {
  if (state_ == base_state::ended) return;
  state_ = base_state::ended;
  wants_content_ = false;
  own_.clear();
  why_ = std::move(why);
}

}  // namespace cellroute::sync
