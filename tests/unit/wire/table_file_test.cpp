#include "adapters/wire/table_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory_resource>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"
#include "tests/support/stored.hpp"

namespace cellroute::wire {
namespace {

using bytes = std::vector<std::byte>;

bytes table_of(int keys) {
  std::vector<std::string> names;
  for (int i = 0; i < keys; ++i) names.push_back("tenant-" + std::to_string(i));
  std::vector<key_row> rows;
  for (const std::string& name : names) rows.push_back({name, static_cast<std::uint16_t>(rows.size() % 2)});
  const std::string_view outcomes[] = {"tier1", "visa"};
  const auto table = key_table::build(rows, 7, outcomes);
  REQUIRE(table);
  return support::stored(*table);
}

bytes written(bytes file, std::ptrdiff_t more) {
  file.resize(file.size() + static_cast<std::size_t>(more), std::byte{'x'});
  return file;
}

struct folder_of_files {
  std::string put(const bytes& content) const {
    std::ofstream out(folder.file("keys.ctab"), std::ios::binary);
    for (const std::byte b : content) out.put(static_cast<char>(b));
    return folder.file("keys.ctab");
  }
  support::scratch_folder folder;
};

std::optional<open_error> error_of(const expected<key_table, open_error>& table) {
  return table ? std::nullopt : std::optional(table.error());
}

TEST_CASE("table file: whether it is a table or not, its content is known by the same sum, whoever makes it") {
  const bytes small = table_of(3);
  const bytes large = table_of(20'000);  // more than a block
  bytes broken = large;
  broken[40'000] ^= std::byte{1};
  const struct {
    std::string_view says;
    bytes content;
    std::optional<open_error> expected;
  } rows[] = {
      {"nothing", {}, open_error::too_short},
      {"less than a head", written({}, 5), open_error::too_short},
      {"a head's size of text", written({}, 128), open_error::bad_magic},
      {"much text", written({}, 100'000), open_error::bad_magic},
      {"a small table", small, std::nullopt},
      {"a large table", large, std::nullopt},
      {"a table with more behind it", written(large, 1), open_error::bad_size},
      {"a table that is cut", written(large, -1), open_error::bad_size},
      {"a damaged table", broken, open_error::bad_checksum},
  };
  const folder_of_files files;
  std::set<std::uint64_t> contents;
  for (const auto& row : rows) {
    CAPTURE(row.says);
    const std::string path = files.put(row.content);
    const auto opened = open_table_file(path, std::pmr::get_default_resource());
    REQUIRE(opened);
    CHECK((error_of(opened->table) == row.expected));
    CHECK(opened->content == content_of_bytes(row.content));
    const auto summed = content_of_file(path);
    REQUIRE(summed);
    CHECK(*summed == opened->content);
    contents.insert(opened->content);
    if (opened->table) CHECK((support::stored(*opened->table) == row.content));
  }
  CHECK(contents.size() == std::size(rows));
}

TEST_CASE("table file: a byte that changes is another content, and so is the same block at another place") {
  bytes file(4 * key_format::block_bytes, std::byte{'a'});
  std::set<std::uint64_t> contents{content_of_bytes(file)};
  std::size_t count = 1;
  for (std::size_t at = 0; at < file.size(); at += 1'013) {
    file[at] = std::byte{'b'};
    contents.insert(content_of_bytes(file));
    file[at] = std::byte{'a'};
    ++count;
  }
  for (std::size_t block = 0; block < 3; ++block) {
    const std::size_t start = sizeof(key_format::header) + block * key_format::block_bytes;
    std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(start), key_format::block_bytes, std::byte{'c'});
    contents.insert(content_of_bytes(file));
    std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(start), key_format::block_bytes, std::byte{'a'});
    ++count;
  }
  CHECK(contents.size() == count);
}

TEST_CASE("table file: what cannot be read is told apart") {
  const support::scratch_folder folder;
  const auto error_of_path = [](const std::string& path) {
    const auto opened = open_table_file(path, std::pmr::get_default_resource());
    const auto summed = content_of_file(path);
    REQUIRE_FALSE(opened);
    REQUIRE_FALSE(summed);
    CHECK((opened.error() == summed.error()));
    return opened.error();
  };
  CHECK((error_of_path(folder.file("missing")) == file_error::missing));
  CHECK((error_of_path(folder.path().string()) == file_error::unreadable));
  std::ofstream(folder.file("huge")).put('x');
  std::filesystem::resize_file(folder.file("huge"), key_file_bytes_max + 1);
  CHECK((error_of_path(folder.file("huge")) == file_error::too_large));
}

}  // namespace
}  // namespace cellroute::wire
