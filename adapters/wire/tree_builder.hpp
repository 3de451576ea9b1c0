#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/node.hpp"

namespace cellroute::wire {

/// Tells the line and column of offsets into a text. Asked in growing order it walks the text once.
class place_finder {
 public:
  explicit place_finder(std::string_view text) : text_(text) {}
  [[nodiscard]] position at(std::size_t offset);

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  position here_;
};

/// Puts the events of a reader together to a tree, the same way for each format.
class tree_builder {
 public:
  tree_builder(std::string_view text, std::string_view file_name) : places_(text), file_(file_name) {}

  void scalar(std::size_t offset, node_kind kind, std::string text);
  void begin(std::size_t offset, node_kind kind);
  void end() {
    if (!failed_) open_.pop_back();
  }

  void complain(std::size_t offset, std::string what);
  void fail(std::size_t offset, std::string what);  ///< what comes after is ignored
  [[nodiscard]] bool has_failed() const { return failed_; }

  /// The tree, unless anything was wrong with it. Keys given twice are both there.
  [[nodiscard]] expected<node, diagnostics> finish() &&;

 private:
  node* place(std::size_t offset);

  place_finder places_;
  std::string file_;
  node root_;
  // Stable: a node's list of children grows only when none of them is open.
  std::vector<node*> open_;
  bool has_root_ = false;
  bool expects_value_ = false;  // the innermost map has a key without a value
  bool failed_ = false;
  diagnostics mistakes_;
};

/// The first byte that keeps a text from being UTF-8 without NUL, as a mistake with its place; `advice` says what to do
/// about it.
[[nodiscard]] std::optional<diagnostic> bad_text_in(std::string_view text, std::string_view file_name,
                                                    std::string_view advice);

/// `read_json` for whoever has looked at the bytes, or takes any: texts are as they stand there.
[[nodiscard]] expected<node, diagnostics> read_json_of_bytes(std::string_view text, std::string_view file_name,
                                                             row_reader* rows = nullptr);

}  // namespace cellroute::wire
