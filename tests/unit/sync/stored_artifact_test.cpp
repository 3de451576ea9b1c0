#include "adapters/sync/stored_artifact.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string_view>
#include <vector>

namespace cellroute::sync {
namespace {

using bytes = std::vector<std::byte>;

constexpr std::uint64_t stored_salt = 0xfedcba9876543210;

wire::config_begin announced(std::size_t size) {
  wire::config_begin what;
  what.transfer = 3;
  what.kind = wire::transfer_kind::delta;
  what.base = wire::digest{std::byte{1}};
  what.content = {2, 42, wire::digest{std::byte{7}}};
  what.label = "quotes \" and lines\nof \xc3\xa4ny kind";
  what.bytes = size;
  what.raw_bytes = 1'000;
  what.keys = 50;
  what.chunks = 1;
  what.compression = "zstd";
  return what;
}

bytes stored(std::size_t size) {
  const bytes artifact(size, std::byte{'x'});
  const auto head = write_stored_head({announced(size), artifact}, stored_salt);
  REQUIRE(head);
  bytes made = *head;
  made.insert(made.end(), artifact.begin(), artifact.end());
  return made;
}

std::string_view error_of(const bytes& all, const stored_limits& limits = {}) {
  const auto read = read_stored(all, limits);
  return read ? "" : to_string(read.error());
}

TEST_CASE("stored artifact: what is written is read, alone and before others") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100'000}}) {
    bytes all = stored(size);
    const std::size_t whole = all.size();
    for (const std::size_t behind : {std::size_t{0}, std::size_t{5}}) {
      all.resize(whole + behind);
      const auto read = read_stored(all);
      REQUIRE(read);
      CHECK(read->salt == stored_salt);
      CHECK((read->piece.what == announced(size)));
      CHECK(read->piece.bytes.size() == size);
      CHECK(read->size_bytes == whole);
    }
  }
}

TEST_CASE("stored artifact: cut at every byte, and with every byte changed, it is none") {
  const bytes good = stored(20);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))) == "cut_off");
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(at);
      bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      CHECK_FALSE(error_of(bad).empty());
    }
  }
}

TEST_CASE("stored artifact: what is larger than it may be is not read, a byte more or less") {
  const bytes all = stored(20);
  CHECK(error_of(all, {1'000, 50}).empty());
  CHECK(error_of(all, {999, 50}) == "too_large");
  CHECK(error_of(all, {1'000, 49}) == "too_large");
}

TEST_CASE("stored artifact: what could not be read again is not written") {
  const bytes artifact(20);
  wire::config_begin what = announced(20);
  what.label = "no \xff text";
  CHECK((write_stored_head({what, artifact}, stored_salt) == unexpected(stored_error::bad_announcement)));
  what = announced(20);
  what.content.version = std::uint64_t{1} << 60;
  CHECK((write_stored_head({what, artifact}, stored_salt) == unexpected(stored_error::bad_announcement)));
  what = announced(21);
  CHECK((write_stored_head({what, artifact}, stored_salt) == unexpected(stored_error::bad_announcement)));
  what = announced(20);
  what.label = std::string(wire::message_bytes_max, 'x');
  CHECK((write_stored_head({what, artifact}, stored_salt) == unexpected(stored_error::too_large)));
}

}  // namespace
}  // namespace cellroute::sync
