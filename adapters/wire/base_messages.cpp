#include "adapters/wire/base_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"
#include "adapters/wire/text_scan.hpp"

namespace cellroute::wire {
namespace {

constexpr std::size_t told_bytes_max = 64 * 1024;  // of a value that is read: longer ones are no version and no type

struct member {
  std::string_view name;   ///< without its quotes; escapes as they are
  std::string_view value;  ///< as it stands
};

/// The members of an object, one after the other, without a look into their values.
class member_walker {
 public:
  explicit member_walker(std::string_view text) : text_(text) {
    skip_space();
    is_object_ = take('{');
  }

  /// The next member; nothing at the end, and where the text stops being an object.
  std::optional<member> next() {
    skip_space();
    if (!is_object_ || is_over_ || (is_first_ && take('}'))) return end();
    const auto name = string();
    skip_space();
    if (!name || !take(':')) return fail();
    skip_space();
    const std::size_t start = at_;
    if (!skip_value()) return fail();
    const std::string_view value = text_.substr(start, at_ - start);
    is_first_ = false;
    skip_space();
    if (!take(',')) {
      if (!take('}')) return fail();
      is_over_ = true;
    }
    return member{*name, value};
  }

  /// Whether the text was an object, with nothing behind it; asked once there is no next member.
  [[nodiscard]] bool was_whole() const { return is_object_ && is_over_ && at_ == text_.size(); }

 private:
  std::optional<member> end() {
    is_over_ = is_object_;
    skip_space();
    return std::nullopt;
  }
  std::optional<member> fail() {
    is_object_ = false;
    return std::nullopt;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::optional<std::string_view> string() {
    if (!take('"')) return std::nullopt;
    const std::size_t start = at_;
    for (;;) {
      at_ = find_text_end(text_, at_);
      if (at_ == text_.size()) return std::nullopt;
      if (text_[at_] == '"') break;
      at_ = std::min(at_ + 2, text_.size());
    }
    return text_.substr(start, at_++ - start);
  }
  /// As far as brackets and quotes go.
  bool skip_value() {
    std::size_t depth = 0;
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!string()) return false;
        if (depth == 0) return true;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) return at_ > start;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') {
        ++at_;
        if (--depth == 0) return true;
        continue;
      }
      ++at_;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool is_object_ = false;
  bool is_first_ = true;
  bool is_over_ = false;
};

/// What the messages say of themselves, as it stands in the text.
struct outline {
  std::optional<std::string_view> type;
  std::optional<std::string_view> version;
  std::optional<std::string_view> status;
  std::optional<std::string_view> error;
  bool has_config = false;
};

unexpected<message_error> wrong(std::string_view path, std::string_view what) {
  return unexpected(message_error{std::string(path), std::string(what)});
}

expected<outline, message_error> outline_of(std::string_view text) {
  outline found;
  member_walker members(text);
  while (const auto one = members.next()) {
    const std::pair<std::string_view, std::optional<std::string_view>*> known[] = {
        {"type", &found.type}, {"version", &found.version}, {"status", &found.status}, {"error", &found.error}};
    for (const auto& [name, place] : known) {
      if (one->name != name) continue;
      if (*place) return wrong(name, "stands twice");
      *place = one->value;
    }
    found.has_config = found.has_config || one->name == "config";
  }
  if (!members.was_whole()) return wrong("", "is no object of JSON");
  return found;
}

std::optional<node> scalar_of(std::optional<std::string_view> value) {
  if (!value || value->size() > told_bytes_max) return std::nullopt;
  auto read = read_json(*value, "");
  if (!read || (read->kind != node_kind::plain && read->kind != node_kind::quoted)) return std::nullopt;
  return *std::move(read);
}

std::optional<std::string> text_of(std::optional<std::string_view> value) {
  auto read = scalar_of(value);
  if (!read || read->kind != node_kind::quoted) return std::nullopt;
  return std::move(read->text);
}

std::optional<base_version> version_of(std::optional<std::string_view> value) {
  auto read = scalar_of(value);
  if (!read) return std::nullopt;
  if (read->kind == node_kind::quoted) return base_version(std::move(read->text));
  const auto number = parse_count(read->text);
  if (!number) return std::nullopt;
  return base_version(*number);
}

std::string json_of(const base_version& version) {
  const auto* number = std::get_if<std::uint64_t>(&version);
  return number != nullptr ? fmt::to_string(*number) : quote(std::get<std::string>(version));
}

}  // namespace

std::string to_string(const base_version& version) {
  const auto* number = std::get_if<std::uint64_t>(&version);
  return number != nullptr ? fmt::to_string(*number) : std::get<std::string>(version);
}

std::string_view to_string(base_dialect dialect) {
  switch (dialect) {
    case base_dialect::config_update:
      return "config_update";
    case base_dialect::config_snapshot:
      return "config_snapshot";
  }
  return {};
}

expected<base_message, message_error> read_base_message(std::string_view text) {
  const auto found = outline_of(text);
  if (!found) return unexpected(found.error());
  const auto type = text_of(found->type);
  if (!type) return wrong("type", "must be a text");
  if (*type == "ping") return base_message(base_ping{});
  if (*type == "pong") return base_message(base_pong{});
  const bool is_ack = *type == "ack" || *type == "nack";
  const bool is_update = *type == to_string(base_dialect::config_update);
  if (!is_ack && !is_update && *type != to_string(base_dialect::config_snapshot))
    return base_message(unknown_message{*type});
  auto version = version_of(found->version);
  if (!version) return wrong(*type + ".version", "must be a whole number or a text");
  if (is_ack) {
    const auto status = text_of(found->status);
    if (*type == "ack" && status && *status != "applied" && *status != "rejected")
      return wrong("ack.status", "must be applied or rejected");
    // Routers there are that leave the status of an ack out.
    const bool is_applied = *type == "ack" && (!status || *status == "applied");
    return base_message(base_ack{*std::move(version), is_applied, text_of(found->error).value_or("")});
  }
  if (is_update && !found->has_config) return wrong("config_update.config", "is missing");
  return base_message(
      base_content{is_update ? base_dialect::config_update : base_dialect::config_snapshot, *std::move(version)});
}

std::string write_base_ack(base_dialect dialect, const base_ack& said) {
  const std::string version = json_of(said.version);
  if (dialect == base_dialect::config_snapshot && !said.is_applied)
    return fmt::format(R"({{"type":"nack","version":{},"error":{}}})", version, quote(said.error));
  if (said.is_applied) return fmt::format(R"({{"type":"ack","version":{},"status":"applied"}})", version);
  return fmt::format(R"({{"type":"ack","version":{},"status":"rejected","error":{}}})", version, quote(said.error));
}

std::string write_base_ping() { return R"({"type":"ping"})"; }
std::string write_base_pong() { return R"({"type":"pong"})"; }

}  // namespace cellroute::wire
