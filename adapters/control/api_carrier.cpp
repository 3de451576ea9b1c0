#include "adapters/control/api_carrier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "adapters/control/api_server.hpp"
#include "adapters/control/has_field.hpp"
#include "adapters/control/request_trace.hpp"
#include "adapters/io/tls_session.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::control {
namespace {

constexpr duration step_timeout = 30s;      // for a client that sends or takes nothing
constexpr duration answer_timeout = 10min;  // a million rows take seconds, and those before them, too

/// What the API looks at. Ranges and codings of the answer are not among it: it answers as it is asked, whole.
bool is_passed_on(std::string_view name) {
  constexpr std::string_view names[] = {"Accept",   "Authorization", "Content-Type",  "Idempotency-Key",
                                        "If-Match", "If-None-Match", "Last-Event-ID", "Origin"};
  return std::ranges::any_of(names, [name](std::string_view each) { return equal_ignoring_case(each, name); });
}

/// The methods that the API has pages for, and one that each of them refuses.
bool is_known(std::string_view method) {
  constexpr std::string_view methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::ranges::find(methods, method) != std::end(methods);
}

/// The values of all fields of a name, with commas between them.
std::string joined(std::span<const field> fields, std::string_view name) {
  std::string all;
  for (const field& f : fields) {
    if (!equal_ignoring_case(f.name, name)) continue;
    if (!all.empty()) all += ", ";
    all += f.value;
  }
  return all;
}

/// Its client's leaving ends it.
class leaving final : public edge::leaving_watcher {
 public:
  leaving(edge::exchange& x, edge::upstream_stream& stream) : x_(x), stream_(stream) { x_.watch_leaving(this); }
  leaving(const leaving&) = delete;
  leaving& operator=(const leaving&) = delete;
  ~leaving() { x_.watch_leaving(nullptr); }
  void on_client_left() override { stream_.cancel(); }

 private:
  edge::exchange& x_;
  edge::upstream_stream& stream_;
};

}  // namespace

/// One request on its way there and back.
class api_carrier::request {
 public:
  request(api_carrier& of, edge::exchange& x) : of_(of), x_(x), trace_(of.answers_.log().trace_of(x.request)) {
    ++of_.requests_;
  }
  request(const request&) = delete;
  request& operator=(const request&) = delete;
  ~request() { --of_.requests_; }

  io::task<void> carry() {
    if (!is_known(x_.request.method)) {
      co_await refuse(501, "method", "no page takes this method");
      co_return;
    }
    // Nobody is to send what is not taken.
    body_max_ = body_max_of(x_.request.method, x_.request.target, of_.body_max_);
    if (x_.request.body.length_bytes.value_or(0) > body_max_) {
      co_await refuse_size();
      co_return;
    }
    const edge::upstream_handle handle = of_.pool_.take(edge::connection_need::fresh);
    stream_ = handle.get();
    const edge::stream_fault fault = co_await stream_->connect(due(step_timeout));
    if (fault != edge::stream_fault::none) {
      co_await refuse(503, "busy", "there is no room for a further request now; come again later");
      co_return;
    }
    const leaving watch(x_, *stream_);
    const bool is_sent = co_await send();
    if (!is_sent) co_return;
    co_await relay();
  }

 private:
  [[nodiscard]] time_point due(duration after) const { return of_.reactor_.clock().now + after; }

  io::task<void> refuse(std::uint16_t status, std::string_view code, std::string_view detail) {
    return of_.answers_.send(x_, front_problem(status, code, detail), {}, trace_);
  }

  io::task<void> refuse_size() {
    return refuse(413, "too_large", fmt::format("a body has at most {} bytes here", body_max_));
  }

  /// The request. False: it was answered, or cut. That the API takes no more is no fault: it has its answer then.
  io::task<bool> send() {
    const std::string coding = joined(x_.request.fields, "Content-Encoding");
    for (field& f : x_.request.fields) f.skip = !is_passed_on(f.name);
    std::vector<field> added;
    const auto add = [&added](std::string_view name, std::string_view value) {
      if (!value.empty()) added.push_back({name, value, field_name::other, false});
    };
    add(peer_field, is_loopback(x_.facts.peer) ? "local" : "remote");
    const std::string user = x_.facts.local_user ? fmt::to_string(*x_.facts.local_user) : std::string();
    add(user_field, user);
    add(coding_field, coding);
    add(trace_field, trace_);
    if (x_.facts.client != nullptr) {
      const std::string& subject = x_.facts.client->subject;
      // What a field cannot carry is nobody's name here, but somebody's it is.
      const bool is_plain = std::ranges::all_of(subject, [](char c) { return c >= ' ' && c != 127; });
      add(certificate_field, is_plain && !subject.empty() ? std::string_view(subject) : "unnamed");
      const auto who = of_.gate_.role_of(*x_.facts.client);
      add(role_field, who ? to_string(*who) : "");
    }
    // The library would wait for the end of the connection where a method may have content and none is announced.
    const bool is_read = x_.request.method == "GET" || x_.request.method == "HEAD";
    if (!x_.request.body.has_body && !is_read) add("Content-Length", "0");
    edge::outgoing_request out;
    out.view = &x_.request;
    out.added = added;
    out.authority = x_.request.authority.empty() ? std::string_view("localhost") : x_.request.authority;
    edge::body_piece piece = x_.first_body();
    std::uint64_t come_bytes = piece.size_bytes;
    if (piece.fault == edge::stream_fault::none) {
      edge::stream_fault sent = co_await stream_->send_head(out, piece, edge::no_trailers, due(step_timeout));
      if (!piece.end && x_.request.expects_continue) co_await go_on();
      while (sent == edge::stream_fault::none && !piece.end && come_bytes <= body_max_) {
        piece = co_await x_.read_body(due(step_timeout));
        if (piece.fault != edge::stream_fault::none) break;
        come_bytes += piece.size_bytes;
        sent = co_await stream_->send_body(piece, edge::no_trailers, due(step_timeout));
      }
    }
    // The API says so, too, but only whoever sends on would hear it.
    const bool is_too_large = come_bytes > body_max_;
    if (piece.fault == edge::stream_fault::none && !is_too_large) co_return true;
    stream_->cancel();
    if (is_too_large) {
      co_await refuse_size();
      co_return false;
    }
    if (piece.fault == edge::stream_fault::timed_out) {
      co_await refuse(408, "timeout", "the rest of the request did not come");
    } else if (piece.fault == edge::stream_fault::malformed) {
      co_await refuse(400, "malformed_request", "the framing of the content is broken");
    } else {
      x_.abort();
    }
    co_return false;
  }

  io::task<void> go_on() {
    response_view view;
    view.status = 100;
    view.reason = "Continue";
    edge::outgoing_response head;
    head.view = &view;
    (void)co_await x_.send_interim(head, due(step_timeout));
  }

  io::task<void> relay() {
    edge::answer_head answer;
    do {
      answer = co_await stream_->read_head(due(answer_timeout));
    } while (answer.fault == edge::stream_fault::none && answer.head->status < 200);
    if (answer.fault != edge::stream_fault::none) {
      if (x_.has_left()) {
        x_.abort();
        co_return;
      }
      co_await refuse(503, "unavailable", "the control plane stops, or could not answer in time");
      co_return;
    }
    for (field& f : answer.head->fields) f.skip = f.skip || equal_ignoring_case(f.name, "Keep-Alive");
    edge::body_piece piece = stream_->first_body();
    edge::outgoing_response out;
    response_view view = *answer.head;
    if (view.status == 304) view.body.length_bytes.reset();  // the library says 0, which is not what GET has
    out.view = &view;
    std::vector<field> added{{"Date", of_.date_.at(of_.reactor_.clock().wall), field_name::date, false}};
    const auto add = [&](std::string_view name, std::string_view value) {
      if (!has_field(answer.head->fields, name)) added.push_back({name, value, field_name::other, false});
    };
    add("Cache-Control", "no-store");
    add(trace_field, trace_);
    out.added = added;
    of_.answers_.log().note(x_, view.status, trace_);
    out.close = !x_.settle_body();
    edge::stream_fault sent = edge::stream_fault::none;
    if (piece.fault == edge::stream_fault::none) {
      sent = co_await x_.send_head(out, piece, edge::no_trailers, due(step_timeout));
    }
    while (sent == edge::stream_fault::none && piece.fault == edge::stream_fault::none && !piece.end) {
      piece = co_await stream_->read_body(due(answer_timeout));
      if (piece.fault == edge::stream_fault::none) {
        sent = co_await x_.send_body(piece, edge::no_trailers, due(step_timeout));
      }
    }
    if (sent == edge::stream_fault::none && piece.fault == edge::stream_fault::none) co_return;
    x_.abort();
    x_.stop_reading();
    stream_->cancel();
  }

  api_carrier& of_;
  edge::exchange& x_;
  std::string trace_;
  std::size_t body_max_ = 0;
  edge::upstream_stream* stream_ = nullptr;
};

api_carrier::api_carrier(io::reactor& reactor, edge::connector& to, const gate& guard, request_log& log,
                         std::size_t requests_max, std::size_t body_max)
    : reactor_(reactor),
      gate_(guard),
      answers_(reactor.clock(), log),
      pool_(reactor, edge::pool_options{{}, {}, {}, &to}),
      requests_max_(requests_max),
      body_max_(body_max) {}

io::task<void> api_carrier::serve(edge::exchange& x) {
  if (requests_ >= requests_max_) {
    co_await answers_.send(x, front_problem(503, "busy", "too many requests are being answered; come again later"),
                           "Retry-After: 1\r\n");
    co_return;
  }
  request one(*this, x);
  co_await one.carry();
}

}  // namespace cellroute::control
