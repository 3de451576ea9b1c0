#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "adapters/edge/exchange.hpp"
#include "adapters/proxy/head_edits.hpp"

namespace cellroute::proxy {

/// Whether the client prefers a JSON error body: Accept names `application/json`, or a `+json` type, without `q=0`.
[[nodiscard]] bool wants_json(std::span<const field> fields);

/// An answer of the router itself: a short text, or `{"error":{"code","message","request_id"}}` where JSON was asked
/// for, and `Proxy-Status`.
///
/// Holds its own text; allocates nothing.
class local_answer {
 public:
  /// Range: `code`, `error` and `message` are fixed texts of the router without quotes.
  local_answer(std::uint16_t status, std::string_view code, std::string_view error, std::string_view message,
               std::string_view request_id, bool json);
  local_answer(const local_answer&) = delete;
  local_answer& operator=(const local_answer&) = delete;

  void add_to(added_fields& added) const;
  [[nodiscard]] response_view view() const;
  [[nodiscard]] edge::body_piece body();

 private:
  void append(std::array<char, 768>& to, std::size_t& size, std::string_view text);
  void append_escaped(std::string_view text);

  std::uint16_t status_;
  bool json_;
  std::array<char, 768> body_;
  std::size_t body_bytes_ = 0;
  std::array<char, 768> proxy_status_;
  std::size_t proxy_status_bytes_ = 0;
};

}  // namespace cellroute::proxy
