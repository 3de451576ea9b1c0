#include "adapters/wire/sync_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <span>
#include <type_traits>

#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::wire {
namespace {

constexpr std::uint64_t number_max = (std::uint64_t{1} << 53) - 1;  // above it a number of JSON is not exact everywhere

constexpr std::string_view kinds[] = {"snapshot", "delta", "repair"};
constexpr std::string_view statuses[] = {"applied", "prepared", "rejected", "superseded"};
constexpr std::string_view codes[] = {
    "base_mismatch", "digest_mismatch", "crc",         "too_large",     "too_many_keys", "unsupported",   "schema",
    "reference",     "endpoint",        "guard_moved", "guard_removed", "stale_epoch",   "stale_version", "conflict",
    "no_memory",     "crash_loop",      "timeout",     "internal",      "local_guard"};
static_assert(std::size(codes) == refusal_code_count);

std::span<const std::string_view> names_of(transfer_kind) { return kinds; }
std::span<const std::string_view> names_of(ack_status) { return statuses; }

template <class Given, class Wanted>
concept is_a = std::same_as<std::remove_const_t<Given>, Wanted>;

// The members of every message, once: the writer and the reader below both go through them. `must` is always there;
// `may` is left out where it has the value that its absence stands for.

template <class V>
void describe(V& v, is_a<content_id> auto& m) {
  v.must("epoch", m.epoch);
  v.must("version", m.version);
  v.must("digest", m.sum);
}
template <class V>
void describe(V& v, is_a<targets> auto& m) {
  v.must("epoch", m.epoch);
  v.must("rev", m.rev);
  v.must("default", m.run);
}
template <class V>
void describe(V& v, is_a<capabilities> auto& m) {
  v.must("chunk", m.chunk_bytes);
  v.must("window", m.window);
  v.may("max_bytes", m.content_bytes_max);
  v.may("max_keys", m.keys_max);
  v.may("comp", m.compressions);
  v.may("repair", m.repair);
}
template <class V>
void describe(V& v, is_a<resume_point> auto& m) {
  v.must("artifact", m.artifact);
  v.must("next", m.next);
}
template <class V>
void describe(V& v, is_a<quarantined_content> auto& m) {
  v.must("digest", m.sum);
  v.may("code", m.code);
}
template <class V>
void describe(V& v, is_a<hello> auto& m) {
  v.must("proto", m.proto);
  v.must("router_id", m.router_id);
  v.must("boot_id", m.boot_id);
  v.may("build", m.build);
  v.may("labels", m.labels);
  v.may("have", m.have);
  v.may("source", m.source);
  v.must("caps", m.can);
  v.may("resume", m.resume);
  v.may("quarantined", m.quarantined);
}
template <class V>
void describe(V& v, is_a<hello_ack> auto& m) {
  v.must("session", m.session);
  v.may("cluster", m.cluster);
  v.must("epoch", m.epoch);
  v.must("proto", m.proto);
  v.must("chunk", m.chunk_bytes);
  v.must("window", m.window);
  v.must("ping_ms", m.ping_ms);
  v.must("salt", m.salt);
}
template <class V>
void describe(V& v, is_a<config_begin> auto& m) {
  v.must("transfer", m.transfer);
  v.must("kind", m.kind);
  v.may("base", m.base);
  v.must("content", m.content);
  v.may("label", m.label);
  v.must("artifact", m.artifact);
  v.must("bytes", m.bytes);
  v.must("raw_bytes", m.raw_bytes);
  v.must("keys", m.keys);
  v.must("chunks", m.chunks);
  v.must("comp", m.compression);
  v.may("force", m.force);
}
template <class V>
void describe(V& v, is_a<config_abort> auto& m) {
  v.must("transfer", m.transfer);
  v.may("reason", m.reason);
}
template <class V>
void describe(V& v, is_a<chunk_ack> auto& m) {
  v.must("transfer", m.transfer);
  v.must("next", m.next);
}
template <class V>
void describe(V& v, is_a<ack> auto& m) {
  v.must("status", m.status);
  v.must("content", m.content);
  v.must("session", m.session);
  v.may("transfer", m.transfer);
  v.may("durable", m.durable);
  v.may("noop", m.noop);
  v.may("apply_ms", m.apply_ms);
  v.may("keys", m.keys);
  v.may("code", m.code);
  v.may("error", m.error);
}
template <class V>
void describe(V& v, is_a<ping> auto& m) {
  v.must("seq", m.seq);
  v.may("targets", m.target);
}
template <class V>
void describe(V& v, is_a<request_errors> auto& m) {
  v.may("router5xx", m.router5xx);
  v.may("connect", m.connect);
  v.may("timeout", m.timeout);
  v.may("no_route", m.no_route);
}
template <class V>
void describe(V& v, is_a<latency_bucket> auto& m) {
  v.may("le_ms", m.le_ms);
  v.must("n", m.count);
}
template <class V>
void describe(V& v, is_a<scrub_result> auto& m) {
  v.must("ok", m.ok);
  v.must("at", m.at);
}
template <class V>
void describe(V& v, is_a<pong> auto& m) {
  v.must("seq", m.seq);
  v.may("running", m.running);
  v.may("source", m.source);
  v.may("uptime_s", m.uptime_s);
  v.may("boots", m.boots);
  v.may("requests", m.requests);
  v.may("errors", m.errors);
  v.may("prepared", m.prepared);
  v.may("default_route_hits", m.default_route_hits);
  v.may("mem_bytes", m.mem_bytes);
  v.may("rejected", m.rejected);
  v.may("lkg_age_s", m.lkg_age_s);
  v.may("latency", m.latency);
  v.may("scrub", m.scrub);
  v.may("clock_ms", m.clock_ms);
}
template <class V>
void describe(V& v, is_a<repair_request> auto& m) {
  v.must("content", m.content);
  v.may("base", m.base);
  v.may("groups", m.groups);
  v.may("digests", m.sums);
}
template <class V>
void describe(V& v, is_a<repair> auto& m) {
  v.must("content", m.content);
  v.may("groups", m.groups);
}
template <class V>
void describe(V& v, is_a<goaway> auto& m) {
  v.may("reason", m.reason);
  v.may("after_ms", m.after_ms);
  v.may("spread_ms", m.spread_ms);
}
template <class V>
void describe(V& v, is_a<session_error> auto& m) {
  v.must("code", m.code);
  v.may("message", m.message);
  v.may("fatal", m.fatal);
  v.may("retry_after_ms", m.retry_after_ms);
}

class writer {
 public:
  explicit writer(std::string& out) : out_(out) { out_ += '{'; }
  ~writer() { out_ += '}'; }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  template <class T>
  void must(std::string_view name, const T& value) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
    put(value);
  }
  template <class T>
  void may(std::string_view name, const T& value) {
    if (value != T{}) must(name, value);
  }

 private:
  void put(std::uint64_t number) { out_ += fmt::to_string(number); }
  void put(std::uint32_t number) { out_ += fmt::to_string(number); }
  void put(bool flag) { out_ += flag ? "true" : "false"; }
  void put(const std::string& text) { out_ += quote(text); }
  void put(std::string_view text) { out_ += quote(text); }
  void put(const digest& d) { put(to_hex(d)); }
  template <class T>
    requires std::is_enum_v<T>
  void put(T value) {
    put(names_of(value)[static_cast<std::size_t>(value)]);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(*value);
  }
  void put(const std::vector<label>& labels) {
    writer inner(out_);
    for (const auto& [name, value] : labels) {
      if (out_.back() != '{') out_ += ',';
      out_ += quote(name) + ':';
      put(value);
    }
  }
  template <class T>
  void put(const std::vector<T>& items) {
    out_ += '[';
    for (const T& item : items) {
      if (&item != items.data()) out_ += ',';
      put(item);
    }
    out_ += ']';
  }
  template <class T>
    requires std::is_class_v<T>
  void put(const T& value) {
    writer inner(out_);
    describe(inner, value);
  }

  std::string& out_;
};

/// Keeps the first mistake; what is read after it does not count.
class reader {
 public:
  reader(const node& at, std::string path, std::optional<message_error>& error)
      : at_(at), path_(std::move(path)), error_(error) {}

  template <class T>
  void must(std::string_view name, T& value) {
    if (const node* member = at_.find(name)) {
      get(*member, path_ + "." + std::string(name), value);
    } else {
      fail(path_ + "." + std::string(name), "is missing");
    }
  }
  template <class T>
  void may(std::string_view name, T& value) {
    if (at_.find(name) != nullptr) must(name, value);
  }

 private:
  void fail(std::string path, std::string_view what) {
    if (!error_) error_ = message_error{std::move(path), std::string(what)};
  }

  template <std::unsigned_integral T>
  void get(const node& n, const std::string& path, T& value) {
    constexpr std::uint64_t most = sizeof(T) < sizeof(number_max) ? std::uint64_t{T(-1)} : number_max;
    const auto number = n.kind == node_kind::plain ? parse_count(n.text) : unexpected<std::string_view>("");
    if (!number || *number > most) return fail(path, fmt::format("must be a whole number from 0 to {}", most));
    value = static_cast<T>(*number);
  }
  void get(const node& n, const std::string& path, bool& value) {
    if (n.kind != node_kind::plain || (n.text != "true" && n.text != "false"))
      return fail(path, "must be true or false");
    value = n.text == "true";
  }
  void get(const node& n, const std::string& path, std::string& value) {
    if (n.kind != node_kind::quoted) return fail(path, "must be a text");
    value = n.text;
  }
  void get(const node& n, const std::string& path, digest& value) {
    const auto parsed = n.kind == node_kind::quoted ? parse_digest(n.text) : std::nullopt;
    if (!parsed) return fail(path, "must be 64 hexadecimal digits");
    value = *parsed;
  }
  template <class T>
    requires std::is_enum_v<T>
  void get(const node& n, const std::string& path, T& value) {
    const std::span<const std::string_view> names = names_of(value);
    const auto at = std::ranges::find(names, n.kind == node_kind::quoted ? std::string_view(n.text) : "");
    if (at == names.end()) return fail(path, fmt::format("must be one of {}", fmt::join(names, ", ")));
    value = static_cast<T>(at - names.begin());
  }
  template <class T>
  void get(const node& n, const std::string& path, std::optional<T>& value) {
    get(n, path, value.emplace());
  }
  void get(const node& n, const std::string& path, std::vector<label>& labels) {
    if (n.kind != node_kind::map) return fail(path, "must be an object");
    for (const node& member : n.children) get(member, path, labels.emplace_back(member.name, "").second);
  }
  template <class T>
  void get(const node& n, const std::string& path, std::vector<T>& items) {
    if (n.kind != node_kind::list) return fail(path, "must be a list");
    for (const node& item : n.children) {
      const std::string place = fmt::format("{}[{}]", path, items.size());
      get(item, place, items.emplace_back());
    }
  }
  template <class T>
    requires std::is_class_v<T>
  void get(const node& n, const std::string& path, T& value) {
    if (n.kind != node_kind::map) return fail(path, "must be an object");
    reader inner(n, path, error_);
    describe(inner, value);
  }

  const node& at_;
  std::string path_;
  std::optional<message_error>& error_;
};

/// Tries the alternatives of `message` in turn.
template <std::size_t I = 0>
expected<message, message_error> read_as(std::string_view type, const node& root) {
  using candidate = std::variant_alternative_t<I, message>;
  if constexpr (std::same_as<candidate, unknown_message>) {
    return message(unknown_message{std::string(type)});
  } else {
    if (type != candidate::type) return read_as<I + 1>(type, root);
    std::optional<message_error> error;
    candidate read;
    reader members(root, std::string(type), error);
    describe(members, read);
    if (error) return unexpected(*std::move(error));
    return message(std::move(read));
  }
}

}  // namespace

std::string to_string(const message_error& error) {
  return error.path.empty() ? error.what : fmt::format("{}: {}", error.path, error.what);
}

std::string write_message(const message& m) {
  std::string out;
  std::visit(
      [&out]<class T>(const T& one) {
        writer members(out);
        members.must("type", std::string_view(one.type));
        if constexpr (!std::same_as<T, unknown_message>) describe(members, one);
      },
      m);
  return out;
}

expected<message, message_error> read_message(std::string_view text) {
  if (text.size() > message_bytes_max) return unexpected(message_error{"", "is larger than 1MiB"});
  if (text.empty()) return unexpected(message_error{"", "is empty"});
  auto root = read_json(text, "message");
  if (!root) return unexpected(message_error{"", root.error().front().what});
  if (root->kind != node_kind::map) return unexpected(message_error{"", "must be an object"});
  if (const diagnostics twice = take_duplicates(*root, "message"); !twice.empty())
    return unexpected(message_error{twice.front().path, twice.front().what});
  const node* type = root->find("type");
  if (type == nullptr || type->kind != node_kind::quoted) return unexpected(message_error{"type", "must be a text"});
  return read_as(type->text, *root);
}

std::string_view to_string(refusal_code code) { return codes[static_cast<std::size_t>(code)]; }

bool is_lasting(refusal_code code) {
  switch (code) {
    case refusal_code::too_large:
    case refusal_code::too_many_keys:
    case refusal_code::unsupported:
    case refusal_code::schema:
    case refusal_code::reference:
    case refusal_code::endpoint:
    case refusal_code::guard_moved:
    case refusal_code::guard_removed:
    case refusal_code::crash_loop:
    case refusal_code::local_guard:
      return true;
    case refusal_code::base_mismatch:
    case refusal_code::digest_mismatch:
    case refusal_code::crc:
    case refusal_code::stale_epoch:
    case refusal_code::stale_version:
    case refusal_code::conflict:
    case refusal_code::no_memory:
    case refusal_code::timeout:
    case refusal_code::internal:
      return false;
  }
  return false;
}

std::optional<refusal_code> parse_refusal_code(std::string_view text) {
  const auto* at = std::ranges::find(codes, text);
  if (at == std::end(codes)) return std::nullopt;
  return static_cast<refusal_code>(at - codes);
}

std::string to_hex(const digest& d) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : d) {
    text += digits[std::to_integer<std::size_t>(b >> 4)];
    text += digits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
  return text;
}

std::string to_short_hex(const digest& d) { return to_hex(d).substr(0, 8); }

std::optional<digest> parse_digest(std::string_view text) {
  digest d;
  if (text.size() != 2 * d.size()) return std::nullopt;
  const auto value_of = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  for (std::size_t i = 0; i < d.size(); ++i) {
    const int high = value_of(text[2 * i]);
    const int low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    d[i] = static_cast<std::byte>(high << 4 | low);
  }
  return d;
}

}  // namespace cellroute::wire
