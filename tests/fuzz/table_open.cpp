// Any bytes, opened as a key table: they are refused, or every look-up, walk and merge stays within the table's memory.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/table/key_table.hpp"
#include "tests/support/resealed.hpp"
#include "tests/support/stored.hpp"

namespace {

using namespace cellroute;

void require(bool holds) {
  if (!holds) std::abort();
}

void use(const key_table& table) {
  std::size_t rows = 0;
  std::size_t found = 0;
  std::vector<key_change> changes;
  table.for_each([&](std::string_view key, std::uint16_t outcome) {
    ++rows;
    require(!key.empty() && key.size() <= key_size_max);
    require(table.outcomes().empty() || outcome < table.outcomes().size());
    found += table.find(key).has_value() ? 1u : 0u;
    if (rows == 1) changes.push_back({key, std::nullopt});
  });
  require(rows == table.size());
  require(found <= rows);
  changes.push_back({"a key that is hardly there", std::uint16_t{0}});
  const auto merged = table.merged(changes);
  require(merged ? key_table::open(support::stored(*merged)).has_value() : merged.error().row < changes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  if (const auto table = key_table::open(bytes)) use(*table);
  if (size < sizeof(key_format::header)) return 0;
  // A checksum is no signature: who writes the file can fit it. So the checks behind it must hold alone.
  if (const auto table = key_table::open(support::resealed(std::move(bytes)))) use(*table);
  return 0;
}
