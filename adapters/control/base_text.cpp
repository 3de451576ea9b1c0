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
#include "cellroute/table/checked_fleet.hpp"
#include "cellroute/table/table_rows.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t text_piece_bytes = 60'000;

/// The names of the parts of a message, in one dialect.
struct dialect_words {
  std::string_view keys;
  std::string_view endpoints;
  std::string_view default_placement;
};
constexpr dialect_words update_words{"customer_to_placement", "placement_to_endpoint", "default_placement"};
constexpr dialect_words snapshot_words{"routingTable", "cellEndpoints", "defaultPlacement"};

/// As JSON has it, byte for byte where it may. Range: UTF-8.
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
  upstream_policy unsaid;
  unsaid.host = p.policy.host;
  if (p.policy != unsaid) return name + " has timeouts, limits or other settings of its own";
  if (p.policy.host != spec.placements.front().policy.host)
    return name + " has another host than " + spec.placements.front().id.value;
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

/// The kinds that names do not say; where they say all, nothing.
void append_kinds(std::string& out, const table_spec& spec) {
  bool is_first = true;
  for (const placement& p : spec.placements) {
    if (p.kind == wire::kind_of_name(p.id.value)) continue;
    if (is_first) out += fmt::format(",\"{}\":{{", wire::kinds_member);
    append_member(out, p.id.value, to_string(p.kind), std::exchange(is_first, false));
  }
  if (!is_first) out += '}';
}

/// What stands in front of the rows, and what behind them.
struct frame {
  std::string head;
  std::string tail;
};

frame frame_of(const table_spec& spec, std::uint64_t version, wire::base_dialect dialect) {
  const bool is_update = dialect == wire::base_dialect::config_update;
  const dialect_words& words = is_update ? update_words : snapshot_words;
  frame made;
  made.head = is_update ? fmt::format(R"({{"type":"config_update","version":{},"config":{{)", version)
                        : fmt::format(R"({{"type":"config_snapshot","version":"{}",)", version);
  append_member(made.head, words.default_placement, spec.default_placement.value, true);
  made.head += fmt::format(",\"{}\":{{", words.keys);
  made.tail = fmt::format("}},\"{}\":{{", words.endpoints);
  bool is_first = true;
  for (const placement& p : spec.placements) {
    const endpoint& to = *only_endpoint(spec, p);
    append_member(made.tail, p.id.value, wire::to_string(wire::origin{to.host, to.port}),
                  std::exchange(is_first, false));
  }
  made.tail += is_update ? "}}" : "}";
  append_kinds(made.tail, spec);
  made.tail += '}';
  return made;
}

bool is_text(std::string_view bytes) {
  websocket::utf8_check check;
  return check.take(bytes) && check.is_complete();
}

}  // namespace

expected<base_message, std::string> base_message::open(const sync::content& content, std::uint64_t version,
                                                       wire::base_dialect dialect) {
  const auto read = wire::read_configuration(content.document, "document");
  if (!read) return unexpected(std::string("what was published is no configuration that this version knows"));
  if (const std::string what = why_it_does_not_fit(*read); !what.empty())
    return unexpected(fmt::format("the base protocol cannot say: {}", what));
  frame around = frame_of(read->spec, version, dialect);
  base_message made;
  made.rows_ = rows_of(content.keys);
  // Nothing can be taken back once the first piece has gone.
  const bool is_all_text = is_text(around.head) && is_text(around.tail) &&
                           std::ranges::all_of(made.rows_.names, [](std::string_view name) { return is_text(name); }) &&
                           std::ranges::all_of(made.rows_.rows, [](const key_row& row) { return is_text(row.key); });
  if (!is_all_text) return unexpected(std::string("the base protocol cannot say: keys that are no text in UTF-8"));
  made.head_ = std::move(around.head);
  made.tail_ = std::move(around.tail);
  return made;
}

bool base_message::next(std::string& to) {
  const std::size_t before = to.size();
  to += std::exchange(head_, {});
  for (; at_ < rows_.rows.size() && to.size() - before < text_piece_bytes; ++at_)
    append_member(to, rows_.rows[at_].key, rows_.names[rows_.rows[at_].outcome], at_ == 0);
  if (at_ == rows_.rows.size()) to += std::exchange(tail_, {});
  return to.size() > before;
}

sync::base_publication write_base_content(const sync::content& content, std::uint64_t version,
                                          wire::base_dialect dialect) {
  sync::base_publication made{version, {}, {}};
  auto message = base_message::open(content, version, dialect);
  if (!message) {
    made.why_not = std::move(message).error();
    return made;
  }
  made.text.reserve(content.keys.size() * 40);
  while (message->next(made.text)) {
  }
  return made;
}

}  // namespace cellroute::control
