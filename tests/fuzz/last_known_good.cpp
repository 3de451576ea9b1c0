// Files of contents as a stranger may have left them, with sums that fit where he says so: a start takes what has the
// digest that it is known by, or says why not; and what is kept from then on is found again.
//
// The input is a list of pieces: which file, how, the size in two bytes, and the bytes, which go behind what that file
// has. How: 0 as they are; 1 a note without its seal; 2 an artifact behind its announcement, whose size is in the first
// two bytes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/proxy/last_known_good.hpp"
#include "adapters/wire/crc32c.hpp"
#include "adapters/wire/little_endian.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace cellroute;

namespace {

using bytes = std::vector<std::byte>;

constexpr std::array<const char*, 8> names = {"CURRENT",    "PREVIOUS",  "BOOT",       "QUARANTINE",
                                              "snap-a.crs", "log-a.crd", "snap-b.crs", "log-b.crd"};

void require(bool holds) {
  if (!holds) std::abort();
}

const sync::content& known() {
  static const sync::content made = [] {
    const std::array<std::string_view, 1> placements{"tier1"};
    const std::array<key_row, 1> rows{key_row{"acme", 0}};
    auto table = key_table::build(rows, 3, placements);
    require(table.has_value());
    return sync::make_content("{}", *std::move(table), 77);
  }();
  return made;
}

void append(bytes& to, std::span<const std::byte> some) { to.insert(to.end(), some.begin(), some.end()); }

void append_note(bytes& to, std::span<const std::byte> text) {
  std::string seal = "crc32c ";
  const std::uint32_t sum = wire::crc32c(text);
  for (int shift = 28; shift >= 0; shift -= 4) seal += "0123456789abcdef"[sum >> shift & 15];
  append(to, text);
  append(to, std::as_bytes(std::span(seal += '\n')));
}

void append_artifact(bytes& to, std::span<const std::byte> piece) {
  if (piece.size() < 2) return;
  const std::size_t said = wire::get_number<std::uint16_t>(piece);
  const auto announcement = piece.subspan(2, std::min(said, piece.size() - 2));
  const auto artifact = piece.subspan(2 + announcement.size());
  std::array<std::byte, 32> head{};
  const std::span<std::byte> at(head);
  for (std::size_t i = 0; i < 4; ++i) head[i] = static_cast<std::byte>("CRS1"[i]);
  wire::put_number(at.subspan(4), static_cast<std::uint32_t>(announcement.size()));
  wire::put_number(at.subspan(8), std::uint64_t{artifact.size()});
  wire::put_number(at.subspan(16), std::uint64_t{77});
  wire::put_number(at.subspan(24), wire::crc32c(artifact));
  wire::put_number(at.subspan(28), wire::crc32c(announcement, wire::crc32c(at.first(28))));
  append(to, head);
  append(to, announcement);
  append(to, artifact);
}

std::map<std::string, bytes> files_of(std::span<const std::byte> input) {
  std::map<std::string, bytes> files;
  while (input.size() >= 4) {
    bytes& to = files[names[std::to_integer<std::size_t>(input[0]) % names.size()]];
    const int way = std::to_integer<int>(input[1]) % 3;
    const std::size_t said = wire::get_number<std::uint16_t>(input.subspan(2));
    const auto piece = input.subspan(4, std::min(said, input.size() - 4));
    input = input.subspan(4 + piece.size());
    if (way == 0) append(to, piece);
    if (way == 1) append_note(to, piece);
    if (way == 2) append_artifact(to, piece);
  }
  return files;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  support::simulated_disk disk;
  for (auto& [name, content] : files_of(std::as_bytes(std::span(data, size)))) disk.put(name, content);
  const sync::unpacking how{0, 5};
  const sync::stored_limits limits{std::uint64_t{1} << 20, 10'000};
  {
    proxy::last_known_good kept(disk);
    const auto found = kept.load(how, limits);
    require(!found.newest || found.newest->content.sum == found.newest->id.sum);
    require(!found.newest || found.newest->content.keys.size() <= limits.keys_max);
    require(std::ranges::none_of(found.told, &std::string::empty));
    require(kept.keep(known(), {9, 9, known().sum}, "known").has_value());
  }
  proxy::last_known_good next(disk);
  const auto found = next.load(how, limits);
  const auto is_known = [](const auto& one) { return one.sum == known().sum; };
  const bool is_refused = std::ranges::any_of(next.quarantined(), is_known);
  require(is_refused || (found.newest && found.newest->content.sum == known().sum && found.newest->id.version == 9));
  return 0;
}
