#include "adapters/http1/response_head.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "tests/unit/http1/read_heads.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

std::string ok_and(std::string_view fields) { return "HTTP/1.1 200 OK\r\n" + std::string{fields} + "\r\n"; }
std::string ok_and_http10(std::string_view fields) { return "HTTP/1.0 200 OK\r\n" + std::string{fields} + "\r\n"; }
std::string with_status(int status, std::string_view fields) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string{fields} + "\r\n";
}

std::string status_of_response(const response_head& head) {
  return std::to_string(head.view.status) + " [" + std::string{head.view.reason} + "] 1." +
         std::to_string(head.version_minor);
}
std::string framing_of_response(const response_head& head) {
  return words(head.framing, head.view.body) + (head.view.body.has_body ? "" : ", no content");
}
std::string framing_and_reuse_of(const response_head& head) {
  return framing_of_response(head) + (head.keep_alive ? ", keeps" : ", closes");
}
std::string keep_alive_of_response(const response_head& head) { return head.keep_alive ? "keeps" : "closes"; }
std::string fields_of_response(const response_head& head) { return passed_on(head.view.fields); }
std::string upgrade_of_response(const response_head& head) { return std::string{head.view.upgrade}; }

}  // namespace

TEST_CASE("http1 status line (RFC 9112 section 4)") {
  const head_case cases[] = {
      {"the usual", "HTTP/1.1 200 OK\r\n\r\n", "200 [OK] 1.1"},
      {"a reason of several words", "HTTP/1.1 404 Not\tFound \xc3\xa9\r\n\r\n", "404 [Not\tFound \xc3\xa9] 1.1"},
      {"an empty reason", "HTTP/1.1 200 \r\n\r\n", "200 [] 1.1"},
      {"no space before an empty reason", "HTTP/1.1 200\r\n\r\n", "200 [] 1.1"},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", "200 [OK] 1.0"},
      {"a later minor version is read as 1", "HTTP/1.3 200 OK\r\n\r\n", "200 [OK] 1.1"},
      {"the lowest", "HTTP/1.1 100 X\r\n\r\n", "100 [X] 1.1"},
      {"the highest", "HTTP/1.1 599 X\r\n\r\n", "599 [X] 1.1"},
      {"half a line", "HTTP/1.1 20", "wait"},

      {"one higher", "HTTP/1.1 600 X\r\n\r\n", "502 status out of range"},
      {"one lower", "HTTP/1.1 099 X\r\n\r\n", "502 status out of range"},
      {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "502 status out of range"},
      {"two digits", "HTTP/1.1 20 OK\r\n\r\n", "502 status out of range"},
      {"a sign", "HTTP/1.1 +20 OK\r\n\r\n", "502 status out of range"},
      {"letters", "HTTP/1.1 2xx OK\r\n\r\n", "502 status out of range"},
      {"two spaces", "HTTP/1.1  200 OK\r\n\r\n", "502 status out of range"},
      {"a tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", "502 malformed start line"},
      {"a tab behind the status", "HTTP/1.1 200\tOK\r\n\r\n", "502 malformed start line"},
      {"a reason without a space", "HTTP/1.1 200OK\r\n\r\n", "502 malformed start line"},
      {"no status", "HTTP/1.1 \r\n\r\n", "502 head is cut short"},
      {"HTTP/2 is another protocol", "HTTP/2.0 200 OK\r\n\r\n", "502 HTTP version not supported"},
      {"lower case is another protocol", "http/1.1 200 OK\r\n\r\n", "502 malformed HTTP version"},
      {"another protocol", "ICY 200 OK\r\n\r\n", "502 malformed HTTP version"},
      {"HTTP/0.9", "<html>hi</html>\r\n\r\n", "502 malformed HTTP version"},
      {"an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "502 malformed start line"},
      {"a control byte in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n", "502 control byte"},
      {"a bare LF", "HTTP/1.1 200 OK\n\n", "502 bare LF"},
      {"a bare CR", "HTTP/1.1 200 OK\rA: b\r\n\r\n", "502 bare CR"},
  };
  check_responses(cases, status_of_response);
}

TEST_CASE("http1 response: how its content ends (RFC 9112 section 6.3)") {
  const head_case cases[] = {
      {"a length", ok_and("Content-Length: 5\r\n"), "length 5, keeps"},
      {"zero", ok_and("Content-Length: 0\r\n"), "length 0, no content, keeps"},
      {"chunks", ok_and("Transfer-Encoding: Chunked\r\n"), "chunked, keeps"},
      {"neither: the end of the connection", ok_and(""), "until close, closes"},
      {"and keep-alive does not change it", ok_and("Connection: keep-alive\r\n"), "until close, closes"},
      {"304 has none, and may say how long it would be", with_status(304, "Content-Length: 400\r\n"),
       "none 400, no content, keeps"},
      {"304 without a word on it", with_status(304, ""), "none, no content, keeps"},
      {"304 may claim chunks", with_status(304, "Transfer-Encoding: chunked\r\n"), "none, no content, keeps"},
      {"204 has none", with_status(204, ""), "none, no content, keeps"},
      {"204 of zero bytes is odd, and harmless", with_status(204, "Content-Length: 0\r\n"), "none, no content, keeps"},
      {"204 with a length: what follows may be anything", with_status(204, "Content-Length: 4\r\n"),
       "none, no content, closes"},
      {"204 with chunks", with_status(204, "Transfer-Encoding: chunked\r\n"), "none, no content, closes"},
      {"204 with a bad length", with_status(204, "Content-Length: x\r\n"), "none, no content, closes"},
      {"an interim answer has none", with_status(103, "Link: </a>\r\n"), "none, no content, keeps"},
      {"an interim answer with a length", with_status(102, "Content-Length: 4\r\n"), "none, no content, closes"},

      {"both", ok_and("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
       "502 both Content-Length and Transfer-Encoding"},
      {"two lengths", ok_and("Content-Length: 5\r\nContent-Length: 10\r\n"), "502 more than one Content-Length"},
      {"two equal lengths", ok_and("Content-Length: 5\r\nContent-Length: 5\r\n"), "502 more than one Content-Length"},
      {"a list", ok_and("Content-Length: 5, 5\r\n"), "502 malformed Content-Length"},
      {"a minus", ok_and("Content-Length: -5\r\n"), "502 malformed Content-Length"},
      {"an overflow", ok_and("Content-Length: 18446744073709551621\r\n"), "502 malformed Content-Length"},
      {"a bad length of 304, since it would be passed on", with_status(304, "Content-Length: x\r\n"),
       "502 malformed Content-Length"},
      {"another coding", ok_and("Transfer-Encoding: gzip, chunked\r\n"), "502 transfer coding not supported"},
      {"chunked is not last", ok_and("Transfer-Encoding: chunked, gzip\r\n"), "502 malformed Transfer-Encoding"},
      {"chunked twice", ok_and("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       "502 malformed Transfer-Encoding"},
      {"chunks in HTTP/1.0", ok_and_http10("Transfer-Encoding: chunked\r\n"), "502 Transfer-Encoding in HTTP/1.0"},
  };
  check_responses(cases, framing_and_reuse_of);
}

TEST_CASE("http1 response: the answer to HEAD has no content, and says how long it would be (RFC 9112 section 6.3)") {
  const head_case cases[] = {
      {"a length is passed on", ok_and("Content-Length: 5\r\n"), "none 5, no content"},
      {"zero too", ok_and("Content-Length: 0\r\n"), "none 0, no content"},
      {"chunks may be claimed", ok_and("Transfer-Encoding: chunked\r\n"), "none, no content"},
      {"nothing said", ok_and(""), "none, no content"},
      {"two lengths", ok_and("Content-Length: 5\r\nContent-Length: 5\r\n"), "502 more than one Content-Length"},
      {"both", ok_and("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
       "502 both Content-Length and Transfer-Encoding"},
  };
  check_responses(cases, framing_of_response, {.was_head = true});
}

TEST_CASE("http1 response: whether its connection may be used again (RFC 9112 section 9.3)") {
  const std::string length = "Content-Length: 5\r\n";
  const head_case cases[] = {
      {"1.1 keeps", ok_and(length), "keeps"},
      {"unless it says close", ok_and(length + "Connection: Close\r\n"), "closes"},
      {"1.0 closes", ok_and_http10(length), "closes"},
      {"unless it says keep-alive", ok_and_http10(length + "Connection: keep-alive\r\n"), "keeps"},
      {"close wins", ok_and_http10(length + "Connection: keep-alive, close\r\n"), "closes"},
  };
  check_responses(cases, keep_alive_of_response);
}

TEST_CASE("http1 response: 101 only where an upgrade was asked for (RFC 9110 section 15.2.2)") {
  const std::string upgraded = with_status(101, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
  const head_case asked[] = {
      {"asked for", upgraded, "websocket"},
      {"no other status switches", ok_and("Connection: Upgrade\r\nUpgrade: websocket\r\n"), ""},
      {"to what?", with_status(101, "Connection: Upgrade\r\n"), "502 upgrade that nobody asked for"},
      {"to nothing", with_status(101, "Upgrade:\r\n"), "502 upgrade that nobody asked for"},
      {"in another case", with_status(101, "Upgrade: WebSocket\r\n"), "WebSocket"},
      {"one of several", with_status(101, "Upgrade: chat/2\r\n"), "chat/2"},
      {"several of them", with_status(101, "Upgrade: chat/2, websocket\r\n"), "chat/2, websocket"},
      {"in another version", with_status(101, "Upgrade: chat/3\r\n"), "502 upgrade that nobody asked for"},
      {"to something else", with_status(101, "Upgrade: h2c\r\n"), "502 upgrade that nobody asked for"},
      {"to something else, too", with_status(101, "Upgrade: websocket, h2c\r\n"), "502 upgrade that nobody asked for"},
      {"twice", with_status(101, "Upgrade: websocket\r\nUpgrade: h2c\r\n"), "502 upgrade that nobody asked for"},
  };
  check_responses(asked, upgrade_of_response, {.upgrade_asked = "websocket, chat/2"});
  const head_case unasked[] = {{"a tunnel that nobody wants", upgraded, "502 upgrade that nobody asked for"}};
  check_responses(unasked, upgrade_of_response);
}

TEST_CASE("http1 response: fields, and what goes no further (RFC 9110 section 7.6.1)") {
  const head_case cases[] = {
      {"equal names keep their order", ok_and("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
       "Set-Cookie=a=1;Set-Cookie=b=2;"},
      {"what concerns this connection", ok_and("Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nA: b\r\n"), "A=b;"},
      {"what Connection names", ok_and("Connection: X-Hop\r\nX-Hop: 1\r\nA: b\r\n"), "A=b;"},
      {"Trailer goes along", ok_and("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n"), "Trailer=X-Sum;"},
      {"Date and Server are the cell's", ok_and("Date: x\r\nServer: y\r\n"), "Date=x;Server=y;"},

      {"a space before the colon", ok_and("Content-Length : 5\r\n"), "502 white space before the colon"},
      {"a name that is no token", ok_and("X(A: b\r\n"), "502 malformed field name"},
      {"folded", ok_and("A: b\r\n c\r\n"), "502 folded field line"},
      {"a NUL", ok_and(std::string_view{"A: a\0b\r\n", 8}), "502 control byte"},
      {"a bare LF", ok_and("A: a\nB: b\r\n"), "502 bare LF"},
      {"more fields than may be", ok_and([] {
         std::string many;
         for (int i = 0; i < 129; ++i) many += "A: b\r\n";
         return many;
       }()),
       "502 too many fields"},
  };
  check_responses(cases, fields_of_response);
}

TEST_CASE("http1 response: a head cut anywhere is refused by the parser by itself") {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  std::array<field, 4> storage;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const exact_bytes bytes{std::string_view{whole}.substr(0, size)};
    response_head head;
    CAPTURE(size);
    CHECK_FALSE(parse_response_head(bytes.view(), false, {}, {}, storage, head));
  }
}

TEST_CASE("http1 errors: each has words of its own and a status") {
  std::vector<std::string_view> all;
  for (unsigned i = 0; i <= static_cast<unsigned>(head_error::unasked_upgrade); ++i) {
    const auto error = static_cast<head_error>(i);
    CAPTURE(i);
    CHECK_FALSE(to_string(error).empty());
    CHECK(std::find(all.begin(), all.end(), to_string(error)) == all.end());
    CHECK(status_of(error) >= 400);
    all.push_back(to_string(error));
  }
}
