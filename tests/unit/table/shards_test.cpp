// Placements that give each key a few of many cells.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

/// The usual spec with a shard `pool` of two out of the cells c1, c3 and visa, to which umbrella leads.
table_spec shard_spec() {
  table_spec spec = support::good_spec();
  placement pool;
  pool.id = placement_id("pool");
  pool.kind = placement_kind::shard;
  pool.cells = {cell_id("visa"), cell_id("c1"), cell_id("c3")};
  pool.shard = {2, 7};
  spec.placements.push_back(pool);
  spec.assignments.push_back({"umbrella", placement_id("pool")});
  spec.rules = {{"shard-", {}, "pool", {}}};
  spec.canaries = {{placement_id("tier1"), placement_id("pool"), 0, {"acme"}}};
  spec.overrides = {{{"over"}, placement_id("pool"), {}}};
  return spec;
}

/// `pool shard table`
std::string told_of_shard(const routing_table& table, std::string_view key) {
  const auto made = table.route(key);
  if (!made) return std::string(to_string(made.error()));
  CHECK((table.route(table.prepare(key)) == made));
  CHECK(made->cell == table.fleet().cell_for(made->placement, key));
  std::string out = table.placements()[made->placement].id.value + " " + std::string(route_reason(*made)) + " ";
  write_decider(out, *made);
  return out;
}

std::string names_of(const routing_table& table, const std::vector<std::uint16_t>& cells) {
  std::string out;
  for (const std::uint16_t cell : cells) out += (out.empty() ? "" : " ") + table.cells()[cell].id.value;
  return out;
}

}  // namespace

TEST_CASE("shards: whatever leads to one says what a shard says, and the cell is that of the key") {
  const routing_table table = support::compiled(shard_spec());
  CHECK(told_of_shard(table, "umbrella") == "pool shard table");
  CHECK(told_of_shard(table, "shard-1") == "pool shard rules[0]");
  CHECK(told_of_shard(table, "acme") == "pool canary canary[0]");
  CHECK(told_of_shard(table, "over") == "pool override override[0]");
  CHECK(told_of_shard(table, "visa") == "visa dedicated table");
  table_spec spec = shard_spec();
  spec.default_placement = placement_id("pool");
  CHECK(told_of_shard(support::compiled(spec), "nobody") == "pool default default");
}

TEST_CASE("shards: a key's list begins with its cell, and other keys have other lists") {
  const routing_table table = support::compiled(shard_spec());
  std::set<std::string> lists;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "shard-" + std::to_string(i);
    const auto made = table.route(key);
    REQUIRE(made);
    const std::vector<std::uint16_t> cells = table.fleet().cells_for(made->placement, key);
    REQUIRE(cells.size() == 2);
    CHECK(cells[0] == made->cell);
    CHECK(cells[0] != cells[1]);
    CHECK(routed_to(*made, table.fleet()) == "pool/" + table.cells()[made->cell].id.value);
    lists.insert(names_of(table, cells));
  }
  CHECK(lists.size() == 6);
  CHECK((table.fleet().cells_for(0, "acme") == std::vector<std::uint16_t>{0}));
  CHECK(table.fleet().cells_of(3).size() == 3);
}

TEST_CASE("shards: the order of the cells and what else the spec has move no key") {
  const routing_table table = support::compiled(shard_spec());
  table_spec other = shard_spec();
  std::swap(other.cells[0], other.cells[2]);
  std::swap(other.placements[3].cells[0], other.placements[3].cells[2]);
  const routing_table turned = support::compiled(other);
  for (int i = 0; i < 200; ++i) {
    const std::string key = std::to_string(i);
    CHECK(names_of(table, table.fleet().cells_for(3, key)) == names_of(turned, turned.fleet().cells_for(3, key)));
  }
}

TEST_CASE("shards: an explanation shows the whole list") {
  const routing_table table = support::compiled(shard_spec());
  const auto made = table.route("umbrella");
  REQUIRE(made);
  std::string text;
  write_explanation(text, *made, table.fleet(), "v1");
  CHECK(
      text.find("\nplacement   pool, shard\nreason      shard\ncell        visa\nshard       visa, c1\nendpoint    ") !=
      std::string::npos);
  text.clear();
  write_explanation_json(text, *made, table.fleet(), "v1");
  CHECK(text.find(R"("kind":"shard","reason":"shard","cell":"visa","shard":["visa","c1"],"endpoints":[)") !=
        std::string::npos);
  text.clear();
  write_route_decision(text, *made, table.fleet());
  CHECK(text.ends_with(";rule=table;placement=pool;cell=visa"));
}

namespace {

struct broken_shard {
  std::string_view says;
  void (*change)(placement&);
  violations expected;
};

const broken_shard broken_shards[] = {
    {"a cell that nobody defined",
     [](placement& p) { p.cells[1] = cell_id("c9"); },
     {{"placements.pool.cells[1]", "no cell is named \"c9\"; add it or name another"}}},
    {"a cell twice",
     [](placement& p) { p.cells[2] = p.cells[0]; },
     {{"placements.pool.cells[2]", "\"visa\" is named already; keep one of the two"}}},
    {"no cell",
     [](placement& p) { p.cells.clear(); },
     {{"placements.pool.cells", "there is none; name the cells of the shard"}}},
    {"none for a key",
     [](placement& p) { p.shard.size = 0; },
     {{"placements.pool.shard.size", "is 0; write a number from 1 to the number of its cells, 3"}}},
    {"more than there are",
     [](placement& p) { p.shard.size = 4; },
     {{"placements.pool.shard.size", "is 4; write a number from 1 to the number of its cells, 3"}}},
};

}  // namespace

TEST_CASE("shards: what is wrong with them, and where") {
  for (const broken_shard& row : broken_shards) {
    CAPTURE(row.says);
    table_spec spec = shard_spec();
    row.change(spec.placements[3]);
    CHECK((support::check(spec) == row.expected));
  }
  table_spec whole = shard_spec();
  whole.placements[3].shard.size = 3;
  CHECK(support::check(whole).empty());
}

TEST_CASE("shards: as many cells as there may be, and one more") {
  table_spec spec = shard_spec();
  placement& pool = spec.placements[3];
  pool.cells.clear();
  for (std::size_t i = 0; i <= rules::shard_cells_max; ++i) {
    spec.cells.push_back({cell_id("x" + std::to_string(i)), spec.cells[1].endpoints});
    if (i < rules::shard_cells_max) pool.cells.push_back(spec.cells.back().id);
  }
  CHECK(support::check(spec).empty());
  pool.cells.push_back(spec.cells.back().id);
  CHECK((support::check(spec) == violations{{"placements.pool.cells", "has 4097 entries; 4096 is the most"}}));
}
