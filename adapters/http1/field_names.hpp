#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

/// Whether `name`, which has as many bytes, is `lower` in any case.
///
/// `name` is a token: of what may stand in one, only a letter becomes a letter, or anything in our names, by its bit
/// of case. So the bit is set without looking, eight bytes at once.
template <std::size_t N>
[[nodiscard]] inline bool is_name(const char* name, const char (&lower)[N]) {
  constexpr std::size_t size = N - 1;
  const auto differs = [name, &lower]<class Word>(Word, std::size_t at) {
    Word a;
    Word b;
    std::memcpy(&a, name + at, sizeof a);
    std::memcpy(&b, lower + at, sizeof b);
    constexpr Word case_bits = static_cast<Word>(0x2020202020202020u);
    return static_cast<Word>((a | case_bits) ^ b);
  };
  std::uint64_t difference = 0;
  if constexpr (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) difference |= differs(std::uint64_t{}, at);
    difference |= differs(std::uint64_t{}, size - 8);
  } else if constexpr (size >= 4) {
    difference = differs(std::uint32_t{}, 0) | differs(std::uint32_t{}, size - 4);
  } else {
    for (std::size_t at = 0; at < size; ++at) difference |= differs(std::uint8_t{}, at);
  }
  return difference == 0;
}

/// Which of the names we act on this is. `name` is a token.
///
/// Cost: a switch and one to three compares, of a few words each.
[[nodiscard]] inline field_name classify(std::string_view name) {
  using enum field_name;
  const char* const n = name.data();
  switch (name.size()) {
    case 2:
      return is_name(n, "te") ? te : other;
    case 3:
      return is_name(n, "via") ? via : other;
    case 4:
      return is_name(n, "host") ? host : is_name(n, "date") ? date : other;
    case 6:
      return is_name(n, "accept")   ? accept
             : is_name(n, "cookie") ? cookie
             : is_name(n, "expect") ? expect
             : is_name(n, "server") ? server
                                    : other;
    case 7:
      return is_name(n, "referer")   ? referer
             : is_name(n, "trailer") ? trailer
             : is_name(n, "upgrade") ? upgrade
                                     : other;
    case 9:
      return is_name(n, "forwarded") ? forwarded : other;
    case 10:
      return is_name(n, "connection")   ? connection
             : is_name(n, "user-agent") ? user_agent
             : is_name(n, "keep-alive") ? keep_alive
             : is_name(n, "x-cell-key") ? x_cell_key
                                        : other;
    case 11:
      return is_name(n, "retry-after") ? retry_after : is_name(n, "x-routed-to") ? x_routed_to : other;
    case 12:
      return is_name(n, "content-type")   ? content_type
             : is_name(n, "x-request-id") ? x_request_id
             : is_name(n, "proxy-status") ? proxy_status
                                          : other;
    case 13:
      return is_name(n, "x-routing-key") ? x_routing_key : other;
    case 14:
      return is_name(n, "content-length")   ? content_length
             : is_name(n, "http2-settings") ? http2_settings
             : is_name(n, "x-route-reason") ? x_route_reason
                                            : other;
    case 15:
      return is_name(n, "x-forwarded-for") ? x_forwarded_for : is_name(n, "x-circuit-state") ? x_circuit_state : other;
    case 16:
      return is_name(n, "x-forwarded-host")   ? x_forwarded_host
             : is_name(n, "x-forwarded-port") ? x_forwarded_port
             : is_name(n, "proxy-connection") ? proxy_connection
             : is_name(n, "x-cell-placement") ? x_cell_placement
             : is_name(n, "x-route-decision") ? x_route_decision
                                              : other;
    case 17:
      return is_name(n, "transfer-encoding")   ? transfer_encoding
             : is_name(n, "x-forwarded-proto") ? x_forwarded_proto
             : is_name(n, "x-failover-reason") ? x_failover_reason
             : is_name(n, "x-cell-generation") ? x_cell_generation
                                               : other;
    case 18:
      return is_name(n, "proxy-authenticate") ? proxy_authenticate : other;
    case 19:
      return is_name(n, "proxy-authorization") ? proxy_authorization : other;
    default:
      return other;
  }
}

/// A few of the names, as bits.
struct name_set {
  std::uint64_t bits = 0;

  constexpr name_set() = default;
  template <class... Names>
  constexpr explicit name_set(Names... names) : bits((bit(names) | ...)) {}

  [[nodiscard]] constexpr bool has(field_name name) const { return (bits & bit(name)) != 0; }

  [[nodiscard]] static constexpr std::uint64_t bit(field_name name) {
    static_assert(static_cast<unsigned>(field_name::x_routing_key) < 64);
    return std::uint64_t{1} << static_cast<unsigned>(name);
  }
};

/// Fields that concern one connection and not the message.
///
/// Source: RFC 9110 section 7.6.1. The two of proxy authentication are among them: by RFC 9110 sections 11.7.1 and
/// 11.7.2 they are for the next hop unless proxies share the work, and no cell shares ours; a client's credentials
/// for some proxy must not reach one. Upgrade and TE are written anew where they were asked for.
inline constexpr name_set hop_by_hop{field_name::connection,         field_name::proxy_connection,
                                     field_name::keep_alive,         field_name::te,
                                     field_name::transfer_encoding,  field_name::upgrade,
                                     field_name::http2_settings,     field_name::proxy_authenticate,
                                     field_name::proxy_authorization};

/// Fields that Connection cannot take out of a message: a client could hide how it was routed, or from where it came.
inline constexpr name_set never_nominated{field_name::x_routing_key,     field_name::x_request_id,
                                          field_name::x_forwarded_for,   field_name::x_forwarded_host,
                                          field_name::x_forwarded_proto, field_name::x_forwarded_port,
                                          field_name::forwarded,         field_name::via,
                                          field_name::x_cell_key,        field_name::x_cell_placement,
                                          field_name::x_cell_generation};

}  // namespace cellroute::http1
