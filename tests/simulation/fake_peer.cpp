#include "tests/simulation/fake_peer.hpp"

#include <algorithm>

#include "adapters/io/address.hpp"

namespace cellroute::simulation {
namespace {

/// Names that forwarding acts on; a protocol machine classifies them, so these objects must too.
field_name classify(std::string_view name) {
  static constexpr std::pair<std::string_view, field_name> known[] = {
      {"Accept", field_name::accept},
      {"Forwarded", field_name::forwarded},
      {"User-Agent", field_name::user_agent},
      {"X-Cell-Key", field_name::x_cell_key},
      {"X-Forwarded-For", field_name::x_forwarded_for},
      {"X-Forwarded-Host", field_name::x_forwarded_host},
      {"X-Forwarded-Port", field_name::x_forwarded_port},
      {"X-Forwarded-Proto", field_name::x_forwarded_proto},
      {"X-Request-Id", field_name::x_request_id},
      {"X-Route-Reason", field_name::x_route_reason},
      {"X-Routed-To", field_name::x_routed_to},
      {"X-Routing-Key", field_name::x_routing_key},
  };
  const auto* const found = std::ranges::find(known, name, &std::pair<std::string_view, field_name>::first);
  return found == std::end(known) ? field_name::other : found->second;
}

std::vector<field> views_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<field> views;
  for (const auto& [name, value] : fields) views.push_back({name, value, classify(name), false});
  return views;
}

}  // namespace

fake_client::fake_client(manual_time& time, transcript& out, client_request what)
    : out_(out), what_(std::move(what)), from_(time), to_(time) {
  fields_ = views_of(what_.fields);
  request.method = what_.method;
  request.scheme = "http";
  request.authority = "app.example";
  request.target = what_.target;
  request.fields = fields_;
  request.body = what_.body;
  request.expects_continue = what_.expects_continue;
  request.upgrade = what_.upgrade;
  facts.peer = io::parse_address(what_.peer, 40000).value_or(io::socket_address{});
  facts.local_port = 8080;
  if (what_.refused_status != 0) refused = {what_.refused_status, "the head is not fit to be read"};
  from_.set_trailers(what_.trailers);
  sent_content_ = what_.content;
  sent_end_ = what_.content_ends;
  if (what_.content_breaks) {
    from_.content.push({"", false, edge::stream_fault::malformed});
  } else if (!what_.content.empty() || what_.content_ends) {
    from_.content.push({what_.content, what_.content_ends, edge::stream_fault::none});
  }
}

void fake_client::leaves(bool reads_end_first) {
  if (left_) return;
  left_ = true;
  out_.say(name() + ": leaves");
  if (reads_end_first) from_.end_with(edge::stream_fault::closed);
  edge::leaving_watcher* const told = std::exchange(watcher_, nullptr);
  if (told != nullptr) told->on_client_left();
  // The session may have ended already; its peer has gone either way.
  from_.end_with(edge::stream_fault::closed);
  to_.end_with(edge::stream_fault::closed);
}

void fake_client::check_send(std::string_view what) {
  if (to_.is_waiting()) out_.blame(name() + ": two sends at once");
  if (answer_ended_) out_.blame(name() + ": " + std::string(what) + " behind the end of the answer");
}

io::task<edge::stream_fault> fake_client::send_interim(const edge::outgoing_response& head, time_point deadline) {
  check_send("an interim answer");
  if (heads_ != 0) out_.blame(name() + ": an interim answer behind the head");
  const edge::stream_fault fault = co_await to_.pass(deadline);
  if (fault == edge::stream_fault::none) out_.say(name() + ": " + std::to_string(head.view->status));
  co_return fault;
}

io::task<edge::stream_fault> fake_client::send_head(const edge::outgoing_response& head, edge::body_piece first,
                                                    std::span<const field> trailers, time_point deadline) {
  check_send("a head");
  if (heads_ != 0) out_.blame(name() + ": a second head");
  if (head.view->status < 200 && head.view->status != 101) out_.blame(name() + ": an interim answer as the last word");
  if (left_) out_.blame(name() + ": an answer to a client that left");
  ++heads_;
  const edge::stream_fault fault = co_await to_.pass(deadline);
  if (fault != edge::stream_fault::none) co_return fault;
  by_cell_ = value_of(head.added, "Proxy-Status").find("error=") == std::string_view::npos;
  std::string line = name() + ": " + std::to_string(head.view->status);
  if (out_.shows_fields) {
    line += fields_text(head.view->fields, head.added);
  } else {
    for (const auto& [label, field] : {std::pair("to", "X-Routed-To"), std::pair("reason", "X-Route-Reason")}) {
      const std::string_view value = value_of(head.added, field);
      if (!value.empty()) line += std::string(" ") + label + "=" + std::string(value);
    }
    const std::string_view status = value_of(head.added, "Proxy-Status");
    const std::size_t error = status.find("error=");
    if (error != std::string_view::npos)
      line += " " + std::string(status.substr(error, status.find(';', error) - error));
    if (head.close) line += " close";
  }
  answer_content_ += std::string_view(first.data, first.size_bytes);
  answer_ended_ = first.end;
  out_.say(line + content_text(first) + fields_text(trailers, {}));
  co_return edge::stream_fault::none;
}

io::task<edge::stream_fault> fake_client::send_body(edge::body_piece piece, std::span<const field> trailers,
                                                    time_point deadline) {
  check_send("content");
  if (heads_ == 0) out_.blame(name() + ": content before the head");
  const edge::stream_fault fault = co_await to_.pass(deadline);
  if (fault != edge::stream_fault::none) co_return fault;
  answer_content_ += std::string_view(piece.data, piece.size_bytes);
  answer_ended_ = piece.end;
  out_.say(name() + ":" + content_text(piece) + fields_text(trailers, {}));
  co_return edge::stream_fault::none;
}

fake_connection::fake_connection(manual_time& time, transcript& out, std::string name)
    : time_(time), out_(out), name_(std::move(name)), connecting_(time), head_waits_(time) {}

void fake_connection::lend() {
  if (lent_) out_.blame(name_ + ": lent twice");
  lent_ = true;
  idle_ = has_request_ = request_ended_ = answered_ = final_head_ = closes_ = tunnel_ = false;
  asks_upgrade_ = given_head_ = answer_end_sent_ = false;
  // Bytes that came while the connection was idle stay: only a failure does, since a fit one has no others.
  from_.emplace(time_);
  to_.emplace(time_);
  if (failed_ != edge::stream_fault::none) from_->end_with(failed_);
  heads_.clear();
  request_name_.clear();
  request_content_.clear();
  answer_content_.clear();
}

void fake_connection::answers(cell_answer answer) {
  answered_ = true;
  if (answer.status >= 200 || answer.status == 101) {
    given_head_ = true;
    from_->set_trailers(answer.trailers);
    answer_content_ = answer.content;
    answer_end_sent_ = answer.status != 101 && answer.content_ends;
  }
  if (answer.breaks) {
    from_->content.push({"", false, edge::stream_fault::malformed});
  } else if (answer.status >= 200 && (!answer.content.empty() || answer.content_ends)) {
    from_->content.push({answer.content, answer.content_ends, edge::stream_fault::none});
  }
  closes_ = closes_ || answer.closes;
  heads_.push_back(std::move(answer));
  head_waits_.wake();
}

void fake_connection::fail(edge::stream_fault fault) {
  failed_ = fault;
  if (!lent_) return;
  // Whoever is woken may release this connection; it stays in memory, and later wakes find nobody.
  head_waits_.wake();
  from_->end_with(fault);
  to_->end_with(fault);
}

io::task<edge::stream_fault> fake_connection::connect(time_point deadline) {
  out_.say(name_ + ": connect");
  while (!connect_outcome) {
    if (failed_ != edge::stream_fault::none) co_return failed_;
    const bool woken = co_await connecting_.until(deadline);
    if (!woken) co_return edge::stream_fault::timed_out;
  }
  co_return *connect_outcome;
}

io::task<edge::stream_fault> fake_connection::send_head(const edge::outgoing_request& head, edge::body_piece first,
                                                        std::span<const field> trailers, time_point deadline) {
  if (has_request_) out_.blame(name_ + ": a second request");
  has_request_ = true;
  const edge::stream_fault fault = co_await to_->pass(deadline);
  if (fault != edge::stream_fault::none) co_return fault;
  std::string line = name_ + ": " + std::string(head.view->method) + " " + std::string(head.view->target);
  if (out_.shows_fields)
    line += "\n  Host: " + std::string(head.authority) + fields_text(head.view->fields, head.added);
  request_name_ = value_of(head.added, "X-Request-Id");
  asks_upgrade_ = !head.view->upgrade.empty();
  request_content_ = std::string_view(first.data, first.size_bytes);
  request_ended_ = first.end;
  out_.say(line + content_text(first) + fields_text(trailers, {}));
  co_return edge::stream_fault::none;
}

io::task<edge::stream_fault> fake_connection::send_body(edge::body_piece piece, std::span<const field> trailers,
                                                        time_point deadline) {
  if (to_->is_waiting()) out_.blame(name_ + ": two sends at once");
  if (request_ended_ && !tunnel_) out_.blame(name_ + ": content behind the end of the request");
  const edge::stream_fault fault = co_await to_->pass(deadline);
  if (fault != edge::stream_fault::none) co_return fault;
  request_content_ += std::string_view(piece.data, piece.size_bytes);
  request_ended_ = piece.end;
  out_.say(name_ + ":" + content_text(piece) + fields_text(trailers, {}));
  co_return edge::stream_fault::none;
}

io::task<edge::answer_head> fake_connection::read_head(time_point deadline) {
  if (head_waits_.is_waiting()) out_.blame(name_ + ": two reads of a head at once");
  for (;;) {
    if (failed_ == edge::stream_fault::cancelled) co_return edge::answer_head{failed_, nullptr};
    if (!heads_.empty()) break;
    if (failed_ != edge::stream_fault::none) co_return edge::answer_head{failed_, nullptr};
    const bool woken = co_await head_waits_.until(deadline);
    if (!woken) co_return edge::answer_head{edge::stream_fault::timed_out, nullptr};
  }
  spoken_ = std::move(heads_.front());
  heads_.pop_front();
  spoken_fields_ = views_of(spoken_.fields);
  view_ = {};
  view_.status = spoken_.status;
  view_.fields = spoken_fields_;
  view_.body = spoken_.body;
  final_head_ = spoken_.status >= 200 || spoken_.status == 101;
  co_return edge::answer_head{edge::stream_fault::none, &view_};
}

void fake_connection::cancel() {
  failed_ = edge::stream_fault::cancelled;
  connecting_.wake();
  head_waits_.wake();
  from_->end_with(failed_);
  to_->end_with(failed_);
}

void fake_connection::release() {
  if (!lent_) out_.blame(name_ + ": released twice");
  lent_ = false;
  const bool whole = request_ended_ && final_head_ && from_->content.has_ended() && !closes_ && !tunnel_ &&
                     failed_ == edge::stream_fault::none;
  from_->content.give_back();
  if (has_request_) out_.carried.push_back({request_name_, request_content_, answer_content_, answered_});
  if (whole) {
    ++served_;
    idle_ = true;
  } else if (has_request_ || connect_outcome == edge::stream_fault::none) {
    out_.say(name_ + ": closed");
  }
}

}  // namespace cellroute::simulation
