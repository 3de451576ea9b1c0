#include "adapters/http1/head_scanner.hpp"

#include "adapters/http1/bytes.hpp"

namespace cellroute::http1 {
namespace {

constexpr std::size_t version_bytes = 8;  // "HTTP/1.1"

// An over-long request line is a long method if no space ends the method in time, else a long target.
head_error start_line_too_long(std::string_view line) {
  return line.substr(0, method_bytes_max + 1).find(' ') == std::string_view::npos ? head_error::method_too_long
                                                                                  : head_error::target_too_long;
}

}  // namespace

head_outcome head_scanner::scan(std::string_view input) {
  const char* const base = input.data();
  const char* const end = base + input.size();
  for (;;) {
    const char* const found = fast_search::find_control(base + looked_bytes_, end);
    looked_bytes_ = static_cast<std::size_t>(found - base);
    const std::string_view line = input.substr(line_begin_, looked_bytes_ - line_begin_);
    if (found == end || (*found == '\r' && found + 1 == end)) {
      if (is_over_limits(input.size(), line)) return exceeded(line);
      return need_more{};
    }
    if (*found == '\n') return head_error::bare_lf;
    if (*found != '\r') return head_error::control_byte;
    if (found[1] != '\n') return head_error::bare_cr;

    looked_bytes_ += 2;
    if (!line.empty()) {
      if (is_over_limits(looked_bytes_, line)) return exceeded(line);
      ++lines_ended_;
      line_begin_ = looked_bytes_;
    } else if (lines_ended_ > 0) {
      const head_end head{begin_, looked_bytes_ - begin_, lines_ended_ - 1};
      if (head.size_bytes > limits_.head_bytes_max) return head_error::head_too_long;
      return head;
    } else {
      if (!request_ || looked_bytes_ > 2 * empty_lines_max) return head_error::bad_start_line;
      begin_ = line_begin_ = looked_bytes_;
    }
  }
}

void head_scanner::reset() { looked_bytes_ = begin_ = line_begin_ = lines_ended_ = 0; }

std::size_t head_scanner::line_bytes_max() const {
  if (lines_ended_ > 0 || !request_) return limits_.field_bytes_max;
  return method_bytes_max + limits_.target_bytes_max + version_bytes + 2;
}

// Without its end a head is one byte over already when it has as many bytes as a whole one may have.
bool head_scanner::is_over_limits(std::size_t input_bytes, std::string_view line) const {
  return line.size() > line_bytes_max() || (lines_ended_ > limits_.fields_max && !line.empty()) ||
         input_bytes - begin_ >= limits_.head_bytes_max;
}

head_error head_scanner::exceeded(std::string_view line) const {
  if (line.size() > line_bytes_max()) {
    return lines_ended_ == 0 && request_ ? start_line_too_long(line) : head_error::field_too_long;
  }
  return lines_ended_ > limits_.fields_max && !line.empty() ? head_error::too_many_fields : head_error::head_too_long;
}

}  // namespace cellroute::http1
