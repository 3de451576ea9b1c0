#include "adapters/proxy/forwarding.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/proxy/head_edits.hpp"
#include "adapters/proxy/local_answer.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/base/escape.hpp"

namespace cellroute::proxy {
namespace {

/// A Connection of the client's that names the key's field takes it from the next hop no more than from us.
void keep_key_field(std::span<field> fields, const key_header& header) {
  for (field& f : fields) {
    if (carries_key(f, header)) f.skip = false;
  }
}

/// Methods whose repetition does no harm. Source: RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  static constexpr std::string_view idempotent[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  return std::ranges::find(idempotent, method) != std::end(idempotent);
}

}  // namespace

bool forwarding::is_replayable() const { return first_.end && is_idempotent(x_.request.method); }

bool forwarding::shows_decision(std::uint16_t status) const {
  switch (rules_.settings.decision.headers) {
    case wire::decision_headers::always:
      return true;
    case wire::decision_headers::errors:
      return status >= 400 || debug_;
    case wire::decision_headers::debug:
      return debug_;
    case wire::decision_headers::never:
      return false;
  }
  return false;
}

void forwarding::add_decision_fields(added_fields& added, std::uint16_t status) {
  if (decision_ && shows_decision(status)) {
    added.add("X-Routed-To", cell_->routed_to);
    added.add("X-Route-Reason", to_string(decision_->why));
    if (!route_decision_.view().empty()) {
      if (!std::exchange(has_try_, true)) {
        route_decision_.append(";try=");
        append_number(route_decision_, attempts_);
      }
      added.add("X-Route-Decision", route_decision_.view());
    }
  }
  if (!request_id_.empty()) added.add(rules_.request_id.header, request_id_);
}

std::optional<failure> forwarding::route() {
  const std::vector<std::string>& methods = rules_.settings.http.methods;
  if (!methods.empty() && std::ranges::find(methods, x_.request.method) == methods.end())
    return failure::method_refused;
  const auto key = read_routing_key(x_.request.fields, rules_.key);
  if (!key) return failure_of(key.error());
  key_ = *key;
  if (rules_.key.id == field_name::other) keep_key_field(x_.request.fields, rules_.key);
  const routing_table& table = active_.table;
  const auto made = table.route(*key, key_origin{key_source::header, rules_.key.name}, f_.clock_.wall);
  if (!made) return table.is_none() ? failure::no_configuration : failure::unknown_key;
  decision_ = *made;
  placement_ = &view_->placement_at(made->placement);
  cell_ = &placement_->cell_at(made->cell);
  if (rules_.settings.decision.route_decision || debug_) write_route_decision(route_decision_, *made, table.fleet());
  f_.metrics_.request_started(placement_->label);
  f_.metrics_.route_hit(0, f_.reason_labels_[static_cast<std::size_t>(made->why)]);
  return std::nullopt;
}

/// Counts down the Max-Forwards of the two methods that have it. Source: RFC 9110 section 7.6.2.
std::optional<failure> forwarding::count_forwards() {
  const std::string_view method = x_.request.method;
  if (method != "OPTIONS" && method != "TRACE") return std::nullopt;
  for (field& f : x_.request.fields) {
    if (!equal_ignoring_case(f.name, "Max-Forwards")) continue;
    std::uint64_t left = 0;
    const char* const end = f.value.data() + f.value.size();
    const auto read = std::from_chars(f.value.data(), end, left);
    if (read.ec != std::errc{} || read.ptr != end) continue;  // no number: passed on as it is
    if (left == 0) return method == "TRACE" ? failure::method_refused : failure::not_forwarded;
    f.skip = true;
    const auto written = std::to_chars(forwards_left_.begin(), forwards_left_.end(), left - 1);
    request_added_.add("Max-Forwards", {forwards_left_.begin(), written.ptr});
    break;
  }
  return std::nullopt;
}

void forwarding::prepare_request() {
  edit_forwarded(x_.request, x_.facts.peer, x_.facts.local_port, trusted_, texts_, request_added_);
  request_added_.add(rules_.request_id.header, request_id_);
  request_added_.add("X-Cell-Key", decision_->key);
  request_added_.add("X-Cell-Placement", placement_->id);
}

io::task<void> forwarding::run() {
  if (x_.refused.status != 0) {
    random_numbers& ids = f_.ids_;
    request_id_ = take_request_id(x_.request.fields, rules_.request_id, ids, texts_.made_request_id);
    co_await refuse(x_.refused.status == 405 ? failure::method_refused : failure::malformed_request);
    co_return;
  }
  trusted_ = !listener().trusted_proxies.empty() && is_trusted(x_.facts.peer, listener().trusted_proxies);
  if (trusted_) {
    debug_ = std::ranges::any_of(x_.request.fields, [](const field& f) {
      return f.value == "1" && equal_ignoring_case(f.name, "X-Debug-Route");
    });
  }
  request_id_ = take_request_id(x_.request.fields, rules_.request_id, f_.ids_, texts_.made_request_id);
  if (const std::optional<failure> refused = route()) {
    co_await refuse(*refused);
    co_return;
  }
  first_ = x_.first_body();
  bytes_in_ = first_.size_bytes;
  const std::optional<std::uint64_t>& body_max = placement_->policy.request_body_max;
  if (first_.fault != edge::stream_fault::none) {
    co_await refuse(failure_of_body(first_.fault));
    co_return;
  }
  if (body_max && std::max<std::uint64_t>(x_.request.body.length_bytes.value_or(0), bytes_in_) > *body_max) {
    co_await refuse(failure::body_too_large);
    co_return;
  }
  if (const std::optional<failure> ended = count_forwards()) {
    co_await refuse(*ended);
    co_return;
  }
  prepare_request();
  if (timeouts().total) total_deadline_ = now() + *timeouts().total;
  x_.watch_leaving(this);
  if (x_.has_left()) {
    left_ = true;
    x_.abort();
    co_return;
  }

  cell_state& cell = *cell_->state;
  std::optional<std::size_t> chosen = cell.balancer.pick();
  if (!chosen) {
    co_await refuse(failure::no_endpoint);
    co_return;
  }
  bool fresh = false;
  std::uint32_t retries_left = placement_->policy.retries.attempts;
  for (;;) {
    const attempt_end end = co_await attempt(cell, *chosen, fresh, retries_left > 0);
    if (end == attempt_end::done) co_return;
    --retries_left;
    fresh = true;
    if (end == attempt_end::retry_other) {
      chosen = cell.balancer.pick_other_than(*chosen);
      fresh = false;
      if (!chosen) {
        co_await refuse(*failure_);
        co_return;
      }
      retried_ = retry_reason::connect_failed;
      failure_.reset();
    }
  }
}

io::task<forwarding::attempt_end> forwarding::attempt(cell_state& cell, std::size_t endpoint_index, bool fresh,
                                                      bool may_retry) {
  endpoint_ = &*cell.endpoints[endpoint_index];
  ++attempts_;
  attempt_fault_ = edge::stream_fault::none;
  attempt_status_ = 0;
  request_sent_ = head_came_ = false;
  edge::upstream_source* const source = endpoint_->source();
  if (source == nullptr) {
    failure_ = failure::name_not_resolved;
    finish_attempt();
    co_await refuse(failure::name_not_resolved);
    co_return attempt_end::done;
  }
  const edge::connection_need need = fresh             ? edge::connection_need::fresh
                                     : is_replayable() ? edge::connection_need::idle
                                                       : edge::connection_need::asked;
  const edge::upstream_handle handle = source->take(need);
  upstream_ = handle.get();
  upstream_->welcome_pipes(x_.takes_pipes());
  x_.welcome_pipes(upstream_->takes_pipes());
  struct forget {
    edge::upstream_stream*& stream;
    ~forget() { stream = nullptr; }
  } const forget_at_end{upstream_};

  const bool reused = upstream_->is_reused();
  if (!reused) {
    const edge::stream_fault fault = co_await upstream_->connect(within(timeouts().connect));
    if (fault != edge::stream_fault::none) {
      if (left_) {
        attempt_fault_ = fault;
        finish_attempt();
        x_.abort();
        co_return attempt_end::done;
      }
      const failure why = fault == edge::stream_fault::timed_out && total_is_over() ? failure::total_timeout
                          : fault == edge::stream_fault::timed_out                  ? failure::connect_timeout
                          : fault == edge::stream_fault::no_descriptor              ? failure::no_descriptor
                                                                                    : failure::connect_refused;
      failure_ = why;
      attempt_fault_ = fault;
      finish_attempt();
      if (may_retry && !total_is_over()) co_return attempt_end::retry_other;
      co_await refuse(why);
      co_return attempt_end::done;
    }
  }

  edge::outgoing_request out;
  out.view = &x_.request;
  out.added = request_added_.span();
  const bool own_name = placement_->policy.host == host_policy::upstream || x_.request.authority.empty();
  out.authority = own_name ? std::string_view(endpoint_->authority) : x_.request.authority;
  moved_at_ = now();
  const std::span<const field> trailers = first_.end ? std::span<const field>(x_.trailers()) : edge::no_trailers;
  attempt_fault_ = co_await upstream_->send_head(out, first_, trailers, within(timeouts().stream_idle));
  if (attempt_fault_ == edge::stream_fault::none) {
    if (first_.end) {
      request_sent_ = true;
      request_sent_at_ = now();
      co_await relay_answer();
    } else {
      co_await io::join(send_request_body(), relay_answer_or_refuse());
    }
  }
  finish_attempt();
  if (attempt_fault_ == edge::stream_fault::none || answer_begun_) co_return attempt_end::done;
  if (left_) {
    x_.abort();
    co_return attempt_end::done;
  }
  if (reused && may_retry && attempt_fault_ == edge::stream_fault::closed && !upstream_->has_answered() &&
      is_replayable() && !total_is_over()) {
    retried_ = retry_reason::reused_connection_ended;
    failure_.reset();
    co_return attempt_end::retry_same;
  }
  co_await refuse(total_is_over() ? failure::total_timeout : failure_of_upstream(attempt_fault_));
  co_return attempt_end::done;
}

io::task<void> forwarding::send_request_body() {
  const std::optional<std::uint64_t>& body_max = placement_->policy.request_body_max;
  for (;;) {
    // A client that waits for 100 is not late before it was told to go on.
    const std::optional<duration>& patience =
        x_.request.expects_continue && bytes_in_ == 0 ? timeouts().stream_idle : timeouts().request_body_idle;
    edge::body_piece piece = co_await x_.read_body(within(patience));
    bytes_in_ += piece.size_bytes;
    moved_at_ = now();
    if (piece.fault == edge::stream_fault::none && body_max && bytes_in_ > *body_max) {
      piece.fault = edge::stream_fault::too_large;
    }
    if (piece.fault != edge::stream_fault::none) {
      if (piece.fault == edge::stream_fault::cancelled && !left_) co_return;  // the answer did not need the rest
      const bool late = piece.fault == edge::stream_fault::timed_out && total_is_over();
      body_failure_ = late ? failure::total_timeout : failure_of_body(piece.fault);
      if (*body_failure_ == failure::client_left) left_ = true;
      if (upstream_ != nullptr) upstream_->cancel();
      co_return;
    }
    const std::span<const field> trailers = piece.end ? x_.trailers() : std::span<field>{};
    const edge::stream_fault fault = co_await upstream_->send_body(piece, trailers, within(timeouts().stream_idle));
    moved_at_ = now();
    if (fault != edge::stream_fault::none) co_return;  // the answer tells why, or that there is none
    if (piece.end) {
      request_sent_ = true;
      request_sent_at_ = now();
      if (!head_came_) upstream_->expect_answer_by(answer_deadline());
      co_return;
    }
  }
}

io::task<void> forwarding::relay_answer_or_refuse() {
  co_await relay_answer();
  // The client's content is still being read: an answer of our own has to be given here, and ends the reading.
  if (attempt_fault_ != edge::stream_fault::none && !answer_begun_ && !left_) {
    co_await refuse(body_failure_     ? *body_failure_
                    : total_is_over() ? failure::total_timeout
                                      : failure_of_upstream(attempt_fault_));
  }
  if (!request_sent_ && (attempt_fault_ != edge::stream_fault::none || upstream_->closes_after_answer())) {
    x_.stop_reading();
  }
}

void forwarding::note_answer(const response_view& head) {
  head_came_ = true;
  attempt_status_ = head.status;
  if (request_sent_) upstream_elapsed_ = now() - request_sent_at_;
  ttfb_ = now() - started_.now;
  status_ = head.status;
  moved_at_ = now();
  answer_begun_ = true;
}

io::task<void> forwarding::relay_answer() {
  edge::answer_head answer;
  for (;;) {
    answer = co_await upstream_->read_head(request_sent_ ? answer_deadline() : idle_deadline());
    if (answer.fault == edge::stream_fault::timed_out && !total_is_over()) {
      if (request_sent_ ? now() < answer_deadline() : moved_lately()) continue;
    }
    if (answer.fault != edge::stream_fault::none) {
      attempt_fault_ = answer.fault;
      co_return;
    }
    const std::uint16_t status = answer.head->status;
    if (status >= 200 || status == 101) break;
    edge::outgoing_response interim;
    interim.view = answer.head;
    remove_decision_fields(answer.head->fields, rules_.request_id);
    const edge::stream_fault fault = co_await x_.send_interim(interim, within(timeouts().stream_idle));
    if (fault != edge::stream_fault::none) {
      left_ = true;
      attempt_fault_ = edge::stream_fault::cancelled;
      co_return;
    }
  }

  response_view& head = *answer.head;
  note_answer(head);
  const bool tunnel = head.status == 101;
  remove_decision_fields(head.fields, rules_.request_id);
  added_fields added;
  add_decision_fields(added, head.status);
  added.add("Proxy-Status", "cellroute");
  if (find_field(head.fields, field_name::date) == nullptr) added.add("Date", f_.date());
  edge::outgoing_response out;
  out.view = &head;
  out.added = added.span();
  out.close = !request_sent_ && upstream_->closes_after_answer();  // the rest of the request will not be read
  edge::body_piece piece = tunnel ? edge::body_piece{} : upstream_->first_body();
  if (piece.fault != edge::stream_fault::none) {  // content that breaks its framing at once: nothing was sent yet
    attempt_fault_ = piece.fault;
    answer_begun_ = false;
    co_return;
  }
  bytes_out_ += piece.size_bytes;
  std::span<const field> first_trailers;
  if (piece.end) first_trailers = upstream_->trailers();
  edge::stream_fault sent = co_await x_.send_head(out, piece, first_trailers, within(timeouts().stream_idle));
  moved_at_ = now();
  if (tunnel && sent == edge::stream_fault::none) {
    x_.become_tunnel();
    upstream_->become_tunnel();
    outcome_ = request_outcome::forwarded;
    co_await io::join(relay_tunnel(true), relay_tunnel(false));
    co_return;
  }
  while (sent == edge::stream_fault::none && !piece.end) {
    piece = co_await upstream_->read_body(idle_deadline());
    if (piece.fault == edge::stream_fault::timed_out && moved_lately()) continue;
    if (piece.fault != edge::stream_fault::none) {
      attempt_fault_ = piece.fault;
      failure_ = total_is_over()                                ? failure::total_timeout
                 : piece.fault == edge::stream_fault::timed_out ? failure::stream_idle
                 : body_failure_                                ? *body_failure_
                                                                : failure_of_upstream(piece.fault);
      outcome_ = request_outcome::cut;
      x_.abort();
      co_return;
    }
    moved_at_ = now();
    bytes_out_ += piece.size_bytes;
    const std::span<const field> trailers = piece.end ? upstream_->trailers() : std::span<field>{};
    sent = co_await x_.send_body(piece, trailers, within(timeouts().stream_idle));
    moved_at_ = now();
  }
  if (sent != edge::stream_fault::none) {
    left_ = true;
    x_.abort();
    x_.stop_reading();
    upstream_->cancel();
    co_return;
  }
  outcome_ = request_outcome::forwarded;
}

io::task<void> forwarding::relay_tunnel(bool upwards) {
  for (;;) {
    edge::body_piece piece;
    if (upwards) {
      piece = co_await x_.read_body(idle_deadline());
    } else {
      piece = co_await upstream_->read_body(idle_deadline());
    }
    if (piece.fault == edge::stream_fault::timed_out && moved_lately()) continue;
    (upwards ? bytes_in_ : bytes_out_) += piece.size_bytes;
    moved_at_ = now();
    edge::stream_fault fault = piece.fault;
    if (fault == edge::stream_fault::none) {
      if (upwards) {
        fault = co_await upstream_->send_body(piece, edge::no_trailers, within(timeouts().stream_idle));
      } else {
        fault = co_await x_.send_body(piece, edge::no_trailers, within(timeouts().stream_idle));
      }
    }
    moved_at_ = now();
    if (fault != edge::stream_fault::none) {  // nothing more can pass in one direction: the other has no use either
      if (piece.fault == edge::stream_fault::timed_out) {
        failure_ = total_is_over() ? failure::total_timeout : failure::stream_idle;
      } else if (!upwards && piece.fault == edge::stream_fault::closed) {
        failure_ = failure::upstream_closed;
      }
      if (failure_ == failure::upstream_closed) outcome_ = request_outcome::cut;
      upstream_->cancel();
      x_.stop_reading();
      x_.abort();
      co_return;
    }
    if (piece.end) co_return;
  }
}

io::task<void> forwarding::refuse(failure why) {
  if (why == failure::client_left) left_ = true;
  if (left_) {
    x_.abort();
    co_return;
  }
  const failure_outcome what = outcome_of(why);
  failure_ = why;
  outcome_ = what.upstream ? request_outcome::upstream_error : request_outcome::refused;
  status_ = why == failure::malformed_request ? x_.refused.status : what.status;
  answer_begun_ = true;

  const std::string_view message = why == failure::malformed_request ? x_.refused.details
                                   : why == failure::key_missing     ? std::string_view(rules_.key_missing_message)
                                                                     : what.message;
  added_fields added;
  add_decision_fields(added, status_);
  local_answer answer(status_, what.code, what.error, message, request_id_, wants_json(x_.request.fields));
  answer.add_to(added);
  if (why == failure::method_refused || why == failure::not_forwarded) added.add("Allow", rules_.allowed_methods);
  if (why == failure::no_configuration) added.add("Retry-After", "5");
  added.add("Date", f_.date());
  response_view view = answer.view();
  edge::outgoing_response out;
  out.view = &view;
  out.added = added.span();
  out.close = !x_.settle_body();
  edge::body_piece body = answer.body();
  bytes_out_ += body.size_bytes;
  ttfb_ = now() - started_.now;
  const edge::stream_fault sent = co_await x_.send_head(out, body, edge::no_trailers, now() + 10s);
  if (sent != edge::stream_fault::none) x_.abort();
}

}  // namespace cellroute::proxy
