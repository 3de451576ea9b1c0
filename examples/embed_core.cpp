// The whole decision in twenty lines: a table from values, a key, a placement.
#include <cellroute/cellroute.hpp>

#include <iostream>

int main() {
  using namespace cellroute;
  table_spec spec;
  for (const char* name : {"tier1", "visa"}) {
    spec.cells.push_back({cell_id(name), {{.id = "a", .host = "127.0.0.1", .port = 9001}}});
    spec.placements.push_back({placement_id(name), placement_kind::shared, cell_id(name), {}});
  }
  spec.placements[1].kind = placement_kind::dedicated;
  spec.assignments = {{"visa", placement_id("visa")}};
  spec.default_placement = placement_id("tier1");

  const auto table = routing_table::compile(spec, generation_number(1), 42);
  if (!table) return 1;
  for (const char* key : {"visa", "newcomer"}) {
    const auto made = table->route(key);
    if (made) std::cout << key << " -> " << routed_to(*made, table->fleet()) << " (" << route_reason(*made) << ")\n";
  }
}
