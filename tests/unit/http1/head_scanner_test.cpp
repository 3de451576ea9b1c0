#include "adapters/http1/head_scanner.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/http1/read_heads.hpp"

using namespace cellroute::http1;

namespace {

std::string scan_in_words(const way& arrives, const head_limits& limits, bool request) {
  head_scanner scanner{limits, request};
  const head_outcome outcome = scan(scanner, arrives);
  if (std::holds_alternative<need_more>(outcome)) return "wait";
  if (const auto* error = std::get_if<head_error>(&outcome)) return std::string{to_string(*error)};
  const head_end head = std::get<head_end>(outcome);
  return std::to_string(head.begin) + "+" + std::to_string(head.size_bytes) + " lines " +
         std::to_string(head.line_count);
}

void check_scans(std::span<const head_case> rows, const head_limits& limits = {}, bool request = true) {
  for (const head_case& row : rows) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      if (row.expected == "wait" && arrives.says.starts_with("with")) continue;
      CAPTURE(arrives.says);
      CHECK(scan_in_words(arrives, limits, request) == row.expected);
    }
  }
}

// A request head whose lines are `bytes` long in all, in one field.
std::string head_of_size(std::size_t bytes) {
  const std::string before = "GET / HTTP/1.1\r\nA:";
  return before + std::string(bytes - before.size() - 4, 'a') + "\r\n\r\n";
}

}  // namespace

TEST_CASE("http1 head: where it ends (RFC 9112 section 2.1)") {
  const head_case cases[] = {
      {"nothing yet", "", "wait"},
      {"half a line", "GET / HT", "wait"},
      {"half an empty line", "GET / HTTP/1.1\r\n\r", "wait"},
      {"the empty line ends the head", "GET / HTTP/1.1\r\n\r\n", "0+18 lines 0"},
      {"lines are counted", "GET / HTTP/1.1\r\nA: b\r\nC:\r\n\r\n", "0+28 lines 2"},
      {"a tab is no control byte here", "GET / HTTP/1.1\r\nA:\tb\r\n\r\n", "0+24 lines 1"},
      {"bytes from 0x80 on pass", "GET / HTTP/1.1\r\nA: \xc3\xa9\xff\r\n\r\n", "0+26 lines 1"},
      {"a bare LF does not end a line", "GET / HTTP/1.1\n\n", "bare LF"},
      {"nor does it after a CR LF", "GET / HTTP/1.1\r\nA: b\n\r\n", "bare LF"},
      {"nor as the empty line", "GET / HTTP/1.1\r\n\n", "bare LF"},
      {"a bare CR does not end a line", "GET / HTTP/1.1\r\rA: b\r\n\r\n", "bare CR"},
      {"CR CR LF is not CR LF", "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", "bare CR"},
      {"CR CR does not end a head", "GET / HTTP/1.1\r\nA: b\r\rB: c\r\n\r\n", "bare CR"},
      {"a NUL", std::string{"GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24}, "control byte"},
      {"DEL", "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", "control byte"},
      {"a terminal's escape", "GET / HTTP/1.1\r\nA: \x1b[1m\r\n\r\n", "control byte"},
      {"TLS on a plain port, refused with its first byte", "\x16\x03\x01", "control byte"},
  };
  check_scans(cases);
}

TEST_CASE("http1 head: empty lines before it (RFC 9112 section 2.2)") {
  const head_case cases[] = {
      {"one is skipped", "\r\nGET / HTTP/1.1\r\n\r\n", "2+18 lines 0"},
      {"so many are skipped", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "8+18 lines 0"},
      {"only they have come", "\r\n\r\n", "wait"},
      {"one more is refused", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "malformed start line"},
      {"a bare LF is no empty line", "\nGET / HTTP/1.1\r\n\r\n", "bare LF"},
  };
  check_scans(cases);
  const head_case responses[] = {
      {"a response has none before it", "\r\nHTTP/1.1 200 OK\r\n\r\n", "malformed start line"},
      {"a response", "HTTP/1.1 200 OK\r\n\r\n", "0+19 lines 0"},
  };
  check_scans(responses, {}, false);
}

TEST_CASE("http1 head: limits, and one past each") {
  const head_limits limits{.head_bytes_max = 200, .field_bytes_max = 100, .fields_max = 3, .target_bytes_max = 40};
  const std::string line = "GET / HTTP/1.1\r\n";
  const head_case cases[] = {
      {"as many fields as may be", line + "A:\r\nB:\r\nC:\r\n\r\n", "0+30 lines 3"},
      {"one field more", line + "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", "too many fields"},
      {"refused before that line ends", line + "A:\r\nB:\r\nC:\r\nD", "too many fields"},
      {"the longest field", line + "A:" + std::string(98, 'b') + "\r\n\r\n", "0+120 lines 1"},
      {"a field one byte longer", line + "A:" + std::string(99, 'b') + "\r\n\r\n", "field too long"},
      {"refused before that line ends", line + "A:" + std::string(99, 'b'), "field too long"},
      {"a target far too long", "GET /" + std::string(110, 'a') + " HTTP/1.1\r\n\r\n", "request target too long"},
      {"refused before that line ends", "GET /" + std::string(110, 'a'), "request target too long"},
      {"a method far too long", std::string(115, 'A') + " / HTTP/1.1\r\n\r\n", "method too long"},
      {"refused before it ends", std::string(115, 'A'), "method too long"},
  };
  check_scans(cases, limits);

  const head_limits whole{.head_bytes_max = 200};
  const head_case sizes[] = {
      {"the longest head", head_of_size(200), "0+200 lines 1"},
      {"one byte longer", head_of_size(201), "head too long"},
      {"refused before it ends", head_of_size(300).substr(0, 200), "head too long"},
      {"one byte less can still end", head_of_size(300).substr(0, 199), "wait"},
      {"empty lines before it do not count", "\r\n" + head_of_size(200), "2+200 lines 1"},
  };
  check_scans(sizes, whole);
}

TEST_CASE("http1 head: a scanner starts anew after reset") {
  head_scanner scanner{head_limits{}, true};
  CHECK_FALSE(scanner.has_begun());
  CHECK((scanner.scan("\r\nGET / HTTP/1.1\r\n") == head_outcome{need_more{}}));
  CHECK(scanner.has_begun());
  scanner.reset();
  CHECK_FALSE(scanner.has_begun());
  CHECK((scanner.scan("GET / HTTP/1.1\r\n\r\n") == head_outcome{head_end{0, 18, 0}}));
}

TEST_CASE("http1 head: empty lines are not the beginning of one") {
  head_scanner scanner{head_limits{}, true};
  CHECK((scanner.scan("\r\n") == head_outcome{need_more{}}));
  CHECK_FALSE(scanner.has_begun());
  CHECK((scanner.scan("\r\nG") == head_outcome{need_more{}}));
  CHECK(scanner.has_begun());
}
