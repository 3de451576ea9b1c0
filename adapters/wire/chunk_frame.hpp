#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// A part of a content on its way: a head of 40 bytes, then the payload. One binary message of the session each.
///
/// Little endian: `CRC1`, kind (1), 0 (3 bytes), transfer (8), seq (4), total (4), offset (8), size (4), CRC-32C of the
/// payload (4).
struct chunk {
  std::uint64_t transfer = 0;
  std::uint32_t seq = 0;
  std::uint32_t total = 0;  ///< how many chunks there are
  std::uint64_t offset = 0;
  std::span<const std::byte> payload;
};

inline constexpr std::size_t chunk_head_bytes = 40;
inline constexpr std::size_t chunk_payload_bytes_max = 65'536;

enum class chunk_error : std::uint8_t { too_short, bad_magic, unknown_kind, bad_size, bad_place, bad_crc };
[[nodiscard]] std::string_view to_string(chunk_error error);

/// The head of a chunk; the payload is sent behind it from where it lies.
[[nodiscard]] std::array<std::byte, chunk_head_bytes> write_chunk_head(const chunk& c);

/// Reads one; its payload is a view into `bytes`.
///
/// Errors: `bad_size` where the payload is empty, larger than `chunk_payload_bytes_max`, or not as long as the head
/// says;
///         `bad_place` where `seq` is not below `total`; the others say themselves.
[[nodiscard]] expected<chunk, chunk_error> read_chunk(std::span<const std::byte> bytes);

}  // namespace cellroute::wire
