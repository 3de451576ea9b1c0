#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>

#include "cellroute/base/expected.hpp"
#include "cellroute/match/key_pattern.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/key_table.hpp"
#include "cellroute/table/routing_table.hpp"
#include "cellroute/table/validate.hpp"

namespace cellroute::support {

// In a source of their own: who calls these makes the compiler write all of a build and all rules, which takes half a
// minute under sanitizers.

/// The table of a spec that keeps all rules. A test that gives another one ends, with what is wrong.
[[nodiscard]] routing_table compiled(const table_spec& spec, std::uint64_t generation = 1,
                                     const pattern_compiler& patterns = without_patterns);

/// `validate`.
[[nodiscard]] violations check(const table_spec& spec, const pattern_compiler& patterns = without_patterns);

/// `key_table::build`.
[[nodiscard]] expected<key_table, build_error> build_keys(
    std::span<const key_row> rows, std::uint64_t seed, std::span<const std::string_view> outcomes = {},
    std::pmr::memory_resource* resource = std::pmr::get_default_resource());

}  // namespace cellroute::support
