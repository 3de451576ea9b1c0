#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/wire/diagnostic.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// `plain` is whatever stands without quotes: a number, a boolean or, in YAML, text. What it means is for the schema to
/// say.
enum class node_kind : std::uint8_t { null, plain, quoted, list, map };

/// YAML or JSON as a tree that knows where each part stood, so that the schema exists once and every mistake has a
/// place.
struct node {
  node_kind kind = node_kind::null;
  std::string text;  ///< of a scalar, as written but for quotes and escapes
  position at;
  std::string name;  ///< as a member of a map: its key, always text; `123: x` and `"123": x` are the same key
  position name_at;
  std::vector<node> children;  ///< items of a list or members of a map, in the order of the text

  [[nodiscard]] const node* find(std::string_view key) const;  ///< the first member of that name, or null
};

/// Bounds of every reader; one past them is a mistake with a place, like any other.
inline constexpr std::size_t configuration_bytes_max = std::size_t{64} << 20;
inline constexpr std::size_t depth_max = 32;

/// Reads one YAML document.
///
/// Not taken, and said so: anchors, aliases, tags, several documents, keys that are not scalars.
/// Errors: every one that can be told without guessing, in the order of the text.
[[nodiscard]] expected<node, diagnostics> read_yaml(std::string_view text, std::string_view file_name);

/// Where a map of rows may stand.
struct row_place {
  std::span<const std::string_view> keys;  ///< that lead to it, from the top
  std::string_view member;                 ///< of a row that is a map itself; empty: each row is a text
};

/// Takes rows out of a map of JSON: where a text may have a million members of one form, a node each would be ten times
/// the text.
class row_reader {
 public:
  /// Range: at most 32.
  [[nodiscard]] virtual std::span<const row_place> paths() const = 0;
  /// A member `"key": "value"`, or `"key": {MEMBER: "value"}`; neither text has an escape, and the value is not empty.
  /// Both are views into the text. False: it is to be a node like any other.
  [[nodiscard]] virtual bool take(std::string_view key, std::string_view value) = 0;

 protected:
  ~row_reader() = default;
};

/// Reads JSON, strictly as RFC 8259 has it, in UTF-8. What `rows` takes has no node in the tree.
///
/// Written here and not on simdjson, which takes three times as long for a table of a million keys: there is nothing to
/// do for a key but to find its end. And each key has a place, and a mistake names the place where the text stops being
/// JSON.
/// Cost: about 40 ns a row that is taken; half a microsecond a node.
[[nodiscard]] expected<node, diagnostics> read_json(std::string_view text, std::string_view file_name,
                                                    row_reader* rows = nullptr);

/// Takes out of a tree every member of a map whose name was given before, and says so of each: the readers leave both
/// there, so that a key given twice hides no other mistake.
[[nodiscard]] diagnostics take_duplicates(node& root, std::string_view file_name);

/// Chooses by the name's ending, then by the first character: `{` is JSON. A byte order mark is skipped.
[[nodiscard]] expected<node, diagnostics> read_tree(std::string_view text, std::string_view file_name,
                                                    row_reader* rows = nullptr);

/// The text behind a byte order mark, where there is one.
[[nodiscard]] constexpr std::string_view without_mark(std::string_view text) {
  return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
}

/// A path with one more key at its end; what could not stand in a header is escaped there, as in the core's own paths.
[[nodiscard]] std::string join_path(std::string_view path, std::string_view key);

/// The path without its last key or index; of a key with a dot, without what follows that.
[[nodiscard]] std::string_view outer_path(std::string_view path);

/// A text in quotes, on one line, without control characters.
[[nodiscard]] std::string quote(std::string_view text);

/// Tells where paths lead. Cost: a string for each node; made only once something is wrong.
class path_index {
 public:
  explicit path_index(const node& root);

  /// As far as the tree follows the path: `placements.x.limits` is at `x` when it has no limits.
  [[nodiscard]] position find(std::string_view path) const;

  /// The path of what holds this one: the tree knows where a key with dots begins, the text alone does not.
  [[nodiscard]] std::string_view outer(std::string_view path) const;

 private:
  void add(const node& parent, const std::string& path);

  position root_;
  struct place {
    position at;
    std::size_t outer_size = 0;  ///< how much of the path is that of the parent
  };
  std::unordered_map<std::string, place> places_;
};

}  // namespace cellroute::wire
