#include "adapters/process/access_ring.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace cellroute::process {
namespace {

using text_member = std::string_view access_record::*;

constexpr std::array<text_member, 21> texts = {
    &access_record::request_id,   &access_record::method,       &access_record::path,
    &access_record::query,        &access_record::routing_key,  &access_record::placement_key,
    &access_record::route_reason, &access_record::upstream_url, &access_record::failover_reason,
    &access_record::cell,         &access_record::endpoint,     &access_record::key_source,
    &access_record::route,        &access_record::listener,     &access_record::protocol,
    &access_record::host,         &access_record::client_ip,    &access_record::user_agent,
    &access_record::referer,      &access_record::proxy_error,  &access_record::sampled,
};

constexpr std::string_view cut_mark = "…";
constexpr duration not_measured = -1ns;

/// What precedes the texts of a record in the ring.
struct packed_record {
  std::uint32_t size_bytes = 0;  // with this header, texts and padding; 0: the rest up to the ring's end is unused
  std::uint32_t attempts = 0;
  wall_time timestamp{};
  duration elapsed{};
  duration upstream_elapsed{};
  duration ttfb{};
  duration queue{};
  std::uint64_t generation = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  io::socket_address peer;
  std::uint16_t status_code = 0;
  bool is_secure = false;
  bool is_key_hashed = false;
  std::array<std::uint16_t, texts.size()> lengths{};
};
constexpr std::size_t alignment = alignof(packed_record);

constexpr std::size_t length_max(text_member text) {
  return text == &access_record::path ? access_path_max_bytes : access_text_max_bytes;
}

constexpr std::size_t record_max_bytes =
    sizeof(packed_record) + access_path_max_bytes + (texts.size() - 1) * access_text_max_bytes + alignment;
constexpr std::size_t capacity_min_bytes = 64 * 1024;
static_assert(2 * record_max_bytes <= capacity_min_bytes);

/// What is kept of a text that is too long, without its mark: no code point is cut in two.
std::string_view shorten(std::string_view text, std::size_t max_bytes) {
  std::size_t length = max_bytes - cut_mark.size();
  const auto is_inside = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80; };
  for (int step = 0; step < 3 && is_inside(length); ++step) --length;
  return text.substr(0, length);
}

char* copy_text(char* to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

std::optional<duration> measured(duration elapsed) {
  return elapsed == not_measured ? std::nullopt : std::optional(elapsed);
}

}  // namespace

access_ring::access_ring(std::size_t capacity_bytes)
    : mask_(std::bit_ceil(std::max(capacity_bytes, capacity_min_bytes)) - 1),
      bytes_(std::make_unique_for_overwrite<char[]>(mask_ + 1)) {}

bool access_ring::push(const access_record& record) noexcept {
  packed_record packed;
  std::size_t size = sizeof packed;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string_view text = record.*texts[i];
    const std::size_t max_bytes = length_max(texts[i]);
    const std::size_t kept = text.size() <= max_bytes ? text.size() : shorten(text, max_bytes).size() + cut_mark.size();
    packed.lengths[i] = static_cast<std::uint16_t>(kept);
    size += kept;
  }
  size = (size + alignment - 1) / alignment * alignment;

  const std::uint64_t written = written_.load(std::memory_order_relaxed);
  const std::size_t to_end = capacity_bytes() - (written & mask_);
  const std::size_t skipped = size > to_end ? to_end : 0;  // a record never wraps around
  if (written + skipped + size - known_read_ > capacity_bytes()) {
    known_read_ = read_.load(std::memory_order_acquire);
    if (written + skipped + size - known_read_ > capacity_bytes()) {
      dropped_.add();
      return false;
    }
  }
  if (skipped != 0) std::memcpy(at(written), &packed.size_bytes, sizeof packed.size_bytes);

  packed.size_bytes = static_cast<std::uint32_t>(size);
  packed.attempts = record.attempts;
  packed.timestamp = record.timestamp;
  packed.elapsed = record.elapsed;
  packed.upstream_elapsed = record.upstream_elapsed.value_or(not_measured);
  packed.ttfb = record.ttfb.value_or(not_measured);
  packed.queue = record.queue.value_or(not_measured);
  packed.generation = record.generation;
  packed.bytes_in = record.bytes_in;
  packed.bytes_out = record.bytes_out;
  packed.peer = record.peer;
  packed.status_code = record.status_code;
  packed.is_secure = record.is_secure;
  packed.is_key_hashed = record.is_key_hashed;

  char* to = at(written + skipped);
  std::memcpy(to, &packed, sizeof packed);
  to += sizeof packed;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string_view text = record.*texts[i];
    if (text.size() <= length_max(texts[i])) {
      to = copy_text(to, text);
    } else {
      to = copy_text(copy_text(to, shorten(text, length_max(texts[i]))), cut_mark);
    }
  }
  written_.store(written + skipped + size, std::memory_order_release);
  pushed_.add();
  return true;
}

std::optional<access_record> access_ring::front() noexcept {
  const std::uint64_t read = read_.load(std::memory_order_relaxed);
  if (read == known_written_) known_written_ = written_.load(std::memory_order_acquire);
  if (read == known_written_) return std::nullopt;

  packed_record packed;
  std::memcpy(&packed.size_bytes, at(read), sizeof packed.size_bytes);
  const std::size_t skipped = packed.size_bytes == 0 ? capacity_bytes() - (read & mask_) : 0;
  const char* from = at(read + skipped);
  std::memcpy(&packed, from, sizeof packed);
  front_bytes_ = skipped + packed.size_bytes;
  from += sizeof packed;

  access_record record;
  record.timestamp = packed.timestamp;
  record.peer = packed.peer;
  record.status_code = packed.status_code;
  record.is_secure = packed.is_secure;
  record.is_key_hashed = packed.is_key_hashed;
  record.elapsed = packed.elapsed;
  record.attempts = packed.attempts;
  record.generation = packed.generation;
  record.bytes_in = packed.bytes_in;
  record.bytes_out = packed.bytes_out;
  record.upstream_elapsed = measured(packed.upstream_elapsed);
  record.ttfb = measured(packed.ttfb);
  record.queue = measured(packed.queue);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    record.*texts[i] = {from, packed.lengths[i]};
    from += packed.lengths[i];
  }
  return record;
}

void access_ring::pop() noexcept {
  read_.store(read_.load(std::memory_order_relaxed) + front_bytes_, std::memory_order_release);
  front_bytes_ = 0;
}

}  // namespace cellroute::process
