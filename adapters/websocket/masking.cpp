#include "adapters/websocket/masking.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace cellroute::websocket {

void apply_mask(std::span<char> piece, const mask_key& mask, std::uint64_t before) {
  std::array<std::uint8_t, 8> turned;  // the mask twice, from where this piece begins in it
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(before + i) % mask.size()];
  std::uint64_t word;
  std::memcpy(&word, turned.data(), sizeof word);
  const auto flip = [word](char* at) {
    std::uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    bytes ^= word;
    std::memcpy(at, &bytes, sizeof bytes);
  };

  char* at = piece.data();
  std::size_t left = piece.size();
  for (; left >= 32; at += 32, left -= 32) {  // four words that do not wait for each other
    flip(at);
    flip(at + 8);
    flip(at + 16);
    flip(at + 24);
  }
  for (; left >= 8; at += 8, left -= 8) flip(at);
  for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ turned[i]);
}

}  // namespace cellroute::websocket
