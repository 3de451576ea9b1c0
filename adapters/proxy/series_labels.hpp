#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapters/proxy/metric_labels.hpp"

/// How the labels of each family are packed into one number: between what counts and what prints.
namespace cellroute::proxy {

/// Packs the labels of one series into one number; each has as many bits as the family gives it, and what does not fit
/// becomes the highest value, which is the overflow name's.
template <unsigned... Bits>
struct packing {
  static_assert((Bits + ...) < 64);
  using labels = std::array<std::uint32_t, sizeof...(Bits)>;

  static constexpr std::uint64_t pack(const labels& values) {
    std::uint64_t packed = 0;
    std::size_t i = 0;
    ((packed = packed << Bits | std::min(values[i++], (1u << Bits) - 1)), ...);
    return packed;
  }
  static constexpr labels unpack(std::uint64_t packed) {
    constexpr std::array<unsigned, sizeof...(Bits)> bits = {Bits...};
    labels values{};
    for (std::size_t i = values.size(); i-- > 0; packed >>= bits[i]) {
      values[i] = static_cast<std::uint32_t>(packed & ((1u << bits[i]) - 1));
    }
    return values;
  }
};

constexpr unsigned bits_of(label_kind kind) { return static_cast<unsigned>(std::bit_width(label_max(kind))); }
constexpr unsigned listener_bits = bits_of(label_kind::listener);
constexpr unsigned route_bits = bits_of(label_kind::route);
constexpr unsigned placement_bits = bits_of(label_kind::placement);
constexpr unsigned cell_bits = bits_of(label_kind::cell);
constexpr unsigned endpoint_bits = bits_of(label_kind::endpoint);
constexpr unsigned reason_bits = bits_of(label_kind::reason);
constexpr unsigned method_bits = 4;
constexpr unsigned status_bits = 10;
constexpr unsigned enum_bits = 4;

using request_labels = packing<listener_bits, route_bits, placement_bits, method_bits, status_bits, enum_bits>;
using request_duration_labels = packing<route_bits, placement_bits, enum_bits>;
using placement_labels = packing<placement_bits>;
using attempt_labels = packing<placement_bits, cell_bits, endpoint_bits, 3, 2>;
using attempt_error_labels = packing<placement_bits, cell_bits, enum_bits>;
using attempt_latency_labels = packing<placement_bits, cell_bits>;
using route_hit_labels = packing<route_bits, reason_bits>;
using retry_labels = packing<placement_bits, enum_bits, enum_bits>;
using connection_labels = packing<listener_bits, enum_bits>;
using listener_labels = packing<listener_bits>;
using upstream_connection_labels = packing<placement_bits, enum_bits>;

template <class Enum>
constexpr std::uint32_t number(Enum value) {
  return static_cast<std::uint32_t>(value);
}

inline constexpr std::array<std::string_view, 6> status_classes = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace cellroute::proxy
