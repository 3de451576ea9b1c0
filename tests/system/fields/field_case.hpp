#pragma once

#include <span>
#include <string>
#include <string_view>

/// One row for each field of the configuration's schema: two values of it, and what a running router shows with each.
/// How to add one: CONTRIBUTING.md, "A new field of the configuration".
namespace cellroute::system_test {

class field_run;

/// A field, two values of it, and what is seen with each.
///
/// In every text `$one`, `$two`, `$closed` and `$full` are the ports of two cells, of nobody, and of a cell that takes
/// no connection; `$web` and `$admin` those of the router.
struct field_case {
  /// As `wire::field_names` has it. A path that begins with `policy.` is tried below `defaults` and below a placement.
  std::string_view path;
  std::string_view before;  ///< a value in YAML; empty: the field is not written
  std::string_view after;
  /// Asks the router and says what it saw, in one word or two. Null: the field has one value only until more is built,
  /// and `seen_after` is part of the words in which the other one is refused.
  std::string (*observe)(field_run&) = nullptr;
  std::string_view seen_before = {};
  std::string_view seen_after = {};
  std::string_view around = {};  ///< what else is written, in YAML, in both runs; a member without value takes one out
};

/// The rows, a list for each file.
[[nodiscard]] std::span<const field_case> fleet_field_cases();
[[nodiscard]] std::span<const field_case> policy_field_cases();
[[nodiscard]] std::span<const field_case> listener_field_cases();
[[nodiscard]] std::span<const field_case> local_field_cases();
/// Empty for anybody else.
[[nodiscard]] std::span<const field_case> field_cases_of_root();

}  // namespace cellroute::system_test
