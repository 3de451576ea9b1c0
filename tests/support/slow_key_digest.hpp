#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/table/key_table.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/sha256.hpp"

namespace cellroute::support {

/// Where each key leads, by name.
using named_rows = std::map<std::string, std::string>;

/// All rows of a table, sorted.
inline named_rows named_rows_of(const key_table& table) {
  named_rows rows;
  table.for_each(
      [&](std::string_view key, std::uint16_t outcome) { rows.emplace(key, std::string(table.outcomes()[outcome])); });
  return rows;
}

/// A table of such rows.
inline key_table table_of(const named_rows& rows, std::uint64_t seed = 1) {
  std::map<std::string_view, std::uint16_t> numbers;
  for (const auto& [key, name] : rows) numbers.emplace(name, std::uint16_t{0});
  std::vector<std::string_view> names;
  for (auto& [name, number] : numbers) {
    number = static_cast<std::uint16_t>(names.size());
    names.push_back(name);
  }
  std::vector<key_row> given;
  for (const auto& [key, name] : rows) given.push_back({key, numbers[name]});
  auto table = build_keys(given, seed, names);
  return table ? *std::move(table) : key_table();
}

/// The slow twin of the digest: each message written out, bucket after bucket.
class slow_key_digest {
 public:
  slow_key_digest(const named_rows& rows, std::uint64_t salt) : salt_(salt), key_count_(rows.size()), messages_(4096) {
    for (std::size_t i = 0; i < messages_.size(); ++i) messages_[i] = "b" + number(i, 2);
    for (const auto& [key, name] : rows) messages_[hash_text(key, salt) >> 52] += sized(key) + sized(name) + '\0';
  }

  [[nodiscard]] digest_bytes bucket(std::size_t i) const { return sha256(messages_[i]); }

  [[nodiscard]] digest_bytes group(std::size_t i) const {
    std::string message = "g" + number(i, 1);
    for (std::size_t k = 0; k < 64; ++k) message += text_of(bucket(64 * i + k));
    return sha256(message);
  }

  [[nodiscard]] digest_bytes root(const digest_bytes& document) const {
    std::string message = "cellroute keys 1" + number(salt_, 8) + number(key_count_, 8);
    for (std::size_t i = 0; i < 64; ++i) message += text_of(group(i));
    return sha256(message + text_of(document));
  }

 private:
  static std::string number(std::uint64_t value, int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
  }
  static std::string sized(const std::string& text) {
    const std::size_t size = text.size();
    if (size < 128) return static_cast<char>(size) + text;
    return std::string{static_cast<char>(size % 128 + 128), static_cast<char>(size / 128)} + text;
  }
  static std::string text_of(const digest_bytes& digest) {
    std::string text;
    for (const std::byte each : digest) text += static_cast<char>(each);
    return text;
  }

  std::uint64_t salt_;
  std::size_t key_count_;
  std::vector<std::string> messages_;
};

}  // namespace cellroute::support
