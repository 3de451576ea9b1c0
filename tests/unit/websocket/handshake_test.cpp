#include "adapters/websocket/handshake.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

struct line {
  std::string name;
  std::string value;
};
using lines = std::vector<line>;

const std::string_view our_names[] = {"cellroute.v2", "cellroute.v1"};

// What a client asks with, as in the RFC's example.
const lines good_request = {{"Host", "server.example.com"},   {"Upgrade", "websocket"},
                            {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                            {"Origin", "http://example.com"}, {"Sec-WebSocket-Version", "13"}};

const lines good_answer = {
    {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};

/// `all` with the lines of that name replaced by one with another value; with none if the value is `-`.
lines with(lines all, std::string_view name, std::string_view value) {
  std::erase_if(all, [name](const line& each) { return each.name == name; });
  if (value != "-") all.push_back({std::string(name), std::string(value)});
  return all;
}

lines and_also(lines all, std::string_view name, std::string_view value) {
  all.push_back({std::string(name), std::string(value)});
  return all;
}

std::vector<field> fields_of(const lines&& all) = delete;  // they would point to nothing

std::vector<field> fields_of(const lines& all) {
  std::vector<field> fields;
  for (const line& each : all) fields.push_back({each.name, each.value});
  return fields;
}

// A request of HTTP/1.1, of which these parts matter.
request_view request_with(std::span<field> fields, std::string_view method = "GET",
                          std::string_view authority = "server.example.com") {
  request_view request;
  request.method = method;
  request.authority = authority;
  request.fields = fields;
  return request;
}

response_view answer_with(std::span<field> fields, std::uint16_t status = 101) {
  response_view answer;
  answer.status = status;
  answer.fields = fields;
  return answer;
}

struct request_case {
  std::string_view says;
  lines fields;
  std::string_view expected;  ///< the subprotocol in brackets, or the reason of the refusal
};

std::string accept_in_words(const lines& all, std::string_view method = "GET", std::uint8_t version_minor = 1,
                            std::string_view authority = "server.example.com") {
  std::vector<field> fields = fields_of(all);
  const auto answer = accept(request_with(fields, method, authority), version_minor, our_names);
  return answer ? "[" + std::string(answer->subprotocol) + "]" : std::string(to_string(answer.error()));
}

void check_requests(std::span<const request_case> rows) {
  for (const request_case& row : rows) {
    CAPTURE(row.says);
    CHECK(accept_in_words(row.fields) == row.expected);
  }
}

lines offering(std::string_view names) { return and_also(good_request, "Sec-WebSocket-Protocol", names); }

handshake_key sample_key() {
  const std::string_view nonce = "the sample nonce";
  std::array<std::uint8_t, 16> random;
  std::ranges::copy(nonce, random.begin());
  return make_key(random);
}

std::string check_in_words(const lines& all, std::uint16_t status = 101) {
  std::vector<field> fields = fields_of(all);
  const std::string_view offered[] = {"cellroute.v1", "cellroute.v0"};
  const auto agreed = check_answer(answer_with(fields, status), sample_key(), offered);
  return agreed ? "[" + std::string(*agreed) + "]" : std::string(to_string(agreed.error()));
}

struct answer_case {
  std::string_view says;
  lines fields;
  std::string_view expected;
};

}  // namespace

TEST_CASE("websocket handshake: the example (RFC 6455 section 1.3)") {
  CHECK(sample_key().view() == "dGhlIHNhbXBsZSBub25jZQ==");
  std::vector<field> fields = fields_of(good_request);
  const auto answer = accept(request_with(fields), 1, our_names);
  REQUIRE(answer);
  CHECK(answer->accept.view() == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  std::string text;
  append_answer_fields(text, *answer);
  CHECK(text == "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  CHECK(check_in_words(good_answer) == "[]");
}

TEST_CASE("websocket handshake: the request line and Host (RFC 6455 section 4.2.1)") {
  CHECK(accept_in_words(good_request) == "[]");
  CHECK(accept_in_words(good_request, "POST") == "method is not GET");
  CHECK(accept_in_words(good_request, "CONNECT") == "method is not GET");
  CHECK(accept_in_words(good_request, "get") == "method is not GET");
  CHECK(accept_in_words(good_request, "GET", 0) == "HTTP version too old");
  CHECK(accept_in_words(good_request, "GET", 1, "") == "Host is missing");
}

TEST_CASE("websocket handshake: a request with content is refused, for that could be read as frames") {
  std::vector<field> fields = fields_of(good_request);
  request_view request = request_with(fields);
  request.body = {.has_body = true, .length_bytes = 6};
  const auto sized = accept(request, 1, our_names);
  REQUIRE_FALSE(sized);
  CHECK(sized.error() == handshake_error::has_content);
  request.body = {.has_body = true, .length_bytes = {}};
  CHECK_FALSE(accept(request, 1, our_names));
  request.body = {.has_body = false, .length_bytes = 0};
  CHECK(accept(request, 1, our_names));
}

TEST_CASE("websocket handshake: Upgrade and Connection of a request (RFC 6455 section 4.2.1)") {
  const std::string no_upgrade = "Upgrade does not say websocket";
  const std::string no_option = "Connection does not say upgrade";
  const request_case cases[] = {
      {"in any case", with(good_request, "Upgrade", "WebSocket"), "[]"},
      {"in capitals", with(good_request, "Upgrade", "WEBSOCKET"), "[]"},
      {"names of fields, too", and_also(with(good_request, "Upgrade", "-"), "uPGRADE", "websocket"), "[]"},
      {"one of several", with(good_request, "Upgrade", "h2c, websocket"), "[]"},
      {"in a second line", and_also(with(good_request, "Upgrade", "h2c"), "Upgrade", "websocket"), "[]"},
      {"white space around", with(good_request, "Upgrade", "h2c\t, \twebsocket ,"), "[]"},
      {"an option in any case", with(good_request, "Connection", "UPGRADE"), "[]"},
      {"what browsers send", with(good_request, "Connection", "keep-alive, Upgrade"), "[]"},
      {"options in two lines", and_also(with(good_request, "Connection", "keep-alive"), "Connection", "upgrade"), "[]"},

      {"no Upgrade", with(good_request, "Upgrade", "-"), no_upgrade},
      {"an empty one", with(good_request, "Upgrade", ""), no_upgrade},
      {"another protocol", with(good_request, "Upgrade", "h2c"), no_upgrade},
      {"a part of a word", with(good_request, "Upgrade", "websocket2"), no_upgrade},
      {"a protocol with a version", with(good_request, "Upgrade", "websocket/13"), no_upgrade},
      {"two words", with(good_request, "Upgrade", "websocket websocket"), no_upgrade},
      {"no Connection", with(good_request, "Connection", "-"), no_option},
      {"without the option: a hop has spoken for itself", with(good_request, "Connection", "keep-alive"), no_option},
      {"a part of a word", with(good_request, "Connection", "upgrades"), no_option},
      {"the names the other way round", with(good_request, "Connection", "websocket"), no_option},
  };
  check_requests(cases);
}

TEST_CASE("websocket handshake: Sec-WebSocket-Version is 13 (RFC 6455 sections 4.2.1, 4.4 and 11.3.5)") {
  const std::string refused = "WebSocket version not supported";
  const request_case cases[] = {
      {"13", with(good_request, "Sec-WebSocket-Version", "13"), "[]"},
      {"missing", with(good_request, "Sec-WebSocket-Version", "-"), refused},
      {"empty", with(good_request, "Sec-WebSocket-Version", ""), refused},
      {"a draft's", with(good_request, "Sec-WebSocket-Version", "8"), refused},
      {"one that may come", with(good_request, "Sec-WebSocket-Version", "14"), refused},
      {"a zero before it", with(good_request, "Sec-WebSocket-Version", "013"), refused},
      {"more behind it", with(good_request, "Sec-WebSocket-Version", "13.0"), refused},
      {"a list", with(good_request, "Sec-WebSocket-Version", "13, 8"), refused},
      {"twice", and_also(good_request, "Sec-WebSocket-Version", "13"), refused},
      {"two of them", and_also(good_request, "Sec-WebSocket-Version", "8"), refused},
  };
  check_requests(cases);
}

TEST_CASE("websocket handshake: the key is base64 of 16 bytes, once (RFC 6455 sections 4.2.1 and 11.3.1)") {
  const std::string refused = "malformed Sec-WebSocket-Key";
  const auto keyed = [](std::string_view key) { return with(good_request, "Sec-WebSocket-Key", key); };
  const request_case cases[] = {
      {"zeros", keyed("AAAAAAAAAAAAAAAAAAAAAA=="), "[]"},
      {"ones", keyed("/////////////////////w=="), "[]"},
      {"all kinds of characters", keyed("aB0+/zZ9AAAAAAAAAAAAAQ=="), "[]"},

      {"missing", keyed("-"), refused},
      {"empty", keyed(""), refused},
      {"twice", and_also(good_request, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), refused},
      {"two of them", and_also(good_request, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), refused},
      {"15 bytes", keyed("AAAAAAAAAAAAAAAAAAAA"), refused},
      {"17 bytes", keyed("AAAAAAAAAAAAAAAAAAAAAAA="), refused},
      {"18 bytes", keyed("AAAAAAAAAAAAAAAAAAAAAAAA"), refused},
      {"32 bytes", keyed("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), refused},
      {"no padding", keyed("AAAAAAAAAAAAAAAAAAAAAA"), refused},
      {"half of it", keyed("AAAAAAAAAAAAAAAAAAAAAA="), refused},
      {"padding too early", keyed("AAAAAAAAAAAAAAAAAAAAA==="), refused},
      {"bits behind the last byte", keyed("AAAAAAAAAAAAAAAAAAAAAB=="), refused},
      {"the alphabet of URLs", keyed("____________________-w=="), refused},
      {"a space", keyed("AAAAAAAAAA AAAAAAAAAAA=="), refused},
      {"in quotes", keyed("\"AAAAAAAAAAAAAAAAAAAAAA==\""), refused},
      {"a NUL", keyed(std::string_view("AAAAAAAAAA\0AAAAAAAAAAA==", 24)), refused},
  };
  check_requests(cases);
}

TEST_CASE("websocket handshake: the subprotocol is the first of the client's that we have (RFC 6455 section 4.2.2)") {
  const std::string refused = "malformed Sec-WebSocket-Protocol";
  std::string many = "n0";
  for (std::size_t i = 1; i < subprotocols_max; ++i) many += ", n" + std::to_string(i);
  const request_case cases[] = {
      {"none is asked for", good_request, "[]"},
      {"one of ours", offering("cellroute.v1"), "[cellroute.v1]"},
      {"the client's order counts, not ours", offering("cellroute.v1, cellroute.v2"), "[cellroute.v1]"},
      {"behind one that we do not have", offering("chat, cellroute.v2"), "[cellroute.v2]"},
      {"none of ours", offering("chat, superchat"), "[]"},
      {"another case is another name", offering("CELLROUTE.V1"), "[]"},
      {"in two lines", and_also(offering("chat"), "Sec-WebSocket-Protocol", "cellroute.v1"), "[cellroute.v1]"},
      {"empty places in a list", offering(",chat,,cellroute.v1,"), "[cellroute.v1]"},
      {"as many as are looked at", offering(many), "[]"},

      {"one more", offering(many + ", cellroute.v1"), refused},
      {"empty", offering(""), refused},
      {"nothing but commas", offering(", ,"), refused},
      {"two words", offering("cellroute v1"), refused},
      {"a separator", offering("cellroute/v1"), refused},
      {"in quotes", offering("\"cellroute.v1\""), refused},
      {"beyond ASCII", offering("cellroute.v\xc2\xb9"), refused},
      {"a bad one behind a good one", offering("cellroute.v1, a/b"), refused},
      {"one twice", offering("cellroute.v1, chat, cellroute.v1"), refused},
      {"one twice, in two lines", and_also(offering("chat"), "Sec-WebSocket-Protocol", "chat"), refused},
  };
  check_requests(cases);
}

TEST_CASE(
    "websocket handshake: extensions are not agreed on, and other fields do not matter (RFC 6455 section 4.2.2)") {
  const request_case cases[] = {
      {"compression is offered", and_also(good_request, "Sec-WebSocket-Extensions", "permessage-deflate"), "[]"},
      {"credentials", and_also(good_request, "Authorization", "Bearer x"), "[]"},
      {"a field of an answer", and_also(good_request, "Sec-WebSocket-Accept", "x"), "[]"},
  };
  check_requests(cases);
}

TEST_CASE("websocket handshake: how a refusal is answered (RFC 6455 sections 4.2.2 and 4.4)") {
  const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  struct {
    handshake_error error;
    std::uint16_t status;
    std::string fields;
  } const cases[] = {
      {handshake_error::not_get, 405, "Allow: GET\r\n"},
      {handshake_error::version_too_old, 400, ""},
      {handshake_error::missing_host, 400, ""},
      {handshake_error::has_content, 400, ""},
      {handshake_error::unsupported_version, 426, upgrade},
      {handshake_error::bad_key, 400, ""},
      {handshake_error::bad_subprotocols, 400, ""},
      {handshake_error::no_upgrade, 426, upgrade},
      {handshake_error::no_upgrade_option, 400, ""},
      {handshake_error::no_digest, 500, ""},
      {handshake_error::not_switched, 502, ""},
      {handshake_error::wrong_accept, 502, ""},
      {handshake_error::unasked_extension, 502, ""},
      {handshake_error::unasked_subprotocol, 502, ""},
  };
  std::vector<std::string_view> seen;
  for (const auto& row : cases) {
    const std::string_view text = to_string(row.error);
    CAPTURE(text);
    CHECK(status_of(row.error) == row.status);
    CHECK(refusal_fields(row.error) == row.fields);
    CHECK_FALSE(text.empty());
    CHECK(std::ranges::find(seen, text) == seen.end());
    seen.push_back(text);
  }
  CHECK(seen.size() == static_cast<std::size_t>(handshake_error::unasked_subprotocol) + 1);
}

TEST_CASE("websocket handshake: what a client asks with (RFC 6455 section 4.1)") {
  const std::string_view names[] = {"cellroute.v1", "cellroute.v0"};
  const field token{"Authorization", "Bearer abc"};
  std::string text;
  CHECK(append_request_fields(text, {.host = "control.test:8443", .key = sample_key()}));
  const std::string least =
      "Host: control.test:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  CHECK(text == least);
  text.clear();
  CHECK(append_request_fields(
      text, {.host = "control.test:8443", .key = sample_key(), .subprotocols = names, .added = {&token, 1}}));
  CHECK(text == least + "Sec-WebSocket-Protocol: cellroute.v1, cellroute.v0\r\nAuthorization: Bearer abc\r\n");
}

TEST_CASE("websocket handshake: a client's text that would tear the lines is not written") {
  struct {
    std::string_view says;
    std::string_view host;
    std::vector<std::string_view> subprotocols;
    field added;
  } const cases[] = {
      {"no host", "", {}, {"A", "b"}},
      {"a line in the host", "a.test\r\nX: y", {}, {"A", "b"}},
      {"a NUL in the host", std::string_view("a\0b", 3), {}, {"A", "b"}},
      {"a line in a token that was read from a file", "a.test", {}, {"Authorization", "Bearer abc\n"}},
      {"a CR alone", "a.test", {}, {"Authorization", "Bearer\rabc"}},
      {"a name that is none", "a.test", {}, {"X: y", "b"}},
      {"an empty name", "a.test", {}, {"", "b"}},
      {"a subprotocol that is two", "a.test", {"a, b"}, {"A", "b"}},
      {"a subprotocol that is none", "a.test", {""}, {"A", "b"}},
      {"a subprotocol with a line", "a.test", {"a\r\nb"}, {"A", "b"}},
      {"a subprotocol twice", "a.test", {"a", "b", "a"}, {"A", "b"}},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    std::string text = "before";
    CHECK_FALSE(append_request_fields(
        text, {.host = row.host, .key = sample_key(), .subprotocols = row.subprotocols, .added = {&row.added, 1}}));
    CHECK(text == "before");
  }
}

TEST_CASE("websocket handshake: what a client makes of the answer (RFC 6455 section 4.1)") {
  const std::string no_upgrade = "Upgrade does not say websocket";
  const std::string no_option = "Connection does not say upgrade";
  const std::string wrong = "wrong Sec-WebSocket-Accept";
  const std::string extension = "extension that nobody asked for";
  const std::string subprotocol = "subprotocol that nobody asked for";
  const answer_case cases[] = {
      {"Upgrade in any case", with(good_answer, "Upgrade", "WebSocket"), "[]"},
      {"Connection in any case", with(good_answer, "Connection", "upgrade"), "[]"},
      {"Connection with another option", with(good_answer, "Connection", "keep-alive, Upgrade"), "[]"},
      {"the subprotocol liked best", and_also(good_answer, "Sec-WebSocket-Protocol", "cellroute.v1"), "[cellroute.v1]"},
      {"another one that was offered", and_also(good_answer, "sec-websocket-protocol", "cellroute.v0"),
       "[cellroute.v0]"},
      {"other fields do not matter", and_also(good_answer, "Server", "x"), "[]"},

      {"no Upgrade", with(good_answer, "Upgrade", "-"), no_upgrade},
      {"another protocol", with(good_answer, "Upgrade", "h2c"), no_upgrade},
      {"a choice of protocols", with(good_answer, "Upgrade", "websocket, h2c"), no_upgrade},
      {"two lines", and_also(good_answer, "Upgrade", "websocket"), no_upgrade},
      {"no Connection", with(good_answer, "Connection", "-"), no_option},
      {"Connection without the option", with(good_answer, "Connection", "close"), no_option},
      {"no accept value", with(good_answer, "Sec-WebSocket-Accept", "-"), wrong},
      {"an empty one", with(good_answer, "Sec-WebSocket-Accept", ""), wrong},
      {"that of another key", with(good_answer, "Sec-WebSocket-Accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="), wrong},
      {"the key sent back", with(good_answer, "Sec-WebSocket-Accept", "dGhlIHNhbXBsZSBub25jZQ=="), wrong},
      {"in another case", with(good_answer, "Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO="), wrong},
      {"more behind it", with(good_answer, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=="), wrong},
      {"twice", and_also(good_answer, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), wrong},
      {"compression, which was not offered", and_also(good_answer, "Sec-WebSocket-Extensions", "permessage-deflate"),
       extension},
      {"an empty list of extensions", and_also(good_answer, "Sec-WebSocket-Extensions", ""), extension},
      {"a subprotocol that was not offered", and_also(good_answer, "Sec-WebSocket-Protocol", "chat"), subprotocol},
      {"one in another case", and_also(good_answer, "Sec-WebSocket-Protocol", "Cellroute.V1"), subprotocol},
      {"all that were offered", and_also(good_answer, "Sec-WebSocket-Protocol", "cellroute.v1, cellroute.v0"),
       subprotocol},
      {"an empty one", and_also(good_answer, "Sec-WebSocket-Protocol", ""), subprotocol},
      {"two lines of one",
       and_also(and_also(good_answer, "Sec-WebSocket-Protocol", "cellroute.v1"), "Sec-WebSocket-Protocol",
                "cellroute.v1"),
       subprotocol},
  };
  for (const answer_case& row : cases) {
    CAPTURE(row.says);
    CHECK(check_in_words(row.fields) == row.expected);
  }
}

TEST_CASE("websocket handshake: a status other than 101 is not looked at further (RFC 6455 section 4.1)") {
  constexpr std::uint16_t others[] = {100, 200, 301, 401, 403, 426, 503};
  for (const std::uint16_t status : others) {
    CAPTURE(status);
    CHECK(check_in_words(good_answer, status) == "status is not 101");
  }
}

TEST_CASE("websocket handshake: each end takes what the other one writes") {
  const std::string_view names[] = {"cellroute.v1"};
  for (std::uint8_t seed = 0; seed < 200; ++seed) {
    std::array<std::uint8_t, 16> random;
    for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<std::uint8_t>(seed * 31 + i * seed);
    const handshake_key key = make_key(random);
    CAPTURE(key.view());
    const lines sent =
        and_also(with(good_request, "Sec-WebSocket-Key", key.view()), "Sec-WebSocket-Protocol", names[0]);
    std::vector<field> asked = fields_of(sent);
    const auto answer = accept(request_with(asked), 1, our_names);
    REQUIRE(answer);
    std::vector<field> answered = {{"Upgrade", "websocket"},
                                   {"Connection", "Upgrade"},
                                   {"Sec-WebSocket-Accept", answer->accept.view()},
                                   {"Sec-WebSocket-Protocol", answer->subprotocol}};
    const auto agreed = check_answer(answer_with(answered), key, names);
    REQUIRE(agreed);
    CHECK(*agreed == "cellroute.v1");
  }
}
