#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/http1/body_framing.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

/// What a request head is written from. The lines that belong to this hop are made here, from values: Host, framing,
/// Connection, Upgrade, TE, Expect.
struct outgoing_request {
  std::string_view method{};
  std::string_view target{};
  std::string_view authority{};     ///< becomes Host; empty writes an empty one
  std::span<const field> fields{};  ///< those with `skip` are left out
  std::string_view raw{};           ///< as in `request_view`
  std::span<const field> added{};   ///< written behind `fields`
  body_framing framing = body_framing::none;
  std::optional<std::uint64_t> length_bytes{};  ///< written unless chunked
  std::string_view upgrade{};
  bool close = false;  ///< no other request will follow on this connection
  bool expects_continue = false;
  bool te_trailers = false;
};

/// What a response head is written from.
struct outgoing_response {
  std::uint16_t status = 0;
  std::string_view reason{};
  std::span<const field> fields{};
  std::string_view raw{};
  std::span<const field> added{};
  body_framing framing = body_framing::none;
  std::optional<std::uint64_t> length_bytes{};  ///< also of the answer to HEAD, and of 304
  std::string_view upgrade{};
  bool close = false;       ///< the connection ends with this response
  bool keep_alive = false;  ///< tells a client of HTTP/1.0 that it does not
};

/// As the request came, for a hop that takes all of it.
[[nodiscard]] outgoing_request outgoing(const request_view& view);

/// As the response came, for a hop that takes all of it; content of unknown length is chunked.
[[nodiscard]] outgoing_response outgoing(const response_view& view);

/// Room in which the head surely fits.
[[nodiscard]] std::size_t size_bound(const outgoing_request& head);
[[nodiscard]] std::size_t size_bound(const outgoing_response& head);

/// Writes a head, from its start line to its empty line, and returns its size; 0 when it does not fit.
///
/// `added` has names that are tokens: they are the caller's own.
/// Fields that lie in `raw` next to each other are copied as one run, byte for byte as they were sent. A field from
/// elsewhere whose name is no token, or whose value holds a control byte, is left out: no value can add a line. A start
/// line or Host that would be torn is not written at all: then the result is 0 however large `out` is.
///
/// Cost: one copy. Errors: 0.
[[nodiscard]] std::size_t write_request_head(std::span<char> out, const outgoing_request& head);
[[nodiscard]] std::size_t write_response_head(std::span<char> out, const outgoing_response& head);

/// The longest line before a chunk's data: 16 digits and a line end.
inline constexpr std::size_t chunk_prefix_bytes_max = 18;
/// What follows a chunk's data.
inline constexpr std::string_view chunk_suffix = "\r\n";
/// What ends chunked content without trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// Writes the line before a chunk of that size to the end of `room`, so that the data may follow it in the same buffer.
///
/// `size_bytes` is not 0, which would end the message. Returns the size of the line; 0 when it does not fit.
[[nodiscard]] std::size_t write_chunk_prefix(std::span<char> room, std::uint64_t size_bytes);

/// Writes what ends chunked content with trailers, and returns its size; 0 when it does not fit.
[[nodiscard]] std::size_t write_last_chunk(std::span<char> out, std::span<const field> trailers);
[[nodiscard]] std::size_t last_chunk_size_bound(std::span<const field> trailers);

}  // namespace cellroute::http1
