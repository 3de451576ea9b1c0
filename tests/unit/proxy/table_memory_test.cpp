// The memory in which the router keeps its tables, with a table in it.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "cellroute/table/key_table.hpp"

using namespace cellroute;

TEST_CASE("table memory: a table is built, merged and opened in them, and is the same as elsewhere") {
  std::vector<std::string> names;
  for (int i = 0; i < 200'000; ++i) names.push_back("tenant-" + std::to_string(i) + "-of-many");
  std::vector<key_row> rows;
  for (const std::string& name : names) rows.push_back({name, static_cast<std::uint16_t>(rows.size() % 7)});
  io::huge_page_resource memory;
  const auto table = key_table::build(rows, 5, {}, &memory);
  REQUIRE(table);
  const auto elsewhere = key_table::build(rows, 5);
  REQUIRE(elsewhere);
  CHECK(table->bytes().head == elsewhere->bytes().head);  // it holds the checksum
  const std::vector<key_change> changes = {{names[3], std::uint16_t{6}}, {names[4], std::nullopt}};
  for (int round = 0; round < 3; ++round) {
    const auto merged = table->merged(changes);
    REQUIRE(merged);
    CHECK(merged->size() == rows.size() - 1);
    CHECK(merged->find(names[3]) == std::uint16_t{6});
    CHECK(merged->find(names[4]) == std::nullopt);
    CHECK(merged->find(names[5]) == std::uint16_t{5});
  }
  CHECK(memory.kept_bytes() > (std::size_t{4} << 20));
}
