#pragma once

#include <cstdint>
#include <string_view>

namespace cellroute::edge {

/// The standard phrase of a status that a daemon makes itself; empty for others.
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status);

}  // namespace cellroute::edge
