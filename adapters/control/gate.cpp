#include "adapters/control/gate.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <span>

#include "adapters/control/has_field.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/token_file.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t token_bytes_min = 16;

constexpr gate_refusal unknown_token{401, "unauthorized", "this token is not known here, or it is over"};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(space);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

wire::digest digest_of(std::string_view text) { return sync::sha256(std::as_bytes(std::span(text))); }

/// The token of `Authorization: Bearer TOKEN`; nothing where there is none, or several.
std::optional<std::string_view> bearer_token(std::span<const field> fields) {
  constexpr std::string_view scheme = "bearer ";
  std::optional<std::string_view> found;
  for (const field& f : fields) {
    if (!equal_ignoring_case(f.name, "authorization")) continue;
    if (found || f.value.size() <= scheme.size() || !equal_ignoring_case(f.value.substr(0, scheme.size()), scheme))
      return std::nullopt;
    found = trimmed(f.value.substr(scheme.size()));
  }
  return found;
}

/// Whether a token that was given out is for this.
bool is_for(door to, role who) {
  switch (to) {
    case door::routers:
      return who == role::router || who == role::admin;
    case door::api:
      return true;
    case door::pages:
      return may(who, scope::read);
  }
  return false;
}

}  // namespace

bool is_loopback(const io::socket_address& peer) {
  if (!peer.v6) return peer.bytes[0] == 127;
  return std::all_of(peer.bytes.begin(), peer.bytes.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         peer.bytes.back() == 1;
}

expected<gate, std::string> gate::open(const auth_settings& auth) {
  gate made;
  made.loopback_without_token_ = auth.loopback_without_token;
  made.certificates_ = auth.certificates;
  if (auth.admin_token_file.empty()) return made;
  const std::string& path = auth.admin_token_file;
  const auto token = wire::read_token_file(path);
  if (!token) return unexpected("auth.admin_token_file: " + token.error());
  if (token->size() < token_bytes_min)
    return unexpected(
        fmt::format("auth.admin_token_file: {}: must hold one word of at least {} characters", path, token_bytes_min));
  made.token_ = digest_of(*token);
  return made;
}

std::optional<gate_refusal> gate::why_not(const request_view& request, const edge::downstream_facts& facts, door to,
                                          wall_time now) const {
  if (has_field(request.fields, "authorization")) {
    const auto token = token_of(request);
    return token ? why_not_by_token(*token, to, now) : unknown_token;
  }
  if (facts.local_user) return why_not_by_socket(request, to);
  auto why = why_not_here(request, facts);
  return why && facts.client != nullptr ? why_not_by_certificate(*facts.client, to) : why;
}

std::optional<wire::digest> gate::token_of(const request_view& request) {
  const auto token = bearer_token(request.fields);
  return token ? std::optional(digest_of(*token)) : std::nullopt;
}

bool gate::still_opens(const wire::digest& token, door to, wall_time now) const {
  return !why_not_by_token(token, to, now);
}

std::optional<gate_refusal> gate::why_not_by_token(const wire::digest& token, door to, wall_time now) const {
  if (token_ && CRYPTO_memcmp(token.data(), token_->data(), token.size()) == 0) return std::nullopt;
  const auto who = book_ != nullptr ? book_->role_of(token, now) : std::nullopt;
  if (!who) return unknown_token;
  if (!is_for(to, *who)) return gate_refusal{403, "forbidden", "this token is for something else"};
  return std::nullopt;
}

std::optional<role> gate::role_of(const io::tls_identity& client) const {
  if (certificates_.empty()) return role::viewer;
  return control::role_of({client.uris, client.dns_names, client.common_name}, certificates_);
}

std::optional<gate_refusal> gate::why_not_by_certificate(const io::tls_identity& client, door to) const {
  if (certificates_.empty()) return std::nullopt;
  const auto who = role_of(client);
  if (!who) return gate_refusal{403, "forbidden", "no row of auth.certificates fits this certificate"};
  if (!is_for(to, *who)) return gate_refusal{403, "forbidden", "this certificate is for something else"};
  return std::nullopt;
}

/// Whoever can open that socket is its user, or root: nothing else is asked of him.
std::optional<gate_refusal> gate::why_not_by_socket(const request_view& request, door to) {
  if (to != door::api) return gate_refusal{403, "forbidden", "the break-glass socket is for the API alone"};
  if (has_field(request.fields, "origin"))
    return gate_refusal{403, "forbidden", "pages of a browser are answered only with a token"};
  return std::nullopt;
}

std::optional<gate_refusal> gate::why_not_here(const request_view& request, const edge::downstream_facts& facts) const {
  if (!loopback_without_token_ || !is_loopback(facts.peer))
    return gate_refusal{401, "unauthorized", "name a token: Authorization: Bearer TOKEN"};
  if (has_field(request.fields, "origin"))
    return gate_refusal{403, "forbidden", "pages of a browser are answered only with a token"};
  if (!names_this_machine(request.authority))
    return gate_refusal{403, "forbidden", "without a token, ask for localhost or a loopback address"};
  return std::nullopt;
}

}  // namespace cellroute::control
