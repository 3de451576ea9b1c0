#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cellroute::system_test {

struct two_placements {
  std::string_view first = "a";  ///< where the first key goes
  std::uint16_t port_a = 1;
  std::uint16_t port_b = 2;
};

/// The first of `many_keys`.
inline constexpr std::string_view first_of_many = "7806831264735756412-0";

/// A routing file of so many keys of the placements a and b, as JSON; no compression makes nothing of them.
[[nodiscard]] inline std::string many_keys(std::size_t count, const two_placements& to = {}) {
  std::string json = R"({"routing": {"default_placement": "a", "keys": {"inline": {)";
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const std::string_view placement = i == 0 ? to.first : i % 3 == 0 ? "b" : "a";
    json += (i == 0 ? "\"" : ", \"") + std::to_string(state) + "-" + std::to_string(i) + "\": \"" +
            std::string(placement) + "\"";
  }
  const auto endpoints = [](std::uint16_t port) {
    return R"({"endpoints": [{"url": "http://127.0.0.1:)" + std::to_string(port) + "\"}]}";
  };
  return json + R"(}}}, "placements": {"a": )" + endpoints(to.port_a) + R"(, "b": )" + endpoints(to.port_b) + "}}";
}

}  // namespace cellroute::system_test
