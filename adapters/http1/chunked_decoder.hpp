#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "adapters/http1/head_error.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

inline constexpr std::size_t chunk_line_bytes_max = 4096;  ///< size and extensions of one chunk, without the line end
inline constexpr std::size_t trailers_bytes_max = 16384;   ///< all trailer lines, with their line ends
inline constexpr std::size_t trailer_fields_max = 64;      ///< so much storage is always enough for `parse_trailers`

/// How far chunk lines may run ahead of the content that they carry: who sends a kilobyte of extensions with each byte
/// costs us a thousand times what it costs its cell. Two bytes of content pay for one of framing.
inline constexpr std::size_t chunk_overhead_bytes_max = 16384;

/// Why chunked content is refused.
enum class chunk_error : std::uint8_t {
  none,
  bad_size,
  size_too_large,
  line_too_long,
  too_much_overhead,
  bad_extension,
  bad_line_end,
  bad_data_end,
  bad_trailer,
  trailers_too_long,
};

/// The reason in words; never holds a byte that a peer sent.
[[nodiscard]] std::string_view to_string(chunk_error error);

/// Takes the framing out of chunked content, however the bytes were cut.
///
/// Strict: hexadecimal digits and nothing else, every line and all data ended by CR LF, extensions dropped but well
/// formed.
///
/// Cost: content is moved within its buffer at most once; allocates only for trailers. Threads: one owner.
/// Source: RFC 9112 section 7.1.
class chunked_decoder {
 public:
  enum class status : std::uint8_t { need_more, done, error };
  struct progress {
    std::size_t consumed = 0;  ///< bytes of the input that were read; what follows is the next message's
    std::size_t produced = 0;  ///< bytes of content, now at the front of the buffer
    status state = status::need_more;
    friend bool operator==(const progress&, const progress&) = default;
  };

  /// Reads as much of `io` as belongs to this message and leaves the content that was in it at its front.
  ///
  /// All of `io` is consumed unless the message ends in it or it is refused. After either only `reset` may follow.
  [[nodiscard]] progress decode_in_place(std::span<char> io);

  /// The trailer lines as sent, and the empty line behind them, once done; empty where there were none. Holds until
  /// `reset`.
  [[nodiscard]] std::string_view trailers() const { return trailers_; }

  [[nodiscard]] chunk_error error() const { return error_; }

  /// Makes ready for the next message.
  void reset();

 private:
  enum class part : std::uint8_t {
    size_first,       // the first digit of a size must come
    size,             // more digits, or what ends them
    size_space,       // white space after the size: an extension must follow
    extension_first,  // behind ';': a name must come
    extension_name,
    extension_space,  // white space after a name
    value_first,      // behind '='
    value_token,
    value_quoted,
    value_escaped,  // behind '\' in quotes
    value_end,      // behind the quote that ended a value
    value_space,    // white space after a value
    line_lf,        // the CR of a size line has come; all before are of that line
    data,
    data_cr,
    data_lf,
    trailer_first,  // a trailer line, or the empty one, begins
    trailer,
    trailer_lf,
    end_lf,
    done,  // from here on nothing is read
    refused,
  };

  [[nodiscard]] chunk_error take_byte(char c);
  [[nodiscard]] chunk_error take_size_digit(char c);
  [[nodiscard]] chunk_error end_line();
  [[nodiscard]] chunk_error keep_trailer_byte(char c);
  [[nodiscard]] chunk_error end_trailer();
  [[nodiscard]] chunk_error end_content();

  std::string trailers_;
  std::uint64_t left_bytes_ = 0;    // of the chunk's data; while its line is read, the size so far
  std::size_t overhead_bytes_ = 0;  // framing that content has not paid for yet
  std::uint16_t line_bytes_ = 0;    // of this chunk line
  std::uint16_t trailer_lines_ = 0;
  part part_ = part::size_first;
  chunk_error error_ = chunk_error::none;
};

/// Takes trailer lines apart, as a decoder hands them out.
///
/// `skip` stands on every field that must not come after the content: of framing, routing, authentication, of how to
/// read the content, and those that the router owns. `storage` has room for a field a line.
///
/// Errors: those of fields; a decoder refuses such lines before, so only other text can have one.
/// Source: RFC 9110 section 6.5.1.
[[nodiscard]] expected<std::span<field>, head_error> parse_trailers(std::string_view text, std::span<field> storage);

}  // namespace cellroute::http1
