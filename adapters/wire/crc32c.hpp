#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cellroute::wire {

/// CRC-32C (Castagnoli) of bytes; of a text in parts, each with what came out of the part before.
///
/// Tells damage on a wire or a disk, not intent. Cost: eight bytes at a time by tables, about 2 GB/s.
/// Source: RFC 3720 section 12.1 and appendix B.4.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace cellroute::wire
