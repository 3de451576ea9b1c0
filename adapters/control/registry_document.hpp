#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/store_database.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/node.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/key_table.hpp"
#include "cellroute/table/table_rows.hpp"

namespace cellroute::control {

/// invalid      somebody wrote something wrong: `mistakes` tells all of it
/// conflict     something else was published meanwhile
/// guard        it would do more than the operator lets anything do
/// in_use       what is to go is still needed
/// unknown      there never was such a thing
/// gone         it is no longer kept
/// too_large    it does not fit
/// full         the disk has no room
/// unavailable  the store cannot be read or written now
/// damaged      the store contradicts itself
enum class problem_kind : std::uint8_t {
  invalid,
  conflict,
  guard,
  in_use,
  unknown,
  gone,
  too_large,
  full,
  unavailable,
  damaged,
};
[[nodiscard]] std::string_view to_string(problem_kind kind);

/// Why something is not done, for the person who asked.
struct problem {
  problem_kind what = problem_kind::invalid;
  std::string detail{};
  wire::diagnostics mistakes{};
  std::string key{};  ///< where one routing key is at fault
};

[[nodiscard]] problem problem_of(const store_failure& failure);
[[nodiscard]] problem problem_of(wire::diagnostics mistakes);

/// The fleet sections without rows: as a text, as a tree to be edited, and as what they mean.
struct document {
  std::string text{};
  wire::node tree{};
  table_spec spec{};
  wire::key_settings key{};
};

/// A configuration as somebody wrote it, checked: its document and its rows.
struct whole_configuration {
  document doc{};
  key_table keys;
  std::size_t quarantined = 0;  ///< rows left out, where `on_invalid_row` says so
};

/// Reads a configuration, YAML or JSON, native or of a foreign shape, and runs every rule on it.
///
/// Errors: `invalid`, with every mistake: those of a router's file, and what has no place here: local sections and key
///         files. Cost: as `wire::read_configuration` and `wire::compile`.
[[nodiscard]] expected<whole_configuration, problem> read_whole(std::string text, std::string_view name,
                                                                std::uint64_t seed,
                                                                std::pmr::memory_resource* resource);

/// The same of a configuration that was loaded from a file, with its key files: local sections are left out, and all
/// rows are rows. Frees what `wire::compile` frees. Errors: `invalid`.
[[nodiscard]] expected<whole_configuration, problem> whole_of(wire::configuration& loaded, std::uint64_t seed,
                                                              std::pmr::memory_resource* resource);

/// Reads a document. Errors: as above; rows in it.
[[nodiscard]] expected<document, problem> read_document(const wire::node& tree);
/// A document as it was stored.
[[nodiscard]] expected<document, problem> read_document(std::string_view text);

/// The sections of a configuration that belong to one router and never travel.
inline constexpr std::string_view local_sections[] = {"process", "listeners", "http",   "decision", "log",
                                                      "metrics", "admin",     "reload", "guard",    "control_plane"};

}  // namespace cellroute::control
