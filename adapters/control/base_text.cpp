#include "adapters/control/base_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/websocket/utf8_check.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/foreign_shape.hpp"
#include "adapters/wire/scalars.hpp"
#include "cellroute/table/table_rows.hpp"

namespace cellroute::control {
namespace {

/// The names of the parts of a message, in one dialect.
struct dialect_words {
  std::string_view keys;
  std::string_view endpoints;
  std::string_view default_placement;
};
constexpr dialect_words update_words{"customer_to_placement", "placement_to_endpoint", "default_placement"};
constexpr dialect_words snapshot_words{"routingTable", "cellEndpoints", "defaultPlacement"};

/// As JSON has it, byte for byte where it may: whether it is UTF-8 is seen in the end, for all texts at once.
void append_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_member(std::string& out, std::string_view name, std::string_view value, bool is_first) {
  if (!is_first) out += ',';
  append_text(out, name);
  out += ':';
  append_text(out, value);
}

/// The one endpoint that a placement leads to; nothing where there are several, or it takes no request.
const endpoint* only_endpoint(const table_spec& spec, const placement& p) {
  const auto at = std::ranges::find(spec.cells, p.cell, &cell::id);
  if (p.kind == placement_kind::shard || at == spec.cells.end() || at->endpoints.size() != 1) return nullptr;
  const endpoint& only = at->endpoints.front();
  return only.weight == 1 ? &only : nullptr;
}

std::string why_placement_does_not_fit(const table_spec& spec, const placement& p) {
  const std::string name = "placements." + p.id.value;
  if (p.kind == placement_kind::shard) return name + " is a shard";
  if (only_endpoint(spec, p) == nullptr) return name + " has not exactly one endpoint of weight 1";
  if (!wire::is_plain(p.policy)) return name + " has timeouts, limits or other settings of its own";
  return {};
}

/// What three maps cannot say of a configuration; empty where they can.
std::string why_it_does_not_fit(const wire::configuration& c) {
  const table_spec& spec = c.spec;
  if (!spec.rules.empty()) return "routing.rules";
  if (!spec.canaries.empty()) return "routing.canary";
  if (!spec.overrides.empty()) return "routing.override";
  if (spec.on_unknown != unknown_key_policy::use_default) return "key.on_unknown: reject";
  if (c.key != wire::key_settings()) return "key.sources, of another header";
  if (spec.default_placement.value.empty()) return "that there is no default placement";
  for (const placement& p : spec.placements) {
    if (auto why = why_placement_does_not_fit(spec, p); !why.empty()) return why;
  }
  return {};
}

std::string write_message(const table_spec& spec, const key_table& keys, std::uint64_t version,
                          wire::base_dialect dialect) {
  const bool is_update = dialect == wire::base_dialect::config_update;
  const dialect_words& words = is_update ? update_words : snapshot_words;
  std::string text = is_update ? fmt::format(R"({{"type":"config_update","version":{},"config":{{)", version)
                               : fmt::format(R"({{"type":"config_snapshot","version":"{}",)", version);
  text.reserve(text.size() + 64 * spec.placements.size() + keys.size() * 40);
  append_member(text, words.default_placement, spec.default_placement.value, true);
  text += fmt::format(",\"{}\":{{", words.keys);
  const table_rows rows = rows_of(keys);
  bool is_first = true;
  for (const key_row& row : rows.rows)
    append_member(text, row.key, rows.names[row.outcome], std::exchange(is_first, false));
  text += fmt::format("}},\"{}\":{{", words.endpoints);
  is_first = true;
  for (const placement& p : spec.placements) {
    const endpoint& to = *only_endpoint(spec, p);
    append_member(text, p.id.value, wire::to_string(wire::origin{to.host, to.port}), std::exchange(is_first, false));
  }
  text += is_update ? "}}}" : "}}";
  return text;
}

}  // namespace

sync::base_publication write_base_content(const sync::content& content, std::uint64_t version,
                                          wire::base_dialect dialect) {
  sync::base_publication made{version, {}, {}};
  const auto read = wire::read_configuration(content.document, "document");
  if (!read) {
    made.why_not = "what was published is no configuration that this version knows";
    return made;
  }
  if (const std::string what = why_it_does_not_fit(*read); !what.empty()) {
    made.why_not = fmt::format("the base protocol cannot say: {}", what);
    return made;
  }
  made.text = write_message(read->spec, content.keys, version, dialect);
  websocket::utf8_check check;
  if (!check.take(made.text) || !check.is_complete()) {
    made.text.clear();
    made.why_not = "the base protocol cannot say: keys that are no text in UTF-8";
  }
  return made;
}

}  // namespace cellroute::control
