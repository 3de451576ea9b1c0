// What is told of a request when it ends, and of each attempt: counters and one log record.
#include "adapters/edge/request_id.hpp"
#include "adapters/proxy/forwarding.hpp"

namespace cellroute::proxy {
namespace {

/// The key as the log may show it. The hash tells keys apart without naming them; it is no secret-keeping one.
std::string_view printed_key(std::string_view key, wire::key_printing how, std::array<char, 16>& hash) {
  switch (how) {
    case wire::key_printing::plain:
      return key;
    case wire::key_printing::hash:
      if (key.empty()) return {};
      return edge::write_hex(text_hasher(0)(key), hash);
    case wire::key_printing::off:
      return {};
  }
  return {};
}

}  // namespace

forwarding::~forwarding() {
  --f_.active_;
  x_.watch_leaving(nullptr);
  if (left_ && outcome_ != request_outcome::forwarded) {
    status_ = outcome_of(failure::client_left).status;
    outcome_ = request_outcome::client_gone;
    failure_ = failure::client_left;
  }
  const duration elapsed = now() - started_.now;
  finished_request counted;
  counted.listener = listener().label;
  counted.placement = placement_ == nullptr ? 0 : placement_->label;
  counted.method = classify_method(x_.request.method);
  counted.status = status_;
  counted.outcome = outcome_;
  counted.elapsed = elapsed;
  f_.metrics_.request_finished(counted);
  if (placement_ != nullptr) f_.metrics_.request_ended(placement_->label);
  if (retried_ && placement_ != nullptr) {
    f_.metrics_.retried(placement_->label, *retried_, failure_ ? retry_result::failed : retry_result::answered);
  }
  if (!rules_.settings.logs_access) return;
  const sampling_decision sampled = rules_.sampling.decide(status_, elapsed, key_, f_.chance_);
  f_.metrics_.access_sampled(sampled);
  if (sampled == sampling_decision::dropped) return;

  std::array<char, 16> key_hash;
  process::access_record record;
  record.timestamp = started_.wall;
  record.request_id = request_id_;
  record.method = x_.request.method;
  const std::string_view target = x_.request.target;
  const std::size_t question = target.find('?');
  record.path = target.substr(0, question);
  if (question != std::string_view::npos) record.query = target.substr(question + 1);
  if (rules_.settings.decision.log) record.routing_key = printed_key(key_, rules_.settings.key_printing, key_hash);
  record.is_key_hashed = rules_.settings.key_printing == wire::key_printing::hash;
  if (decision_ && rules_.settings.decision.log) {
    record.placement_key = placement_->id;
    record.route_reason = to_string(decision_->why);
    record.cell = cell_->state->id;
    record.generation = decision_->generation.value;
    record.key_source = to_string(decision_->source);
  }
  if (endpoint_ != nullptr) {
    record.upstream_url = endpoint_->url;
    record.endpoint = endpoint_->id;
  }
  record.status_code = status_;
  record.elapsed = elapsed;
  record.attempts = attempts_;
  record.listener = listener().name;
  record.protocol = edge::to_string(x_.facts.version);
  record.host = x_.request.authority;
  record.bytes_in = bytes_in_;
  record.bytes_out = bytes_out_;
  record.is_secure = x_.facts.secure;
  record.peer = x_.facts.peer;
  std::array<char, 46> client_text;
  record.client_ip = client_address(x_.request.fields, x_.facts.peer, listener().trusted_proxies, client_text);
  if (const field* f = find_field(x_.request.fields, field_name::user_agent)) record.user_agent = f->value;
  if (const field* f = find_field(x_.request.fields, field_name::referer)) record.referer = f->value;
  record.upstream_elapsed = upstream_elapsed_;
  record.ttfb = ttfb_;
  if (failure_) record.proxy_error = outcome_of(*failure_).error;
  record.sampled = to_string(sampled);
  f_.log_.push(record);
}

void forwarding::finish_attempt() {
  finished_attempt done;
  done.placement = placement_->label;
  done.cell = cell_->state->label;
  done.endpoint = endpoint_->label;
  done.status = attempt_status_;
  done.latency = upstream_elapsed_;
  const bool own_lack = attempt_fault_ == edge::stream_fault::no_descriptor;
  if (left_ || body_failure_ || own_lack) {
    done.outcome = attempt_outcome::cancelled;  // what a client or this router lacks is never an upstream's failure
  } else if (attempt_fault_ != edge::stream_fault::none ||
             (failure_ && outcome_of(*failure_).upstream &&
              attempt_status_ != 101)) {  // a tunnel was had, however it ended
    done.outcome = attempt_outcome::failed;
    const failure why = failure_.value_or(failure_of_upstream(attempt_fault_));
    done.error = outcome_of(why).upstream;
  }
  f_.metrics_.attempt_finished(done);
}

}  // namespace cellroute::proxy
