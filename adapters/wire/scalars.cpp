#include "adapters/wire/scalars.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "adapters/wire/text_scan.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/host_syntax.hpp"

namespace cellroute::wire {
namespace {

unexpected<std::string_view> must_be(std::string_view what) { return unexpected(what); }

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || is_letter(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

template <std::size_t N>
bool is_any(std::string_view text, const std::string_view (&words)[N]) {
  return std::ranges::find(words, text) != std::end(words);
}

template <std::size_t N>
bool begins_with_any(std::string_view text, const std::string_view (&prefixes)[N]) {
  return std::ranges::any_of(prefixes, [text](std::string_view prefix) { return text.starts_with(prefix); });
}

// Names of header fields, in small letters.

/// A token like any other, but nobody means a header by it.
constexpr std::string_view switch_words[] = {"off", "on", "false", "true"};
/// They frame a message, or belong to one hop of it. Source: RFC 9110 section 7.6.
constexpr std::string_view names_of_http[] = {"connection",
                                              "content-length",
                                              "date",
                                              "expect",
                                              "host",
                                              "http2-settings",
                                              "keep-alive",
                                              "proxy-authenticate",
                                              "proxy-authorization",
                                              "proxy-connection",
                                              "te",
                                              "trailer",
                                              "transfer-encoding",
                                              "upgrade",
                                              "via"};
/// What the router says in its own name, to clients and to cells; a client's own are overwritten.
constexpr std::string_view names_of_router[] = {"forwarded",     "proxy-status",      "x-circuit-state",
                                                "x-debug-route", "x-failover-reason", "x-routed-to"};
constexpr std::string_view prefixes_of_router[] = {"x-cell-", "x-forwarded-", "x-route-"};
/// A key may be read from one of these; an id written into it would change what a message says. Source: RFC 9110.
constexpr std::string_view names_with_meaning[] = {"accept",          "age",
                                                   "allow",           "alt-svc",
                                                   "authorization",   "cache-control",
                                                   "cookie",          "etag",
                                                   "expires",         "from",
                                                   "last-modified",   "link",
                                                   "location",        "max-forwards",
                                                   "origin",          "pragma",
                                                   "range",           "referer",
                                                   "retry-after",     "server",
                                                   "set-cookie",      "strict-transport-security",
                                                   "user-agent",      "vary",
                                                   "www-authenticate"};
constexpr std::string_view prefixes_with_meaning[] = {"accept-", "access-control-", "content-", "if-", "sec-"};

/// The pages of the admin listener, those that come later included.
constexpr std::string_view admin_pages[] = {"/health", "/ready", "/version", "/v1", "/debug", "/admin"};
constexpr std::string_view admin_folders[] = {"/v1/", "/debug/", "/admin/"};

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

/// Largest first, so that a value is written in the largest unit that divides it.
constexpr unit duration_units[] = {{"d", 86'400'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"s", 1'000'000'000},
                                   {"ms", 1'000'000}};
constexpr unit size_units[] = {{"GiB", std::uint64_t{1} << 30}, {"MiB", std::uint64_t{1} << 20}, {"KiB", 1024}};

struct quantity {
  std::uint64_t number = 0;
  std::string_view unit;
};

/// A number as `parse_count` has it, and the letters behind it.
parsed<quantity> split(std::string_view text) {
  const auto letters = std::ranges::find_if_not(text, is_digit);
  const auto size = static_cast<std::size_t>(letters - text.begin());
  const auto number = parse_count(text.substr(0, size));
  if (!number) return unexpected(number.error());
  return quantity{*number, text.substr(size)};
}

/// A number of few digits, without sign or exponent; nothing for any other text.
std::optional<double> parse_decimal(std::string_view text, std::size_t fraction_max) {
  const std::size_t point = text.find('.');
  const std::string_view fraction = point == std::string_view::npos ? "0" : text.substr(point + 1);
  const bool has_shape = parse_count(text.substr(0, point)).has_value() && !fraction.empty() &&
                         fraction.size() <= fraction_max && std::ranges::all_of(fraction, is_digit);
  if (!has_shape) return std::nullopt;
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string print_decimal(double number) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.begin(), text.end(), number, std::chars_format::fixed);
  return {text.begin(), written.ptr};
}

struct host_and_port {
  std::string host;
  std::string_view port;
  bool has_port = false;
  bool is_bracketed = false;
};

/// Takes `host:port`, `[v6]:port` or either without port apart; `shape` is what is said when the brackets are wrong.
parsed<host_and_port> split_authority(std::string_view text, std::string_view shape) {
  host_and_port parts;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return must_be(shape);
    parts.host = text.substr(1, close - 1);
    parts.is_bracketed = true;
    text.remove_prefix(close + 1);
    if (!text.empty() && text.front() != ':') return must_be(shape);
  } else {
    const std::size_t colon = text.find(':');
    parts.host = text.substr(0, colon);
    text.remove_prefix(std::min(colon, text.size()));
  }
  parts.has_port = !text.empty();
  if (parts.has_port) parts.port = text.substr(1);
  if (parts.is_bracketed && !is_ipv6(parts.host)) return must_be(shape);
  return parts;
}

}  // namespace

parsed<std::uint64_t> parse_count(std::string_view text) {
  constexpr std::string_view shape = "must be a whole number";
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec == std::errc::result_out_of_range) return must_be("must be a smaller number");
  if (ec != std::errc{} || end != text.data() + text.size()) return must_be(shape);
  if (text.size() > 1 && text.front() == '0') return must_be("must be a whole number without leading zeros");
  return number;
}

parsed<double> parse_percent(std::string_view text) {
  const std::optional<double> percent = parse_decimal(text, 3);
  if (percent && *percent <= 100) return *percent;
  return must_be("must be a number from 0 to 100, with up to three digits behind the point");
}

std::string print_percent(double percent) { return print_decimal(percent); }

parsed<double> parse_ratio(std::string_view text) {
  const std::optional<double> ratio = parse_decimal(text, 6);
  if (ratio && *ratio <= 1) return *ratio;
  return must_be("must be a number from 0 to 1, with up to six digits behind the point");
}

std::string print_ratio(double ratio) { return print_decimal(ratio); }

parsed<duration> parse_duration(std::string_view text) {
  constexpr std::uint64_t longest = std::uint64_t{3650} * duration_units[0].factor;
  const auto quantity = split(text);
  if (quantity) {
    for (const unit& u : duration_units) {
      if (quantity->unit != u.name) continue;
      if (quantity->number > longest / u.factor) return must_be("must not be longer than 3650d");
      return duration(static_cast<duration::rep>(quantity->number * u.factor));
    }
  }
  return must_be("must be a duration, a whole number and a unit, such as 250ms, 5s, 5m or 1h");
}

std::string print_duration(duration d) {
  const auto count = static_cast<std::uint64_t>(d.count());
  if (count == 0) return "0s";
  for (const unit& u : duration_units) {
    if (count % u.factor == 0) return std::to_string(count / u.factor) + std::string(u.name);
  }
  return std::to_string(count / 1'000'000) + "ms";  // finer than anything that can be written
}

parsed<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = split(text);
  if (quantity) {
    if (quantity->unit.empty()) return quantity->number;
    for (const unit& u : size_units) {
      if (quantity->unit != u.name) continue;
      if (quantity->number > UINT64_MAX / u.factor) return must_be("must be a smaller size");
      return quantity->number * u.factor;
    }
  }
  return must_be("must be a size such as 64KiB, 10MiB, 1GiB, or a number of bytes");
}

std::string print_size(std::uint64_t size_bytes) {
  for (const unit& u : size_units) {
    if (size_bytes != 0 && size_bytes % u.factor == 0) {
      return std::to_string(size_bytes / u.factor) + std::string(u.name);
    }
  }
  return std::to_string(size_bytes);
}

parsed<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "on") return true;
  if (is_off(text)) return false;
  return must_be("must be true or false");
}

parsed<socket_address> parse_socket_address(std::string_view text) {
  constexpr std::string_view shape =
      "must be an address and a port, such as \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\"";
  auto parts = split_authority(text, shape);
  if (!parts) return unexpected(parts.error());
  if (!parts->has_port) return must_be(shape);
  const auto port = parse_count(parts->port);
  if (!port || *port > 65535) return must_be("must have a port from 0 to 65535 behind the last colon");
  if (!parts->is_bracketed && !parts->host.empty() && !is_ipv4(parts->host)) {
    if (!is_host_name(parts->host)) return must_be(shape);
    return must_be("must have an address and not a name before the port, such as \"127.0.0.1:8080\"");
  }
  return socket_address{std::move(parts->host), static_cast<std::uint16_t>(*port)};
}

std::string to_string(const socket_address& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

parsed<origin> parse_origin(std::string_view text) {
  constexpr std::string_view shape = "must be http://HOST or http://HOST:PORT";
  constexpr std::string_view scheme = "http://";
  if (text.starts_with("https://")) return must_be("must start with http:// (https is not supported yet)");
  if (text.starts_with("tcp://")) return must_be("must start with http:// (tcp is not supported yet)");
  if (!text.starts_with(scheme)) return must_be(shape);
  text.remove_prefix(scheme.size());
  if (text.find('@') != std::string_view::npos) return must_be("must be http://HOST:PORT without user or password");
  if (text.find_first_of("/?#") != std::string_view::npos) {
    return must_be("must be http://HOST:PORT without a path, query or slash behind it");
  }
  auto parts = split_authority(text, shape);
  if (!parts) return unexpected(parts.error());
  if (!is_host(parts->host)) return must_be(shape);
  origin result{std::move(parts->host), 80};
  if (!parts->has_port) return result;
  const auto port = parse_count(parts->port);
  if (!port || *port == 0 || *port > 65535) return must_be("must have a port from 1 to 65535");
  result.port = static_cast<std::uint16_t>(*port);
  return result;
}

parsed<control_plane_url> parse_control_plane_url(std::string_view text) {
  constexpr std::string_view shape = "must be wss://HOST:PORT/connect, or ws:// without TLS";
  control_plane_url url;
  url.is_secure = text.starts_with("wss://");
  if (!url.is_secure && !text.starts_with("ws://")) return must_be(shape);
  text.remove_prefix(text.find("//") + 2);
  const std::size_t path = std::min(text.find('/'), text.size());
  if (text.find_first_of("?#@") != std::string_view::npos) {
    return must_be("must be wss://HOST:PORT/PATH without user, query or fragment");
  }
  const bool is_plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  auto parts = split_authority(text.substr(0, path), shape);
  if (!parts) return unexpected(parts.error());
  if (!is_plain || !is_host(parts->host)) return must_be(shape);
  url.host = std::move(parts->host);
  url.port = url.is_secure ? 443 : 80;
  if (path < text.size()) url.path = text.substr(path);
  if (!parts->has_port) return url;
  const auto port = parse_count(parts->port);
  if (!port || *port == 0 || *port > 65535) return must_be("must have a port from 1 to 65535");
  url.port = static_cast<std::uint16_t>(*port);
  return url;
}

std::string to_string(const control_plane_url& url) {
  return (url.is_secure ? "wss://" : "ws://") + to_string(socket_address{url.host, url.port}) + url.path;
}

std::string to_string(const origin& o) { return "http://" + to_string(socket_address{o.host, o.port}); }

parsed<std::string> parse_field_name(std::string_view text) {
  if (!is_token(text)) return must_be("must be a header name: letters, digits and hyphens");
  const std::string name = lowered(text);
  if (is_any(name, switch_words))
    return must_be("must be a header name, such as X-Name; it cannot be switched on or off");
  if (is_any(name, names_of_http)) return must_be("must be a header that HTTP itself does not need");
  if (is_any(name, names_of_router) || begins_with_any(name, prefixes_of_router)) {
    return must_be("must be a header that the router does not write or remove itself");
  }
  return std::string(text);
}

parsed<std::string> parse_request_id_name(std::string_view text) {
  auto parsed_name = parse_field_name(text);
  if (!parsed_name) return parsed_name;
  const std::string name = lowered(text);
  if (name == "x-routing-key") return must_be("must be a header that is not meant for routing keys");
  if (is_any(name, names_with_meaning) || begins_with_any(name, prefixes_with_meaning)) {
    return must_be("must be a header that means nothing else in HTTP, such as X-Request-Id");
  }
  return parsed_name;
}

parsed<std::string> parse_method(std::string_view text) {
  if (!is_token(text) || std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; })) {
    return must_be("must be a method's name in capitals, such as GET");
  }
  if (text == "CONNECT") return must_be("must be a method other than CONNECT");
  return std::string(text);
}

parsed<access_output> parse_access_output(std::string_view text) {
  if (text == "stdout") return access_output{access_sink::standard_output, ""};
  if (text == "stderr") return access_output{access_sink::standard_error, ""};
  if (is_off(text)) return access_output{access_sink::off, ""};
  const std::string small = lowered(text);  // nobody means a file by STDOUT
  if (small == "stdout") return must_be("must be in small letters (did you mean stdout?)");
  if (small == "stderr") return must_be("must be in small letters (did you mean stderr?)");
  if (is_off(small)) return must_be("must be in small letters (did you mean off?)");
  const bool is_printable = std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (text.empty() || text == "true" || text == "on" || text.ends_with('/') || !is_printable) {
    return must_be("must be stdout, stderr, off or the name of a file");
  }
  return access_output{access_sink::file, std::string(text)};
}

std::string to_string(const access_output& output) {
  switch (output.sink) {
    case access_sink::standard_output:
      return "stdout";
    case access_sink::standard_error:
      return "stderr";
    case access_sink::off:
      return "off";
    case access_sink::file:
      return output.file;
  }
  return "";
}

parsed<std::string> parse_access_field(std::string_view text) { return std::string(text); }

parsed<status_range> parse_status_range(std::string_view text) {
  const bool is_class = text.size() == 3 && text.ends_with("xx");
  const auto number = parse_count(is_class ? text.substr(0, 1) : text);
  const std::uint64_t low = number ? *number * (is_class ? 100 : 1) : 0;
  if (low < 100 || low > 599) return must_be("must be a status such as 404, or a class such as 5xx");
  return status_range{static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(low + (is_class ? 99 : 0))};
}

std::string to_string(const status_range& range) {
  return range.low == range.high ? std::to_string(range.low) : std::to_string(range.low / 100) + "xx";
}

parsed<std::string> parse_routing_key(std::string_view text) {
  const auto key = read_named_key(text);
  if (key && *key == text) return std::string(text);
  return must_be("must be a routing key: up to 256 bytes, no comma or control character, no space around it");
}

parsed<std::string> parse_listed_name(std::string_view text) { return std::string(text); }

parsed<std::string> parse_folder_name(std::string_view text) {
  if (is_off(text)) return std::string("off");
  const bool is_clean = std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (text.empty() || !is_clean) return must_be("must be the name of a folder, or off");
  return std::string(text);
}

parsed<std::string> parse_key_file_name(std::string_view text) {
  for (const std::string_view ending : {".tsv", ".csv", ".jsonl", ".ndjson", ".ctab"}) {
    if (text.size() > ending.size() && text.ends_with(ending)) return std::string(text);
  }
  return must_be("must be the name of a file that ends with .tsv, .csv, .jsonl or .ctab");
}

parsed<std::string> parse_url_path(std::string_view text) {
  const bool is_clean = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '?' && c != '#'; });
  if (!text.starts_with('/') || !is_clean) return must_be("must be a path that starts with a slash, such as /metrics");
  return std::string(text);
}

parsed<std::string> parse_metrics_path(std::string_view text) {
  auto path = parse_url_path(text);
  if (path && (is_any(text, admin_pages) || begins_with_any(text, admin_folders))) {
    return must_be("must be a path that no other page of administration has, such as /metrics");
  }
  return path;
}

}  // namespace cellroute::wire
