#include "adapters/wire/chunk_frame.hpp"

#include <cstring>

#include "adapters/wire/crc32c.hpp"
#include "adapters/wire/little_endian.hpp"

namespace cellroute::wire {
namespace {

constexpr std::string_view magic = "CRC1";
constexpr std::byte kind_content{1};

// Where the parts of a head stand.
constexpr std::size_t at_kind = 4;
constexpr std::size_t at_transfer = 8;
constexpr std::size_t at_seq = 16;
constexpr std::size_t at_total = 20;
constexpr std::size_t at_offset = 24;
constexpr std::size_t at_size = 32;
constexpr std::size_t at_crc = 36;

}  // namespace

std::string_view to_string(chunk_error error) {
  switch (error) {
    case chunk_error::too_short:
      return "too_short";
    case chunk_error::bad_magic:
      return "bad_magic";
    case chunk_error::unknown_kind:
      return "unknown_kind";
    case chunk_error::bad_size:
      return "bad_size";
    case chunk_error::bad_place:
      return "bad_place";
    case chunk_error::bad_crc:
      return "bad_crc";
  }
  return {};
}

std::array<std::byte, chunk_head_bytes> write_chunk_head(const chunk& c) {
  std::array<std::byte, chunk_head_bytes> head{};
  const std::span<std::byte> to(head);
  std::memcpy(head.data(), magic.data(), magic.size());
  head[at_kind] = kind_content;
  put_number(to.subspan(at_transfer), c.transfer);
  put_number(to.subspan(at_seq), c.seq);
  put_number(to.subspan(at_total), c.total);
  put_number(to.subspan(at_offset), c.offset);
  put_number(to.subspan(at_size), static_cast<std::uint32_t>(c.payload.size()));
  put_number(to.subspan(at_crc), crc32c(c.payload));
  return head;
}

expected<chunk, chunk_error> read_chunk(std::span<const std::byte> bytes) {
  if (bytes.size() < chunk_head_bytes) return unexpected(chunk_error::too_short);
  if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) return unexpected(chunk_error::bad_magic);
  if (get_number<std::uint32_t>(bytes.subspan(at_kind)) != std::to_integer<std::uint32_t>(kind_content))
    return unexpected(chunk_error::unknown_kind);
  const chunk read{get_number<std::uint64_t>(bytes.subspan(at_transfer)),
                   get_number<std::uint32_t>(bytes.subspan(at_seq)), get_number<std::uint32_t>(bytes.subspan(at_total)),
                   get_number<std::uint64_t>(bytes.subspan(at_offset)), bytes.subspan(chunk_head_bytes)};
  const auto size = get_number<std::uint32_t>(bytes.subspan(at_size));
  if (size != read.payload.size() || size == 0 || size > chunk_payload_bytes_max)
    return unexpected(chunk_error::bad_size);
  if (read.seq >= read.total) return unexpected(chunk_error::bad_place);
  if (crc32c(read.payload) != get_number<std::uint32_t>(bytes.subspan(at_crc))) return unexpected(chunk_error::bad_crc);
  return read;
}

}  // namespace cellroute::wire
