#include "tests/support/spec_builder.hpp"

#include <string>
#include <utility>

namespace cellroute::support {

table_spec good_spec() {
  const auto placed = [](std::string id, std::string cell, placement_kind kind) {
    placement p;
    p.id = placement_id(std::move(id));
    p.kind = kind;
    p.cell = cell_id(std::move(cell));
    return p;
  };
  table_spec spec;
  spec.version = "v1";
  spec.cells = {
      {cell_id("c1"), {{"a", "127.0.0.1", 9001, 3}, {"b", "127.0.0.1", 9002, 1}}},
      {cell_id("c3"), {{"", "cell-tier3", 9003, 1}}},
      {cell_id("visa"), {{"", "::1", 9004, 1}}},
  };
  spec.placements = {placed("tier1", "c1", placement_kind::shared), placed("tier3", "c3", placement_kind::shared),
                     placed("visa", "visa", placement_kind::dedicated)};
  spec.assignments = {{"acme", placement_id("tier1")}, {"visa", placement_id("visa")}};
  spec.default_placement = placement_id("tier3");
  return spec;
}

}  // namespace cellroute::support
