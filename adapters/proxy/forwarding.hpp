#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/edge/exchange.hpp"
#include "adapters/proxy/failure.hpp"
#include "adapters/proxy/forwarder.hpp"
#include "adapters/proxy/head_edits.hpp"
#include "adapters/proxy/route_view.hpp"
#include "cellroute/table/decision.hpp"

namespace cellroute::proxy {

/// A sink of fixed size for what the core prints. It holds all of it or, where that does not fit, nothing.
template <std::size_t Capacity>
class fixed_text {
 public:
  void append(std::string_view text) {
    if (text.size() > Capacity - size_) {
      full_ = true;
      return;
    }
    std::copy(text.begin(), text.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
  void push_back(char c) { append({&c, 1}); }
  [[nodiscard]] std::string_view view() const {
    return full_ ? std::string_view{} : std::string_view{bytes_.data(), size_};
  }

 private:
  std::array<char, Capacity> bytes_;
  std::size_t size_ = 0;
  bool full_ = false;
};

/// One request on its way: what `forwarder::serve` keeps while it waits, and the steps it takes.
class forwarding final : public edge::leaving_watcher {
 public:
  forwarding(forwarder& owner, edge::exchange& x)
      : f_(owner), x_(x), active_(owner.refresh()), view_(owner.view_), rules_(view_->rules()), started_(owner.clock_) {
    ++f_.active_;
  }
  forwarding(const forwarding&) = delete;
  forwarding& operator=(const forwarding&) = delete;
  ~forwarding();

  io::task<void> run();

 private:
  enum class attempt_end : std::uint8_t { done, retry_same, retry_other };

  [[nodiscard]] std::optional<failure> route();
  [[nodiscard]] std::optional<failure> count_forwards();
  void prepare_request();
  io::task<attempt_end> attempt(cell_state& cell, std::size_t endpoint_index, bool fresh, bool may_retry);
  io::task<void> send_request_body();
  io::task<void> relay_answer();
  io::task<void> relay_answer_or_refuse();
  io::task<void> relay_tunnel(bool upwards);
  io::task<void> refuse(failure why);
  void note_answer(const response_view& head);
  void finish_attempt();

  void on_client_left() override {
    left_ = true;
    if (upstream_ != nullptr) upstream_->cancel();
  }

  [[nodiscard]] time_point now() const { return f_.clock_.now; }
  [[nodiscard]] time_point within(const std::optional<duration>& limit) const {
    const time_point at = limit ? now() + *limit : time_point::max();
    return std::min(at, total_deadline_);
  }
  [[nodiscard]] bool total_is_over() const { return now() >= total_deadline_; }
  [[nodiscard]] const timeout_policy& timeouts() const { return placement_->policy.timeouts; }
  [[nodiscard]] bool is_replayable() const;
  [[nodiscard]] const listener_facts& listener() const { return rules_.settings.listeners[x_.facts.listener]; }

  /// When the answer's head is due: counted from the end of the request's being sent.
  [[nodiscard]] time_point answer_deadline() const {
    const std::optional<duration>& limit = timeouts().response_header;
    return limit ? std::min(request_sent_at_ + *limit, total_deadline_) : total_deadline_;
  }
  /// When the exchange has been idle for too long, as of now: no byte moved in either direction.
  [[nodiscard]] time_point idle_deadline() const {
    const std::optional<duration>& idle = timeouts().stream_idle;
    return idle ? std::min(moved_at_ + *idle, total_deadline_) : total_deadline_;
  }
  /// Whether something moved on the other side since, so that a wait which timed out goes on.
  [[nodiscard]] bool moved_lately() const {
    return timeouts().stream_idle && now() < moved_at_ + *timeouts().stream_idle && !total_is_over();
  }
  void add_decision_fields(added_fields& added, std::uint16_t status);
  [[nodiscard]] bool shows_decision(std::uint16_t status) const;

  forwarder& f_;
  edge::exchange& x_;
  const active_configuration& active_;  // until the first wait
  const local_ref<route_view> view_;    // of the same generation
  const request_rules& rules_;
  const io::loop_clock started_;
  bool trusted_ = false;
  bool debug_ = false;
  bool left_ = false;

  // The decision, and what it leads to.
  std::string_view key_;
  std::optional<decision> decision_;
  placement_view* placement_ = nullptr;
  const routed_cell* cell_ = nullptr;  // of the placement
  endpoint_state* endpoint_ = nullptr;
  fixed_text<1536> route_decision_;  // a key of 256 bytes may take three times as many, each id 128
  bool has_try_ = false;             // whether `route_decision_` tells the attempt that was answered

  // The request on its way up.
  edit_texts texts_;
  std::string_view request_id_;
  added_fields request_added_;
  std::array<char, 20> forwards_left_;  // of OPTIONS and TRACE
  edge::body_piece first_;
  time_point total_deadline_ = time_point::max();

  // The attempt that runs.
  edge::upstream_stream* upstream_ = nullptr;
  bool request_sent_ = false;
  bool answer_begun_ = false;  // its head is on its way to the client, or was refused
  bool head_came_ = false;
  edge::stream_fault attempt_fault_ = edge::stream_fault::none;
  std::optional<failure> body_failure_;
  time_point request_sent_at_;
  time_point moved_at_;
  std::uint16_t attempt_status_ = 0;

  // For log and metrics.
  std::uint16_t status_ = 0;
  std::optional<failure> failure_;
  request_outcome outcome_ = request_outcome::refused;
  std::uint32_t attempts_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::optional<duration> upstream_elapsed_;
  std::optional<duration> ttfb_;
  std::optional<retry_reason> retried_;
};

}  // namespace cellroute::proxy
