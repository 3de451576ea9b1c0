#include "tests/simulation/sync_content.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint64_t salt = 0;  // of the buckets

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Thousands of lines are written for each life.
void append_line(std::string& to, int key, const int* value) {
  char line[32];
  char* at = std::to_chars(line, line + 12, key).ptr;
  *at++ = ' ';
  if (value != nullptr) {
    at = std::to_chars(at, at + 12, *value).ptr;
  } else {
    *at++ = '-';
  }
  *at++ = '\n';
  to.append(line, static_cast<std::size_t>(at - line));
}

std::string begin_text(const small_content& c) { return c.is_bad ? "bad\n" : "good\n"; }

std::uint16_t bucket_of(int key) { return key_digest::bucket_of(std::to_string(key), salt); }

/// Reads `key value`, `key -` or `bucket N`, and does it.
bool apply_line(std::string_view line, small_content& to) {
  constexpr std::string_view bucket_word = "bucket ";
  int number = 0;
  if (line.starts_with(bucket_word)) {
    line.remove_prefix(bucket_word.size());
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec != std::errc()) return false;
    std::erase_if(to.rows, [number](const auto& row) { return bucket_of(row.first) == number; });
    return true;
  }
  int value = 0;
  const auto [at, ec] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (ec != std::errc() || at == line.data() + line.size()) return false;
  const std::string_view rest(at + 1, static_cast<std::size_t>(line.data() + line.size() - at - 1));
  if (rest == "-") {
    to.rows.erase(number);
  } else if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc()) {
    to.rows[number] = value;
  } else {
    return false;
  }
  return true;
}

}  // namespace

wire::digest digest_of_bytes(std::span<const std::byte> bytes) {
  wire::digest d{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t part = checksum(bytes, i + 1);
    std::memcpy(d.data() + 8 * i, &part, sizeof part);
  }
  return d;
}

wire::digest digest_of(const small_content& c) { return digest_of_bytes(as_bytes(encode(c))); }

std::string encode(const small_content& c) {
  std::string text = begin_text(c);
  for (const auto& [key, value] : c.rows) append_line(text, key, &value);
  return text;
}

std::string encode_delta(const small_content& from, const small_content& to) {
  std::string text = begin_text(to);
  for (const auto& [key, value] : to.rows) {
    const auto at = from.rows.find(key);
    if (at == from.rows.end() || at->second != value) append_line(text, key, &value);
  }
  for (const auto& [key, value] : from.rows) {
    if (!to.rows.contains(key)) append_line(text, key, nullptr);
  }
  return text;
}

std::string encode_repair(const small_content& to, std::span<const std::uint16_t> buckets) {
  std::string text = begin_text(to);
  for (const std::uint16_t bucket : buckets) text += "bucket " + std::to_string(bucket) + "\n";
  for (const auto& [key, value] : to.rows) {
    if (std::ranges::binary_search(buckets, bucket_of(key))) append_line(text, key, &value);
  }
  return text;
}

std::optional<small_content> decode(std::string_view text, small_content base) {
  bool is_first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(is_first, false)) {
      if (line != "good" && line != "bad") return std::nullopt;
      base.is_bad = line == "bad";
    } else if (!apply_line(line, base)) {
      return std::nullopt;
    }
  }
  return is_first ? std::nullopt : std::optional(std::move(base));
}

key_digest digest_rows(const small_content& c) {
  std::vector<std::string> texts;
  texts.reserve(2 * c.rows.size());
  std::vector<std::string_view> outcomes;
  std::vector<key_row> rows;
  for (const auto& [key, value] : c.rows) {
    texts.push_back(std::to_string(key));
    const std::string_view name = texts.back();
    rows.push_back({name, static_cast<std::uint16_t>(outcomes.size())});
    texts.push_back(std::to_string(value));
    outcomes.push_back(texts.back());
  }
  // Two rows may have one value: a table wants each outcome once, a digest only wants their names.
  for (key_row& row : rows) {
    const auto first = std::ranges::find(outcomes, outcomes[row.outcome]);
    row.outcome = static_cast<std::uint16_t>(first - outcomes.begin());
  }
  const auto table = key_table::build(rows, 3, outcomes);
  return key_digest::of(*table, salt, digest_of_bytes);
}

sync::artifact_use::counted artifact_of(wire::transfer_kind kind, const std::string& text,
                                        const wire::content_id& content, std::size_t keys) {
  sync::artifact_use::counted made;
  made.what.kind = kind;
  made.what.content = content;
  made.what.sum = digest_of_bytes(as_bytes(text));
  made.what.bytes.assign(as_bytes(text).begin(), as_bytes(text).end());
  made.what.raw_bytes = text.size();
  made.what.keys = keys;
  return made;
}

}  // namespace cellroute::simulation
