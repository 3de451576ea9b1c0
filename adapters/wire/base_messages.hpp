#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/expected.hpp"

/// The base protocol between a control plane and its routers: whole contents in one text, and a word back. Any control
/// plane that sends `config_update` or `config_snapshot` can have our routers, and ours any router that takes them.
namespace cellroute::wire {

/// A number or a text, as the sender likes; the answer says it in the same way.
using base_version = std::variant<std::uint64_t, std::string>;
[[nodiscard]] std::string to_string(const base_version& version);

/// config_update    {type, version, config: {...}}, answered by `ack` with a status
/// config_snapshot  {type, version, routingTable, ...}, answered by `ack` or `nack`
enum class base_dialect : std::uint8_t { config_update, config_snapshot };
[[nodiscard]] std::string_view to_string(base_dialect dialect);

/// A content. What it says stands in the same text, in a shape that `read_configuration` takes.
struct base_content {
  base_dialect dialect = base_dialect::config_update;
  base_version version;
  friend bool operator==(const base_content&, const base_content&) = default;
};

/// What became of it.
struct base_ack {
  base_version version;
  bool is_applied = true;
  std::string error{};
  friend bool operator==(const base_ack&, const base_ack&) = default;
};

struct base_ping {
  friend bool operator==(const base_ping&, const base_ping&) = default;
};
struct base_pong {
  friend bool operator==(const base_pong&, const base_pong&) = default;
};

using base_message = std::variant<base_content, base_ack, base_ping, base_pong, unknown_message>;

/// Reads what a text is, without reading what it holds: a content may have a million keys.
///
/// Errors: what is no object; a member that is missing or has another type. Of the values between, only where they end
///         is looked at.
/// Cost:   one pass over the text, about 1 GB/s.
[[nodiscard]] expected<base_message, message_error> read_base_message(std::string_view text);

/// The answer to a content, in its dialect.
[[nodiscard]] std::string write_base_ack(base_dialect dialect, const base_ack& said);
[[nodiscard]] std::string write_base_ping();
[[nodiscard]] std::string write_base_pong();

}  // namespace cellroute::wire
