#pragma once

#include <cstdint>
#include <optional>
#include <vector>

/// How safe a shuffle shard is, before there is one: exact, from the numbers of cells alone.
///
/// Every list of so many cells is as likely as every other, which `shuffle_shard` keeps; so all is counting, and the
/// hypergeometric distribution.
namespace cellroute {

/// A shard on paper. Range: 1 <= size <= cells; lost <= cells.
struct shard_shape {
  std::uint32_t cells = 1;
  std::uint32_t size = 1;  ///< cells of one key
  friend bool operator==(const shard_shape&, const shard_shape&) = default;
};

/// The shares of all keys that the loss of some cells touches, from 0 to 1.
struct loss_shares {
  double all = 0;    ///< they have no cell left
  double first = 0;  ///< their first cell is lost
  double any = 0;    ///< at least one of theirs is lost
  friend bool operator==(const loss_shares&, const loss_shares&) = default;
};

[[nodiscard]] inline loss_shares shares_of_loss(shard_shape shape, std::uint32_t lost) {
  loss_shares found;
  found.first = static_cast<double>(lost) / shape.cells;
  double all = 1;
  double none = 1;
  for (std::uint32_t i = 0; i < shape.size; ++i) {  // cell by cell, drawn from what is left
    const double left = shape.cells - i;
    all *= lost > i ? (lost - i) / left : 0;
    none *= shape.cells - lost > i ? (shape.cells - lost - i) / left : 0;
  }
  found.all = all;
  found.any = 1 - none;
  return found;
}

/// How likely two keys share 0, 1, ... `size` cells.
///
/// Cost: a few operations a number; nothing overflows, since all is counted in relation to the likeliest one.
[[nodiscard]] inline std::vector<double> overlap_of_two(shard_shape shape) {
  const std::uint64_t n = shape.cells;
  const std::uint64_t k = shape.size;
  const std::uint64_t least = 2 * k > n ? 2 * k - n : 0;
  // P(j+1) / P(j)
  const auto ratio = [n, k](std::uint64_t j) {
    return static_cast<double>((k - j) * (k - j)) / static_cast<double>((j + 1) * (n + j + 1 - 2 * k));
  };
  std::uint64_t likeliest = (k + 1) * (k + 1) / (n + 2);
  if (likeliest < least) likeliest = least;
  if (likeliest > k) likeliest = k;
  std::vector<double> odds(k + 1, 0.0);
  odds[likeliest] = 1;
  for (std::uint64_t j = likeliest; j < k; ++j) odds[j + 1] = odds[j] * ratio(j);
  for (std::uint64_t j = likeliest; j > least; --j) odds[j - 1] = odds[j] / ratio(j - 1);
  double sum = 0;
  for (const double each : odds) sum += each;
  for (double& each : odds) each /= sum;
  return odds;
}

/// How many different sets of cells a key may have; none where 64 bits cannot count them.
[[nodiscard]] constexpr std::optional<std::uint64_t> combinations_of(shard_shape shape) {
  __extension__ using wide = unsigned __int128;
  const std::uint32_t smaller = shape.size < shape.cells - shape.size ? shape.size : shape.cells - shape.size;
  wide count = 1;
  for (std::uint32_t i = 1; i <= smaller; ++i) {
    count = count * (shape.cells - smaller + i) / i;  // itself a number of combinations, so whole
    if (count > ~std::uint64_t{0}) return std::nullopt;
  }
  return static_cast<std::uint64_t>(count);
}

}  // namespace cellroute
