#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cellroute::control {

/// What a request's target asks for.
struct target_parts {
  std::string_view path{};                                   ///< still escaped: a key may have a slash
  std::vector<std::pair<std::string, std::string>> query{};  ///< unescaped, in their order

  [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// Nothing where it is no path, or an escape in the query is none.
[[nodiscard]] std::optional<target_parts> split_target(std::string_view target);

/// What stands for the names of a pattern, unescaped, where a path is of that form; else nothing.
///
/// A pattern has segments of fixed text, and such as `{name}` or `{name}:verb`; none of those is empty.
[[nodiscard]] std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path);

/// The tags in an `If-Match` or `If-None-Match`: strong ones without their quotes. Weak ones match nothing here.
///
/// Source: RFC 9110 section 8.8.3, 13.1.1.
struct tag_list {
  bool is_any = false;  ///< `*`
  std::vector<std::string> tags{};
  [[nodiscard]] bool has(std::string_view tag) const;
};
/// Nothing where it is no such list.
[[nodiscard]] std::optional<tag_list> read_tags(std::string_view text);

/// A whole number without sign, below 2^53.
[[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view text);

/// How far somebody has seen what happens.
struct event_mark {
  std::uint64_t audit = 0;               ///< the number of the last line of the audit
  std::optional<std::uint64_t> event{};  ///< the number that the event has in its process; none: all up to that line
  friend bool operator==(const event_mark&, const event_mark&) = default;
};

/// `AUDIT.EVENT`, as events have it for their id, or a line of the audit alone. Nothing where it is neither.
[[nodiscard]] std::optional<event_mark> read_event_mark(std::string_view text);

}  // namespace cellroute::control
