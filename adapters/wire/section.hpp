#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::wire {

/// One spelling of one value of an enum.
template <class E>
struct named {
  std::string_view name;
  E value;
};

/// What a number may be, both ends included.
struct range {
  std::uint64_t low = 0;
  std::uint64_t high = std::numeric_limits<std::uint32_t>::max();
};

using names = std::initializer_list<std::string_view>;

/// What a reading asks for under a name: a value, one that has no choice yet, or what holds further names or items.
enum class field_kind : std::uint8_t { value, fixed, map, list };

/// Is told every name that a reading asks for.
class field_listener {
 public:
  virtual void on_field(std::string path, field_kind kind) = 0;

 protected:
  ~field_listener() = default;
};

/// `; did you mean NAME?` for the word that was probably meant; nothing where none is near.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string_view> words);

/// Collects mistakes of one file.
class mistake_list {
 public:
  /// `fields`, where somebody listens, outlives it.
  explicit mistake_list(std::string_view file_name, field_listener* fields = nullptr)
      : file_(file_name), fields_(fields) {}
  void add(position at, std::string path, std::string what) {
    found_.push_back({file_, at.line, at.column, std::move(path), std::move(what)});
  }
  [[nodiscard]] diagnostics& found() { return found_; }
  [[nodiscard]] field_listener* fields() const { return fields_; }

 private:
  std::string file_;
  field_listener* fields_;
  diagnostics found_;
};

/// Reads one map of the tree into the fields of a struct: a call per field names the key and says what its value may
/// be.
///
/// What is absent leaves the field as it was, so defaults are whatever the struct held before. Mistakes go to the list
/// and leave the field as it was, too. When the section ends, every key that no call has named is a mistake.
class section {
 public:
  section(const node& at, std::string path, mistake_list& mistakes);
  ~section() noexcept(false);  ///< tells of unknown keys; memory may end there as elsewhere
  section(const section&) = delete;
  section& operator=(const section&) = delete;

  void text(std::string_view name, std::string& out);
  /// A text that may be absent, which is not the same as an empty one.
  void text_if(std::string_view name, std::optional<std::string>& out) {
    std::string value;
    text(name, value);
    if (!value.empty()) out = std::move(value);
  }
  /// The same, where the empty one stands for none.
  void text_if(std::string_view name, std::string& out) { text(name, out); }
  void flag(std::string_view name, bool& out) {
    if (is_bare(name, parse_flag)) parse(name, out, parse_flag);
  }
  /// One that is not worth a line where it is not set.
  void flag_if(std::string_view name, bool& out) { flag(name, out); }
  template <class T>
  void count(std::string_view name, T& out, range allowed) {
    if (!is_bare(name, parse_count)) return;
    if (const auto value = scalar(name)) take_count(name, *value, parse_count(*value), out, allowed, plain_number);
  }
  /// `word` stands for 0.
  template <class T>
  void count_or(std::string_view name, std::string_view word, T& out, range allowed) {
    if (!is_bare(name, parse_count)) return;
    const auto value = scalar(name);
    if (!value) return;
    if (*value == word) {
      out = 0;
    } else {
      take_count(name, *value, parse_count(*value), out, allowed, plain_number);
    }
  }
  /// `word` stands for none.
  template <class T>
  void count_or(std::string_view name, std::string_view word, std::optional<T>& out, range allowed) {
    if (!is_bare(name, parse_count)) return;
    const auto value = scalar(name);
    if (!value) return;
    if (*value == word) return out.reset();
    T number = out.value_or(0);
    if (take_count(name, *value, parse_count(*value), number, allowed, plain_number)) out = number;
  }
  template <class T>
  void size(std::string_view name, T& out, range allowed) {
    if (!is_bare(name, parse_count)) return;
    if (const auto value = scalar(name)) take_count(name, *value, parse_size(*value), out, allowed, print_size);
  }
  void size_or_off(std::string_view name, std::optional<std::uint64_t>& out, range allowed) {
    if (!is_bare(name, parse_count)) return;
    const auto value = scalar(name);
    if (!value) return;
    if (is_off(*value)) return out.reset();
    std::uint64_t size_bytes = out.value_or(0);
    if (take_count(name, *value, parse_size(*value), size_bytes, allowed, print_size, or_off)) out = size_bytes;
  }
  void time(std::string_view name, duration& out, duration shortest = 1ms) {
    if (const auto value = scalar(name)) take_time(name, *value, out, shortest);
  }
  void time_or_off(std::string_view name, std::optional<duration>& out, duration shortest = 1ms) {
    const auto value = scalar(name);
    if (!value) return;
    if (is_off(*value)) return out.reset();
    duration d{};
    if (take_time(name, *value, d, shortest, or_off)) out = d;
  }
  void percent_or_off(std::string_view name, std::optional<double>& out) {
    const auto value = scalar(name);
    if (!value) return;
    if (is_off(*value)) return out.reset();
    if (!is_bare(name, parse_percent)) return;
    if (const auto percent = parse_percent(*value)) {
      out = *percent;
    } else {
      refuse(name, *value, std::string(percent.error()) + std::string(or_off));
    }
  }
  void ratio(std::string_view name, double& out) {
    if (is_bare(name, parse_ratio)) parse(name, out, parse_ratio);
  }
  void percent(std::string_view name, double& out) {
    if (is_bare(name, parse_percent)) parse(name, out, parse_percent);
  }
  /// One of the spellings; those of `not_yet` are known, but not built.
  template <class E, std::size_t N>
  void choice(std::string_view name, E& out, const named<E> (&spellings)[N], names not_yet = {}) {
    const auto which = choose(name, names_of(spellings), not_yet);
    if (which) out = spellings[*which].value;
  }
  /// A list of them; it may be empty.
  template <class E, std::size_t N>
  void choices(std::string_view name, std::vector<E>& out, const named<E> (&spellings)[N], names not_yet = {}) {
    const node* items = list_at(name);
    if (items == nullptr) return;
    out.clear();
    const std::vector<std::string_view> allowed = names_of(spellings);
    for (std::size_t i = 0; i < items->children.size(); ++i) {
      const auto which = choose_at(items->children[i], item_path(name, i), allowed, not_yet);
      if (which) out.push_back(spellings[*which].value);
    }
  }
  /// A key that has one value only until more is built.
  void fixed(std::string_view name, std::string_view value, names not_yet = {}) {
    note(name, field_kind::fixed);
    if (parse_count(value) && !is_bare(name, parse_count)) return;
    if (parse_flag(value) && !is_bare(name, parse_flag)) return;
    choose(name, {value}, not_yet);
  }
  /// The same for a list: each item must be that value.
  void fixed_list(std::string_view name, std::string_view value, names not_yet = {});
  /// A value with a reader of its own.
  template <class T>
  void parse(std::string_view name, T& out, parsed<T> (*read)(std::string_view)) {
    const auto value = scalar(name);
    if (!value) return;
    auto result = read(*value);
    if (result) {
      out = *std::move(result);
    } else {
      refuse(name, *value, result.error());
    }
  }
  /// The same, for what may be absent.
  template <class T>
  void parse_if(std::string_view name, std::optional<T>& out, parsed<T> (*read)(std::string_view)) {
    T value = out.value_or(T{});
    if (find(name) == nullptr) return;
    const std::size_t mistakes_before = mistakes_.found().size();
    parse(name, value, read);
    if (mistakes_.found().size() == mistakes_before) out = std::move(value);
  }
  template <class T>
  void list(std::string_view name, std::vector<T>& out, parsed<T> (*read)(std::string_view)) {
    const node* items = list_at(name);
    if (items == nullptr) return;
    out.clear();
    for (std::size_t i = 0; i < items->children.size(); ++i) {
      T& item = out.emplace_back();  // also of one that is refused: the others keep their places
      const auto value = scalar_of(items->children[i], item_path(name, i));
      if (!value) continue;
      auto result = read(*value);
      if (result) {
        item = *std::move(result);
      } else {
        refuse_at(items->children[i].at, item_path(name, i), *value, result.error());
      }
    }
  }
  /// A list that is not empty, or a word that stands for the empty one.
  template <class T>
  void list_or(std::string_view name, std::string_view word, std::vector<T>& out, parsed<T> (*read)(std::string_view)) {
    note(name, field_kind::list);
    const node* found = find(name);
    if (found == nullptr) return;
    if (found->text == word && found->kind != node_kind::null) return out.clear();
    if (found->kind == node_kind::list && !found->children.empty()) return list(name, out, read);
    mistakes_.add(found->at, path(name), "must be " + std::string(word) + " or a list of at least one");
  }
  /// A map with a description of its own.
  template <class T>
  void map(std::string_view name, T& out) {
    note(name, field_kind::map);
    const node* found = find(name);
    if (found == nullptr) return;
    section inner(*found, path(name), mistakes_);
    describe(inner, out);
  }
  /// The same, or nothing of it.
  template <class T>
  void map_or_off(std::string_view name, std::optional<T>& out) {
    map_or(name, "off", out);
  }
  /// The same, where `word` stands for nothing of it.
  template <class T>
  void map_or(std::string_view name, std::string_view word, std::optional<T>& out) {
    note(name, field_kind::map);
    const node* found = find(name);
    if (found == nullptr) return;
    if (word == "off" ? is_off(found->text) : found->text == word) return out.reset();
    section inner(*found, path(name), mistakes_);
    describe(inner, out.emplace());
  }
  /// A list of maps, at least one; each starts from `T{}`.
  template <class T>
  void maps(std::string_view name, std::vector<T>& out) {
    const node* items = list_at(name);
    if (items == nullptr) return;
    if (items->children.empty()) mistakes_.add(items->at, path(name), "must have at least one item");
    out.clear();
    for (std::size_t i = 0; i < items->children.size(); ++i) {
      section inner(items->children[i], item_path(name, i), mistakes_);
      describe(inner, out.emplace_back());
    }
  }
  /// A map of names that the operator chose, each with a number; at least one.
  template <class T>
  void counts(std::string_view name, std::vector<T>& out, range allowed) {
    const node* found = map_at(name);
    if (found == nullptr) return;
    if (found->children.empty()) mistakes_.add(found->at, path(name), "must have at least one item");
    out.clear();
    for (const node& member : found->children) {
      const std::string where = join_path(path(name), member.name);
      const auto value = scalar_of(member, where);
      if (!value) continue;
      const auto count = parse_count(*value);
      if (count && member.kind == node_kind::quoted) {
        mistakes_.add(member.at, where, "is a text; write " + member.text + " without quotes");
      } else if (!count || *count < allowed.low || *count > allowed.high) {
        refuse_at(member.at, where, *value,
                  "must be a number from " + plain_number(allowed.low) + " to " + plain_number(allowed.high));
      } else {
        out.push_back(T{member.name, *count});
      }
    }
  }
  /// Says that a key must be there.
  void require(std::string_view name, std::string_view example);
  /// Keys that the schema has and that no part acts on yet: refused by name, never ignored.
  void later(names not_yet) { later(std::span(not_yet.begin(), not_yet.size())); }
  void later(std::span<const std::string_view> not_yet);

  /// For what is not a plain field: the value below a key, or null; naming the key makes it known.
  [[nodiscard]] const node* find(std::string_view name);
  [[nodiscard]] const node* map_at(std::string_view name);
  [[nodiscard]] const node* list_at(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> scalar(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> scalar_of(const node& value, const std::string& where);
  [[nodiscard]] std::string path(std::string_view name) const;
  [[nodiscard]] std::string item_path(std::string_view name, std::size_t index) const;
  [[nodiscard]] mistake_list& mistakes() { return mistakes_; }
  void refuse(std::string_view name, std::string_view value, std::string_view must_be);
  void refuse_at(position at, std::string where, std::string_view value, std::string_view must_be);

 private:
  static constexpr std::string_view or_off = ", or off";
  static std::string plain_number(std::uint64_t n) { return std::to_string(n); }
  template <class E, std::size_t N>
  static std::vector<std::string_view> names_of(const named<E> (&spellings)[N]) {
    std::vector<std::string_view> found;
    for (const named<E>& s : spellings) found.push_back(s.name);
    return found;
  }
  void note(std::string_view name, field_kind kind) {
    if (mistakes_.fields() != nullptr) mistakes_.fields()->on_field(path(name), kind);
  }
  std::optional<std::size_t> choose(std::string_view name, const std::vector<std::string_view>& allowed, names not_yet);
  std::optional<std::size_t> choose_at(const node& value, const std::string& where,
                                       const std::vector<std::string_view>& allowed, names not_yet);
  /// A number or a boolean in quotes is a text, and so a mistake; what is neither is for its reader to refuse.
  template <class T>
  bool is_bare(std::string_view name, parsed<T> (*read)(std::string_view)) {
    const node* found = find(name);
    if (found == nullptr || found->kind != node_kind::quoted) return true;
    const auto value = read(found->text);
    if (!value) return true;
    std::string meant = found->text;
    if constexpr (std::is_same_v<T, bool>) meant = *value ? "true" : "false";  // the words that JSON has, too
    mistakes_.add(found->at, path(name), "is a text; write " + meant + " without quotes");
    return false;
  }
  bool take_time(std::string_view name, std::string_view value, duration& out, duration shortest,
                 std::string_view or_else = {});

  template <class T>
  bool take_count(std::string_view name, std::string_view value, const parsed<std::uint64_t>& number, T& out,
                  range allowed, std::string (*print)(std::uint64_t), std::string_view or_else = {}) {
    if (!number) {
      refuse(name, value, std::string(number.error()) + std::string(or_else));
      return false;
    }
    if (*number < allowed.low || *number > allowed.high) {
      refuse(name, value, "must be from " + print(allowed.low) + " to " + print(allowed.high) + std::string(or_else));
      return false;
    }
    out = static_cast<T>(*number);
    return true;
  }

  const node& at_;
  std::string path_;
  mistake_list& mistakes_;
  bool is_map_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> not_yet_;
};

}  // namespace cellroute::wire
