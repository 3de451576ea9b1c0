// Files of routing keys, in each format: any bytes give rows that are in them, or mistakes that have a place.
#include "adapters/wire/key_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/match/routing_key.hpp"

using namespace cellroute;
using namespace cellroute::wire;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_key_file(const std::string& text, const std::string& name) {
  std::vector<placement> placements(2);
  placements[0].id = placement_id("tier1");
  placements[1].id = placement_id("b");
  std::vector<key_file> files(1);
  files.front().name = name;
  files.front().text = std::make_unique<const std::string>(text);
  const diagnostics found = read_key_file(files.front(), placements);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  require(found.size() <= mistakes_max + 1);
  for (const diagnostic& d : found) {
    require(d.line >= 1 && d.line <= lines && d.column >= 1 && d.column <= text.size() + 1);
    require(to_string(d).find('\n') == std::string::npos);
  }
  require(files.front().rows.size() == files.front().lines.size());
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < files.front().rows.size(); ++i) {
    const key_row& row = files.front().rows[i];
    require(!row.key.empty() && row.key.size() <= key_size_max && row.outcome < placements.size());
    require(files.front().lines[i] > before && files.front().lines[i] <= lines);
    before = files.front().lines[i];
  }
  require(duplicates_in(files, {}).size() <= mistakes_max);

  // With bad rows set apart, the same rows or fewer are served, and none twice.
  std::vector<key_file> apart(1);
  apart.front().name = name;
  apart.front().text = std::make_unique<const std::string>(text);
  quarantine bad_rows;
  const diagnostics of_file = read_key_file(apart.front(), placements, &bad_rows);
  require(of_file.size() + bad_rows.size() <= found.size() || found.size() > mistakes_max);
  quarantine_duplicates(apart, {}, bad_rows);
  require(apart.front().rows.size() <= files.front().rows.size() && duplicates_in(apart, {}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  for (const char* const name : {"k.tsv", "k.csv", "k.jsonl"}) check_key_file(text, name);
  return 0;
}
