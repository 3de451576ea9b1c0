#pragma once

#include <cstdint>
#include <span>

#include "adapters/websocket/frame.hpp"

namespace cellroute::websocket {

/// Masks a piece of a payload, or takes its mask off: the two are the same. `before` says how many bytes of that
/// payload lie before the piece.
///
/// Cost: eight bytes a step. Source: RFC 6455 section 5.3.
void apply_mask(std::span<char> piece, const mask_key& mask, std::uint64_t before = 0);

/// Where a client takes the mask of each frame from.
///
/// In production it is unpredictable to whoever chooses what is sent: else they could choose the bytes on the wire, and
/// with them what a cache in between reads there. Source: RFC 6455 sections 5.3 and 10.3.
class mask_source {
 public:
  [[nodiscard]] virtual mask_key next_mask() = 0;

 protected:
  ~mask_source() = default;
};

}  // namespace cellroute::websocket
