#include "adapters/websocket/handshake.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>

#include "cellroute/base/ascii.hpp"

namespace cellroute::websocket {
namespace {

// What makes an answer that of somebody who knows this protocol. Source: RFC 6455 section 1.3.
constexpr std::string_view accept_salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

constexpr bool is_ows(char c) { return c == ' ' || c == '\t'; }

constexpr std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

// Source: RFC 9110 section 5.6.2, which RFC 6455 section 4.1 asks of subprotocols.
bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [others](char c) {
    return is_digit(c) || is_letter(c) || others.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

// Calls `take` with each member that is not empty of each list of that name, until it returns false.
template <class Take>
void for_each_member(std::span<const field> fields, std::string_view name, Take take) {
  for (const field& f : fields) {
    if (!equal_ignoring_case(f.name, name)) continue;
    for (std::string_view rest = f.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view member = trim_ows(rest.substr(0, comma));
      if (!member.empty() && !take(member)) return;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
}

bool has_member(std::span<const field> fields, std::string_view name, std::string_view wanted) {
  bool found = false;
  for_each_member(fields, name, [&](std::string_view member) {
    found = equal_ignoring_case(member, wanted);
    return !found;
  });
  return found;
}

std::size_t count(std::span<const field> fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields, [name](const field& f) { return equal_ignoring_case(f.name, name); }));
}

// The value of a field that must come once.
std::optional<std::string_view> only_value(std::span<const field> fields, std::string_view name) {
  if (count(fields, name) != 1) return {};
  return std::ranges::find_if(fields, [name](const field& f) { return equal_ignoring_case(f.name, name); })->value;
}

// Two characters of padding leave 22 with six bits each, four of which must be 0 for there to be exactly 16 bytes.
bool is_key(std::string_view text) {
  constexpr std::string_view last_ones = "AQgw";
  if (text.size() != handshake_key{}.bytes.size() || !text.ends_with("==")) return false;
  const std::string_view digits = text.substr(0, 22);
  return last_ones.find(digits.back()) != std::string_view::npos &&
         std::ranges::all_of(digits, [](char c) { return is_digit(c) || is_letter(c) || c == '+' || c == '/'; });
}

// Base64 of as many bytes as make a text of that size.
template <std::size_t Size>
sized_text<Size> encode_base64(std::span<const std::uint8_t> bytes) {
  std::array<unsigned char, Size + 1> encoded;  // OpenSSL ends it with a NUL
  EVP_EncodeBlock(encoded.data(), bytes.data(), static_cast<int>(bytes.size()));
  sized_text<Size> text;
  for (std::size_t i = 0; i < Size; ++i) text.bytes[i] = static_cast<char>(encoded[i]);
  return text;
}

std::optional<accept_value> accept_value_of(std::string_view key) {
  std::string salted(key);
  salted += accept_salt;
  std::array<std::uint8_t, 20> digest;
  if (EVP_Digest(salted.data(), salted.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) return {};
  return encode_base64<28>(digest);
}

// The first offered one that we have, or none; all that is offered must be well formed, and said once.
expected<std::string_view, handshake_error> choose_subprotocol(std::span<const field> fields,
                                                               std::span<const std::string_view> supported) {
  std::array<std::string_view, subprotocols_max> seen;
  std::size_t seen_count = 0;
  bool is_good = true;
  std::string_view chosen;
  for_each_member(fields, "sec-websocket-protocol", [&](std::string_view name) {
    const std::span<const std::string_view> before = std::span(seen).first(seen_count);
    is_good = is_token(name) && seen_count < seen.size() && std::ranges::find(before, name) == before.end();
    if (!is_good) return false;
    seen[seen_count++] = name;
    const auto ours = std::ranges::find(supported, name);
    if (chosen.empty() && ours != supported.end()) chosen = *ours;
    return true;
  });
  const bool names_none = seen_count == 0 && count(fields, "sec-websocket-protocol") > 0;
  if (!is_good || names_none) return unexpected(handshake_error::bad_subprotocols);
  return chosen;
}

bool are_distinct_tokens(std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto before = names.first(i);
    if (!is_token(names[i]) || std::ranges::find(before, names[i]) != before.end()) return false;
  }
  return true;
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_upgrade_lines(std::string& out) {
  append_line(out, "Upgrade", "websocket");
  append_line(out, "Connection", "Upgrade");
}

}  // namespace

std::string_view to_string(handshake_error error) {
  switch (error) {
    case handshake_error::not_get:
      return "method is not GET";
    case handshake_error::version_too_old:
      return "HTTP version too old";
    case handshake_error::missing_host:
      return "Host is missing";
    case handshake_error::has_content:
      return "content where frames are to come";
    case handshake_error::unsupported_version:
      return "WebSocket version not supported";
    case handshake_error::bad_key:
      return "malformed Sec-WebSocket-Key";
    case handshake_error::bad_subprotocols:
      return "malformed Sec-WebSocket-Protocol";
    case handshake_error::no_upgrade:
      return "Upgrade does not say websocket";
    case handshake_error::no_upgrade_option:
      return "Connection does not say upgrade";
    case handshake_error::no_digest:
      return "SHA-1 is not to be had";
    case handshake_error::not_switched:
      return "status is not 101";
    case handshake_error::wrong_accept:
      return "wrong Sec-WebSocket-Accept";
    case handshake_error::unasked_extension:
      return "extension that nobody asked for";
    case handshake_error::unasked_subprotocol:
      return "subprotocol that nobody asked for";
  }
  return {};
}

std::uint16_t status_of(handshake_error error) {
  switch (error) {
    case handshake_error::not_get:
      return 405;
    case handshake_error::version_too_old:
    case handshake_error::missing_host:
    case handshake_error::has_content:
    case handshake_error::bad_key:
    case handshake_error::bad_subprotocols:
    case handshake_error::no_upgrade_option:
      return 400;
    case handshake_error::no_upgrade:
    case handshake_error::unsupported_version:
      return 426;
    case handshake_error::no_digest:
      return 500;
    case handshake_error::not_switched:
    case handshake_error::wrong_accept:
    case handshake_error::unasked_extension:
    case handshake_error::unasked_subprotocol:
      return 502;
  }
  return 502;
}

std::string_view refusal_fields(handshake_error error) {
  const std::uint16_t status = status_of(error);
  if (status == 405) return "Allow: GET\r\n";
  if (status == 426) return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  return {};
}

expected<accepted, handshake_error> accept(const request_view& request, std::uint8_t version_minor,
                                           std::span<const std::string_view> supported) {
  const std::span<const field> fields = request.fields;
  if (request.method != "GET") return unexpected(handshake_error::not_get);
  if (version_minor < 1) return unexpected(handshake_error::version_too_old);
  if (request.authority.empty()) return unexpected(handshake_error::missing_host);
  if (request.body.has_body) return unexpected(handshake_error::has_content);
  if (!has_member(fields, "upgrade", "websocket")) return unexpected(handshake_error::no_upgrade);
  if (!has_member(fields, "connection", "upgrade")) return unexpected(handshake_error::no_upgrade_option);
  if (only_value(fields, "sec-websocket-version") != "13") return unexpected(handshake_error::unsupported_version);
  const auto key = only_value(fields, "sec-websocket-key");
  if (!key || !is_key(*key)) return unexpected(handshake_error::bad_key);
  const auto subprotocol = choose_subprotocol(fields, supported);
  if (!subprotocol) return unexpected(subprotocol.error());
  const auto value = accept_value_of(*key);
  if (!value) return unexpected(handshake_error::no_digest);
  return accepted{*value, *subprotocol};
}

void append_answer_fields(std::string& out, const accepted& answer) {
  append_upgrade_lines(out);
  append_line(out, "Sec-WebSocket-Accept", answer.accept.view());
  if (!answer.subprotocol.empty()) append_line(out, "Sec-WebSocket-Protocol", answer.subprotocol);
}

handshake_key make_key(const std::array<std::uint8_t, 16>& random) { return encode_base64<24>(random); }

bool append_request_fields(std::string& out, const handshake_request& request) {
  const bool is_whole =
      !request.host.empty() && !has_control(request.host) && are_distinct_tokens(request.subprotocols) &&
      std::ranges::all_of(request.added, [](const field& f) { return is_token(f.name) && !has_control(f.value); });
  if (!is_whole) return false;
  append_line(out, "Host", request.host);
  append_upgrade_lines(out);
  append_line(out, "Sec-WebSocket-Key", request.key.view());
  append_line(out, "Sec-WebSocket-Version", "13");
  std::string names;
  for (const std::string_view name : request.subprotocols) names.append(names.empty() ? "" : ", ").append(name);
  if (!names.empty()) append_line(out, "Sec-WebSocket-Protocol", names);
  for (const field& f : request.added) append_line(out, f.name, f.value);
  return true;
}

expected<std::string_view, handshake_error> check_answer(const response_view& answer, const handshake_key& key,
                                                         std::span<const std::string_view> offered) {
  const std::span<const field> fields = answer.fields;
  if (answer.status != 101) return unexpected(handshake_error::not_switched);
  const auto upgrade = only_value(fields, "upgrade");
  if (!upgrade || !equal_ignoring_case(*upgrade, "websocket")) return unexpected(handshake_error::no_upgrade);
  if (!has_member(fields, "connection", "upgrade")) return unexpected(handshake_error::no_upgrade_option);
  const auto wanted = accept_value_of(key.view());
  if (!wanted) return unexpected(handshake_error::no_digest);
  if (only_value(fields, "sec-websocket-accept") != wanted->view()) return unexpected(handshake_error::wrong_accept);
  if (count(fields, "sec-websocket-extensions") > 0) return unexpected(handshake_error::unasked_extension);
  if (count(fields, "sec-websocket-protocol") == 0) return std::string_view{};
  const auto named = only_value(fields, "sec-websocket-protocol");
  const auto chosen = named ? std::ranges::find(offered, *named) : offered.end();
  if (chosen == offered.end()) return unexpected(handshake_error::unasked_subprotocol);
  return *chosen;
}

}  // namespace cellroute::websocket
