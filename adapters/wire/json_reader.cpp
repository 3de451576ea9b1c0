#include <fmt/format.h>

#include <optional>
#include <span>

#include "adapters/wire/text_scan.hpp"
#include "adapters/wire/tree_builder.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::wire {
namespace {

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

/// Recursive descent by RFC 8259; its depth is bounded by the builder, which fails one level past `depth_max`.
class json_reader {
 public:
  json_reader(std::string_view text, std::string_view file_name, row_reader* rows)
      : text_(text), tree_(text, file_name), rows_(rows) {
    if (rows_ != nullptr) paths_ = rows_->paths();
  }

  expected<node, diagnostics> read() && {
    skip_space();
    if (at_ < text_.size()) {
      value(at_top());
      skip_space();
      if (at_ < text_.size()) fail("there is more behind the end of the document; remove it");
    }
    return std::move(tree_).finish();
  }

 private:
  /// Which of the paths of rows lead through a place, as bits, and how many keys of them are behind it.
  struct place {
    std::uint32_t paths;
    std::size_t depth;
  };
  static constexpr place elsewhere{0, 0};

  [[nodiscard]] place at_top() const {
    return {static_cast<std::uint32_t>((std::uint64_t{1} << paths_.size()) - 1), 0};
  }
  [[nodiscard]] const row_place* rows_at(place here) const {
    for (std::size_t i = 0; i < paths_.size() && here.paths != 0; ++i) {
      if ((here.paths >> i & 1) != 0 && paths_[i].keys.size() == here.depth) return &paths_[i];
    }
    return nullptr;
  }
  /// Behind a further key, as it is written.
  [[nodiscard]] place behind(place here, std::string_view written) const {
    place next{0, here.depth + 1};
    for (std::size_t i = 0; i < paths_.size() && here.paths != 0; ++i) {
      if ((here.paths >> i & 1) != 0 && here.depth < paths_[i].keys.size() && written == paths_[i].keys[here.depth])
        next.paths |= std::uint32_t{1} << i;
    }
    return next;
  }

  void value(place here) {
    if (peek() == '{') return container('}', node_kind::map, here);
    if (peek() == '[') return container(']', node_kind::list, elsewhere);
    if (peek() == '"') return string();
    if (peek() == '-' || is_digit(peek())) return number();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      tree_.scalar(at_, word == "null" ? node_kind::null : node_kind::plain, std::string(word));
      at_ += word.size();
      return;
    }
    fail("this is not JSON: expected a value; text stands in double quotes");
  }

  void container(char closing, node_kind kind, place here) {
    const row_place* const rows = rows_at(here);
    tree_.begin(at_, kind);
    ++at_;
    skip_space();
    if (peek() == closing) {
      ++at_;
      return tree_.end();
    }
    while (!tree_.has_failed()) {
      if (rows == nullptr || !take_row(*rows)) {
        const place inner = kind == node_kind::map ? key(here) : elsewhere;
        if (!tree_.has_failed()) value(inner);
      }
      skip_space();
      if (peek() == closing) {
        ++at_;
        return tree_.end();
      }
      if (at_ == text_.size()) return fail(fmt::format("this is not JSON: a `{}` is missing at the end", closing));
      if (!take(',')) return fail(fmt::format("this is not JSON: expected `,` or `{}`", closing));
      skip_space();
      if (peek() == closing) return fail(fmt::format("this is not JSON: `,` before `{}`; remove it", closing));
    }
  }

  /// Where the value of this one stands.
  place key(place here) {
    const std::size_t start = at_;
    if (peek() != '"') {
      fail("this is not JSON: expected a key in double quotes");
      return elsewhere;
    }
    string();
    const std::string_view written = text_.substr(start, at_ - start);
    if (!take_colon()) fail("this is not JSON: expected `:` behind the key");
    return behind(here, written.size() >= 2 ? written.substr(1, written.size() - 2) : "");
  }

  void string() {
    const std::size_t start = at_++;
    std::string decoded;
    for (;;) {
      const std::size_t plain = at_;
      at_ = find_text_end(text_, at_);
      decoded += text_.substr(plain, at_ - plain);
      if (at_ == text_.size()) return fail_at(start, "this text never ends; close it with a double quote");
      if (peek() == '"') break;
      if (peek() != '\\') return fail("a control character stands in a text; write it as an escape such as \\n");
      escape(decoded);
      if (tree_.has_failed()) return;
    }
    ++at_;
    tree_.scalar(start, node_kind::quoted, std::move(decoded));
  }

  /// Hands over a member in the form of a row. Whatever else stands here is left for the way that all values go, which
  /// tells what is wrong with it.
  bool take_row(const row_place& form) {
    const std::size_t start = at_;
    const auto key = plain_text();
    const auto value = key && take_colon() ? row_value(form) : std::nullopt;
    if (value && !value->empty() && rows_->take(*key, *value)) return true;
    at_ = start;
    return false;
  }

  std::optional<std::string_view> row_value(const row_place& form) {
    if (peek() == '"') return plain_text();
    if (form.member.empty() || !take('{')) return std::nullopt;
    skip_space();
    if (plain_text() != form.member || !take_colon()) return std::nullopt;
    const auto value = plain_text();
    skip_space();
    return take('}') ? value : std::nullopt;
  }

  std::optional<std::string_view> plain_text() { return take_plain_text(text_, at_); }

  bool take_colon() {
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  void escape(std::string& decoded) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const std::size_t start = at_++;
    if (const std::size_t which = letters.find(peek()); at_ < text_.size() && which != std::string_view::npos) {
      decoded += meanings[which];
      ++at_;
      return;
    }
    if (!take('u')) return fail_at(start, "this is not JSON: unknown escape; a backslash is written \\\\");
    std::uint32_t unit = 0;
    if (!four_hex_digits(unit)) return fail_at(start, "this is not JSON: \\u is followed by four hexadecimal digits");
    if (unit >= 0xd800 && unit < 0xdc00) {
      std::uint32_t low = 0;
      if (!take('\\') || !take('u') || !four_hex_digits(low) || low < 0xdc00 || low > 0xdfff) {
        return fail_at(start, "half of a surrogate pair; write both halves, or the character itself");
      }
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xdc00 && unit < 0xe000) {
      return fail_at(start, "half of a surrogate pair; write both halves, or the character itself");
    }
    append_utf8(decoded, unit);
  }

  bool four_hex_digits(std::uint32_t& unit) {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        unit = unit * 16 + static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        unit = unit * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
    }
    return true;
  }

  void number() {
    const std::size_t start = at_;
    take('-');
    bool good = true;
    if (!take('0')) good = digits();
    if (good && take('.')) good = digits();
    if (good && (take('e') || take('E'))) {
      if (!take('+')) take('-');
      good = digits();
    }
    if (!good || is_digit(peek())) return fail_at(start, "this is not JSON: not a number");
    tree_.scalar(start, node_kind::plain, std::string(text_.substr(start, at_ - start)));
  }

  bool digits() {
    const std::size_t start = at_;
    while (is_digit(peek())) ++at_;
    return at_ > start;
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space() { at_ = skip_json_space(text_, at_); }

  void fail(std::string what) { fail_at(at_, std::move(what)); }
  void fail_at(std::size_t offset, std::string what) { tree_.fail(offset, std::move(what)); }

  std::string_view text_;
  std::size_t at_ = 0;
  tree_builder tree_;
  row_reader* rows_;
  std::span<const row_place> paths_;
};

}  // namespace

expected<node, diagnostics> read_json_of_bytes(std::string_view text, std::string_view file_name, row_reader* rows) {
  return json_reader(text, file_name, rows).read();
}

expected<node, diagnostics> read_json(std::string_view text, std::string_view file_name, row_reader* rows) {
  if (auto bad = bad_text_in(text, file_name, "write it as UTF-8")) return unexpected(diagnostics{*std::move(bad)});
  return read_json_of_bytes(text, file_name, rows);
}

}  // namespace cellroute::wire
