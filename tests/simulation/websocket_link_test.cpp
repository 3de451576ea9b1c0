// A router's link to a control plane, byte by byte: heads of HTTP/1, the handshake in them, messages behind it.
#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/request_head.hpp"
#include "adapters/http1/response_head.hpp"
#include "adapters/websocket/handshake.hpp"
#include "adapters/websocket/session.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::string_view spoken[] = {"cellroute.v1"};

class fixed_masks final : public websocket::mask_source {
 public:
  websocket::mask_key next_mask() override { return {1, 2, 3, 4}; }
};

/// What stands at the front of `bytes`, up to its empty line.
std::string take_head(std::string& bytes, bool is_request) {
  http1::head_scanner scanner{http1::head_limits{}, is_request};
  const http1::head_outcome outcome = scanner.scan(bytes);
  REQUIRE(std::holds_alternative<http1::head_end>(outcome));
  const auto& end = std::get<http1::head_end>(outcome);
  const std::string head = bytes.substr(end.begin, end.size_bytes);
  bytes.erase(0, end.begin + end.size_bytes);
  return head;
}

/// What a server answers to such a head.
std::string answer_to(const std::string& head) {
  std::vector<field> storage(32);
  http1::request_head request;
  REQUIRE(http1::parse_request_head(head, {}, storage, request));
  const auto answer = websocket::accept(request.view, request.version_minor, spoken);
  if (!answer) {
    return "HTTP/1.1 " + std::to_string(websocket::status_of(answer.error())) + " \r\n" +
           std::string(websocket::refusal_fields(answer.error())) + "Content-Length: 0\r\n\r\n";
  }
  std::string text = "HTTP/1.1 101 Switching Protocols\r\n";
  websocket::append_answer_fields(text, *answer);
  return text + "\r\n";
}

/// What a client reads in an answer: the subprotocol, or the reason why there is none.
std::string read_answer(const std::string& head, const websocket::handshake_key& key) {
  std::vector<field> storage(32);
  http1::response_head answer;
  REQUIRE(http1::parse_response_head(head, false, "websocket", {}, storage, answer));
  const auto agreed = websocket::check_answer(answer.view, key, spoken);
  return std::string(agreed ? *agreed : to_string(agreed.error()));
}

std::string connect_request(const websocket::handshake_key& key) {
  const field token{"Authorization", "Bearer abc"};
  std::string text = "GET /v1/connect HTTP/1.1\r\n";
  REQUIRE(websocket::append_request_fields(
      text, {.host = "control.test", .key = key, .subprotocols = spoken, .added = {&token, 1}}));
  return text + "\r\n";
}

std::string texts_in(websocket::session& one, std::string& bytes) {
  std::string told;
  std::span<char> left = bytes;
  for (auto event = one.receive(left); !std::holds_alternative<websocket::need_more>(event);
       event = one.receive(left)) {
    if (const auto* whole = std::get_if<websocket::message>(&event)) told += std::string(whole->payload) + " ";
  }
  bytes.clear();
  return told;
}

TEST_CASE("websocket link: it opens, carries messages that came with the heads, and closes") {
  const auto key = websocket::make_key({1, 2, 3});
  fixed_masks masks;
  websocket::session router{websocket::message_writer{masks}};
  websocket::session control{websocket::message_writer{}};

  std::string to_control = connect_request(key);
  std::string to_router = answer_to(take_head(to_control, true));
  CHECK(to_control.empty());
  CHECK(control.append_message(to_router, websocket::message_kind::text, "update"));  // in the same write as the answer
  CHECK(read_answer(take_head(to_router, false), key) == "cellroute.v1");
  CHECK(texts_in(router, to_router) == "update ");

  CHECK(router.append_message(to_control, websocket::message_kind::text, "ack"));
  control.begin_close(websocket::close_code::going_away);
  control.append_owed(to_router);
  CHECK(texts_in(control, to_control) == "ack ");
  CHECK(texts_in(router, to_router).empty());
  router.append_owed(to_control);
  CHECK(texts_in(control, to_control).empty());
  CHECK(control.is_clean());
  CHECK(control.must_disconnect());
  CHECK(router.is_clean());
  CHECK(router.peer_code() == websocket::close_code::going_away);
}

TEST_CASE("websocket link: what is refused is an ordinary answer of HTTP") {
  const auto key = websocket::make_key({1, 2, 3});
  struct {
    std::string_view says;
    std::string_view from;
    std::string_view to;
    std::string_view status_line;
  } const cases[] = {
      {"another version", "Version: 13", "Version: 14", "HTTP/1.1 426 \r\nUpgrade: websocket"},
      {"no upgrade", "Upgrade: websocket\r\n", "", "HTTP/1.1 426 \r\nUpgrade: websocket"},
      {"another method", "GET ", "PUT ", "HTTP/1.1 405 \r\nAllow: GET"},
      {"content", "\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 \r\n"},
      {"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", "HTTP/1.1 400 \r\n"},
      {"no key", "Sec-WebSocket-Key", "X-Key", "HTTP/1.1 400 \r\n"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    std::string request = connect_request(key);
    request.replace(request.find(row.from), row.from.size(), row.to);
    std::string answer = answer_to(take_head(request, true));
    CHECK(answer.starts_with(row.status_line));
    CHECK(read_answer(take_head(answer, false), key) == "status is not 101");
  }
}

}  // namespace
}  // namespace cellroute::simulation
