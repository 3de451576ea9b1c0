#pragma once

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/head_writer.hpp"
#include "adapters/http1/request_head.hpp"
#include "adapters/http1/response_head.hpp"
#include "tests/unit/http1/five_ways.hpp"

namespace cellroute::http1 {

/// What goes in, and what comes out in words: of what was read, or the status and the reason of the refusal.
struct head_case {
  std::string_view says;
  std::string input;
  std::string expected;
};

inline std::string words(head_error error) {
  return std::to_string(status_of(error)) + " " + std::string{to_string(error)};
}

inline std::string words(body_framing framing, const body_size& body) {
  const std::string length = body.length_bytes ? " " + std::to_string(*body.length_bytes) : "";
  switch (framing) {
    case body_framing::none:
      return "none" + length;
    case body_framing::length:
      return "length" + length;
    case body_framing::chunked:
      return "chunked" + length;
    case body_framing::until_close:
      return "until close" + length;
  }
  return {};
}

/// The fields that go further, one `name=value;` each.
inline std::string passed_on(std::span<const field> fields) {
  std::string text;
  for (const field& f : fields) {
    if (!f.skip) text += std::string{f.name} + "=" + std::string{f.value} + ";";
  }
  return text;
}

/// Feeds a scanner piece by piece; each piece lies in a block of its own.
inline head_outcome scan(head_scanner& scanner, const way& arrives) {
  head_outcome outcome = need_more{};
  for (const std::size_t end : arrives.ends) {
    const exact_bytes piece{std::string_view{arrives.input}.substr(0, end)};
    outcome = scanner.scan(piece.view());
    if (!std::holds_alternative<need_more>(outcome)) break;
  }
  return outcome;
}

/// The bytes of a head that was found, and just enough storage for its fields.
struct found_head {
  found_head(const way& arrives, const head_end& at)
      : bytes(std::string_view{arrives.input}.substr(at.begin, at.size_bytes)), storage(at.line_count) {}
  exact_bytes bytes;
  std::vector<field> storage;
};

template <class Print>
std::string read_request(const way& arrives, const head_limits& limits, Print print) {
  head_scanner scanner{limits, true};
  const head_outcome outcome = scan(scanner, arrives);
  if (std::holds_alternative<need_more>(outcome)) return "wait";
  if (const auto* error = std::get_if<head_error>(&outcome)) return words(*error);
  found_head found{arrives, std::get<head_end>(outcome)};
  request_head head;
  const auto parsed = parse_request_head(found.bytes.view(), limits, found.storage, head);
  return parsed ? print(std::as_const(head)) : words(parsed.error());
}

/// Of the request that a response answers.
struct answered_request {
  bool was_head = false;
  std::string_view upgrade_asked = {};
};

template <class Print>
std::string read_response(const way& arrives, answered_request request, Print print) {
  const head_limits limits;
  head_scanner scanner{limits, false};
  const head_outcome outcome = scan(scanner, arrives);
  if (std::holds_alternative<need_more>(outcome)) return "wait";
  if (const auto* error = std::get_if<head_error>(&outcome)) return "502 " + std::string{to_string(*error)};
  found_head found{arrives, std::get<head_end>(outcome)};
  response_head head;
  const auto parsed =
      parse_response_head(found.bytes.view(), request.was_head, request.upgrade_asked, limits, found.storage, head);
  return parsed ? print(std::as_const(head)) : "502 " + std::string{to_string(parsed.error())};
}

/// All that goes to the upstream, in words.
inline std::string forwarded(const request_head& head) {
  const request_view& view = head.view;
  return std::string{view.method} + " " + std::string{view.target} + " host=" + std::string{view.authority} + " " +
         words(head.framing, view.body) + (view.expects_continue ? " expects" : "") +
         (view.accepts_trailers ? " trailers" : "") + " upgrade=" + std::string{view.upgrade} + " " +
         passed_on(view.fields);
}

/// All that goes to the client, in words.
inline std::string forwarded(const response_head& head) {
  return std::to_string(head.view.status) + " " + std::string{head.view.reason} + " " +
         words(head.framing, head.view.body) + " upgrade=" + std::string{head.view.upgrade} + " " +
         passed_on(head.view.fields);
}

template <class Outgoing>
std::string written(const Outgoing& head, std::size_t (*write)(std::span<char>, const Outgoing&)) {
  std::string bytes(size_bound(head), '\0');
  bytes.resize(write(bytes, head));
  return bytes;
}

inline std::string written(const outgoing_request& head) { return written(head, write_request_head); }
inline std::string written(const outgoing_response& head) { return written(head, write_response_head); }

inline way at_once(std::string_view text) { return {"at once", std::string{text}, {text.size()}}; }

/// Reads every row in every way, and what was accepted also as it is written to the next hop.
template <class Print>
void check_requests(std::span<const head_case> rows, Print print, const head_limits& limits = {}) {
  for (const head_case& row : rows) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      if (row.expected == "wait" && arrives.says.starts_with("with")) continue;
      CAPTURE(arrives.says);
      CHECK(read_request(arrives, limits, print) == row.expected);
    }
    std::string once;
    const auto write = [](const request_head& head) { return written(outgoing(head.view)); };
    const std::string before = read_request(at_once(row.input), limits, [&](const request_head& head) {
      once = write(head);
      return forwarded(head);
    });
    if (once.empty()) continue;
    const bool has_host = before.find("host= ") == std::string::npos;
    if (!has_host) continue;  // only HTTP/1.0 may lack it; whoever forwards it must give it one
    CHECK(read_request(at_once(once), {}, [](const request_head& head) { return forwarded(head); }) == before);
    CHECK(read_request(at_once(once), {}, write) == once);
  }
}

template <class Print>
void check_responses(std::span<const head_case> rows, Print print, answered_request request = {}) {
  for (const head_case& row : rows) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      if (row.expected == "wait" && arrives.says.starts_with("with")) continue;
      CAPTURE(arrives.says);
      CHECK(read_response(arrives, request, print) == row.expected);
    }
    std::string once;
    const auto write = [](const response_head& head) {
      outgoing_response next = outgoing(head.view);
      next.framing = head.framing;
      return written(next);
    };
    const std::string before = read_response(at_once(row.input), request, [&](const response_head& head) {
      once = write(head);
      return forwarded(head);
    });
    if (once.empty()) continue;
    CHECK(read_response(at_once(once), request, [](const response_head& head) { return forwarded(head); }) == before);
    CHECK(read_response(at_once(once), request, write) == once);
  }
}

}  // namespace cellroute::http1
