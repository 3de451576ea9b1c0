// A content that comes from a stranger, with a sum that fits its bytes: none leads outside of them, and each is refused
// with words, for no stranger's rows have the digest that was announced.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "adapters/sync/content.hpp"

using namespace cellroute;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const sync::unpacking how{77, 5};

const sync::content& base() {
  static const sync::content made = [] {
    const std::array<std::string_view, 2> names{"tier1", "visa"};
    const std::array<key_row, 3> rows{key_row{"a", 0}, key_row{"acme", 1}, key_row{"b", 0}};
    auto table = key_table::build(rows, 3, names);
    require(table.has_value());
    return sync::make_content("{}", *std::move(table), how.salt);
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const std::byte> raw = std::as_bytes(std::span(data, size)).subspan(2);
  wire::config_begin said;
  said.kind = static_cast<wire::transfer_kind>(data[0] % 3);
  said.base = base().sum;
  said.artifact = sync::sha256(raw);
  said.bytes = said.raw_bytes = raw.size();
  said.compression = "none";
  said.keys = data[1];
  const auto made = sync::unpack(said, raw, &base(), how);
  require(!made && !made.error().error.empty());
  wire::config_begin packed = said;
  packed.compression = "zstd";
  packed.raw_bytes = 4096;
  (void)sync::unpack(packed, raw, &base(), how);
  return 0;
}
