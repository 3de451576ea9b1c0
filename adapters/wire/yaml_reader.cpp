#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "adapters/wire/tree_builder.hpp"

namespace cellroute::wire {
namespace {

/// Passes yaml-cpp's events on to the tree. The library's own tree is not used: it loses keys given twice and what a
/// key like `null` or `1.10` looked like.
class yaml_events final : public YAML::EventHandler {
 public:
  yaml_events(std::string_view text, std::string_view file_name) : text_(text), tree_(text, file_name) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    tree_.scalar(offset(mark), node_kind::null, null_as_written(mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse_anchor(mark, 1);
    tree_.scalar(offset(mark), node_kind::null, "");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    refuse_open_quote(mark);
    tree_.scalar(offset(mark), tag == "?" ? node_kind::plain : node_kind::quoted, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    tree_.begin(offset(mark), node_kind::list);
  }
  void OnSequenceEnd() override { tree_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    tree_.begin(offset(mark), node_kind::map);
  }
  void OnMapEnd() override { tree_.end(); }

  tree_builder& tree() { return tree_; }
  [[nodiscard]] std::size_t offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? text_.size() : static_cast<std::size_t>(mark.pos);
  }

 private:
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) tree_.complain(offset(mark), "anchors and aliases are not supported; write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    // The library's own marks: "?" without quotes, "!" with quotes, none for containers.
    if (!tag.empty() && tag != "?" && tag != "!") tree_.complain(offset(mark), "tags are not supported; remove it");
  }
  /// The library ends a text in quotes at the end of the file or of the indentation, quote or not.
  void refuse_open_quote(const YAML::Mark& mark) {
    const std::size_t start = offset(mark);
    if (start >= text_.size() || (text_[start] != '"' && text_[start] != '\'')) return;
    const char quote = text_[start];
    for (std::size_t i = start + 1; i < text_.size() && text_[i] != '\n'; ++i) {
      const bool is_doubled = quote == '\'' && text_.substr(i).starts_with("''");
      if (is_doubled || (quote == '"' && text_[i] == '\\')) {
        ++i;
      } else if (text_[i] == quote) {
        return;
      }
    }
    tree_.complain(start, "a text in quotes must end in its line; close the quote");
  }
  /// As a key, `null` is a text like any other; the library has already thrown the spelling away.
  [[nodiscard]] std::string null_as_written(const YAML::Mark& mark) const {
    const std::string_view rest = text_.substr(std::min(offset(mark), text_.size()));
    for (const std::string_view word : {"null", "Null", "NULL", "~"}) {
      if (rest.starts_with(word)) return std::string(word);
    }
    return "";
  }

  std::string_view text_;
  tree_builder tree_;
};

/// The library's words where an operator can act on them; else what was probably done.
void fail(yaml_events& events, std::string_view text, const YAML::Exception& e) {
  const std::size_t at = events.offset(e.mark);
  const std::size_t line_start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  const std::size_t indent_end = std::min(text.find_first_not_of(" \t", line_start), text.size());
  const std::size_t tab = text.substr(line_start, indent_end - line_start).find('\t');
  if (tab != std::string_view::npos) {
    return events.tree().fail(line_start + tab, "a tab stands before the text; indent with spaces");
  }
  if (e.msg == YAML::ErrorMsg::END_OF_MAP_FLOW || e.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW) {
    const char closing = e.msg == YAML::ErrorMsg::END_OF_MAP_FLOW ? '}' : ']';
    return events.tree().fail(at, fmt::format("this is not YAML: a `{}` is missing here or before", closing));
  }
  events.tree().fail(at, "this is not YAML: " + e.msg);
}

}  // namespace

expected<node, diagnostics> read_yaml(std::string_view text, std::string_view file_name) {
  yaml_events events(text, file_name);
  // The seam to a library that throws.
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(events) && parser) {
      yaml_events second(text, file_name);
      if (parser.HandleNextDocument(second)) {
        events.tree().complain(text.size(), "more than one document; keep one");
      }
    }
  } catch (const YAML::Exception& e) {
    fail(events, text, e);
  }
  return std::move(events.tree()).finish();
}

}  // namespace cellroute::wire
