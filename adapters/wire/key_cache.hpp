#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>

#include "cellroute/base/expected.hpp"
#include "cellroute/table/key_table.hpp"

/// Tables of routing keys, kept in a folder by the hash of all that they were made of: a start or a change that brings
/// the same key files opens a table instead of making one.
///
/// A kept table is believed no more than a stranger's: the folder must belong to this user and be closed to others, and
/// the bytes are checked as those of any file are.
namespace cellroute::wire {

/// Why there is no kept table.
struct cache_miss {
  bool is_there = false;  ///< there is a file, and it cannot be used
  std::string why;        ///< then: its name, and what is wrong with it
};

/// The kept table of that content, in memory of `resource`.
[[nodiscard]] expected<key_table, cache_miss> find_kept_table(const std::string& folder, std::uint64_t content,
                                                              std::pmr::memory_resource* resource);

/// Keeps a table: all of it or nothing.
/// Errors: what the system says. Cost: it waits for the disk.
[[nodiscard]] expected<void, std::string> keep_table(const std::string& folder, std::uint64_t content,
                                                     const key_table& table);

/// Removes every kept table but two: those of `contents`, and where they are fewer the newest of the others. And what a
/// process left that was ended while it wrote.
void remove_other_tables(const std::string& folder, std::span<const std::uint64_t> contents);

}  // namespace cellroute::wire
