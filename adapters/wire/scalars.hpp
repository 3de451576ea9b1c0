#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/wire/settings.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

/// The small languages inside a configuration. Every reader here is pure; its error is what the text must be, phrased
/// to stand behind a path: `must be a duration such as ...`. Every value is written back so that its reader takes it.
namespace cellroute::wire {

template <class T>
using parsed = expected<T, std::string_view>;

/// `250ms`, `5s`, `5m`, `1h`, `2d`: a whole number and a unit. Range: up to 3650 days.
[[nodiscard]] parsed<duration> parse_duration(std::string_view text);
[[nodiscard]] std::string print_duration(duration d);

/// `64KiB`, `10MiB`, `1GiB`, or a number of bytes.
[[nodiscard]] parsed<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string print_size(std::uint64_t size_bytes);

/// Whether a text means that something is switched off: `off` and `false` mean the same.
[[nodiscard]] constexpr bool is_off(std::string_view text) { return text == "off" || text == "false"; }

/// A whole number without sign, point or leading zeros.
[[nodiscard]] parsed<std::uint64_t> parse_count(std::string_view text);

/// A number of per cent from 0 to 100, with up to three digits behind the point: `5`, `0.25`.
[[nodiscard]] parsed<double> parse_percent(std::string_view text);
[[nodiscard]] std::string print_percent(double percent);

/// A share from 0 to 1, with up to six digits behind the point: `0.1`, `1.0`.
[[nodiscard]] parsed<double> parse_ratio(std::string_view text);
[[nodiscard]] std::string print_ratio(double ratio);

/// `true`, `on`, `false`, `off`.
[[nodiscard]] parsed<bool> parse_flag(std::string_view text);

/// `:8080`, `127.0.0.1:0`, `[::1]:80`. Names are not taken: what a listener binds must not depend on a resolver.
[[nodiscard]] parsed<socket_address> parse_socket_address(std::string_view text);
[[nodiscard]] std::string to_string(const socket_address& address);

/// Where an endpoint's URL leads.
struct origin {
  std::string host;
  std::uint16_t port = 80;
  friend bool operator==(const origin&, const origin&) = default;
};

/// `http://host[:port]` and nothing else: an endpoint is an address, not a place in a tree of paths.
[[nodiscard]] parsed<origin> parse_origin(std::string_view text);
[[nodiscard]] std::string to_string(const origin& o);

/// `ws://host[:port][/path]`, or `wss://`; without a path it is /connect, which every control plane has.
[[nodiscard]] parsed<control_plane_url> parse_control_plane_url(std::string_view text);
[[nodiscard]] std::string to_string(const control_plane_url& url);

/// The name of a header field that the router may read by configuration.
/// Errors: names that frame a message or concern one hop of it, such as Content-Length; names that the router writes
///         itself, such as X-Routed-To; `off` and the like, which nobody means as a name.
/// Source: RFC 9110 section 5.6.2 (token).
[[nodiscard]] parsed<std::string> parse_field_name(std::string_view text);

/// The name of the header field that the router writes the request id into, on both sides.
/// Errors: as `parse_field_name`; names that HTTP gives a meaning, such as Content-Type; X-Routing-Key.
[[nodiscard]] parsed<std::string> parse_request_id_name(std::string_view text);

/// A method's name. Source: RFC 9110 section 9.1 (token); they are case-sensitive.
[[nodiscard]] parsed<std::string> parse_method(std::string_view text);

/// `stdout`, `stderr`, `off`, or the name of a file.
[[nodiscard]] parsed<access_output> parse_access_output(std::string_view text);
[[nodiscard]] std::string to_string(const access_output& output);

/// The name of a field of the access log. Any text: which there are is known with the preset.
[[nodiscard]] parsed<std::string> parse_access_field(std::string_view text);

/// A status such as `404`, or a class of them such as `5xx`.
[[nodiscard]] parsed<status_range> parse_status_range(std::string_view text);
[[nodiscard]] std::string to_string(const status_range& range);

/// A routing key that requests can have. Errors: what a header cannot carry as one key.
[[nodiscard]] parsed<std::string> parse_routing_key(std::string_view text);

/// A name in a list. Any text: which there are is known with the rest of the configuration.
[[nodiscard]] parsed<std::string> parse_listed_name(std::string_view text);

/// The name of a folder, or `off`.
[[nodiscard]] parsed<std::string> parse_folder_name(std::string_view text);

/// The name of a file of routing keys; its ending tells the format.
[[nodiscard]] parsed<std::string> parse_key_file_name(std::string_view text);

/// A path that a client asks for: `/metrics`.
[[nodiscard]] parsed<std::string> parse_url_path(std::string_view text);

/// The path of the metrics. Errors: as `parse_url_path`; the path of another page of the admin listener.
[[nodiscard]] parsed<std::string> parse_metrics_path(std::string_view text);

}  // namespace cellroute::wire
