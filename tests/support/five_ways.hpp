#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cellroute::support {

/// Bytes in a heap block of exactly their size, so that the address sanitizer sees a read of one too many.
class exact_bytes {
 public:
  explicit exact_bytes(std::string_view text) : bytes_(std::make_unique<char[]>(text.size())), size_(text.size()) {
    std::ranges::copy(text, bytes_.get());
  }
  [[nodiscard]] std::span<char> span() { return {bytes_.get(), size_}; }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] char* data() { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

/// One way in which bytes may arrive.
struct way {
  std::string says;
  std::string input;
  std::vector<std::size_t> ends;  ///< of the pieces; the last one is the input's size
};

/// At once, byte by byte, and cut at every position (at every 61st of a long input).
inline std::vector<way> ways_of(std::string_view input) {
  std::vector<way> ways;
  const std::string text{input};
  ways.push_back({"at once", text, {text.size()}});
  way bytewise{"byte by byte", text, {}};
  for (std::size_t end = 1; end <= text.size(); ++end) bytewise.ends.push_back(end);
  ways.push_back(bytewise);
  const std::size_t step = text.size() < 600 ? 1 : 61;
  for (std::size_t cut = 1; cut < text.size(); cut += step) {
    ways.push_back({"cut at " + std::to_string(cut), text, {cut, text.size()}});
  }
  return ways;
}

}  // namespace cellroute::support
