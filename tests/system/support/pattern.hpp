#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cellroute::system_test {

/// An endless text in which every place is different: whoever loses, doubles or moves a byte of it is found out at the
/// first one. The bytes themselves are compared and not a sum of them, so that the place can be told.
class pattern {
 public:
  explicit pattern(std::uint64_t seed) : seed_(seed) {}

  /// The next bytes, at most a block of them; valid until the next call.
  [[nodiscard]] std::string_view next(std::size_t size_bytes) {
    if (at_ % block_bytes == 0) fill_block();
    const std::size_t begin = at_ % block_bytes;
    const std::size_t taken = std::min(size_bytes, block_bytes - begin);
    at_ += taken;
    return {block_.data() + begin, taken};
  }

  /// Whether these are the next bytes.
  [[nodiscard]] bool is_next(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view wanted = next(bytes.size());
      if (bytes.substr(0, wanted.size()) != wanted) return false;
      bytes.remove_prefix(wanted.size());
    }
    return true;
  }
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  static constexpr std::size_t block_bytes = 65536;

  void fill_block() {
    std::uint64_t word = (seed_ + at_ / block_bytes) * 0x9E3779B97F4A7C15ULL;
    for (std::size_t i = 0; i < block_bytes; i += sizeof word) {
      word += 0x9E3779B97F4A7C15ULL;
      const std::uint64_t mixed = (word ^ word >> 31) * 0xBF58476D1CE4E5B9ULL;
      std::memcpy(block_.data() + i, &mixed, sizeof mixed);
    }
  }

  std::uint64_t seed_;
  std::size_t at_ = 0;
  std::string block_ = std::string(block_bytes, '\0');
};

}  // namespace cellroute::system_test
