#include "adapters/sync/stored_artifact.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

#include "adapters/wire/crc32c.hpp"
#include "adapters/wire/little_endian.hpp"

namespace cellroute::sync {
namespace {

using wire::get_number;
using wire::put_number;

constexpr std::string_view stored_magic = "CRS1";

// Where the parts of a head stand.
constexpr std::size_t at_announcement_size = 4;
constexpr std::size_t at_size = 8;
constexpr std::size_t at_salt = 16;
constexpr std::size_t at_crc = 24;
constexpr std::size_t at_head_crc = 28;
constexpr std::size_t head_bytes = 32;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

std::uint32_t head_crc(std::span<const std::byte> head, std::span<const std::byte> announcement) {
  return wire::crc32c(announcement, wire::crc32c(head.first(at_head_crc)));
}

expected<wire::config_begin, stored_error> read_announcement(std::string_view text) {
  auto read = wire::read_message(text);
  auto* const what = read ? std::get_if<wire::config_begin>(&*read) : nullptr;
  if (what == nullptr) return unexpected(stored_error::bad_announcement);
  return std::move(*what);
}

bool is_too_large(const wire::config_begin& what, const stored_limits& limits) {
  return std::max(what.bytes, what.raw_bytes) > limits.content_bytes_max || what.keys > limits.keys_max;
}

}  // namespace

std::string_view to_string(stored_error error) {
  switch (error) {
    case stored_error::cut_off:
      return "cut_off";
    case stored_error::bad_magic:
      return "bad_magic";
    case stored_error::bad_crc:
      return "bad_crc";
    case stored_error::bad_announcement:
      return "bad_announcement";
    case stored_error::too_large:
      return "too_large";
  }
  return {};
}

expected<std::vector<std::byte>, stored_error> write_stored_head(const piece& one, std::uint64_t salt) {
  const std::string announcement = wire::write_message(one.what);
  if (announcement.size() > wire::message_bytes_max) return unexpected(stored_error::too_large);
  const auto again = read_announcement(announcement);
  if (!again || *again != one.what || one.what.bytes != one.bytes.size())
    return unexpected(stored_error::bad_announcement);
  std::vector<std::byte> made(head_bytes);
  const auto text = std::as_bytes(std::span(announcement));
  made.insert(made.end(), text.begin(), text.end());
  const std::span<std::byte> head = std::span(made).first(head_bytes);
  std::memcpy(head.data(), stored_magic.data(), stored_magic.size());
  put_number(head.subspan(at_announcement_size), static_cast<std::uint32_t>(announcement.size()));
  put_number(head.subspan(at_size), std::uint64_t{one.bytes.size()});
  put_number(head.subspan(at_salt), salt);
  put_number(head.subspan(at_crc), wire::crc32c(one.bytes));
  put_number(head.subspan(at_head_crc), head_crc(head, text));
  return made;
}

expected<stored_artifact, stored_error> read_stored(std::span<const std::byte> bytes, const stored_limits& limits) {
  if (bytes.size() < head_bytes) return unexpected(stored_error::cut_off);
  const std::span<const std::byte> head = bytes.first(head_bytes);
  if (!text_of(head).starts_with(stored_magic)) return unexpected(stored_error::bad_magic);
  const auto announcement_size = get_number<std::uint32_t>(head.subspan(at_announcement_size));
  const auto size = get_number<std::uint64_t>(head.subspan(at_size));
  const std::span<const std::byte> rest = bytes.subspan(head_bytes);
  if (announcement_size > rest.size() || size > rest.size() - announcement_size)
    return unexpected(stored_error::cut_off);
  const std::span<const std::byte> announcement = rest.first(announcement_size);
  if (head_crc(head, announcement) != get_number<std::uint32_t>(head.subspan(at_head_crc)))
    return unexpected(stored_error::bad_crc);
  const std::span<const std::byte> artifact = rest.subspan(announcement_size, size);
  if (wire::crc32c(artifact) != get_number<std::uint32_t>(head.subspan(at_crc)))
    return unexpected(stored_error::bad_crc);
  auto what = read_announcement(text_of(announcement));
  if (!what) return unexpected(what.error());
  if (what->bytes != artifact.size()) return unexpected(stored_error::bad_announcement);
  if (is_too_large(*what, limits)) return unexpected(stored_error::too_large);
  return stored_artifact{get_number<std::uint64_t>(head.subspan(at_salt)),
                         {*std::move(what), artifact},
                         head_bytes + announcement_size + size};
}

}  // namespace cellroute::sync
