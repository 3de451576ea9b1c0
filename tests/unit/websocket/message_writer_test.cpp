#include "adapters/websocket/message_writer.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

/// 1, 2, 3, ... in the first byte.
class counting_masks final : public mask_source {
 public:
  mask_key next_mask() override { return {++count_, 0, 0, 0}; }

 private:
  std::uint8_t count_ = 0;
};

std::string close_bytes(close_code code, std::string_view reason) {
  return std::string(control_payload(code, reason).view());
}

}  // namespace

TEST_CASE("websocket writer: the examples (RFC 6455 section 5.7)") {
  same_mask masks;
  message_writer server;
  message_writer client{masks};
  CHECK(server.self() == role::server);
  CHECK(client.self() == role::client);

  std::string out;
  server.append_message(out, message_kind::text, "Hello");
  CHECK(out == hex("81 05 48 65 6c 6c 6f"));
  out.clear();
  client.append_message(out, message_kind::text, "Hello");
  CHECK(out == hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"));
  out.clear();
  server.append_frame(out, opcode::text, "Hel", false);
  server.append_frame(out, opcode::continuation, "lo");
  CHECK(out == hex("01 03 48 65 6c 80 02 6c 6f"));
  out.clear();
  server.append_control(out, opcode::ping, control_payload("Hello"));
  client.append_control(out, opcode::pong, control_payload("Hello"));
  CHECK(out == hex("89 05 48 65 6c 6c 6f") + hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"));
  out.clear();
  server.append_message(out, message_kind::binary, std::string(256, 'x'));
  CHECK(out == hex("82 7e 01 00") + std::string(256, 'x'));
  out.clear();
  server.append_message(out, message_kind::binary, std::string(65536, 'x'));
  CHECK(out == hex("82 7f 00 00 00 00 00 01 00 00") + std::string(65536, 'x'));
}

TEST_CASE("websocket writer: every frame of a client has a mask of its own (RFC 6455 section 5.3)") {
  counting_masks masks;
  message_writer client{masks};
  std::string out;
  client.append_message(out, message_kind::binary, "");
  client.append_frame(out, opcode::text, "", false);
  client.append_frame(out, opcode::continuation, "");
  client.append_control(out, opcode::ping, {});
  client.append_control(out, opcode::close, control_payload(close_code::no_status, {}));
  CHECK(out == hex("82 80 01 00 00 00  01 80 02 00 00 00  80 80 03 00 00 00  89 80 04 00 00 00  88 80 05 00 00 00"));
}

TEST_CASE("websocket writer: a payload is sent from where it lies behind a head alone") {
  const std::string payload(70000, 'x');
  message_writer server;
  const encoded_head head = encode(server.make_head(opcode::binary, payload.size()));
  std::string whole;
  server.append_message(whole, message_kind::binary, payload);
  CHECK(head.view().size() == 10);
  CHECK(whole == std::string(head.view()) + payload);

  same_mask masks;
  message_writer client{masks};
  const frame_head masked = client.make_head(opcode::binary, payload.size());
  REQUIRE(masked.mask);
  std::string body = payload;
  apply_mask(body, *masked.mask);
  whole.clear();
  client.append_message(whole, message_kind::binary, payload);
  CHECK(whole == std::string(encode(masked).view()) + body);
}

TEST_CASE("websocket writer: what a close frame says (RFC 6455 section 5.5.1)") {
  struct {
    std::string_view says;
    close_code code;
    std::string reason;
    std::string expected;
  } const cases[] = {
      {"nothing", close_code::no_status, "", ""},
      {"no reason without a code", close_code::no_status, "why", ""},
      {"a code", close_code::normal, "", hex("03 e8")},
      {"a code and a reason", close_code::going_away, "bye", hex("03 e9") + "bye"},
      {"an application's code", static_cast<close_code>(4999), "", hex("13 87")},
      {"the longest reason", close_code::normal, std::string(123, 'x'), hex("03 e8") + std::string(123, 'x')},
      {"a longer one is cut", close_code::normal, std::string(124, 'x'), hex("03 e8") + std::string(123, 'x')},
      {"a character that fits to its end", close_code::normal, std::string(120, 'x') + "\xe2\x82\xac",
       hex("03 e8") + std::string(120, 'x') + "\xe2\x82\xac"},
      {"one that does not fit is left out", close_code::normal, std::string(121, 'x') + "\xe2\x82\xac",
       hex("03 e8") + std::string(121, 'x')},
      {"nor one of which a byte fits", close_code::normal, std::string(122, 'x') + "\xe2\x82\xac",
       hex("03 e8") + std::string(122, 'x')},
      {"one that begins behind the end", close_code::normal, std::string(123, 'x') + "\xe2\x82\xac",
       hex("03 e8") + std::string(123, 'x')},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    CHECK(close_bytes(row.code, row.reason) == row.expected);
  }
}
