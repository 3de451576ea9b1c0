#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::websocket {

/// Why an opening handshake is refused.
enum class handshake_error : std::uint8_t {
  // a request's
  not_get,
  version_too_old,
  missing_host,
  has_content,
  unsupported_version,
  bad_key,
  bad_subprotocols,
  // either one's
  no_upgrade,
  no_upgrade_option,
  no_digest,
  // an answer's
  not_switched,
  wrong_accept,
  unasked_extension,
  unasked_subprotocol,
};

/// The reason in words; never holds a byte that a peer sent.
[[nodiscard]] std::string_view to_string(handshake_error error);

/// The status that answers such a request. An answer that is refused is a 502, whatever the reason.
[[nodiscard]] std::uint16_t status_of(handshake_error error);

/// The field lines that an answer with that status needs, each with its line end; often none.
[[nodiscard]] std::string_view refusal_fields(handshake_error error);

/// A text of exactly that size.
template <std::size_t Size>
struct sized_text {
  std::array<char, Size> bytes{};
  [[nodiscard]] std::string_view view() const { return {bytes.data(), Size}; }
};

/// What a request asks with, and what the answer proves itself by: base64 of 16 and of 20 bytes.
using handshake_key = sized_text<24>;
using accept_value = sized_text<28>;

/// More of them are refused: each is compared with those before it.
inline constexpr std::size_t subprotocols_max = 32;

/// A request that may be answered with 101.
struct accepted {
  accept_value accept;
  std::string_view subprotocol;  ///< of ours, the first that the client named; empty if it named none of them
};

/// Checks a request to switch to WebSocket. `version_minor` is that of HTTP/1; `supported` outlives the result.
///
/// Whether its target, its origin and its credentials are welcome is for the caller to say. Extensions are not looked
/// at: none is agreed on.
///
/// Errors: those of a request, content among them, whose bytes could be taken for frames; `no_digest` if the system
///         refuses to make an SHA-1.
/// Source: RFC 6455 sections 4.2.1, 4.2.2 and 4.4; 11.3 for fields that must come once.
[[nodiscard]] expected<accepted, handshake_error> accept(const request_view& request, std::uint8_t version_minor,
                                                         std::span<const std::string_view> supported);

/// Appends the field lines of the answer 101, each with its line end.
void append_answer_fields(std::string& out, const accepted& answer);

/// The key of a client. The bytes are random, and chosen anew for each connection.
[[nodiscard]] handshake_key make_key(const std::array<std::uint8_t, 16>& random);

/// What a client asks with, besides its target.
struct handshake_request {
  std::string_view host;  ///< with its port, where that is not the scheme's own
  handshake_key key;
  std::span<const std::string_view> subprotocols{};  ///< the one liked best comes first
  std::span<const field> added{};                    ///< credentials, for example
};

/// Appends the field lines of a GET request that asks for WebSocket, each with its line end.
///
/// False, and nothing appended, if a text would tear the lines, or a subprotocol is no token or named twice.
[[nodiscard]] bool append_request_fields(std::string& out, const handshake_request& request);

/// Checks what a server answered to a request with that key and those subprotocols. Returns the subprotocol agreed on,
/// one of `offered`, or an empty one.
///
/// Errors: those of an answer. `not_switched` is an ordinary answer of HTTP, to be read as such.
/// Source: RFC 6455 section 4.1.
[[nodiscard]] expected<std::string_view, handshake_error> check_answer(const response_view& answer,
                                                                       const handshake_key& key,
                                                                       std::span<const std::string_view> offered);

}  // namespace cellroute::websocket
