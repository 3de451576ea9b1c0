#include "tests/support/compiled_table.hpp"

#include <doctest/doctest.h>

#include <memory_resource>
#include <utility>

namespace cellroute::support {

routing_table compiled(const table_spec& spec, std::uint64_t generation, const pattern_compiler& patterns) {
  auto table =
      routing_table::compile(spec, generation_number(generation), 1, std::pmr::get_default_resource(), {}, patterns);
  if (!table) {
    for (const violation& v : table.error()) FAIL_CHECK(v.path << ": " << v.what);
  }
  REQUIRE(table);
  return *std::move(table);
}

violations check(const table_spec& spec, const pattern_compiler& patterns) { return validate(spec, patterns); }

expected<key_table, build_error> build_keys(std::span<const key_row> rows, std::uint64_t seed,
                                            std::span<const std::string_view> outcomes,
                                            std::pmr::memory_resource* resource) {
  return key_table::build(rows, seed, outcomes, resource);
}

}  // namespace cellroute::support
