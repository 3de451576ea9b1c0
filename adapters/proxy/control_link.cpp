#include "adapters/proxy/control_link.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <set>
#include <variant>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/response_head.hpp"
#include "adapters/io/tls_session.hpp"
#include "adapters/websocket/handshake.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"
#include "adapters/wire/token_file.hpp"

namespace cellroute::proxy {
namespace {

constexpr std::string_view subprotocols[] = {"cellroute.v1"};
constexpr std::size_t read_bytes = 65'536;
constexpr duration write_timeout = 10s;  // of one message: a control plane that takes nothing for so long is gone
constexpr std::size_t control_message_bytes_max = std::size_t{1} << 20;

/// Seconds; a date is not looked at.
duration retry_after_of(const response_view& answer) {
  const field* const after = find_field(answer.fields, field_name::retry_after);
  if (after == nullptr) return {};
  std::uint32_t seconds = 0;
  const char* const behind = after->value.data() + after->value.size();
  const auto [end, error] = std::from_chars(after->value.data(), behind, seconds);
  return error == std::errc() && end == behind ? std::chrono::seconds(seconds) : duration();
}

/// Why it turns somebody away, in the words of its problem document and short enough for a line; empty where it says
/// nothing.
std::string detail_of(std::string_view body) {
  constexpr std::size_t told_max = 200;
  const auto document = wire::read_json(body, "");
  const wire::node* const detail = document ? document->find("detail") : nullptr;
  if (detail == nullptr || detail->kind != wire::node_kind::quoted) return {};
  std::string text = detail->text.substr(0, told_max);
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string text_of(const io::tls_mistakes& mistakes) {
  std::string text;
  for (const io::tls_mistake& m : mistakes) {
    text += (text.empty() ? "control_plane." : "; control_plane.") + m.field + ": " + m.what;
  }
  return text;
}

}  // namespace

websocket::mask_key random_masks::next_mask() {
  websocket::mask_key mask{};
  if (RAND_bytes(mask.data(), static_cast<int>(mask.size())) != 1) std::abort();  // there is no randomness left
  return mask;
}

void control_link::connection::wake() {
  if (sender) std::exchange(sender, {}).resume();
}

control_link::control_link(control_link_options options, content_handler& handler, link_figures& figures)
    : options_(std::move(options)),
      handler_(handler),
      figures_(figures),
      resolver_(reactor_.context(), names_, *this),
      link_(settings_of(options_), options_.who, options_.limits, options_.memory, options_.seed) {
  reactor_.add_tick_listener(*this);
}

void control_link::stop() {
  reactor_.stop();
  if (thread_.joinable()) thread_.join();
  figures_.is_connected.store(false, std::memory_order_relaxed);
}

control_link::~control_link() {
  stop();
  reactor_.remove_tick_listener(*this);
}

sync::link_settings control_link::settings_of(const control_link_options& options) {
  sync::link_settings made;
  made.addresses = options.urls.size();
  if (options.backoff) made.wait = made.base_wait = *options.backoff;
  made.accept_version_reset = options.accept_version_reset;
  return made;
}

void control_link::start() {
  std::set<std::string> hosts;
  for (const wire::control_plane_url& url : options_.urls) {
    if (!io::parse_address(url.host, url.port)) hosts.insert(url.host);
  }
  if (!hosts.empty()) resolver_.watch(std::move(hosts));
  thread_ = std::thread([this] { reactor_.run(); });
}

void control_link::on_tick(time_point now) {
  link_.notice_checks(now);
  if (now < link_.next_tick()) return;
  link_.tick(now);
  pump();
}

void control_link::on_unresolved(const std::string& host, const std::string& why) {
  handler_.on_link_event("control_plane_unresolved", fmt::format("{}: {}", host, why));
}

io::root_task control_link::carry(std::size_t address) {
  connection c(reactor_);
  current_ = &c;
  try_result got = co_await open(c, options_.urls[address]);
  if (current_ == &c && got.failed) {
    current_ = nullptr;
    handler_.on_link_event("control_plane_unreachable",
                           fmt::format("{}: {}", wire::to_string(options_.urls[address]), got.failed->message));
    figures_.failed[static_cast<std::size_t>(got.failed->why)].fetch_add(1, std::memory_order_relaxed);
    link_.failed(got.failed->why, got.failed->retry_after, reactor_.now());
  } else if (current_ == &c) {
    figures_.opened.fetch_add(1, std::memory_order_relaxed);
    websocket::reader_limits limits;
    limits.message_bytes_max = got.is_native ? control_message_bytes_max : wire::configuration_bytes_max;
    c.session.emplace(websocket::message_writer(masks_), limits);
    handler_.on_link_event("control_plane_connected",
                           fmt::format("{} ({})", wire::to_string(options_.urls[address]),
                                       got.is_native ? subprotocols[0] : std::string_view("base protocol")));
    link_.opened(got.is_native, reactor_.now());
    pump();
    co_await io::join(read_messages(c, std::move(got.rest)), send_messages(c));
    if (current_ == &c) {
      current_ = nullptr;
      handler_.on_link_event("control_plane_lost", "the connection has ended");
      link_.closed(reactor_.now());
    }
  }
  pump();
}

io::task<control_link::try_result> control_link::open(connection& c, const wire::control_plane_url& url) {
  const time_point deadline = reactor_.now() + sync::link_settings{}.connect_timeout;
  try_result result;
  const auto fail = [&result](sync::open_failure why, std::string message, duration after = {}) {
    result.failed = failed_try{why, after, std::move(message)};
    return result;
  };
  // The files are read for each connection: what was renewed counts from the next one on.
  std::string token;
  if (!options_.token_file.empty()) {
    const auto read = wire::read_token_file(options_.token_file);
    if (!read) co_return fail(sync::open_failure::unauthorized, "control_plane.token_file: " + read.error());
    token = "Bearer " + *read;
  }
  io::tls_context context;
  if (url.is_secure) {
    auto made = io::make_tls_client(options_.tls, reactor_.clock().wall);
    if (!made) co_return fail(sync::open_failure::unreachable, text_of(made.error()));
    context = *std::move(made);
  }
  std::optional<io::socket_address> to = io::parse_address(url.host, url.port);
  if (!to) to = names_.find(url.host);
  if (!to) co_return fail(sync::open_failure::unreachable, "the name has no address yet");
  to->port = url.port;
  const expected<int, int> descriptor = io::start_connect(*to);
  if (!descriptor || c.socket.open(*descriptor, true) != 0) {
    co_return fail(sync::open_failure::unreachable, "no socket can be had");
  }
  // A control plane of the base protocol may never beat: that it is gone only its machine's silence tells.
  io::notice_vanished(*descriptor);
  const io::io_status waited = co_await c.socket.writable(deadline);
  if (waited == io::io_status::timed_out) co_return fail(sync::open_failure::unreachable, "no answer in time");
  if (waited != io::io_status::ok) co_return fail(sync::open_failure::unreachable, "given up");
  if (const int error = io::connect_outcome(*descriptor); error != 0) {
    co_return fail(sync::open_failure::unreachable, std::strerror(error));
  }
  if (url.is_secure) {
    io::tls_target target;
    target.host = url.host;
    const io::tls_outcome outcome = co_await io::connect_tls(c.socket, context, target, deadline);
    if (outcome.fault != io::tls_fault::none) {
      co_return fail(sync::open_failure::unreachable, "TLS: " + outcome.details);
    }
  }
  std::array<std::uint8_t, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  websocket::handshake_request asked;
  const std::string host = wire::to_string(wire::socket_address{url.host, url.port});
  const field credentials[] = {{"Authorization", token}};
  asked.host = host;
  asked.key = websocket::make_key(random);
  asked.subprotocols = subprotocols;
  if (!token.empty()) asked.added = credentials;
  std::string head = "GET " + url.path + " HTTP/1.1\r\n";
  if (!websocket::append_request_fields(head, asked)) {
    co_return fail(sync::open_failure::unauthorized, "the token has bytes that no header can carry");
  }
  head += "\r\n";
  const bool is_sent = co_await write_all(c, std::move(head), deadline);
  if (!is_sent) co_return fail(sync::open_failure::unreachable, "the connection was closed");

  std::size_t head_bytes = 0;
  std::string answer = co_await read_head(c, deadline, head_bytes);
  if (head_bytes == 0) co_return fail(sync::open_failure::unreachable, "no answer to the handshake");
  std::array<field, 128> storage;
  http1::response_head read;
  const http1::head_limits limits;
  const std::string_view text = std::string_view(answer).substr(0, head_bytes);
  if (!http1::parse_response_head(text, false, "websocket", limits, storage, read)) {
    co_return fail(sync::open_failure::unreachable, "its answer is no HTTP");
  }
  const std::uint16_t status = read.view.status;
  if (status != 101) {
    const duration after = retry_after_of(read.view);
    std::string body = answer.substr(head_bytes);
    co_await read_body(c, deadline, read.view.body.length_bytes.value_or(0), body);
    const std::string detail = detail_of(body);
    std::string message = fmt::format("it answers {}{}{}", status, detail.empty() ? "" : ": ", detail);
    if (status == 401) message += "; check control_plane.token_file, or cert_file";
    if (status == 404) message += "; check the path in control_plane.urls, such as /connect";
    if (status == 401 || status == 403) co_return fail(sync::open_failure::unauthorized, message, after);
    co_return fail(status == 503 ? sync::open_failure::busy : sync::open_failure::unreachable, message, after);
  }
  const auto agreed = websocket::check_answer(read.view, asked.key, subprotocols);
  if (!agreed) co_return fail(sync::open_failure::unreachable, std::string(to_string(agreed.error())));
  result.is_native = !agreed->empty();
  result.rest = answer.substr(head_bytes);
  co_return result;
}

/// All that came up to the end of the head, and what is behind it; `head_bytes` stays 0 where there is none.
io::task<std::string> control_link::read_head(connection& c, time_point deadline, std::size_t& head_bytes) {
  http1::head_scanner scanner({}, false);
  std::string got;
  std::array<char, 4096> block;
  for (;;) {
    const io::io_result read = c.socket.try_read(block);
    if (read.status == io::io_status::would_block) {
      const io::io_status waited = co_await c.socket.readable(deadline);
      if (waited != io::io_status::ok) co_return got;
      continue;
    }
    if (read.status != io::io_status::ok) co_return got;
    got.append(block.data(), read.size_bytes);
    const http1::head_outcome found = scanner.scan(got);
    if (const auto* const end = std::get_if<http1::head_end>(&found)) {
      if (end->begin == 0) head_bytes = end->size_bytes;
      co_return got;
    }
    if (std::holds_alternative<http1::head_error>(found)) co_return got;
  }
}

/// What is still to come of a body, as far as it is looked at.
io::task<void> control_link::read_body(connection& c, time_point deadline, std::uint64_t size_bytes,
                                       std::string& body) {
  constexpr std::uint64_t looked_at_max = 4096;
  const std::uint64_t wanted = std::min(size_bytes, looked_at_max);
  std::array<char, looked_at_max> block;
  while (body.size() < wanted) {
    const io::io_result read = c.socket.try_read(block);
    if (read.status == io::io_status::would_block) {
      const io::io_status waited = co_await c.socket.readable(deadline);
      if (waited != io::io_status::ok) co_return;
      continue;
    }
    if (read.status != io::io_status::ok) co_return;
    body.append(block.data(), read.size_bytes);
  }
}

io::task<bool> control_link::write_all(connection& c, std::string text, time_point deadline) {
  std::string_view left = text;
  while (!left.empty()) {
    const io::io_result wrote = c.socket.try_write({left.data(), left.size()});
    if (wrote.status == io::io_status::would_block) {
      const io::io_status waited = co_await c.socket.writable(deadline);
      if (waited != io::io_status::ok) co_return false;
      continue;
    }
    if (wrote.status != io::io_status::ok) co_return false;
    left.remove_prefix(wrote.size_bytes);
  }
  co_return true;
}

io::task<void> control_link::read_messages(connection& c, std::string rest) {
  take(c, rest);
  std::vector<char> block(read_bytes);
  while (!c.is_over && !c.session->must_disconnect()) {
    const io::io_result read = c.socket.try_read(block);
    if (read.status == io::io_status::would_block) {
      const io::io_status waited = co_await c.socket.readable();
      if (waited != io::io_status::ok) break;
      continue;
    }
    if (read.status != io::io_status::ok) break;
    take(c, std::span(block).first(read.size_bytes));
    co_await reactor_.turn();  // a control plane that never pauses leaves room for timers and answers
  }
  c.is_over = true;
  c.wake();
}

void control_link::take(connection& c, std::span<char> bytes) {
  while (!bytes.empty() && current_ == &c) {
    const websocket::read_event event = c.session->receive(bytes);
    if (const auto* const m = std::get_if<websocket::message>(&event)) {
      if (m->kind == websocket::message_kind::text) {
        link_.report(handler_.status());
        link_.take_text(m->payload, reactor_.now());
      } else {
        link_.take_binary(std::as_bytes(std::span(m->payload)), reactor_.now());
      }
      pump();
    }
    if (c.session->owes()) {
      c.session->append_owed(c.out);
      c.wake();
    }
  }
}

io::task<void> control_link::send_messages(connection& c) {
  for (;;) {
    while (!c.out.empty()) {
      std::string text = std::exchange(c.out, {});
      const bool is_sent = co_await write_all(c, std::move(text), reactor_.now() + write_timeout);
      if (is_sent) continue;
      c.is_over = true;
      c.socket.cancel();
      co_return;
    }
    if (c.is_over) co_return;
    co_await c.news();
  }
}

void control_link::send(std::string_view text) {
  if (current_ == nullptr || !current_->session) return;
  if (!current_->session->append_message(current_->out, websocket::message_kind::text, text)) return;
  current_->wake();
}

void control_link::close() {
  connection* const c = std::exchange(current_, nullptr);
  if (c == nullptr) return;
  c->is_over = true;
  c->socket.cancel();
}

void control_link::pump() {
  if (std::exchange(is_pumping_, true)) return;
  for (;;) {
    std::vector<sync::link_action> actions = link_.take_actions();
    if (actions.empty()) break;
    for (sync::link_action& action : actions) {
      std::visit([this](auto& what) { perform(what); }, action);
    }
  }
  is_pumping_ = false;
  const sync::link_state state = link_.state();
  figures_.is_connected.store(state == sync::link_state::live || state == sync::link_state::live_base,
                              std::memory_order_relaxed);
  const auto confirmed = link_.confirmed_at();
  const std::uint64_t unknown = link_.unknown_messages();
  figures_.unknown_messages.fetch_add(unknown - std::exchange(unknown_messages_, unknown), std::memory_order_relaxed);
  if (confirmed) figures_.confirmed_at.store(confirmed->time_since_epoch().count(), std::memory_order_relaxed);
}

void control_link::perform(sync::open_connection& what) { reactor_.spawn(carry(what.address)); }
void control_link::perform(sync::close_connection&) { close(); }
void control_link::perform(wire::message& what) { send(wire::write_message(what)); }
void control_link::perform(sync::send_text& what) { send(what.text); }
void control_link::perform(sync::check_content& what) { handler_.check(std::move(what), link_.salt()); }
void control_link::perform(sync::check_base_content& what) { handler_.check(std::move(what)); }
void control_link::perform(sync::activate_content& what) { handler_.activate(what.content); }
void control_link::perform(sync::content_unchanged& what) { handler_.unchanged(what.content); }
void control_link::perform(sync::drop_content& what) { handler_.drop(what.content); }
void control_link::perform(sync::sum_up_rows& what) { handler_.sum_up(std::move(what), link_.salt()); }
void control_link::perform(sync::content_refused& what) { handler_.on_refused(what.label, what.error); }
void control_link::perform(sync::tell& what) { handler_.on_link_event(what.event, what.message); }

}  // namespace cellroute::proxy
