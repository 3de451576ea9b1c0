#pragma once

#include <cstddef>
#include <string_view>
#include <variant>

#include "adapters/http1/head_error.hpp"

namespace cellroute::http1 {

struct need_more {
  friend bool operator==(const need_more&, const need_more&) = default;
};

/// Where a head lies in the input.
struct head_end {
  std::size_t begin = 0;       ///< where the start line begins: empty lines before a request are no part of it
  std::size_t size_bytes = 0;  ///< up to and with the empty line that ends the head
  std::size_t line_count = 0;  ///< field lines: as much storage the parser needs
  friend bool operator==(const head_end&, const head_end&) = default;
};

using head_outcome = std::variant<need_more, head_end, head_error>;

/// A robust server skips empty lines before a request line, which old clients send after a body; so many, and not more.
///
/// Source: RFC 9112 section 2.2.
inline constexpr std::size_t empty_lines_max = 4;

/// Finds where a head ends, however the bytes were cut.
///
/// Refuses as soon as it sees one: a line end that is not CR LF, a control byte, a line or a head over its limit. So no
/// more than the limits is ever buffered. It remembers how far it looked: a head sent byte by byte costs as much as
/// one sent at once. What the lines say is the parser's business.
///
/// Cost: one pass, sixteen bytes a step. Threads: one owner.
class head_scanner {
 public:
  head_scanner(head_limits limits, bool request) : limits_(limits), request_(request) {}

  /// Looks on from where the last call ended.
  ///
  /// `input` has all bytes since the message began, the earlier ones unchanged; it may lie elsewhere than before.
  /// After an end or an error only `reset` may follow.
  [[nodiscard]] head_outcome scan(std::string_view input);

  /// Makes ready for the next message.
  void reset();

  /// Whether a byte of a head has come yet; empty lines do not count.
  [[nodiscard]] bool has_begun() const { return looked_bytes_ > begin_; }

 private:
  [[nodiscard]] std::size_t line_bytes_max() const;
  [[nodiscard]] bool is_over_limits(std::size_t input_bytes, std::string_view line) const;
  [[nodiscard]] head_error exceeded(std::string_view line) const;

  head_limits limits_;
  bool request_;
  std::size_t looked_bytes_ = 0;
  std::size_t begin_ = 0;        // of the start line
  std::size_t line_begin_ = 0;   // of the line that is being looked at
  std::size_t lines_ended_ = 0;  // since `begin_`, the start line included
};

}  // namespace cellroute::http1
