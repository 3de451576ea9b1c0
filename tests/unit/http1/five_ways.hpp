#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/five_ways.hpp"

namespace cellroute::http1 {

using support::exact_bytes;
using support::way;

/// At once, byte by byte, cut at every position, and with the next message behind.
inline std::vector<way> ways_of(std::string_view input) {
  std::vector<way> ways = support::ways_of(input);
  const std::string text{input};
  ways.push_back({"with the next message behind", text + "GET /next HTTP/1.1\r\n\r\n", {text.size() + 22}});
  if (input.ends_with("\r\n\r\n")) {
    ways.push_back({"with binary content behind", text + std::string{"\n\0\xff", 3}, {text.size() + 3}});
  }
  return ways;
}

}  // namespace cellroute::http1
