#include "adapters/http1/request_head.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "tests/unit/http1/read_heads.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

std::string line(std::string_view start) { return std::string{start} + "\r\nHost: a.test\r\n\r\n"; }

std::string host_and(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a.test\r\n" + std::string{fields} + "\r\n";
}

std::string host_and_http10(std::string_view fields) {
  return "POST / HTTP/1.0\r\nHost: a.test\r\n" + std::string{fields} + "\r\n";
}

std::string only(std::string_view fields, std::string_view version = "1.1") {
  return "GET / HTTP/" + std::string{version} + "\r\n" + std::string{fields} + "\r\n";
}

std::string target_of(const request_head& head) {
  return std::string{head.view.method} + " " + std::string{head.view.target} + " 1." +
         std::to_string(head.version_minor);
}
std::string host_of(const request_head& head) { return std::string{head.view.authority}; }
std::string host_and_target_of(const request_head& head) {
  return std::string{head.view.authority} + " " + std::string{head.view.target};
}
std::string framing_of(const request_head& head) {
  return words(head.framing, head.view.body) + (head.view.body.has_body ? "" : ", no content");
}
std::string fields_of(const request_head& head) { return passed_on(head.view.fields); }
std::string upgrade_of(const request_head& head) { return std::string{head.view.upgrade}; }
std::string keep_alive_of(const request_head& head) { return head.keep_alive ? "keeps" : "closes"; }
std::string expectation_of(const request_head& head) { return head.view.expects_continue ? "waits" : "sends"; }
std::string trailers_of(const request_head& head) { return head.view.accepts_trailers ? "takes" : "drops"; }

}  // namespace

TEST_CASE("http1 request line: method, target, version (RFC 9112 section 3)") {
  const head_case cases[] = {
      {"the usual", line("GET /a/b?c=d HTTP/1.1"), "GET /a/b?c=d 1.1"},
      {"nothing of the target is changed", line("GET /%41//../;x?%zz&%00?/ HTTP/1.1"), "GET /%41//../;x?%zz&%00?/ 1.1"},
      {"a path that looks like an authority", line("GET //b.test/x HTTP/1.1"), "GET //b.test/x 1.1"},
      {"any token is a method", line("get-It!~ / HTTP/1.1"), "get-It!~ / 1.1"},
      {"the longest method", line(std::string(64, 'M') + " / HTTP/1.1"), std::string(64, 'M') + " / 1.1"},
      {"HTTP/1.0", line("GET / HTTP/1.0"), "GET / 1.0"},
      {"a later minor version is read as 1", line("GET / HTTP/1.7"), "GET / 1.1"},
      {"bytes that a URI should not hold but browsers send", line("GET /\"<>\\^`{|} HTTP/1.1"), "GET /\"<>\\^`{|} 1.1"},
      {"asterisk form", line("OPTIONS * HTTP/1.1"), "OPTIONS * 1.1"},

      {"no version is HTTP/0.9", "GET /\r\n\r\n", "400 malformed start line"},
      {"two spaces make an empty target", line("GET  / HTTP/1.1"), "400 malformed request target"},
      {"no target", line("GET HTTP/1.1"), "400 malformed start line"},
      {"no target but a space", line("GET  HTTP/1.1"), "400 malformed request target"},
      {"a space at the end", line("GET / HTTP/1.1 "), "400 malformed start line"},
      {"a space in the target", line("GET /a b HTTP/1.1"), "400 malformed HTTP version"},
      {"two versions", line("GET / HTTP/1.1 HTTP/1.1"), "400 malformed start line"},
      {"a space before the method", line(" GET / HTTP/1.1"), "400 malformed method"},
      {"a tab for a space", line("GET\t/ HTTP/1.1"), "400 malformed method"},
      {"a tab behind the target", line("GET /\tHTTP/1.1"), "400 malformed request target"},
      {"a tab before the line end", line("GET / HTTP/1.1\t"), "400 malformed start line"},
      {"a method that is no token", line("GE(T / HTTP/1.1"), "400 malformed method"},
      {"a method that looks like a field", line("GET: / HTTP/1.1"), "400 malformed method"},
      {"a method beyond ASCII", line("G\xcb\x88T / HTTP/1.1"), "400 malformed method"},
      {"a method one byte too long", line(std::string(65, 'M') + " / HTTP/1.1"), "501 method too long"},
      {"lower case is another protocol", line("GET / http/1.1"), "400 malformed HTTP version"},
      {"two digits", line("GET / HTTP/1.10"), "400 malformed start line"},
      {"no minor version", line("GET / HTTP/1"), "400 malformed HTTP version"},
      {"a leading zero", line("GET / HTTP/01.1"), "400 malformed HTTP version"},
      {"another separator", line("GET / HTTP/1,1"), "400 malformed HTTP version"},
      {"HTTP/2 is another protocol", line("GET / HTTP/2.0"), "505 HTTP version not supported"},
      {"HTTP/0", line("GET / HTTP/0.9"), "505 HTTP version not supported"},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", "505 HTTP version not supported"},
      {"CONNECT, in the form it needs", line("CONNECT a.test:443 HTTP/1.1"), "405 CONNECT is not served"},
      {"CONNECT, in another", line("CONNECT / HTTP/1.1"), "405 CONNECT is not served"},
      {"authority form is for CONNECT", line("GET a.test:80 HTTP/1.1"), "400 malformed request target"},
      {"asterisk form is for OPTIONS", line("GET * HTTP/1.1"), "400 malformed request target"},
      {"an asterisk and more", line("OPTIONS */ HTTP/1.1"), "400 malformed request target"},
      {"a path needs its slash", line("GET a/b HTTP/1.1"), "400 malformed request target"},
      {"a backslash is no slash", line("GET \\a HTTP/1.1"), "400 malformed request target"},
      {"a fragment stays with the client", line("GET /a#b HTTP/1.1"), "400 malformed request target"},
      {"bytes beyond ASCII", line("GET /\xc3\xa9 HTTP/1.1"), "400 malformed request target"},
      {"no hex after the percent", line("GET /%zz HTTP/1.1"), "400 malformed request target"},
      {"half a percent-encoding", line("GET /a%4?b HTTP/1.1"), "400 malformed request target"},
      {"an encoded NUL in the path", line("GET /a%00b HTTP/1.1"), "400 malformed request target"},
      {"a control byte in the target", line("GET /\x01 HTTP/1.1"), "400 control byte"},
      {"a CR in the target", line("GET /\rX HTTP/1.1"), "400 bare CR"},
  };
  check_requests(cases, target_of);
}

TEST_CASE("http1 request line: the target's limit, and one past it") {
  const head_limits limits{.target_bytes_max = 100};
  const std::string longest = "/" + std::string(99, 'a');
  const head_case cases[] = {
      {"the longest", line("GET " + longest + " HTTP/1.1"), "GET " + longest + " 1.1"},
      {"one byte longer", line("GET " + longest + "a HTTP/1.1"), "414 request target too long"},
  };
  check_requests(cases, target_of, limits);
}

TEST_CASE("http1 target: the authority of absolute form replaces Host (RFC 9112 section 3.2.2)") {
  const head_case cases[] = {
      {"it is sent on in origin form", line("GET http://b.test/x?y HTTP/1.1"), "b.test /x?y"},
      {"the scheme has no case", line("GET HtTp://b.test/x HTTP/1.1"), "b.test /x"},
      {"https", line("GET https://b.test/x HTTP/1.1"), "b.test /x"},
      {"a port", line("GET http://b.test:81/x HTTP/1.1"), "b.test:81 /x"},
      {"IPv6", line("GET http://[::1]:81/x HTTP/1.1"), "[::1]:81 /x"},
      {"an empty path is the root", line("GET http://b.test HTTP/1.1"), "b.test /"},
      {"an empty path before a query", line("GET http://b.test?x=/ HTTP/1.1"), "b.test /?x=/"},
      {"OPTIONS of the server", line("OPTIONS http://b.test HTTP/1.1"), "b.test *"},
      {"OPTIONS of its root", line("OPTIONS http://b.test/ HTTP/1.1"), "b.test /"},
      {"OPTIONS with a query is not of the server", line("OPTIONS http://b.test?x HTTP/1.1"), "b.test /?x"},
      {"in HTTP/1.0, without Host", only("", "1.0").replace(4, 1, "http://b.test/x"), "b.test /x"},
      {"two slashes belong to the path", line("GET http://b.test//x HTTP/1.1"), "b.test //x"},

      {"it does not stand in for Host", "GET http://b.test/ HTTP/1.1\r\n\r\n", "400 Host is missing"},
      {"Host must be well formed even so", "GET http://b.test/ HTTP/1.1\r\nHost: a b\r\n\r\n", "400 malformed host"},
      {"user information is no part of a host", line("GET http://u:p@b.test/ HTTP/1.1"),
       "400 malformed request target"},
      {"no host", line("GET http:///x HTTP/1.1"), "400 malformed request target"},
      {"no host but a port", line("GET http://:80/x HTTP/1.1"), "400 malformed request target"},
      {"a port out of range", line("GET http://b.test:65536/ HTTP/1.1"), "400 malformed request target"},
      {"another scheme", line("GET ftp://b.test/ HTTP/1.1"), "400 malformed request target"},
      {"one slash", line("GET http:/b.test/ HTTP/1.1"), "400 malformed request target"},
      {"a backslash", line("GET http:\\\\b.test/ HTTP/1.1"), "400 malformed request target"},
      {"no hex after the percent", line("GET http://b.test/%zz HTTP/1.1"), "400 malformed request target"},
  };
  check_requests(cases, host_and_target_of);
}

TEST_CASE("http1 target: a made one outlives a move of its head") {
  const std::string text = line("GET http://b.test?x HTTP/1.1");
  std::array<field, 1> storage;
  request_head head;
  REQUIRE(parse_request_head(text, {}, storage, head));
  const request_head moved = std::move(head);
  CHECK(moved.view.target == "/?x");
}

TEST_CASE("http1 host: exactly one in HTTP/1.1 (RFC 9112 section 3.2)") {
  const head_case cases[] = {
      {"one", only("Host: a.test\r\n"), "a.test"},
      {"without white space", only("hOST:a.test\r\n"), "a.test"},
      {"anywhere", only("A: b\r\nHost: a.test:80\r\n"), "a.test:80"},
      {"HTTP/1.0 may lack it", only("", "1.0"), ""},
      {"HTTP/1.0 may have it", only("Host: a.test\r\n", "1.0"), "a.test"},

      {"none", only("A: b\r\n"), "400 Host is missing"},
      {"two", only("Host: a.test\r\nHost: b.test\r\n"), "400 more than one Host"},
      {"two that agree", only("Host: a.test\r\nHost: a.test\r\n"), "400 more than one Host"},
      {"two in HTTP/1.0", only("Host: a.test\r\nHost: a.test\r\n", "1.0"), "400 more than one Host"},
      {"empty: an http URI has a host", only("Host: \r\n"), "400 malformed host"},
      {"a list", only("Host: a.test, b.test\r\n"), "400 malformed host"},
      {"a tab inside", only("Host: a\tb\r\n"), "400 malformed host"},
      {"user information", only("Host: u@a.test\r\n"), "400 malformed host"},
      {"a NUL", only(std::string_view{"Host: a\0.test\r\n", 15}), "400 control byte"},
      {"folded", only("Host:\r\n a.test\r\n"), "400 folded field line"},
      {"folded into the first line", only(" Host: b.test\r\nHost: a.test\r\n"), "400 folded field line"},
      {"5 kB", only("Host: " + std::string(5000, 'a') + "\r\n"), "400 malformed host"},
  };
  check_requests(cases, host_of);
}

TEST_CASE("http1 fields: names and values (RFC 9112 section 5)") {
  const head_case cases[] = {
      {"white space around a value is no part of it", host_and("A: \t b \t\r\n"), "A=b;"},
      {"white space inside is", host_and("A: b\tc  d\r\n"), "A=b\tc  d;"},
      {"none is needed", host_and("A:b\r\n"), "A=b;"},
      {"a value may be empty", host_and("A:\r\nB: \t \r\n"), "A=;B=;"},
      {"a value may hold colons", host_and("A: b:c::\r\n"), "A=b:c::;"},
      {"bytes from 0x80 on pass", host_and("A: \xc3\xa9\xff\r\n"), "A=\xc3\xa9\xff;"},
      {"every byte of a token", host_and("!#$%&'*+-.^_`|~09azAZ: b\r\n"), "!#$%&'*+-.^_`|~09azAZ=b;"},
      {"equal names keep their order", host_and("C: 1\r\nA: 2\r\nC: 3\r\n"), "C=1;A=2;C=3;"},
      {"an underscore makes another name", host_and("Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"),
       "Content_Length=5;Transfer_Encoding=chunked;"},

      {"a space before the colon", host_and("A : b\r\n"), "400 white space before the colon"},
      {"a tab before the colon", host_and("A\t: b\r\n"), "400 white space before the colon"},
      {"no name", host_and(": b\r\n"), "400 malformed field name"},
      {"no colon", host_and("A\r\n"), "400 malformed field name"},
      {"a space in a name", host_and("A B: c\r\n"), "400 white space before the colon"},
      {"a name that is no token", host_and("A(B): c\r\n"), "400 malformed field name"},
      {"a name beyond ASCII", host_and("\xc3\xa9: c\r\n"), "400 malformed field name"},
      {"a slash, which some take for the end of a name", host_and("A/B: c\r\n"), "400 malformed field name"},
      {"a folded value", host_and("A: b\r\n c\r\n"), "400 folded field line"},
      {"folded by a tab", host_and("A: b\r\n\tc\r\n"), "400 folded field line"},
      {"a line of white space", host_and("A: b\r\n \r\n"), "400 folded field line"},
      {"a fold before the first field", only(" A: b\r\nHost: a.test\r\n"), "400 folded field line"},
      {"a vertical tab is no white space", host_and("A:\x0b b\r\n"), "400 control byte"},
      {"a NUL", host_and(std::string_view{"A: \0\r\n", 6}), "400 control byte"},
      {"a bare CR hides a field", host_and("A: b\rTransfer-Encoding: chunked\r\n"), "400 bare CR"},
      {"a bare LF hides a field", host_and("A: b\nTransfer-Encoding: chunked\r\n"), "400 bare LF"},
  };
  check_requests(cases, fields_of);
}

TEST_CASE("http1 fields: what goes no further (RFC 9110 section 7.6.1)") {
  const head_case cases[] = {
      {"what concerns this connection", host_and("Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nA: b\r\n"),
       "A=b;"},
      {"credentials for a proxy", host_and("Proxy-Authorization: Basic eA==\r\nAuthorization: Basic eA==\r\n"),
       "Authorization=Basic eA==;"},
      {"what the writer makes anew", host_and("Content-Length: 3\r\nExpect: 100-continue\r\nTE: trailers\r\n"), ""},
      {"what Connection names", host_and("Connection: X-Hop\r\nX-Hop: 1\r\nA: b\r\n"), "A=b;"},
      {"in any case, before it or behind", host_and("X-hop: 1\r\nCONNECTION: x-HOP\r\nX-HOP: 2\r\n"), ""},
      {"between empty members", host_and("Connection: ,, X-Hop ,,B,\r\nX-Hop: 1\r\nB: 2\r\nC: 3\r\n"), "C=3;"},
      {"in several lines", host_and("Connection: A\r\nConnection: B\r\nA: 1\r\nB: 2\r\nC: 3\r\n"), "C=3;"},
      {"only whole names", host_and("Connection: X-Ho, X-Hopp\r\nX-Hop: 1\r\n"), "X-Hop=1;"},
      {"a member that is no token names nothing", host_and("Connection: \"A\", A B\r\nA: 1\r\n"), "A=1;"},
      {"not the routing key", host_and("Connection: X-Routing-Key\r\nX-Routing-Key: a\r\n"), "X-Routing-Key=a;"},
      {"not from where it came",
       host_and("Connection: X-Forwarded-For, X-Request-Id\r\nX-Forwarded-For: 1\r\n"
                "X-Request-Id: 2\r\n"),
       "X-Forwarded-For=1;X-Request-Id=2;"},
      {"the offer of HTTP/2", host_and("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
       ""},
      {"Trailer goes along with the trailers", host_and("Trailer: X\r\nTransfer-Encoding: chunked\r\n"), "Trailer=X;"},
  };
  check_requests(cases, fields_of);
}

TEST_CASE("http1 fields: Connection can name no end of fields") {
  std::string names;
  for (int i = 0; i < 64; ++i) names += "n" + std::to_string(i) + ",";
  const head_case cases[] = {
      {"as many as may be", host_and("Connection: close, " + names + "\r\n"), "closes"},
      {"one more", host_and("Connection: " + names + "n64\r\n"), "431 too many connection options"},
      {"one more, in another line", host_and("Connection: " + names + "\r\nConnection: n64\r\n"),
       "431 too many connection options"},
  };
  check_requests(cases, keep_alive_of);
}

TEST_CASE("http1 fields: limits of the parser by itself, and one past each") {
  const head_limits limits{.head_bytes_max = 60, .field_bytes_max = 20, .fields_max = 2};
  std::array<field, 8> storage;
  const auto parse = [&](std::string_view head, std::size_t room) {
    request_head out;
    const auto parsed = parse_request_head(head, limits, std::span{storage}.first(room), out);
    return parsed ? std::to_string(out.view.fields.size()) : words(parsed.error());
  };
  CHECK(parse("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 2) == "2");
  CHECK(parse("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 1) == "431 too many fields");
  CHECK(parse("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nB: c\r\n\r\n", 8) == "431 too many fields");
  CHECK(parse("GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaa\r\n\r\n", 8) == "1");
  CHECK(parse("GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaa\r\n\r\n", 8) == "431 field too long");
  CHECK(parse("GET /" + std::string(30, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 8) == "1");
  CHECK(parse("GET /" + std::string(34, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 8) == "431 head too long");
}

TEST_CASE("http1 request: a head cut anywhere is refused by the parser by itself") {
  const std::string whole = "POST /a?b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n";
  std::array<field, 4> storage;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const exact_bytes bytes{std::string_view{whole}.substr(0, size)};
    request_head head;
    CAPTURE(size);
    CHECK_FALSE(parse_request_head(bytes.view(), {}, storage, head));
  }
}

TEST_CASE("http1 framing: Content-Length, once and in digits (RFC 9112 section 6.2)") {
  const head_case cases[] = {
      {"none", host_and(""), "none, no content"},
      {"a length", host_and("Content-Length: 5\r\n"), "length 5"},
      {"without white space", host_and("content-length:5\r\n"), "length 5"},
      {"zero is said, and goes along", host_and("Content-Length: 0\r\n"), "length 0, no content"},
      {"leading zeros are decimal", host_and("Content-Length: 010\r\n"), "length 10"},
      {"the largest", host_and("Content-Length: 9223372036854775807\r\n"), "length 9223372036854775807"},
      {"in HTTP/1.0", host_and_http10("Content-Length: 5\r\n"), "length 5"},
      {"not dropped because Connection names it", host_and("Connection: Content-Length\r\nContent-Length: 5\r\n"),
       "length 5"},

      {"one larger is negative for some", host_and("Content-Length: 9223372036854775808\r\n"),
       "400 malformed Content-Length"},
      {"2^64 + 5 is 5 for some", host_and("Content-Length: 18446744073709551621\r\n"), "400 malformed Content-Length"},
      {"300 digits", host_and("Content-Length: " + std::string(300, '9') + "\r\n"), "400 malformed Content-Length"},
      {"a plus", host_and("Content-Length: +5\r\n"), "400 malformed Content-Length"},
      {"a minus", host_and("Content-Length: -5\r\n"), "400 malformed Content-Length"},
      {"hexadecimal", host_and("Content-Length: 0x5\r\n"), "400 malformed Content-Length"},
      {"letters behind", host_and("Content-Length: 5abc\r\n"), "400 malformed Content-Length"},
      {"a fraction", host_and("Content-Length: 5.0\r\n"), "400 malformed Content-Length"},
      {"an exponent", host_and("Content-Length: 5e0\r\n"), "400 malformed Content-Length"},
      {"an underscore", host_and("Content-Length: 1_0\r\n"), "400 malformed Content-Length"},
      {"quotes", host_and("Content-Length: \"5\"\r\n"), "400 malformed Content-Length"},
      {"white space inside", host_and("Content-Length: 5 5\r\n"), "400 malformed Content-Length"},
      {"empty", host_and("Content-Length: \r\n"), "400 malformed Content-Length"},
      {"a list of equals", host_and("Content-Length: 5, 5\r\n"), "400 malformed Content-Length"},
      {"a comma behind", host_and("Content-Length: 5,\r\n"), "400 malformed Content-Length"},
      {"a non-breaking space behind", host_and("Content-Length: 5\xa0\r\n"), "400 malformed Content-Length"},
      {"a form feed behind", host_and("Content-Length: 5\f\r\n"), "400 control byte"},
      {"twice, different", host_and("Content-Length: 0\r\nContent-Length: 60\r\n"), "400 more than one Content-Length"},
      {"twice, equal", host_and("Content-Length: 5\r\nContent-Length: 5\r\n"), "400 more than one Content-Length"},
      {"folded", host_and("Content-Length:\r\n 5\r\n"), "400 folded field line"},
      {"a space before the colon", host_and("Content-Length : 5\r\n"), "400 white space before the colon"},
  };
  check_requests(cases, framing_of);
}

TEST_CASE("http1 framing: Transfer-Encoding, and only chunked (RFC 9112 sections 6.1 and 7)") {
  const head_case cases[] = {
      {"chunked", host_and("Transfer-Encoding: chunked\r\n"), "chunked"},
      {"in any case", host_and("tRANSFER-eNCODING: ChunKED\r\n"), "chunked"},
      {"with white space around", host_and("Transfer-Encoding:\t chunked \r\n"), "chunked"},
      {"not dropped because Connection names it",
       host_and("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"), "chunked"},

      {"another coding", host_and("Transfer-Encoding: gzip\r\n"), "501 transfer coding not supported"},
      {"another before chunked", host_and("Transfer-Encoding: gzip, chunked\r\n"), "501 transfer coding not supported"},
      {"identity, which is no coding any more", host_and("Transfer-Encoding: identity\r\n"),
       "501 transfer coding not supported"},
      {"a name that begins like it", host_and("Transfer-Encoding: chunkedx\r\n"), "501 transfer coding not supported"},
      {"a name that ends like it", host_and("Transfer-Encoding: xchunked\r\n"), "501 transfer coding not supported"},
      {"chunked is not last", host_and("Transfer-Encoding: chunked, gzip\r\n"), "400 malformed Transfer-Encoding"},
      {"chunked twice", host_and("Transfer-Encoding: chunked, chunked\r\n"), "400 malformed Transfer-Encoding"},
      {"two lines", host_and("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       "400 malformed Transfer-Encoding"},
      {"two lines, the first unknown", host_and("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"),
       "400 malformed Transfer-Encoding"},
      {"empty", host_and("Transfer-Encoding:\r\n"), "400 malformed Transfer-Encoding"},
      {"an empty member before", host_and("Transfer-Encoding: , chunked\r\n"), "400 malformed Transfer-Encoding"},
      {"an empty member behind", host_and("Transfer-Encoding: chunked,\r\n"), "400 malformed Transfer-Encoding"},
      {"quotes", host_and("Transfer-Encoding: \"chunked\"\r\n"), "400 malformed Transfer-Encoding"},
      {"a parameter, which chunked has not", host_and("Transfer-Encoding: chunked;q=1\r\n"),
       "400 malformed Transfer-Encoding"},
      {"two words", host_and("Transfer-Encoding: x chunked\r\n"), "400 malformed Transfer-Encoding"},
      {"a byte that some take for white space", host_and("Transfer-Encoding: chunked\x85\r\n"),
       "400 malformed Transfer-Encoding"},
      {"a vertical tab",
       host_and("Transfer-Encoding: \x0b"
                "chunked\r\n"),
       "400 control byte"},
      {"CL.TE", host_and("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
       "400 both Content-Length and Transfer-Encoding"},
      {"TE.CL", host_and("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
       "400 both Content-Length and Transfer-Encoding"},
      {"a length beside an unknown coding", host_and("Transfer-Encoding: identity\r\nContent-Length: 4\r\n"),
       "400 both Content-Length and Transfer-Encoding"},
      {"in HTTP/1.0", host_and_http10("Transfer-Encoding: chunked\r\n"), "400 Transfer-Encoding in HTTP/1.0"},
      {"in HTTP/1.0 beside a length", host_and_http10("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
       "400 Transfer-Encoding in HTTP/1.0"},
      {"folded", host_and("Transfer-Encoding:\r\n\tchunked\r\n"), "400 folded field line"},
      {"a space before the colon", host_and("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n"),
       "400 white space before the colon"},
  };
  check_requests(cases, framing_of);
}

TEST_CASE("http1 connection: whether another request may follow (RFC 9112 section 9.3)") {
  const head_case cases[] = {
      {"1.1 keeps", host_and(""), "keeps"},
      {"unless it says close", host_and("Connection: close\r\n"), "closes"},
      {"in any case and place", host_and("Connection: x, ClOsE\r\n"), "closes"},
      {"close wins", host_and("Connection: keep-alive\r\nConnection: close\r\n"), "closes"},
      {"only the whole word", host_and("Connection: closed\r\n"), "keeps"},
      {"1.0 closes", host_and_http10(""), "closes"},
      {"unless it says keep-alive", host_and_http10("Connection: Keep-Alive\r\n"), "keeps"},
      {"close wins there too", host_and_http10("Connection: keep-alive, close\r\n"), "closes"},
      {"Proxy-Connection says nothing", host_and_http10("Proxy-Connection: keep-alive\r\n"), "closes"},
  };
  check_requests(cases, keep_alive_of);
}

TEST_CASE("http1 upgrade: when it becomes a tunnel (RFC 9110 section 7.8)") {
  const std::string ask = "Connection: keep-alive, Upgrade\r\n";
  const head_case cases[] = {
      {"asked for and named", host_and(ask + "Upgrade: websocket\r\n"), "websocket"},
      {"with a version", host_and(ask + "Upgrade: IRC/6.9, x/1\r\n"), "IRC/6.9, x/1"},
      {"a length of zero is no content", host_and(ask + "Upgrade: websocket\r\nContent-Length: 0\r\n"), "websocket"},

      {"Connection does not name it", host_and("Upgrade: websocket\r\n"), ""},
      {"Connection names nothing", host_and(ask), ""},
      {"content comes first, and is no tunnel", host_and(ask + "Upgrade: websocket\r\nContent-Length: 5\r\n"), ""},
      {"chunked content", host_and(ask + "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n"), ""},
      {"HTTP/1.0 has no upgrade", host_and_http10(ask + "Upgrade: websocket\r\n"), ""},
      {"HTTP/2 in clear text passes every check", host_and(ask + "Upgrade: h2c\r\n"), ""},
      {"in any case", host_and(ask + "Upgrade: H2C\r\n"), ""},
      {"by its name over TLS", host_and(ask + "Upgrade: h2\r\n"), ""},
      {"with a version", host_and(ask + "Upgrade: h2c/1\r\n"), ""},
      {"as one of several", host_and(ask + "Upgrade: websocket, h2c\r\n"), ""},
      {"by its own name", host_and(ask + "Upgrade: HTTP/2.0\r\n"), ""},
      {"in two lines", host_and(ask + "Upgrade: websocket\r\nUpgrade: h2c\r\n"), ""},
      {"no token", host_and(ask + "Upgrade: web socket\r\n"), ""},
      {"an empty version", host_and(ask + "Upgrade: websocket/\r\n"), ""},
      {"empty", host_and(ask + "Upgrade:\r\n"), ""},
  };
  check_requests(cases, upgrade_of);
}

TEST_CASE("http1 expectation: the client waits for 100 (RFC 9110 section 10.1.1)") {
  const head_case cases[] = {
      {"with content", host_and("Expect: 100-continue\r\nContent-Length: 5\r\n"), "waits"},
      {"in any case", host_and("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"), "waits"},
      {"without content there is nothing to wait for", host_and("Expect: 100-continue\r\n"), "sends"},
      {"not in HTTP/1.0", host_and_http10("Expect: 100-continue\r\nContent-Length: 5\r\n"), "sends"},
      {"empty", host_and("Expect:\r\nContent-Length: 5\r\n"), "sends"},
      {"another in HTTP/1.0 is none", host_and_http10("Expect: x\r\nContent-Length: 5\r\n"), "sends"},
      {"another", host_and("Expect: x\r\nContent-Length: 5\r\n"), "417 unknown expectation"},
      {"another beside it", host_and("Expect: 100-continue, x\r\nContent-Length: 5\r\n"), "417 unknown expectation"},
      {"another behind it", host_and("Expect: 100-continue\r\nExpect: x\r\n"), "417 unknown expectation"},
      {"longer", host_and("Expect: 100-continuex\r\n"), "417 unknown expectation"},
  };
  check_requests(cases, expectation_of);
}

TEST_CASE("http1 trailers: whether the client takes them (RFC 9110 section 10.1.4)") {
  const head_case cases[] = {
      {"it says so", host_and("TE: trailers\r\n"), "takes"},
      {"in a list", host_and("TE: gzip;q=0.5, Trailers\r\n"), "takes"},
      {"in another line", host_and("TE: gzip\r\nTE: trailers\r\n"), "takes"},
      {"it does not", host_and(""), "drops"},
      {"another coding", host_and("TE: gzip\r\n"), "drops"},
      {"a longer word", host_and("TE: trailersx\r\n"), "drops"},
      {"not in HTTP/1.0", host_and_http10("TE: trailers\r\n"), "drops"},
  };
  check_requests(cases, trailers_of);
}

TEST_CASE("http1 request: the lines of its fields are handed on as they lie in the head") {
  const std::string text = host_and("A:  b \r\nC: d\r\n");
  std::array<field, 3> storage;
  request_head head;
  REQUIRE(parse_request_head(text, {}, storage, head));
  CHECK(head.view.raw == "Host: a.test\r\nA:  b \r\nC: d\r\n");
  CHECK(head.view.scheme == "http");
  CHECK(head.view.fields.size() == 3);
  CHECK(head.view.fields[0].id == field_name::host);
  CHECK(head.view.fields[0].skip);
}
