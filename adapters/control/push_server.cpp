#include "adapters/control/push_server.hpp"

#include <array>
#include <utility>

#include "adapters/control/push_connection.hpp"
#include "adapters/edge/reason_phrase.hpp"

namespace cellroute::control {
namespace {

constexpr duration switch_timeout = 10s;
constexpr std::size_t sessions_a_turn = 64;  // woken at once; then whoever else is there is served
constexpr std::size_t sessions_a_look = 32;  // a tick: all of 10,000 in a quarter of a minute

}  // namespace

push_server::push_server(io::reactor& reactor, const sync::hub_settings& settings, push_observer& observer)
    : reactor_(reactor), settings_(settings), hub_(settings), observer_(observer), has_ready_(reactor) {
  reactor_.add_tick_listener(*this);
  reactor_.spawn(wake_ready());
}

push_server::~push_server() { reactor_.remove_tick_listener(*this); }

/// False: it did not reach the router.
io::task<bool> push_server::switch_protocol(edge::exchange& x, websocket::accepted handshake) {
  const std::array<field, 2> added = {field{"Sec-WebSocket-Accept", handshake.accept.view(), field_name::other, false},
                                      field{"Sec-WebSocket-Protocol", handshake.subprotocol, field_name::other, false}};
  response_view view;
  view.status = 101;
  view.reason = edge::reason_phrase(view.status);
  view.upgrade = "websocket";
  edge::outgoing_response head;
  head.view = &view;
  head.added = std::span<const field>(added).first(handshake.subprotocol.empty() ? 1 : 2);
  const edge::body_piece nothing;
  const edge::stream_fault sent =
      co_await x.send_head(head, nothing, edge::no_trailers, reactor_.now() + switch_timeout);
  co_return sent == edge::stream_fault::none;
}

io::task<void> push_server::serve(edge::exchange& x, websocket::accepted handshake, std::optional<wire::digest> token) {
  const bool is_native = !handshake.subprotocol.empty();
  const bool is_switched = co_await switch_protocol(x, handshake);
  if (!is_switched) co_return x.abort();
  x.become_tunnel();
  x.forget_request();
  const auto number = hub_.open(is_native, reactor_.now());
  if (!number) co_return;  // the last place was taken while the answer went out
  ++sessions_opened_;
  push_connection connection(*this, x, {*number, io::to_string(x.facts.peer), is_native, reactor_.now(), token});
  observer_.on_session_opened(connection.facts());
  pump();
  co_await connection.run();
  end_session(connection);
}

void push_server::end_session(const push_connection& connection) {
  const push_session_facts& facts = connection.facts();
  const std::string why(connection.why_revoked().empty() ? hub_.why_ended(facts.number) : connection.why_revoked());
  hub_.closed(facts.number, reactor_.now());
  connections_.erase(facts.number);
  observer_.on_session_ended(facts, why);
  pump();
}

std::vector<push_session_facts> push_server::sessions() const {
  std::vector<push_session_facts> all;
  all.reserve(connections_.size());
  for (const auto& [number, connection] : connections_) all.push_back(connection->facts());
  return all;
}

void push_server::publish(sync::publication what) {
  hub_.publish(std::move(what), reactor_.now());
  pump();
}

void push_server::publish_base(sync::base_publication what) {
  hub_.publish_base(std::move(what), reactor_.now());
  pump();
}

bool push_server::dismiss(const std::string& router_id, const std::string& reason, duration spread) {
  const bool is_here = hub_.dismiss(router_id, reason, 0s, spread);
  pump();
  return is_here;
}

bool push_server::resync(const std::string& router_id) {
  const bool is_here = hub_.resync(router_id, reactor_.now());
  pump();
  return is_here;
}

void push_server::stop(const std::string& reason, duration spread) {
  is_stopping_ = true;
  hub_.goaway(reason, 0s, spread);
  pump();
}

void push_server::on_tick(time_point now) {
  hub_.tick(now);
  look_who_may_stay();
  pump();
}

void push_server::look_who_may_stay() {
  auto at = connections_.upper_bound(looked_at_);
  for (std::size_t looks = 0; looks < sessions_a_look && at != connections_.end(); ++looks, ++at) {
    looked_at_ = at->first;
    if (!observer_.may_stay(at->second->facts())) at->second->revoke();
  }
  if (at == connections_.end()) looked_at_ = 0;
}

void push_server::pump() {
  for (const sync::hub_event& event : hub_.take_events()) observer_.on_hub_event(event);
  for (const std::uint64_t number : hub_.take_ready()) ready_.push_back(number);
  if (!ready_.empty()) has_ready_.wake();
}

io::task<void> push_server::wake_ready() {
  for (;;) {
    (void)co_await has_ready_.sleep();
    for (std::size_t woken = 1; !ready_.empty(); ++woken) {
      const auto at = connections_.find(ready_.front());
      ready_.pop_front();
      if (at != connections_.end()) at->second->wake();
      if (woken % sessions_a_turn == 0) co_await reactor_.turn();
    }
  }
}

}  // namespace cellroute::control
