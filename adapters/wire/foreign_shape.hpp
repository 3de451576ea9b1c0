#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/inline_keys.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/section.hpp"
#include "cellroute/model/table_spec.hpp"

namespace cellroute::wire {

/// How another system writes down which key leads to which cell: the names of its fields, and what it does unasked.
///
/// Such a file has fleet sections only; what a placement is, its name tells.
struct foreign_shape {
  std::string_view inside;             ///< the member that holds it all, where it comes in an envelope
  std::string_view table;              ///< routing keys and the placements they lead to
  std::string_view default_placement;  ///< of all other keys
  std::string_view placements;         ///< and where each leads to
  std::string_view url;                ///< the endpoint's, in the map of a placement; empty: it stands there alone
  std::string_view envelope_type;      ///< what `type` must be beside `inside`
  bool has_attributes = false;         ///< a placement may have limits, health check, breaker and fallback
  bool checks_health_unasked = false;  ///< of every endpoint, at /health
};

/// The shape that a document has; null where it is none of these and so must be ours.
[[nodiscard]] const foreign_shape* shape_of(const node& document);

/// Reads a document of a foreign shape, which outlives the keys: their views lead there. What has no counterpart here
/// yet is refused by name.
void read_foreign(const foreign_shape& shape, const node& document, table_spec& spec, inline_keys& keys,
                  mistake_list& mistakes);

/// A member of a message beside its maps: what a placement is of which the name does not say it. Who does not know it
/// goes by the names.
inline constexpr std::string_view kinds_member = "placement_kinds";

/// Takes out of a message what its envelope has beside what the shape knows, and names it. Of a shape without an
/// envelope: nothing.
[[nodiscard]] std::vector<std::string> take_unknown_members(const foreign_shape& shape, node& message);

/// What a placement does in such a file that says nothing of it.
[[nodiscard]] upstream_policy policy_of(const foreign_shape& shape);

/// What a placement is where only its name is said.
[[nodiscard]] placement_kind kind_of_name(std::string_view name);

/// A path of ours as the foreign document has it: `routing.keys.inline.acme` is `routingTable.acme`.
[[nodiscard]] std::string path_in(const foreign_shape& shape, std::string path);

}  // namespace cellroute::wire
