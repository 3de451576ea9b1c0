#include "adapters/wire/inline_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "adapters/wire/node.hpp"
#include "adapters/wire/tree_builder.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/hash_order.hpp"

namespace cellroute::wire {
namespace {

constexpr std::size_t usual_row_bytes = 16;  // a shorter one is rare
constexpr std::size_t rows_compared_max = 10'000;

constexpr std::uint16_t unbound = 65'535;  // no placement has that index

/// What is wrong with rows, until their places are known.
class fault_list {
 public:
  /// `keeps_all`: each of the rows is to be known, however many they are.
  fault_list(const inline_keys& keys, std::string_view file, bool keeps_all = false)
      : keys_(keys), file_(file), keeps_all_(keeps_all) {}

  void add(std::size_t row, std::string what) {
    if (keeps_all_ || rows_.size() < row_mistakes_max) {
      rows_.push_back(row);
      what_.push_back(std::move(what));
    } else {
      ++more_;
    }
  }

  [[nodiscard]] bool is_empty() const { return rows_.empty(); }

  /// The rows, in growing order; why each is bad is told to `bad_rows`.
  [[nodiscard]] std::vector<std::size_t> move_to(quarantine& bad_rows) && {
    std::vector<std::size_t> order(rows_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [this](std::size_t i) { return std::pair(rows_[i], i); });
    const std::vector<position> at = places_of(keys_, rows_);
    std::vector<std::size_t> bad;
    for (const std::size_t i : order) {
      if (!bad.empty() && bad.back() == rows_[i]) continue;  // a row is told once
      const std::string_view key = keys_.rows[rows_[i]].key;
      bad.push_back(rows_[i]);
      bad_rows.add({std::string(file_), at[i].line, at[i].column, row_path(keys_, key), std::move(what_[i])}, key);
    }
    return bad;
  }

  [[nodiscard]] row_mistakes take() && {
    row_mistakes told{{}, more_};
    const std::vector<position> at = places_of(keys_, rows_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      told.found.push_back({std::string(file_), at[i].line, at[i].column, row_path(keys_, keys_.rows[rows_[i]].key),
                            std::move(what_[i])});
    }
    return told;
  }

 private:
  const inline_keys& keys_;
  std::string_view file_;
  bool keeps_all_;
  std::vector<std::size_t> rows_;
  std::vector<std::string> what_;
  std::size_t more_ = 0;
};

/// For each number of `names` the index of the placement.
std::vector<std::uint16_t> indices_of(std::span<const std::string_view> names, std::span<const placement> placements) {
  std::unordered_map<std::string_view, std::uint16_t> index;
  for (std::size_t i = 0; i < std::min<std::size_t>(placements.size(), unbound); ++i) {
    index.emplace(placements[i].id.value, static_cast<std::uint16_t>(i));
  }
  std::vector<std::uint16_t> found;
  found.reserve(names.size());
  for (const std::string_view name : names) {
    const auto at = index.find(name);
    found.push_back(at == index.end() ? unbound : at->second);
  }
  return found;
}

void add_keys_given_twice(const inline_keys& keys, fault_list& faults) {
  const auto key_of = [&keys](std::size_t i) { return keys.rows[i].key; };
  const hash_order order(keys.rows.size(), key_of, 0);
  std::vector<std::size_t> firsts;
  std::vector<std::size_t> repeated;
  for_each_same_keys(order.rows(), key_of, [&](std::size_t first, std::size_t again) {
    firsts.push_back(first);
    repeated.push_back(again);
  });
  const std::vector<position> places = places_of(keys, firsts);
  for (std::size_t i = 0; i < repeated.size(); ++i) {
    faults.add(repeated[i], fmt::format("already given in line {}; remove one of them", places[i].line));
  }
}

}  // namespace

std::span<const row_place> inline_row_reader::paths() const {
  static constexpr std::string_view own[] = {"routing", "keys", "inline"};
  static constexpr std::string_view table[] = {"routingTable"};
  static constexpr std::string_view draft[] = {"customer_to_placement"};
  static constexpr std::string_view pushed[] = {"config", "customer_to_placement"};
  static constexpr row_place all[] = {{own, "placement"}, {table, ""}, {draft, ""}, {pushed, ""}};
  return all;
}

bool inline_row_reader::take(std::string_view key, std::string_view placement) {
  const auto number = keys_.names.add(placement);
  if (keys_.rows.empty()) keys_.rows.reserve(keys_.text.size() / usual_row_bytes);  // untouched, it takes no memory
  if (number) keys_.rows.push_back({key, *number});
  return number.has_value();
}

void add_row(inline_keys& keys, std::string_view key, std::string_view placement, position at) {
  const auto number = keys.names.add(placement);
  keys.places.emplace_back(keys.rows.size(), at);
  keys.rows.push_back({key, number.value_or(unbound)});
}

row_mistakes bind_rows(inline_keys& keys, std::span<const placement> placements, std::string_view file,
                       bool placements_are_known, quarantine* bad_rows) {
  const std::vector<std::uint16_t> index = indices_of(keys.names.names(), placements);
  fault_list faults(keys, file, bad_rows != nullptr);
  for (std::size_t i = 0; i < keys.rows.size(); ++i) {
    key_row& row = keys.rows[i];
    const std::uint16_t named = row.outcome;
    row.outcome = named == unbound ? unbound : index[named];
    if (named == unbound) {
      faults.add(i, "there are more names of placements than placements can be; name one that there is");
    } else if (row.outcome == unbound && placements_are_known) {
      faults.add(i, fmt::format("no placement is named {}; add it or name another", quote(keys.names.names()[named])));
    }
    if (row.key.empty()) {
      faults.add(i, "the key is empty; a request without a key is answered 400");
    } else if (row.key.size() > key_size_max) {
      faults.add(i, fmt::format("the key has {} bytes; {} is the most", row.key.size(), key_size_max));
    }
  }
  if (bad_rows != nullptr) {
    const std::vector<std::size_t> bad = std::move(faults).move_to(*bad_rows);
    remove_rows(keys, bad);
    quarantine_keys_given_twice(keys, file, *bad_rows);  // of what is left: a bad row makes no good one bad
    return {};
  }
  if (keys.rows.size() <= rows_compared_max || !faults.is_empty()) add_keys_given_twice(keys, faults);
  return std::move(faults).take();
}

void remove_rows(inline_keys& keys, std::span<const std::size_t> rows) {
  std::vector<key_row> kept;
  std::vector<std::pair<std::size_t, position>> places;
  if (rows.empty()) return;
  kept.reserve(keys.rows.size() - rows.size());
  auto place = keys.places.begin();
  for (std::size_t i = 0; i < keys.rows.size(); ++i) {
    const bool has_place = place != keys.places.end() && place->first == i;
    if (!rows.empty() && rows.front() == i) {
      rows = rows.subspan(1);
    } else {
      if (has_place) places.emplace_back(kept.size(), place->second);
      kept.push_back(keys.rows[i]);
    }
    if (has_place) ++place;
  }
  keys.rows = std::move(kept);
  keys.places = std::move(places);
}

row_mistakes keys_given_twice(const inline_keys& keys, std::string_view file) {
  fault_list faults(keys, file);
  add_keys_given_twice(keys, faults);
  return std::move(faults).take();
}

void quarantine_keys_given_twice(inline_keys& keys, std::string_view file, quarantine& bad_rows) {
  fault_list faults(keys, file, true);
  add_keys_given_twice(keys, faults);
  const std::vector<std::size_t> bad = std::move(faults).move_to(bad_rows);
  remove_rows(keys, bad);
}

std::vector<position> places_of(const inline_keys& keys, std::span<const std::size_t> wanted) {
  std::vector<position> found(wanted.size());
  std::vector<std::pair<std::size_t, std::size_t>> offsets;  // in the text, and which of the wanted
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto noted = std::ranges::lower_bound(keys.places, wanted[i], {}, &std::pair<std::size_t, position>::first);
    if (noted != keys.places.end() && noted->first == wanted[i]) {
      found[i] = noted->second;
    } else {
      const auto offset = static_cast<std::size_t>(keys.rows[wanted[i]].key.data() - keys.text.data());
      offsets.emplace_back(offset - 1, i);  // at the quote
    }
  }
  std::ranges::sort(offsets);
  place_finder places(keys.text);
  for (const auto& [offset, i] : offsets) found[i] = places.at(offset);
  return found;
}

std::string row_path(const inline_keys& keys, std::string_view key) { return join_path(keys.path, key); }

}  // namespace cellroute::wire
