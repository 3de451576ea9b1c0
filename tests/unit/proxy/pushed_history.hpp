#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sync/content.hpp"
#include "cellroute/base/hash.hpp"

namespace cellroute::proxy {

inline constexpr std::uint64_t history_salt = 77;

using pushed_rows = std::map<std::string, std::string>;

/// A content as a control plane would push it.
inline sync::content pushed_content(const pushed_rows& all, std::string document) {
  std::map<std::string_view, std::uint16_t> numbers;
  for (const auto& [key, placement] : all) numbers.emplace(placement, 0);
  std::vector<std::string_view> names;
  for (auto& [name, number] : numbers) {
    number = static_cast<std::uint16_t>(names.size());
    names.push_back(name);
  }
  std::vector<key_row> made;
  for (const auto& [key, placement] : all) made.push_back({key, numbers[placement]});
  auto table = key_table::build(made, 3, names);
  REQUIRE(table);
  return sync::make_content(std::move(document), *std::move(table), history_salt);
}

/// Versions 1 and on of a configuration, each a row or the document away from the one before.
class pushed_history {
 public:
  explicit pushed_history(int versions, int keys = 30) {
    pushed_rows all;
    const auto key = [](int i) { return std::to_string(mix(static_cast<std::uint64_t>(i))); };  // hardly compressible
    for (int i = 0; i < keys; ++i) all[key(i)] = i % 3 == 0 ? "visa" : "tier1";
    for (int version = 1; version <= versions; ++version) {
      all["moves"] = "tier" + std::to_string(version);
      if (version % 4 == 0) all.erase(key(version));
      contents_.push_back(pushed_content(all, "{\"version\":" + std::to_string(version / 3) + "}"));
    }
    for (std::uint64_t version = 1; version <= contents_.size(); ++version) {
      snapshots_.push_back(sync::pack_snapshot(whole(version), id(version)));
      deltas_.push_back(version == 1 ? sync::artifact()
                                     : sync::pack_delta(whole(version - 1), whole(version), id(version)));
    }
  }

  [[nodiscard]] const sync::content& whole(std::uint64_t version) const { return contents_[version - 1]; }
  [[nodiscard]] wire::content_id id(std::uint64_t version) const { return {1, version, whole(version).sum}; }
  [[nodiscard]] sync::piece snapshot(std::uint64_t version) const { return piece_of(snapshots_[version - 1]); }
  [[nodiscard]] sync::piece delta(std::uint64_t version) const { return piece_of(deltas_[version - 1]); }

  /// The version of a content, by all that it is; 0 where it is none of these.
  [[nodiscard]] std::uint64_t version_of(const sync::content& found) const {
    for (std::uint64_t version = 1; version <= contents_.size(); ++version) {
      const sync::content& one = whole(version);
      if (found.sum == one.sum && found.document == one.document && found.digest == one.digest &&
          found.keys.size() == one.keys.size())
        return version;
    }
    return 0;
  }

 private:
  static sync::piece piece_of(const sync::artifact& a) {
    wire::config_begin what = announce(a);
    what.label = "label";
    return {what, a.bytes};
  }

  std::vector<sync::content> contents_;
  std::vector<sync::artifact> snapshots_;
  std::vector<sync::artifact> deltas_;
};

}  // namespace cellroute::proxy
