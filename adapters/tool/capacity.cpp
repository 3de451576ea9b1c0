// How many keys the loss of cells touches: the sums of a shuffle shard, before there is one.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/tool/verbs.hpp"
#include "adapters/wire/config_file.hpp"
#include "adapters/wire/print.hpp"
#include "adapters/wire/printer.hpp"
#include "cellroute/balance/shard_odds.hpp"

namespace cellroute::tool {
namespace {

/// One shard to be told of; without a name it is that of the command line.
struct asked_shard {
  std::string placement;
  shard_shape shape;
};

/// What is wrong with the numbers of the command line, if anything.
std::optional<std::string> fault_of(const request& asked) {
  constexpr std::uint64_t cells_max = 65'535;
  if (asked.cells < 1 || asked.cells > cells_max) return fmt::format("--cells must be from 1 to {}", cells_max);
  if (asked.size < 1 || asked.size > asked.cells) return fmt::format("--size must be from 1 to {}", asked.cells);
  return std::nullopt;
}

std::string percent(double share) { return fmt::format("{:.6g} %", share * 100); }

/// `0.25 %, 2500 keys`
std::string share_text(double share, std::uint64_t keys) {
  return keys == 0 ? percent(share) : fmt::format("{}, {:.0f} keys", percent(share), share * static_cast<double>(keys));
}

std::string combinations_text(shard_shape shape) {
  const auto count = combinations_of(shape);
  return count ? fmt::format("{}", *count) : "more than 18446744073709551615";
}

std::string text_of(const asked_shard& shard, const request& asked) {
  const shard_shape shape = shard.shape;
  const loss_shares lost = shares_of_loss(shape, static_cast<std::uint32_t>(asked.lost));
  std::string out;
  if (!shard.placement.empty()) out += fmt::format("{}\n", shard.placement);
  out += fmt::format("{} cells, {} of them for each key: {} combinations\n", shape.cells, shape.size,
                     combinations_text(shape));
  out += fmt::format("when {} cell{} lost, of all keys\n", asked.lost, asked.lost == 1 ? " is" : "s are");
  out += fmt::format("  no cell is left    {}\n", share_text(lost.all, asked.keys));
  out += fmt::format("  the first is lost  {}\n", share_text(lost.first, asked.keys));
  out += fmt::format("  any is lost        {}\n", share_text(lost.any, asked.keys));
  out += "two keys share\n";
  const std::vector<double> overlap = overlap_of_two(shape);
  for (std::size_t i = 0; i < overlap.size(); ++i) {
    if (overlap[i] < 1e-12) continue;  // as good as never
    out += fmt::format("  {} cell{}  {}\n", i, i == 1 ? " " : "s", percent(overlap[i]));
  }
  return out;
}

wire::node json_of(const asked_shard& shard, const request& asked) {
  const shard_shape shape = shard.shape;
  const loss_shares lost = shares_of_loss(shape, static_cast<std::uint32_t>(asked.lost));
  const auto number = [](wire::printer& out, std::string_view name, double value) {
    out.put(name, wire::node_kind::plain, fmt::format("{}", value));
  };
  wire::printer out;
  if (!shard.placement.empty()) out.text("placement", shard.placement);
  out.count("cells", shape.cells);
  out.count("size", shape.size);
  if (const auto count = combinations_of(shape)) out.count("combinations", *count);
  out.count("lost", asked.lost);
  if (asked.keys != 0) out.count("keys", asked.keys);
  wire::printer shares;
  number(shares, "all", lost.all);
  number(shares, "first", lost.first);
  number(shares, "any", lost.any);
  out.add("share_of_keys", std::move(shares).take());
  std::vector<wire::node> overlap;
  for (const double each : overlap_of_two(shape)) {
    wire::node item;
    item.kind = wire::node_kind::plain;
    item.text = fmt::format("{}", each);
    overlap.push_back(std::move(item));
  }
  out.add_list("overlap", std::move(overlap));
  return std::move(out).take();
}

/// The shards of a configuration.
std::vector<asked_shard> shards_of(const table_spec& spec) {
  std::vector<asked_shard> found;
  for (const placement& p : spec.placements) {
    if (p.kind != placement_kind::shard) continue;
    found.push_back({p.id.value, {static_cast<std::uint32_t>(p.cells.size()), p.shard.size}});
  }
  return found;
}

}  // namespace

outcome capacity(const request& asked, const surroundings& around) {
  outcome result;
  const bool has_numbers = asked.cells != 0 || asked.size != 0;
  if (has_numbers && asked.file) return {exit_usage, "", "name a file, or --cells and --size; not both\n"};
  std::vector<asked_shard> shards;
  if (has_numbers) {
    if (const auto fault = fault_of(asked)) return {exit_usage, "", *fault + "\n"};
    shards.push_back({"", {static_cast<std::uint32_t>(asked.cells), static_cast<std::uint32_t>(asked.size)}});
  } else {
    const auto read = load(asked, around, result);
    if (!read) return result;
    shards = shards_of(read->spec);
    if (shards.empty())
      return {exit_usage, "", read->file + ": no placement is a shard; ask with --cells and --size\n"};
  }
  for (const asked_shard& shard : shards) {
    if (asked.lost <= shard.shape.cells) continue;
    return {exit_usage, "", fmt::format("--lost is {}, and there are {} cells\n", asked.lost, shard.shape.cells)};
  }
  if (!asked.as_json) {
    for (const asked_shard& shard : shards)
      result.output += (result.output.empty() ? "" : "\n") + text_of(shard, asked);
    return result;
  }
  if (has_numbers) {
    result.output = wire::write_json(json_of(shards.front(), asked));
    return result;
  }
  std::vector<wire::node> items;
  for (const asked_shard& shard : shards) items.push_back(json_of(shard, asked));
  wire::printer out;
  out.add_list("shards", std::move(items));
  result.output = wire::write_json(std::move(out).take());
  return result;
}

}  // namespace cellroute::tool
