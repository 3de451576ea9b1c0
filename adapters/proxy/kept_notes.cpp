#include "adapters/proxy/kept_notes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "adapters/wire/crc32c.hpp"

namespace cellroute::proxy {
namespace {

constexpr std::size_t note_bytes_max = 16'384;  // 64 lines of two words are 8 KiB at most
constexpr std::size_t word_bytes_max = 64;
constexpr std::string_view survived = "survived";

constexpr std::string_view mark_kind = "cellroute chain 1\n";
constexpr std::string_view boots_kind = "cellroute boots 1\n";
constexpr std::string_view quarantine_kind = "cellroute quarantine 1\n";

struct note_line {
  std::string_view first;
  std::string_view second;
};

bool is_word(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  };
  return !text.empty() && text.size() <= word_bytes_max && std::ranges::all_of(text, is_plain);
}

std::string seal_of(std::string_view text) {
  return fmt::format("crc32c {:08x}\n", wire::crc32c(std::as_bytes(std::span(text))));
}

std::string sealed(std::string text) {
  text += seal_of(text);
  return text;
}

/// The line in front of a text, which is then without it; nothing where none ends.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

expected<std::vector<note_line>, std::string> lines_of(std::string_view text, std::string_view kind) {
  constexpr std::size_t seal_bytes = 16;  // "crc32c 01234567\n"
  if (text.size() < seal_bytes) return unexpected(std::string("is damaged: too short"));
  std::string_view inside = text.substr(0, text.size() - seal_bytes);
  if (text.substr(inside.size()) != seal_of(inside)) return unexpected(std::string("is damaged: bad crc32c"));
  if (!inside.starts_with(kind)) return unexpected(std::string("is of a version that is not known here"));
  inside.remove_prefix(kind.size());
  std::vector<note_line> found;
  while (!inside.empty()) {
    const auto line = take_line(inside);
    const std::size_t gap = line ? line->find(' ') : std::string_view::npos;
    if (gap == std::string_view::npos || found.size() == note_lines_max)
      return unexpected(std::string("is damaged: bad line"));
    const note_line words{line->substr(0, gap), line->substr(gap + 1)};
    if (!is_word(words.first) || !is_word(words.second)) return unexpected(std::string("is damaged: bad word"));
    found.push_back(words);
  }
  return found;
}

/// Reads a line for each thing, with `of` saying what stands there, or that it makes no sense.
template <class T, class Of>
expected<std::vector<T>, std::string> things_of(std::string_view text, std::string_view kind, Of&& of) {
  const auto lines = lines_of(text, kind);
  if (!lines) return unexpected(lines.error());
  std::vector<T> found;
  for (const note_line& line : *lines) {
    std::optional<T> one = of(line);
    if (!one) return unexpected(std::string("is damaged: bad line"));
    found.push_back(*std::move(one));
  }
  return found;
}

std::optional<boot_record> boot_of(const note_line& line) {
  const auto sum = wire::parse_digest(line.first);
  if (!sum) return std::nullopt;
  if (line.second == survived) return boot_record{*sum, 0, true};
  std::uint32_t begun = 0;
  const char* const end = line.second.data() + line.second.size();
  const auto [at, error] = std::from_chars(line.second.data(), end, begun);
  if (error != std::errc() || at != end) return std::nullopt;
  return boot_record{*sum, begun, false};
}

}  // namespace

bool is_stem(std::string_view text) { return is_word(text) && text.front() != '.'; }

std::string write_mark(const chain_mark& mark) {
  return sealed(fmt::format("{}{} {}\n", mark_kind, mark.stem, wire::to_hex(mark.sum)));
}

std::string write_boots(std::span<const boot_record> boots) {
  std::string text(boots_kind);
  for (const boot_record& each : boots) {
    text += wire::to_hex(each.sum) + ' ';
    text += each.has_survived ? std::string(survived) : std::to_string(each.begun);
    text += '\n';
  }
  return sealed(std::move(text));
}

std::string write_quarantine(std::span<const wire::quarantined_content> quarantined) {
  std::string text(quarantine_kind);
  for (const auto& each : quarantined.last(std::min(quarantined.size(), note_lines_max))) {
    if (is_word(each.code)) text += wire::to_hex(each.sum) + ' ' + each.code + '\n';
  }
  return sealed(std::move(text));
}

expected<chain_mark, std::string> read_mark(std::string_view text) {
  const auto found = things_of<chain_mark>(text, mark_kind, [](const note_line& line) -> std::optional<chain_mark> {
    const auto sum = wire::parse_digest(line.second);
    if (!sum || !is_stem(line.first)) return std::nullopt;
    return chain_mark{std::string(line.first), *sum};
  });
  if (!found) return unexpected(found.error());
  if (found->size() != 1) return unexpected(std::string("is damaged: it names no chain, or several"));
  return found->front();
}

expected<std::vector<boot_record>, std::string> read_boots(std::string_view text) {
  return things_of<boot_record>(text, boots_kind, boot_of);
}

expected<std::vector<wire::quarantined_content>, std::string> read_quarantine(std::string_view text) {
  using quarantined = wire::quarantined_content;
  return things_of<quarantined>(text, quarantine_kind, [](const note_line& line) -> std::optional<quarantined> {
    const auto sum = wire::parse_digest(line.first);
    if (!sum) return std::nullopt;
    return quarantined{*sum, std::string(line.second)};
  });
}

expected<std::optional<std::string>, std::string> load_note(process::disk& on, const std::string& name) {
  using note = std::optional<std::string>;
  const auto bytes = process::read_file(on, name, note_bytes_max);
  if (!bytes) return unexpected(bytes.error());
  if (!*bytes) return note();
  const auto* text = static_cast<const char*>(static_cast<const void*>((*bytes)->data()));
  return note(std::string(text, (*bytes)->size()));
}

expected<void, process::replace_error> store_note(process::disk& on, const std::string& name, std::string_view text) {
  return process::replace_file(on, name, {std::as_bytes(std::span(text))});
}

}  // namespace cellroute::proxy
