// One decision, printed in the three ways that the router prints it; and what a broken spec is told.
#include <cellroute/cellroute.hpp>

#include <iostream>
#include <string>

namespace {

cellroute::table_spec make_spec() {
  using namespace cellroute;
  table_spec spec;
  spec.version = "2026-01-04.1";
  spec.cells = {
      {cell_id("c1"),
       {{.id = "a", .host = "10.0.0.1", .port = 9001, .weight = 3}, {.id = "b", .host = "10.0.0.2", .port = 9001}}}};
  spec.placements = {{placement_id("tier1"), placement_kind::shared, cell_id("c1"), {}}};
  spec.assignments = {{"acme", placement_id("tier1")}};
  spec.default_placement = placement_id("tier1");
  return spec;
}

}  // namespace

int main() {
  using namespace cellroute;
  table_spec spec = make_spec();
  const auto table = routing_table::compile(spec, generation_number(7), 42);
  if (!table) return 1;
  const auto made = table->route("acme");
  if (!made) return 1;

  std::string text;
  write_explanation(text, *made, table->fleet(), table->version());
  std::cout << "for a person:\n" << text << "\n";

  text.clear();
  write_explanation_json(text, *made, table->fleet(), table->version());
  std::cout << "for a program:\n" << text << "\n\n";

  text.clear();
  write_route_decision(text, *made, table->fleet());
  std::cout << "as X-Route-Decision:\n" << text << "\n\n";

  spec.assignments.push_back({"globex", placement_id("tier2")});
  spec.default_placement = placement_id("tier3");
  const auto broken = routing_table::compile(spec, generation_number(8), 42);
  if (broken) return 1;
  std::cout << "a spec with two mistakes:\n";
  for (const violation& each : broken.error()) std::cout << each.path << ": " << each.what << "\n";
}
