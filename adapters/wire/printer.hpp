#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"
#include "adapters/wire/section.hpp"
#include "adapters/wire/timestamp.hpp"

namespace cellroute::wire {

/// Writes the fields of a struct into a map of the tree: `section` the other way round, for the same `describe`.
class printer {
 public:
  printer() { at_.kind = node_kind::map; }

  void text(std::string_view name, const std::string& value) { put(name, node_kind::quoted, value); }
  void text_if(std::string_view name, const std::optional<std::string>& value) {
    if (value) text(name, *value);
  }
  void text_if(std::string_view name, const std::string& value) {
    if (!value.empty()) text(name, value);
  }
  void flag(std::string_view name, bool value) { put(name, node_kind::plain, value ? "true" : "false"); }
  void flag_if(std::string_view name, bool value) {
    if (value) flag(name, value);
  }
  void count(std::string_view name, std::uint64_t value, range = {}) {
    put(name, node_kind::plain, std::to_string(value));
  }
  void count_or(std::string_view name, std::string_view word, std::uint64_t value, range allowed) {
    if (value == 0) return put(name, node_kind::quoted, std::string(word));
    count(name, value, allowed);
  }
  void count_or(std::string_view name, std::string_view word, const std::optional<std::uint64_t>& value,
                range allowed) {
    if (!value) return put(name, node_kind::quoted, std::string(word));
    count(name, *value, allowed);
  }
  void size(std::string_view name, std::uint64_t value, range) { put_size(name, value); }
  void size_or_off(std::string_view name, const std::optional<std::uint64_t>& value, range) {
    value ? put_size(name, *value) : put_off(name);
  }
  void time(std::string_view name, duration value, duration = {}) {
    put(name, node_kind::quoted, print_duration(value));
  }
  void time_or_off(std::string_view name, const std::optional<duration>& value, duration = {}) {
    value ? time(name, *value) : put_off(name);
  }
  void percent_or_off(std::string_view name, const std::optional<double>& value) {
    value ? put(name, node_kind::plain, print_percent(*value)) : put_off(name);
  }
  void ratio(std::string_view name, double value) { put(name, node_kind::plain, print_ratio(value)); }
  void percent(std::string_view name, double value) { put(name, node_kind::plain, print_percent(value)); }
  template <class E, std::size_t N>
  void choice(std::string_view name, const E& value, const named<E> (&spellings)[N], names = {}) {
    for (const named<E>& s : spellings) {
      if (s.value == value) return put_word(name, std::string(s.name));
    }
  }
  template <class E, std::size_t N>
  void choices(std::string_view name, const std::vector<E>& values, const named<E> (&spellings)[N], names = {}) {
    std::vector<node> items;
    for (const E& value : values) {
      for (const named<E>& s : spellings) {
        if (s.value == value) items.push_back(scalar(node_kind::quoted, std::string(s.name)));
      }
    }
    add_list(name, std::move(items));
  }
  void fixed(std::string_view name, std::string_view value, names = {}) {
    const bool is_plain = is_off(value) || parse_count(value).has_value();
    put(name, is_plain ? node_kind::plain : node_kind::quoted, std::string(value));
  }
  void fixed_list(std::string_view name, std::string_view value, names = {}) {
    add_list(name, {scalar(node_kind::quoted, std::string(value))});
  }
  template <class T>
  void parse(std::string_view name, const T& value, parsed<T> (*)(std::string_view)) {
    put_word(name, as_text(value));
  }
  template <class T>
  void parse_if(std::string_view name, const std::optional<T>& value, parsed<T> (*read)(std::string_view)) {
    if (value) parse(name, *value, read);
  }
  template <class T>
  void list(std::string_view name, const std::vector<T>& values, parsed<T> (*)(std::string_view)) {
    std::vector<node> items;
    for (const T& value : values) items.push_back(scalar(node_kind::quoted, as_text(value)));
    add_list(name, std::move(items));
  }
  template <class T>
  void list_or(std::string_view name, std::string_view word, const std::vector<T>& values,
               parsed<T> (*read)(std::string_view)) {
    if (values.empty()) return put(name, node_kind::quoted, std::string(word));
    list(name, values, read);
  }
  template <class T>
  void map(std::string_view name, T& value) {
    printer inner;
    describe(inner, value);
    add(name, std::move(inner).take());
  }
  template <class T>
  void map_or_off(std::string_view name, std::optional<T>& value) {
    value ? map(name, *value) : put_off(name);
  }
  template <class T>
  void map_or(std::string_view name, std::string_view word, std::optional<T>& value) {
    value ? map(name, *value) : put(name, node_kind::quoted, std::string(word));
  }
  template <class T>
  void maps(std::string_view name, std::vector<T>& values) {
    std::vector<node> items;
    for (T& value : values) {
      printer inner;
      describe(inner, value);
      items.push_back(std::move(inner).take());
    }
    add_list(name, std::move(items));
  }
  template <class T>
  void counts(std::string_view name, const std::vector<T>& values, range allowed) {
    if (values.empty()) return;
    printer inner;
    for (const T& each : values) inner.count(each.name, each.count, allowed);
    add(name, std::move(inner).take());
  }
  void require(std::string_view, std::string_view) {}
  void later(names) {}

  void put(std::string_view name, node_kind kind, std::string value) { add(name, scalar(kind, std::move(value))); }
  void add(std::string_view name, node member) {
    member.name = name;
    add(std::move(member));
  }
  void add(node member) { at_.children.push_back(std::move(member)); }
  void add_list(std::string_view name, std::vector<node> items) {
    node list;
    list.kind = node_kind::list;
    list.children = std::move(items);
    add(name, std::move(list));
  }
  [[nodiscard]] bool is_empty() const { return at_.children.empty(); }
  [[nodiscard]] node take() && { return std::move(at_); }

 private:
  // What is no text is plain, `off` too; the writers know what each format needs for it.
  void put_off(std::string_view name) { put(name, node_kind::plain, "off"); }
  void put_word(std::string_view name, const std::string& word) {
    put(name, is_off(word) ? node_kind::plain : node_kind::quoted, word);
  }
  void put_size(std::string_view name, std::uint64_t size_bytes) {
    const std::string text = print_size(size_bytes);
    put(name, parse_count(text) ? node_kind::plain : node_kind::quoted, text);
  }
  static node scalar(node_kind kind, std::string value) {
    node n;
    n.kind = kind;
    n.text = std::move(value);
    return n;
  }
  static const std::string& as_text(const std::string& value) { return value; }
  template <class T>
  static std::string as_text(const T& value) {
    return to_string(value);
  }

  node at_;
};

}  // namespace cellroute::wire
