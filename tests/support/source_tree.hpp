#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

/// The project's own text, for the tests that read it.
namespace cellroute::support {

/// One file of the tree.
struct source_file {
  std::string path;  ///< from the root, with `/`
  std::string text;
};

/// A line and the number that an editor shows for it.
struct source_line {
  std::size_t number = 0;
  std::string_view text;
};

[[nodiscard]] inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream input(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

/// Every file that belongs to the project, sorted by path. What a build or an editor left behind does not.
[[nodiscard]] inline std::vector<source_file> read_tree(const std::filesystem::path& root) {
  constexpr std::array<std::string_view, 3> left_out = {".git", ".cache", "__pycache__"};
  std::vector<source_file> files;
  const std::filesystem::recursive_directory_iterator end;
  for (std::filesystem::recursive_directory_iterator entry(root); entry != end; ++entry) {
    const std::string name = entry->path().filename().string();
    const bool is_build = entry.depth() == 0 && name == "build";  // further down it would be a folder of sources
    if (is_build || std::ranges::find(left_out, name) != left_out.end()) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back({entry->path().lexically_relative(root).generic_string(), read_file(entry->path())});
    }
  }
  std::ranges::sort(files, {}, &source_file::path);
  return files;
}

[[nodiscard]] inline bool is_cpp(std::string_view path) { return path.ends_with(".hpp") || path.ends_with(".cpp"); }

/// Whether a compiler would take the file for C or C++, whatever it is called here.
[[nodiscard]] inline bool is_compiled(std::string_view path) {
  constexpr std::array<std::string_view, 14> endings = {".hpp", ".cpp", ".h",   ".c",   ".cc",  ".cxx", ".c++",
                                                        ".hh",  ".hxx", ".ipp", ".inl", ".tpp", ".ixx", ".cppm"};
  return std::ranges::any_of(endings, [path](std::string_view end) { return path.ends_with(end); });
}

[[nodiscard]] inline std::vector<source_line> lines_of(std::string_view text) {
  std::vector<source_line> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back({lines.size() + 1, text.substr(0, end)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

[[nodiscard]] constexpr bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The text with the insides of comments and literals blanked: what is left is code, on the same lines and columns.
[[nodiscard]] inline std::string code_only(std::string_view text) {
  std::string code(text);
  const auto blank = [&code](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, code.size()); ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  const auto end_of = [text](std::string_view mark, std::size_t from) {
    const std::size_t at = text.find(mark, from);
    return at == std::string_view::npos ? text.size() : at;
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i, 2) == "//") {
      const std::size_t end = end_of("\n", i);
      blank(i, end);
      i = end;
    } else if (text.substr(i, 2) == "/*") {
      const std::size_t end = end_of("*/", i + 2) + 2;
      blank(i, end);
      i = end;
    } else if (text.substr(i, 2) == "R\"") {
      const std::size_t open = end_of("(", i);
      const std::string close = ")" + std::string(text.substr(i + 2, open - i - 2)) + "\"";
      const std::size_t end = end_of(close, open) + close.size();
      blank(i + 2, end - 1);
      i = end;
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word_byte(text[i - 1])))) {
      std::size_t end = i + 1;  // 1'000'000 is no literal: a quote behind a digit separates
      while (end < text.size() && text[end] != text[i] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
      blank(i + 1, end);
      i = end + 1;
    } else {
      ++i;
    }
  }
  return code;
}

/// A line of code as a preprocessor reads it: `  #  include` becomes `#include`. Other lines stay as they are.
[[nodiscard]] inline std::string directive_of(std::string_view code_line) {
  const std::size_t mark = code_line.find_first_not_of(" \t");
  if (mark == std::string_view::npos || code_line[mark] != '#') return std::string(code_line);
  const std::size_t word = std::min(code_line.find_first_not_of(" \t", mark + 1), code_line.size());
  return "#" + std::string(code_line.substr(word));
}

/// What one #include asks for.
struct include_line {
  std::string name;  ///< empty: a macro, or nothing that can be read
  bool is_quoted = false;
  std::size_t number = 0;
};

[[nodiscard]] inline std::vector<include_line> include_lines_of(std::string_view text) {
  std::vector<include_line> found;
  const std::string code = code_only(text);
  const auto code_lines = lines_of(code);
  const auto text_lines = lines_of(text);
  for (std::size_t i = 0; i < code_lines.size(); ++i) {
    if (!directive_of(code_lines[i].text).starts_with("#include")) continue;
    std::string_view rest = text_lines[i].text;
    rest.remove_prefix(rest.find("include") + std::string_view("include").size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    include_line asked{"", rest.starts_with('"'), i + 1};
    const std::size_t close = rest.find(asked.is_quoted ? '"' : '>', 1);
    if ((asked.is_quoted || rest.starts_with('<')) && close != std::string_view::npos)
      asked.name = rest.substr(1, close - 1);
    found.push_back(std::move(asked));
  }
  return found;
}

/// Where `word` stands by itself in `code`, from `from` on; npos if nowhere.
[[nodiscard]] inline std::size_t find_word(std::string_view code, std::string_view word, std::size_t from = 0) {
  for (std::size_t at = code.find(word, from); at != std::string_view::npos; at = code.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || !is_word_byte(word.front()) || !is_word_byte(code[at - 1]);
    const bool ends = end == code.size() || !is_word_byte(word.back()) || !is_word_byte(code[end]);
    if (starts && ends) return at;
  }
  return std::string_view::npos;
}

}  // namespace cellroute::support
