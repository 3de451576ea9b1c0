#include "cellroute/table/table_rows.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/base/random.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/counting_resource.hpp"
#include "tests/support/slow_key_digest.hpp"

using namespace cellroute;
using support::named_rows;
using support::named_rows_of;
using support::table_of;
using names = std::vector<std::string_view>;

namespace {

constexpr std::uint64_t rows_salt = 3;

/// Changes in words: `key>name`, `key>` for one that is removed, in their order.
std::string words_of(const row_changes& some) {
  std::string words;
  for (const key_change& each : some.changes) {
    words.append(words.empty() ? "" : " ").append(each.key).append(">");
    if (each.outcome) words.append(some.names[*each.outcome]);
  }
  return words;
}

std::string joined(const names& some) {
  std::string words;
  for (const std::string_view name : some) words.append(words.empty() ? "" : " ").append(name);
  return words;
}

struct between_case {
  std::string_view says;
  named_rows from;
  named_rows to;
  std::string_view expected;
};

const between_case between_cases[] = {
    {"nothing to nothing", {}, {}, ""},
    {"the same rows", {{"a", "x"}, {"b", "y"}}, {{"a", "x"}, {"b", "y"}}, ""},
    {"a key is new", {{"a", "x"}}, {{"a", "x"}, {"b", "x"}}, "b>x"},
    {"a key goes", {{"a", "x"}, {"b", "x"}}, {{"a", "x"}}, "b>"},
    {"a key moves", {{"a", "x"}, {"b", "y"}}, {{"a", "y"}, {"b", "y"}}, "a>y"},
    {"names that have other numbers move no key",
     {{"a", "x"}, {"c", "m"}},
     {{"a", "x"}, {"c", "m"}, {"b", "a"}},
     "b>a"},
    {"all at once, by key", {{"d", "x"}, {"b", "x"}, {"c", "x"}}, {{"c", "y"}, {"a", "z"}, {"b", "x"}}, "a>z c>y d>"},
    {"everything goes", {{"a", "x"}, {"b", "y"}}, {}, "a> b>"},
    {"everything comes", {}, {{"b", "y"}, {"a", "x"}}, "a>x b>y"},
};

struct written_case {
  std::string_view says;
  names given;
  std::vector<key_change> changes;
  std::string_view expected;
  std::string_view expected_names;
};

const written_case written_cases[] = {
    {"none", {}, {}, "", ""},
    {"by key", {"x"}, {{"b", 0}, {"a", std::nullopt}}, "a> b>x", "x"},
    {"the last one of a key counts", {"x", "y"}, {{"a", 0}, {"b", 1}, {"a", 1}}, "a>y b>y", "y"},
    {"the last one of a key counts, though it be removed", {"x"}, {{"a", 0}, {"a", std::nullopt}}, "a>", ""},
    {"names are in order, and a name that nobody has is not there",
     {"z", "idle", "x"},
     {{"a", 0}, {"b", 2}},
     "a>z b>x",
     "x z"},
    {"a name that is there twice is one", {"x", "x"}, {{"a", 0}, {"b", 1}}, "a>x b>x", "x"},
};

struct merged_case {
  std::string_view says;
  row_changes first;
  row_changes second;
  std::string_view expected;
  std::string_view expected_names;
};

const merged_case merged_cases[] = {
    {"none and none", {}, {}, "", ""},
    {"none and some", {}, changes_of({"x"}, {{"a", 0}}), "a>x", "x"},
    {"some and none", changes_of({"x"}, {{"a", 0}}), {}, "a>x", "x"},
    {"of other keys", changes_of({"x"}, {{"b", 0}}), changes_of({"y"}, {{"a", 0}}), "a>y b>x", "x y"},
    {"the second counts", changes_of({"x"}, {{"a", 0}}), changes_of({"y"}, {{"a", 0}}), "a>y", "y"},
    {"set and removed: it may have been there before", changes_of({"x"}, {{"a", 0}}),
     changes_of({}, {{"a", std::nullopt}}), "a>", ""},
    {"removed and set", changes_of({}, {{"a", std::nullopt}}), changes_of({"x"}, {{"a", 0}}), "a>x", "x"},
    {"one name with two numbers is one", changes_of({"m", "x"}, {{"a", 0}, {"b", 1}}), changes_of({"x"}, {{"c", 0}}),
     "a>m b>x c>x", "m x"},
};

/// A key in that bucket of the digest.
std::string key_of_bucket(std::uint16_t bucket, int first = 0) {
  for (int i = first;; ++i) {
    std::string key = "k" + std::to_string(i);
    if (hash_text(key, rows_salt) >> 52 == bucket) return key;
  }
}

/// Whether rows may be taken from what is given so: a temporary would be gone before the views into it.
template <class Table>
concept lends_rows = requires(Table&& table) { rows_of(std::forward<Table>(table)); };
static_assert(lends_rows<const key_table&> && lends_rows<key_table&> && !lends_rows<key_table>);

}  // namespace

TEST_CASE("table rows: what changes between two tables, and that it makes the one of the other") {
  for (const between_case& row : between_cases) {
    CAPTURE(row.says);
    const key_table from = table_of(row.from, 5);
    const key_table to = table_of(row.to, 6);
    const row_changes changes = changes_between(from, to);
    CHECK(words_of(changes) == row.expected);
    const auto made = apply(from, changes);
    REQUIRE(made);
    CHECK((named_rows_of(*made) == row.to));
    CHECK((named_rows_of(from) == row.from));
  }
}

TEST_CASE("table rows: two outcomes with one name are one placement") {
  const names twice = {"x", "x"};
  const std::vector<key_row> rows = {{"a", 0}, {"b", 1}};
  const auto table = support::build_keys(rows, 1, twice);
  REQUIRE(table);
  const key_table once = table_of({{"a", "x"}, {"b", "x"}});
  CHECK(words_of(changes_between(*table, once)).empty());
  CHECK(words_of(changes_between(once, *table)).empty());
  CHECK(joined(rows_of(*table).names) == "x");
  CHECK(
      (named_rows_of(*apply(*table, changes_of({"x"}, {{"c", 0}}))) == named_rows{{"a", "x"}, {"b", "x"}, {"c", "x"}}));
}

TEST_CASE("table rows: changes that somebody wrote down are put in order") {
  for (const written_case& row : written_cases) {
    CAPTURE(row.says);
    const row_changes changes = changes_of(row.given, row.changes);
    CHECK(words_of(changes) == row.expected);
    CHECK(joined(changes.names) == row.expected_names);
  }
}

TEST_CASE("table rows: two changes in a row are one") {
  for (const merged_case& row : merged_cases) {
    CAPTURE(row.says);
    const auto both = merged(row.first, row.second);
    REQUIRE(both);
    CHECK(words_of(*both) == row.expected);
    CHECK(joined(both->names) == row.expected_names);
  }
}

TEST_CASE("table rows: changes that name more placements than a table can have are not merged") {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < key_format::outcomes_max; ++i) texts.push_back("n" + std::to_string(i));
  std::vector<key_change> changes;
  for (const std::string& text : texts) changes.push_back({text, static_cast<std::uint16_t>(changes.size())});
  const row_changes most = changes_of({texts.begin(), texts.end()}, changes);
  REQUIRE(most.names.size() == key_format::outcomes_max);
  const row_changes known = changes_of({"n7"}, {{"a", 0}});
  const row_changes one_more = changes_of({"new"}, {{"a", 0}});
  CHECK(merged(most, known));
  CHECK_FALSE(merged(most, one_more));
}

TEST_CASE("table rows: all rows of a table, by key, with the names in use") {
  const names given = {"z", "idle", "x"};
  const std::vector<key_row> rows = {{"b", 0}, {"a", 2}, {"c", 0}};
  const auto table = support::build_keys(rows, 1, given);
  REQUIRE(table);
  const table_rows all = rows_of(*table);
  CHECK(joined(all.names) == "x z");
  REQUIRE(all.rows.size() == 3);
  CHECK(all.rows[0].key == "a");
  CHECK(all.rows[0].outcome == 0);
  CHECK(all.rows[2].key == "c");
  CHECK(all.rows[2].outcome == 1);
  const key_table none;
  CHECK(rows_of(none).rows.empty());
}

TEST_CASE("table rows: applied to a table without keys, to one without changes") {
  const row_changes some = changes_of({"x"}, {{"a", 0}});
  CHECK((named_rows_of(*apply(key_table(), some)) == named_rows{{"a", "x"}}));
  CHECK((named_rows_of(*apply(key_table(), {})) == named_rows{}));
  CHECK((named_rows_of(*apply(key_table(), changes_of({}, {{"a", std::nullopt}}))) == named_rows{}));
  CHECK((named_rows_of(*apply(table_of({{"a", "y"}}), {})) == named_rows{{"a", "y"}}));
}

TEST_CASE("table rows: applied changes add names; those that are idle go when asked, or when there is no room") {
  const key_table before = table_of({{"a", "old"}, {"b", "stays"}});
  const auto after = apply(before, changes_of({"new"}, {{"a", 0}}));
  REQUIRE(after);
  CHECK(after->outcomes().size() == 3);
  const auto packed = without_idle_outcomes(*after);
  REQUIRE(packed);
  CHECK((named_rows_of(*packed) == named_rows{{"a", "new"}, {"b", "stays"}}));
  CHECK(joined({packed->outcomes().begin(), packed->outcomes().end()}) == "new stays");
  CHECK_FALSE(without_idle_outcomes(*packed));
  CHECK_FALSE(without_idle_outcomes(key_table()));

  std::vector<std::string> texts = {"x"};
  while (texts.size() < key_format::outcomes_max) texts.push_back("idle-" + std::to_string(texts.size()));
  const names most(texts.begin(), texts.end());
  const std::vector<key_row> rows = {{"a", 0}};
  const auto full = support::build_keys(rows, 1, most);
  REQUIRE(full);
  const auto made = apply(*full, changes_of({"new"}, {{"b", 0}}));
  REQUIRE(made);
  CHECK((named_rows_of(*made) == named_rows{{"a", "x"}, {"b", "new"}}));
}

TEST_CASE("table rows: a table whose every name is in use takes no further one") {
  std::vector<std::string> texts;
  while (texts.size() < key_format::outcomes_max) texts.push_back("n" + std::to_string(texts.size()));
  const names most(texts.begin(), texts.end());
  std::vector<key_row> rows;
  for (const std::string& text : texts) rows.push_back({text, static_cast<std::uint16_t>(rows.size())});
  const auto full = support::build_keys(rows, 1, most);
  REQUIRE(full);
  const auto made = apply(*full, changes_of({"new"}, {{"n0", 0}}));
  REQUIRE_FALSE(made);
  CHECK((made.error().what == key_table_error::bad_outcome_text));
  CHECK(apply(*full, changes_of({"n7"}, {{"n0", 0}})));
}

TEST_CASE("table rows: a packed table has its memory from where the other had it") {
  support::counting_resource memory;
  const names given = {"x", "idle"};
  const std::vector<key_row> rows = {{"a", 0}};
  const auto table = support::build_keys(rows, 1, given, &memory);
  REQUIRE(table);
  CHECK(table->resource() == &memory);
  const std::size_t before = memory.taken;
  const auto packed = without_idle_outcomes(*table);
  REQUIRE(packed);
  CHECK(packed->resource() == &memory);
  CHECK(memory.taken > before);
}

TEST_CASE("table rows: buckets have the rows that are in them, and no others") {
  const std::string here = key_of_bucket(70);
  const std::string there = key_of_bucket(4'095);
  const std::string elsewhere = key_of_bucket(71);
  const key_table table = table_of({{here, "x"}, {there, "y"}, {elsewhere, "z"}});
  const std::vector<std::uint16_t> buckets = {5, 70, 4'095};
  const bucket_rows some = rows_in_buckets(table, buckets, rows_salt);
  CHECK((some.buckets == buckets));
  CHECK(joined(some.names) == "x y");
  REQUIRE(some.rows.size() == 2);
  CHECK(rows_in_buckets(table, {}, rows_salt).rows.empty());
}

TEST_CASE("table rows: a repair sets, moves and removes, in its buckets only") {
  const std::string moved = key_of_bucket(70);
  const std::string gone = key_of_bucket(70, 100'000);
  const std::string fresh = key_of_bucket(71);
  const std::string outside = key_of_bucket(72);
  const key_table wanted = table_of({{moved, "y"}, {fresh, "x"}, {outside, "theirs"}});
  const key_table held = table_of({{moved, "x"}, {gone, "x"}, {outside, "ours"}});
  const std::vector<std::uint16_t> buckets = {70, 71};
  const bucket_rows sent = rows_in_buckets(wanted, buckets, rows_salt);
  const auto changes = changes_to_repair(held, sent, rows_salt);
  REQUIRE(changes);
  const auto made = apply(held, *changes);
  REQUIRE(made);
  CHECK((named_rows_of(*made) == named_rows{{moved, "y"}, {fresh, "x"}, {outside, "ours"}}));
  CHECK(changes->changes.size() == 3);
  CHECK(changes_to_repair(*made, sent, rows_salt)->changes.empty());
}

TEST_CASE("table rows: a repair that has a row outside of its buckets is refused") {
  const key_table wanted = table_of({{key_of_bucket(70), "x"}});
  bucket_rows some = rows_in_buckets(wanted, std::vector<std::uint16_t>{70}, rows_salt);
  const key_table held;
  CHECK(changes_to_repair(held, some, rows_salt));
  some.buckets = {69, 71};
  const auto refused = changes_to_repair(held, some, rows_salt);
  REQUIRE_FALSE(refused);
  CHECK(to_string(refused.error()) == "row_outside_buckets");
  some.buckets = {70};
  CHECK_FALSE(changes_to_repair(held, some, rows_salt + 1));  // unless that salt puts it there, too; it does not
}

TEST_CASE("outcome list: those of a table keep their numbers, each new text gets one") {
  const names given = {"b", "a", "b"};
  outcome_list list(given);
  CHECK(list.find("b") == std::optional<std::uint16_t>(0));
  CHECK(list.find("c") == std::nullopt);
  CHECK(list.add("a") == std::optional<std::uint16_t>(1));
  CHECK(list.add("c") == std::optional<std::uint16_t>(3));
  CHECK(list.add("c") == std::optional<std::uint16_t>(3));
  CHECK(joined({list.texts().begin(), list.texts().end()}) == "b a b c");
}

TEST_CASE("text memory: texts of any size stay where they are, moved or not") {
  support::counting_resource resource;
  text_memory memory(&resource);
  random_numbers random(4);
  std::vector<std::pair<std::string, std::string_view>> kept;
  for (int i = 0; i < 5'000; ++i) {
    std::string text(random.below(i % 1'000 == 0 ? 3'000'000 : 300), static_cast<char>(random()));
    const std::string_view at = memory.keep(text);
    kept.emplace_back(std::move(text), at);
  }
  const text_memory moved = std::move(memory);
  for (const auto& [text, at] : kept) REQUIRE(text == at);
  CHECK(resource.taken < 40);
  CHECK(moved.memory_bytes() > 0);
  CHECK(text_memory().memory_bytes() == 0);
  CHECK(text_memory().keep("").empty());
}

TEST_CASE("text memory: a block is used to its last byte, and no further") {
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    CAPTURE(more);
    support::counting_resource resource;
    text_memory memory(&resource);
    const std::string_view first = memory.keep("a");
    const std::size_t left = memory.memory_bytes() - first.size();
    const std::string text(left - 1 + more, 'b');
    const std::string_view second = memory.keep(text);
    CHECK(resource.taken == (more < 2 ? 1u : 2u));
    CHECK((second.data() == first.data() + 1) == (more < 2));
    CHECK(second == text);
    CHECK(first == "a");
  }
}
