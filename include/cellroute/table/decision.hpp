#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cellroute/base/escape.hpp"
#include "cellroute/model/ids.hpp"
#include "cellroute/table/checked_fleet.hpp"

namespace cellroute {

/// The part of a request that the routing key was read from.
enum class key_source : std::uint8_t { header };

[[nodiscard]] constexpr std::string_view to_string(key_source source) {
  switch (source) {
    case key_source::header:
      return "header";
  }
  return {};
}

/// Why that placement. The words are those of `X-Route-Reason`.
enum class reason : std::uint8_t {
  dedicated,  ///< the key is assigned to a placement of its own
  tier,       ///< the key is assigned to a shared placement
  default_,   ///< the key has no assignment
  shard,
  hash,
  canary,
  override_,
  replay,
  route,
};

[[nodiscard]] constexpr std::string_view to_string(reason why) {
  switch (why) {
    case reason::dedicated:
      return "dedicated";
    case reason::tier:
      return "tier";
    case reason::default_:
      return "default";
    case reason::shard:
      return "shard";
    case reason::hash:
      return "hash";
    case reason::canary:
      return "canary";
    case reason::override_:
      return "override";
    case reason::replay:
      return "replay";
    case reason::route:
      return "route";
  }
  return {};
}

/// What decided: the table, or one of what steers keys beside it.
enum class decider : std::uint8_t {
  table,
  default_,
  rule,       ///< one of `rules`
  canary,     ///< one of `canary`
  override_,  ///< one of `override`
};

/// The outcome of routing one request. Response headers, log line and explanation are printings of this.
///
/// Views hold as long as the request's head and the settings; indices are those of the fleet it was made with.
struct decision {
  std::string_view key;
  key_source source = key_source::header;
  std::string_view source_name;  ///< the header's name, as configured
  std::uint16_t placement = 0;
  std::uint16_t cell = 0;
  reason why = reason::default_;
  decider by = decider::default_;
  std::uint16_t row = 0;  ///< which of the rules, canaries or overrides decided, where one did
  generation_number generation;
  friend bool operator==(const decision&, const decision&) = default;
};

/// The value of `X-Routed-To`: the placement, and of a shard the cell, too: `pool/c3`.
[[nodiscard]] inline std::string routed_to(const placement& to, const cell& by) {
  return to.kind == placement_kind::shard ? to.id.value + "/" + by.id.value : to.id.value;
}
[[nodiscard]] inline std::string routed_to(const decision& made, const checked_fleet& fleet) {
  return routed_to(fleet.placements()[made.placement], fleet.cells()[made.cell]);
}

/// The value of `X-Route-Reason`.
[[nodiscard]] constexpr std::string_view route_reason(const decision& made) { return to_string(made.why); }

/// Writes what decided: `table`, `default`, or the place in the configuration: `rules[1]`.
template <text_sink Sink>
void write_decider(Sink& sink, const decision& made) {
  const auto row = [&](std::string_view list) {
    sink.append(list);
    sink.append(std::string_view("["));
    append_number(sink, made.row);
    sink.append(std::string_view("]"));
  };
  switch (made.by) {
    case decider::table:
      sink.append(std::string_view("table"));
      return;
    case decider::default_:
      sink.append(std::string_view("default"));
      return;
    case decider::rule:
      return row("rules");
    case decider::canary:
      return row("canary");
    case decider::override_:
      return row("override");
  }
}

/// Writes the value of `X-Route-Decision`, the whole story in one line (the router adds which attempt was answered):
/// `key=acme;src=header.X-Routing-Key;gen=4711;rule=table;placement=tier1;cell=c3`. Bytes of the key that could end the
/// value are written as %XX.
template <text_sink Sink>
void write_route_decision(Sink& sink, const decision& made, const checked_fleet& fleet) {
  const auto text = [&sink](std::string_view part) { sink.append(part); };
  text("key=");
  append_escaped(sink, made.key);
  text(";src=");
  text(to_string(made.source));
  text(".");
  append_escaped(sink, made.source_name);
  text(";gen=");
  append_number(sink, made.generation.value);
  text(";rule=");
  write_decider(sink, made);
  text(";placement=");
  text(fleet.placements()[made.placement].id.value);
  text(";cell=");
  text(fleet.cells()[made.cell].id.value);
}

/// Writes a decision for a person, a line for each fact.
template <text_sink Sink>
void write_explanation(Sink& sink, const decision& made, const checked_fleet& fleet, std::string_view version) {
  const auto text = [&sink](std::string_view part) { sink.append(part); };
  const placement& to = fleet.placements()[made.placement];
  const cell& by = fleet.cells()[made.cell];
  text("key         ");
  append_escaped(sink, made.key);
  text("\nsource      ");
  text(to_string(made.source));
  text(" ");
  append_escaped(sink, made.source_name);
  text("\nrule        ");
  write_decider(sink, made);
  text("\nplacement   ");
  text(to.id.value);
  text(", ");
  text(to_string(to.kind));
  text("\nreason      ");
  text(to_string(made.why));
  text("\ncell        ");
  text(by.id.value);
  if (to.kind == placement_kind::shard) {
    std::string_view separator = "\nshard       ";
    for (const std::uint16_t cell : fleet.cells_for(made.placement, made.key)) {
      text(separator);
      text(fleet.cells()[cell].id.value);
      separator = ", ";
    }
  }
  for (const endpoint& each : by.endpoints) {
    text("\nendpoint    ");
    text(address_of(each));
    text(" weight ");
    append_number(sink, each.weight);
  }
  text("\nversion     ");
  append_escaped(sink, version);
  text("\ngeneration  ");
  append_number(sink, made.generation.value);
  text("\n");
}

/// Writes a decision as one JSON object, without a line end.
template <text_sink Sink>
void write_explanation_json(Sink& sink, const decision& made, const checked_fleet& fleet, std::string_view version) {
  const auto text = [&sink](std::string_view part) { sink.append(part); };
  const auto member = [&](std::string_view name, std::string_view value) {
    text(name);
    append_json_string(sink, value);
  };
  const placement& to = fleet.placements()[made.placement];
  const cell& by = fleet.cells()[made.cell];
  member("{\"key\":", made.key);
  member(",\"source\":", to_string(made.source));
  member(",\"source_name\":", made.source_name);
  text(",\"rule\":\"");
  write_decider(sink, made);
  text("\"");
  member(",\"placement\":", to.id.value);
  member(",\"kind\":", to_string(to.kind));
  member(",\"reason\":", to_string(made.why));
  member(",\"cell\":", by.id.value);
  if (to.kind == placement_kind::shard) {
    std::string_view before = ",\"shard\":[";
    for (const std::uint16_t cell : fleet.cells_for(made.placement, made.key)) {
      member(before, fleet.cells()[cell].id.value);
      before = ",";
    }
    text("]");
  }
  std::string_view separator = ",\"endpoints\":[{\"id\":";
  for (const endpoint& each : by.endpoints) {
    member(separator, each.id);
    member(",\"host\":", each.host);
    text(",\"port\":");
    append_number(sink, each.port);
    text(",\"weight\":");
    append_number(sink, each.weight);
    separator = "},{\"id\":";
  }
  member("}],\"version\":", version);
  text(",\"generation\":");
  append_number(sink, made.generation.value);
  text("}");
}

}  // namespace cellroute
