// The rules of writing that a machine can hold. A line that must break one says `// allow: word: reason`.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/source_tree.hpp"

namespace cellroute {
namespace {

using support::source_file;
using support::source_line;

const std::filesystem::path root = CELLROUTE_SOURCE_DIR;

const std::vector<source_file>& tree() {
  static const std::vector<source_file> files = support::read_tree(root);
  return files;
}

bool is_core(std::string_view path) { return path.starts_with("include/cellroute/"); }

/// Whether the line excuses `word` and gives a reason.
bool is_excused(std::string_view line, std::string_view word) {
  const std::string mark = "// allow: " + std::string(word) + ": ";
  const std::size_t at = line.find(mark);
  return at != std::string_view::npos && line.find_first_not_of(' ', at + mark.size()) != std::string_view::npos;
}

/// A word of code, and the only places where it may stand.
struct restricted_word {
  std::string_view word;
  bool (*is_allowed_in)(std::string_view path);
  std::string_view excused_as = word;
};

bool nowhere(std::string_view) { return false; }
bool is_main(std::string_view path) { return path == "main.cpp" || path.ends_with("/main.cpp"); }
bool outside_core(std::string_view path) { return !is_core(path); }
bool in_publisher(std::string_view path) { return path == "include/cellroute/snapshot/published.hpp"; }

bool reads_clocks(std::string_view path) {
  return path.starts_with("adapters/io/") || is_main(path) || path.starts_with("tests/system/") ||
         path.starts_with("bench/");
}

const restricted_word restricted_words[] = {
    {"::now(", reads_clocks},
    {"random_device", is_main},
    {"shared_ptr", in_publisher},
    {"make_shared", in_publisher, "shared_ptr"},
    {"new", nowhere},
    {"delete", nowhere},
    {"detached", nowhere},
    {"shared_from_this", nowhere},
    {"reinterpret_cast", nowhere},
    {"std::function", nowhere},
    {"#if", [](std::string_view path) { return outside_core(path) || path.ends_with("base/simd.hpp"); }},
    {"#ifdef", [](std::string_view path) { return outside_core(path) || path.ends_with("base/simd.hpp"); }},
    {"#ifndef", [](std::string_view path) { return outside_core(path) || path.ends_with("base/simd.hpp"); }},
    {"#define", [](std::string_view path) { return outside_core(path) || path.ends_with("base/simd.hpp"); }},
    {"<mutex>", [](std::string_view path) { return outside_core(path) || in_publisher(path); }},
};

/// `= delete` takes a function away and `#include <new>` names a header: neither is what the rule is about.
bool is_meant(std::string_view code_line, std::string_view word, std::size_t at) {
  if (word == "new" && code_line.starts_with("#include")) return false;
  if (word != "delete") return true;
  const std::size_t before = code_line.find_last_not_of(' ', at == 0 ? 0 : at - 1);
  return at == 0 || before == std::string_view::npos || code_line[before] != '=';
}

struct finding {
  std::size_t line = 0;
  std::string word;
};

std::vector<finding> restricted_in(std::string_view path, std::string_view text) {
  std::vector<finding> found;
  const std::string code = support::code_only(text);
  const auto code_lines = support::lines_of(code);
  const auto text_lines = support::lines_of(text);
  for (const restricted_word& row : restricted_words) {
    if (row.is_allowed_in(path)) continue;
    for (const source_line& line : code_lines) {
      if (is_excused(text_lines[line.number - 1].text, row.excused_as)) continue;
      const std::string read = support::directive_of(line.text);
      for (std::size_t at = support::find_word(read, row.word); at != std::string::npos;
           at = support::find_word(read, row.word, at + 1)) {
        if (is_meant(read, row.word, at)) found.push_back({line.number, std::string(row.word)});
      }
    }
  }
  return found;
}

struct word_case {
  std::string_view says;
  std::string_view path;
  std::string_view text;
  std::size_t expected;
};

const word_case word_cases[] = {
    {"no clock is read in the core", "include/cellroute/table/a.hpp", "auto t = clock::now();", 1},
    {"no clock is read in a protocol", "adapters/http1/a.cpp", "auto t = clock::now();", 1},
    {"the reactor reads the clock", "adapters/io/a.cpp", "auto t = clock::now();", 0},
    {"a main reads the clock", "adapters/proxy/main.cpp", "auto t = clock::now();", 0},
    {"a file whose name ends alike is no main", "adapters/proxy/domain.cpp", "auto t = clock::now();", 1},
    {"chance comes from main", "adapters/edge/a.cpp", "std::random_device seed;", 1},
    {"a comment is not code", "adapters/edge/a.cpp", "// std::random_device seed;", 0},
    {"a string is not code", "adapters/edge/a.cpp", "auto s = \"random_device\";", 0},
    {"a raw string is not code", "adapters/edge/a.cpp", "auto s = R\"(delete\n\"new\")\";", 0},
    {"a part of a word is not the word", "adapters/edge/a.cpp", "int news = renew(new_one);", 0},
    {"nothing is owned by hand", "adapters/edge/a.cpp", "auto* p = new int;", 1},
    {"nor freed by hand", "adapters/edge/a.cpp", "delete p;", 1},
    {"a function may be taken away", "adapters/edge/a.cpp", "a(const a&) = delete;", 0},
    {"a function taken away hides no other on its line", "adapters/edge/a.cpp",
     "a(a&&) = delete; void f() { delete p; }", 1},
    {"each is seen", "adapters/edge/a.cpp", "delete p, delete q;", 2},
    {"the header of that name is fine", "adapters/edge/a.cpp", "#include <new>", 0},
    {"shared ownership is for snapshots", "adapters/edge/a.hpp", "std::shared_ptr<int> p;", 1},
    {"whoever makes it", "adapters/edge/a.cpp", "auto p = std::make_shared<int>();", 1},
    {"there it may stand", "include/cellroute/snapshot/published.hpp", "std::shared_ptr<int> p;", 0},
    {"a lock in the core", "include/cellroute/table/a.hpp", "#include <mutex>", 1},
    {"the publisher's lock", "include/cellroute/snapshot/published.hpp", "#include <mutex>", 0},
    {"a macro in the core", "include/cellroute/table/a.hpp", "#define X 1", 1},
    {"a condition in the core", "include/cellroute/table/a.hpp", "#if X", 1},
    {"one that is indented", "include/cellroute/table/a.hpp", "  #  if X", 1},
    {"an excuse with a reason", "adapters/a/a.cpp", "delete p;  // allow: delete: the C library's own", 0},
    {"an excuse without one", "adapters/a/a.cpp", "delete p;  // allow: delete: ", 1},
    {"an excuse for another word", "adapters/a/a.cpp", "delete p;  // allow: new: the C library's own", 1},
};

TEST_CASE("conventions: the checker of words") {
  for (const word_case& row : word_cases) {
    CAPTURE(row.says);
    CHECK(restricted_in(row.path, row.text).size() == row.expected);
  }
}

TEST_CASE("conventions: restricted words stand only where they are allowed") {
  std::size_t files = 0;
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    ++files;
    for (const finding& found : restricted_in(file.path, file.text)) {
      FAIL_CHECK(file.path << ":" << found.line << ": `" << found.word << "` is not allowed here");
    }
  }
  CHECK(files > 20);
}

/// Whether the `{` or `}` at `at` belongs to an expression: what follows it goes on with one.
bool expression_goes_on(std::string_view code, std::size_t at) {
  const std::size_t next = code.find_first_not_of(" \n", at + 1);
  return next != std::string_view::npos && std::string_view(".,+-/<=?|)").find(code[next]) != std::string_view::npos;
}

/// What stands before `at`, without the space in between.
std::string_view text_before(std::string_view code, std::size_t at) {
  const std::size_t end = at == 0 ? std::string_view::npos : code.find_last_not_of(" \n", at - 1);
  return end == std::string_view::npos ? std::string_view() : code.substr(0, end + 1);
}

/// Where the bracket opens that the one at `close` closes.
std::size_t opening_of(std::string_view code, std::size_t close) {
  const char closing = code[close];
  const char opening = closing == ')' ? '(' : '{';
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    if (code[i] == closing) ++depth;
    if (code[i] == opening && --depth == 0) return i;
  }
  return 0;
}

/// Whether the `{` at `open` begins an initialiser or the body of a lambda, not a block of statements.
bool is_of_expression(std::string_view code, std::size_t open) {
  const std::string_view before = text_before(code, open);
  if (before.empty() || before.ends_with("]]")) return false;  // `if (a) [[likely]] {`
  const char last = before.back();
  if (last == ')') return text_before(code, opening_of(code, before.size() - 1)).ends_with(']');
  if (!support::is_word_byte(last)) return std::string_view(";{}:").find(last) == std::string_view::npos;
  constexpr std::array<std::string_view, 3> words = {"else", "do", "try"};
  return std::ranges::none_of(words, [before](std::string_view word) {
    return before.ends_with(word) &&
           (before.size() == word.size() || !support::is_word_byte(before[before.size() - word.size() - 1]));
  });
}

/// Whether the `(` at `at` opens the condition of a statement, where an expression ends with its `)`.
bool opens_condition(std::string_view code, std::size_t at) {
  const std::size_t end = at == 0 ? std::string_view::npos : code.find_last_not_of(" \n", at - 1);
  if (end == std::string_view::npos) return false;
  constexpr std::array<std::string_view, 4> words = {"if", "while", "switch", "for"};
  return std::ranges::any_of(words, [&](std::string_view word) {
    const std::string_view before = code.substr(0, end + 1);
    const std::size_t start = before.size() - std::min(word.size(), before.size());
    return before.ends_with(word) && (start == 0 || !support::is_word_byte(before[start - 1]));
  });
}

/// Whether the expression around the `co_await` at `at` holds a brace: an initialiser or a lambda with a body.
bool has_brace_beside(std::string_view code, std::size_t at) {
  std::vector<std::size_t> around;  // the parentheses that are open at `at`, innermost first
  int depth = 0;
  for (std::size_t i = at; i-- > 0;) {
    const char c = code[i];
    if (c == ')') ++depth;
    if (c == '(' && --depth < 0) {
      if (opens_condition(code, i)) break;
      around.push_back(i);
      depth = 0;
    }
    if (c == ';' && depth == 0) break;
    if (c == '{') break;  // a block's, or an initialiser's: the way forward tells
    if (c == '}') {
      if (expression_goes_on(code, i) || is_of_expression(code, opening_of(code, i))) return true;
      break;
    }
  }
  depth = static_cast<int>(around.size());
  for (std::size_t i = at; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '(' || c == '[') ++depth;
    if ((c == ')' || c == ']') && --depth < 0) return false;  // the condition's end
    if (c == ';') return false;
    if (c == '}') return true;  // the expression was inside of an initialiser
    if (c == '{') return depth > 0 || is_of_expression(code, i);
  }
  return false;
}

std::vector<std::size_t> braces_beside_co_await(std::string_view text) {
  std::vector<std::size_t> lines;
  const std::string code = support::code_only(text);
  for (std::size_t at = support::find_word(code, "co_await"); at != std::string::npos;
       at = support::find_word(code, "co_await", at + 1)) {
    const std::string_view before =
        std::string_view(code).substr(0, code.find_last_not_of(' ', at - (at > 0 ? 1 : 0)) + 1);
    if (before.ends_with("operator") || !has_brace_beside(code, at)) continue;
    lines.push_back(1 + static_cast<std::size_t>(std::count(code.begin(), code.begin() + static_cast<long>(at), '\n')));
  }
  return lines;
}

struct brace_case {
  std::string_view says;
  std::string_view text;
  bool expected;
};

const brace_case brace_cases[] = {
    {"a plain wait", "{ co_await f(x); }", false},
    {"a wait that is bound", "const auto [e, n] = co_await f(x);", false},
    {"a wait in a condition", "if (co_await f(x)) { g(); }", false},
    {"a wait in an initialiser of a condition", "if (auto r = co_await f(x); !r) { g(); }", false},
    {"a statement behind its condition", "if (!co_await f(x)) co_return a{1};", false},
    {"the same in a loop", "while (co_await f(x)) g(a{1});", false},
    {"a wait behind a block", "if (a) { b(); } co_await f(x);", false},
    {"a wait in the body of a lambda", "spawn([x]() -> task<void> { co_await f(x); });", false},
    {"a value named before", "const a v{1}; co_await f(v);", false},
    {"a loop around it", "while ((n = co_await f(x)) > 0) { g(); }", false},
    {"a comment with braces", "co_await f(x /* {} */);", false},
    {"the operator's definition", "auto operator co_await() { return awaiter{1}; }", false},
    {"a block behind a condition, and an expression that begins with an operator",
     "if (a) { b(); } *p = co_await f(x);", false},
    {"the same with a cast", "for (;;) { b(); } (void)co_await f(x);", false},
    {"the same with an attribute", "if (a) [[likely]] { b(); } [[maybe_unused]] auto v = co_await f(x);", false},
    {"a block behind else", "if (a) b(); else { c(); } !co_await f(x);", false},
    {"a block that is tried", "try { b(); } catch (...) { c(); } co_await f(x);", false},
    {"a block of a case", "case 1: { b(); } co_await f(x);", false},
    {"a block alone", "a(); { b(); } co_await f(x);", false},
    {"a temporary as an argument", "co_await f(a{1});", true},
    {"an unnamed list as an argument", "co_await f({1, 2});", true},
    {"a lambda as an argument", "co_await f([&] { g(); });", true},
    {"a lambda with parameters", "co_await f([&](int i) { g(i); });", true},
    {"a temporary before it", "const auto n = a{1}.b(co_await f(x));", true},
    {"an argument before it", "g(a{1}, co_await f(x));", true},
    {"an argument behind it", "g(co_await f(x), a{1});", true},
    // Before each operator that could stand between the two.
    {"before `&&`", "const bool v = a{1} && co_await g(x);", true},
    {"before `||`", "const bool v = a{1} || co_await g(x);", true},
    {"before `&`", "const bool v = a{1} & co_await g(x);", true},
    {"before `|`", "const bool v = a{1} | co_await g(x);", true},
    {"before `^`", "const bool v = a{1} ^ co_await g(x);", true},
    {"before `==`", "const bool v = a{1} == co_await g(x);", true},
    {"before `!=`", "const bool v = a{1} != co_await g(x);", true},
    {"before `<`", "const bool v = a{1} < co_await g(x);", true},
    {"before `<=`", "const bool v = a{1} <= co_await g(x);", true},
    {"before `>`", "const bool v = a{1} > co_await g(x);", true},
    {"before `>=`", "const bool v = a{1} >= co_await g(x);", true},
    {"before `>>`", "const bool v = a{1} >> co_await g(x);", true},
    {"before `+`", "const bool v = a{1} + co_await g(x);", true},
    {"before `-`", "const bool v = a{1} - co_await g(x);", true},
    {"before `*`", "const bool v = a{1} * co_await g(x);", true},
    {"before `/`", "const bool v = a{1} / co_await g(x);", true},
    {"before `%`", "const bool v = a{1} % co_await g(x);", true},
    {"the one of two that is not taken", "const auto v = c ? a{1} : co_await g(x);", true},
    {"what decides", "const auto v = a{1} ? co_await g(x) : b;", true},
    {"what is called", "a{1}(co_await g(x));", true},
    {"what is indexed", "a{1}[co_await g(x)];", true},
    {"what is assigned to", "a{1} += co_await g(x);", true},
    {"a pointer to a member", "a{1}.*co_await g(x);", true},
    {"a list of a template", "const bool v = a<int>{1} && co_await g(x);", true},
    {"a lambda that is called with it", "[&](int i) { g(i); }(co_await f(x));", true},
    {"a lambda behind it", "co_await f(x) && [](int i) { return i; }(1);", true},
    {"in a condition, beside it", "if (co_await f(x) == a{1}) g();", true},
    {"in a condition, before it", "if (g(a{1}, co_await f(x))) h();", true},
    {"inside of an initialiser", "const a v{co_await f(x)};", true},
    {"inside of one that goes on", "g(a{co_await f(x), 1});", true},
    {"inside of a returned list", "co_return {co_await f(x)};", true},
};

TEST_CASE("conventions: the checker of braces beside co_await") {
  for (const brace_case& row : brace_cases) {
    CAPTURE(row.says);
    CHECK(!braces_beside_co_await(row.text).empty() == row.expected);
  }
}

TEST_CASE("conventions: no expression with co_await holds a brace (a compiler destroys such temporaries twice)") {
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    for (const std::size_t line : braces_beside_co_await(file.text)) {
      FAIL_CHECK(file.path << ":" << line << ": name the value before the co_await");
    }
  }
}

/// The lines on which the condition of an `if` or `while` waits.
std::vector<std::size_t> waits_in_conditions(std::string_view text) {
  std::vector<std::size_t> lines;
  const std::string code = support::code_only(text);
  for (const std::string_view keyword : {"if", "while"}) {
    for (std::size_t at = support::find_word(code, keyword); at != std::string::npos;
         at = support::find_word(code, keyword, at + 1)) {
      const std::size_t open = code.find_first_not_of(' ', at + keyword.size());
      if (open == std::string::npos || code[open] != '(') continue;
      int depth = 0;
      std::size_t close = open;
      for (; close < code.size(); ++close) {
        if (code[close] == '(') ++depth;
        if (code[close] == ')' && --depth == 0) break;
      }
      const std::size_t wait = support::find_word(code, "co_await", open);
      if (wait >= close) continue;
      lines.push_back(1 +
                      static_cast<std::size_t>(std::count(code.begin(), code.begin() + static_cast<long>(at), '\n')));
    }
  }
  return lines;
}

const brace_case condition_cases[] = {
    {"in an if", "if (!co_await f(x)) return;", true},
    {"in a while", "while (co_await f(x)) g();", true},
    {"in an initialiser", "if (auto r = co_await f(x); !r) g();", true},
    {"behind a condition", "if (a) co_await f(x);", false},
    {"in a block behind it", "while (g(a)) { co_await f(x); }", false},
    {"named before", "const bool woken = co_await f(x); if (!woken) return;", false},
};

TEST_CASE("conventions: the checker of waits in conditions") {
  for (const brace_case& row : condition_cases) {
    CAPTURE(row.says);
    CHECK(!waits_in_conditions(row.text).empty() == row.expected);
  }
}

TEST_CASE("conventions: no condition waits (GCC 12 misplaces the coroutine's frame then)") {
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    for (const std::size_t line : waits_in_conditions(file.text)) {
      FAIL_CHECK(file.path << ":" << line << ": name the value before the condition");
    }
  }
}

TEST_CASE("conventions: every header starts with #pragma once") {
  std::size_t headers = 0;
  for (const source_file& file : tree()) {
    if (!file.path.ends_with(".hpp")) continue;
    ++headers;
    CAPTURE(file.path);
    CHECK(file.text.find("#pragma once\n") != std::string::npos);
  }
  CHECK(headers > 10);
}

bool is_text(std::string_view path) {
  constexpr std::array<std::string_view, 13> endings = {
      ".hpp", ".cpp", ".md", ".txt", ".yaml", ".json", ".cmake", ".py", ".sh", ".clang-format", ".in", ".tsv", ".yml"};
  return std::ranges::any_of(endings, [path](std::string_view end) { return path.ends_with(end); }) ||
         path.starts_with("scripts/") || path.starts_with(".ci/");
}

/// The host of the URL whose `://` stands at `at`, without port.
std::string_view host_at(std::string_view line, std::size_t at) {
  std::string_view rest = line.substr(at + 3);
  if (rest.starts_with('[')) return rest.substr(0, rest.find(']'));
  return rest.substr(0, rest.find_first_of(" /:\"'`<>)]},;$|\\?#%\t"));
}

/// Whether a host may be named: one of nobody (RFC 2606, RFC 6761), an address, a bare name of an example, or the place
/// of a standard.
bool may_be_named(std::string_view host) {
  constexpr std::array<std::string_view, 6> standards = {"www.rfc-editor.org", "json-schema.org", "spec.openapis.org",
                                                         "keepachangelog.com", "semver.org",      "prometheus.io"};
  if (host.find('.') == std::string_view::npos) return true;
  if (std::ranges::all_of(host, [](char c) { return c == '.' || std::isdigit(static_cast<unsigned char>(c)) != 0; })) {
    return true;
  }
  constexpr std::array<std::string_view, 4> reserved = {".example", ".test", ".invalid", ".localhost"};
  constexpr std::array<std::string_view, 3> examples = {"example.com", "example.org", "example.net"};
  const auto ends = [host](std::string_view end) { return host.ends_with(end); };
  return std::ranges::any_of(reserved, ends) || std::ranges::any_of(examples, ends) ||
         std::ranges::find(standards, host) != standards.end();
}

struct host_case {
  std::string_view host;
  bool expected;
};

const host_case host_cases[] = {
    {"127.0.0.1", true},
    {"cell-tier1", true},
    {"app.example.com", true},
    {"example.test", true},
    {"www.rfc-editor.org", true},
    {"packages.vendor.org", false},
    {"example.com.evil.io", false},
    {"mirror.local", false},
};

TEST_CASE("conventions: the checker of hosts") {
  for (const host_case& row : host_cases) {
    CAPTURE(row.host);
    CHECK(may_be_named(row.host) == row.expected);
  }
}

TEST_CASE("conventions: the tree names no machine's paths and no foreign hosts") {
  // Put together here, so that this file does not name them itself.
  const std::string slash = "/";
  const std::array<std::string, 4> paths = {slash + "work" + slash, slash + "home" + slash, slash + "root" + slash,
                                            slash + "Users" + slash};
  std::size_t lines = 0;
  for (const source_file& file : tree()) {
    if (!is_text(file.path) || file.path.starts_with("tests/fuzz/corpus/")) continue;
    for (const source_line& line : support::lines_of(file.text)) {
      ++lines;
      for (const std::string& path : paths) {
        const std::size_t at = line.text.find(path);
        const bool absolute =
            at != std::string_view::npos &&
            (at == 0 || std::string_view(" \"'=(:`").find(line.text[at - 1]) != std::string_view::npos);
        if (absolute) FAIL_CHECK(file.path << ":" << line.number << ": names the path " << path);
      }
      for (std::size_t at = line.text.find("://"); at != std::string_view::npos; at = line.text.find("://", at + 3)) {
        const std::string_view host = host_at(line.text, at);
        if (!may_be_named(host)) FAIL_CHECK(file.path << ":" << line.number << ": names the host " << host);
      }
    }
  }
  CHECK(lines > 500);
}

/// Whether the text names a row of a list that is not in this tree: one of three letters and a number. C0 and C1 are
/// Unicode's control characters.
bool names_a_row(std::string_view text) {
  for (std::size_t at = text.find_first_of("CGS"); at != std::string_view::npos;
       at = text.find_first_of("CGS", at + 1)) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
    const std::size_t digits = end - at - 1;
    const bool starts = at == 0 || (!support::is_word_byte(text[at - 1]) && text[at - 1] != '%');  // %C3 is a byte
    const bool ends = end == text.size() || !support::is_word_byte(text[end]);
    const std::string_view name = text.substr(at, end - at);
    if (starts && ends && digits >= 1 && digits <= 3 && name != "C0" && name != "C1") return true;
  }
  return false;
}

/// What of a source is not code: the insides of comments and texts, on their lines.
std::string words_only(const std::string& text) {
  std::string words = support::code_only(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (text[i] != '\n') words[i] = words[i] == text[i] ? ' ' : text[i];
  }
  return words;
}

TEST_CASE("conventions: the checker of rows") {
  const std::string row = "C" + std::to_string(12);  // put together, so that this file does not name one
  CHECK(names_a_row("as told by " + row));
  CHECK(names_a_row(row + ": it holds"));
  CHECK_FALSE(names_a_row("C0, C1, %C3, CC12, " + row + "th, C, M1, C1234"));
  CHECK(words_only("int C; // " + row) == "       // " + row);
}

TEST_CASE("conventions: the tree names nothing that lies beside it, and no row of a list elsewhere") {
  const std::string beside = std::string("..") + "/shared";
  const std::set<std::string_view> judges = {"scripts/judge", ".ci/run"};  // these run what others gave
  std::size_t lines = 0;
  for (const source_file& file : tree()) {
    if (!is_text(file.path) || file.path.starts_with("tests/fuzz/corpus/")) continue;
    const std::string read = support::is_cpp(file.path) ? words_only(file.text) : file.text;
    const bool has_prose = support::is_cpp(file.path) || file.path.ends_with(".md");
    for (const source_line& line : support::lines_of(read)) {
      ++lines;
      INFO(file.path << ":" << line.number << ": " << line.text);
      if (!judges.contains(file.path)) CHECK(line.text.find(beside) == std::string_view::npos);
      if (has_prose) CHECK_FALSE(names_a_row(line.text));
    }
  }
  CHECK(lines > 500);
}

/// What stands between backticks in the prose of a document; not in its blocks of code.
std::vector<std::string> quoted_in(std::string_view document) {
  std::vector<std::string> found;
  bool is_block = false;
  for (const source_line& line : support::lines_of(document)) {
    const bool is_fence = line.text.starts_with("```");
    if (is_fence) is_block = !is_block;
    if (is_block || is_fence) continue;
    for (std::size_t open = line.text.find('`'); open != std::string_view::npos;) {
      const std::size_t close = line.text.find('`', open + 1);
      if (close == std::string_view::npos) break;
      found.emplace_back(line.text.substr(open + 1, close - open - 1));
      open = line.text.find('`', close + 1);
    }
  }
  return found;
}

/// Whether this is the path of one file or folder of the tree, by its first part: not a command, not a pattern.
bool is_path(std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool is_plain =
      std::ranges::all_of(text, [](char c) { return support::is_word_byte(c) || c == '/' || c == '.' || c == '-'; });
  const std::string first(text.substr(0, slash));
  return slash != std::string_view::npos && is_plain && text.find("NAME") == std::string_view::npos && !first.empty() &&
         first != "build" && std::filesystem::is_directory(root / first);
}

TEST_CASE("conventions: every path that a document names exists") {
  CHECK(quoted_in("a `b` c `d/e`\n```\n`f`\n```\n`g") == std::vector<std::string>{"b", "d/e"});
  CHECK(is_path("tests/layers_test.cpp"));
  CHECK_FALSE(is_path("tests/fuzz/NAME.cpp"));
  CHECK_FALSE(is_path("scripts/bench table"));
  CHECK_FALSE(is_path("text/plain"));
  std::size_t named = 0;
  for (const source_file& file : tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (const std::string& text : quoted_in(file.text)) {
      if (!is_path(text)) continue;
      ++named;
      INFO(file.path << " names " << text);
      CHECK(std::filesystem::exists(root / text));
    }
  }
  CHECK(named > 10);
}

TEST_CASE("conventions: every name of code in ARCHITECTURE.md is in the code") {
  std::string code;
  for (const source_file& file : tree()) {
    const bool is_ours = file.path.starts_with("include/") || file.path.starts_with("adapters/");
    if (is_ours && support::is_cpp(file.path)) code += support::code_only(file.text);
  }
  std::size_t named = 0;
  for (const std::string& text : quoted_in(support::read_file(root / "ARCHITECTURE.md"))) {
    const std::size_t scope = text.rfind("::");
    if (scope == std::string::npos || text.starts_with("asio::")) continue;  // that one is not ours
    const std::size_t start = scope + 2;
    const auto end = std::ranges::find_if_not(text.begin() + static_cast<long>(start), text.end(),
                                              [](char c) { return support::is_word_byte(c); });
    const std::string name(text.begin() + static_cast<long>(start), end);
    if (name.empty()) continue;
    ++named;
    CAPTURE(text);
    CHECK(support::find_word(code, name) != std::string_view::npos);
  }
  CHECK(named > 10);
}

TEST_CASE("conventions: a source includes its own header before all else, so that this header is seen to stand alone") {
  std::set<std::string> paths;
  for (const source_file& file : tree()) paths.insert(file.path);
  std::size_t asked = 0;
  for (const source_file& file : tree()) {
    if (!file.path.starts_with("adapters/") || !file.path.ends_with(".cpp")) continue;
    const std::string header = file.path.substr(0, file.path.size() - 3) + "hpp";
    if (!paths.contains(header)) continue;
    ++asked;
    INFO(file.path);
    const std::size_t first = file.text.find("#include ");
    REQUIRE(first != std::string::npos);
    CHECK(file.text.substr(first).starts_with("#include \"" + header + "\""));
  }
  CHECK(asked > 50);
}

TEST_CASE("conventions: what is to be done says until when") {
  const std::string mark = std::string("TO") + "DO";
  for (const source_file& file : tree()) {
    if (!is_text(file.path)) continue;
    for (const source_line& line : support::lines_of(file.text)) {
      const std::size_t at = support::find_word(line.text, mark);
      if (at == std::string_view::npos) continue;
      INFO(file.path << ":" << line.number << ": " << line.text);
      CHECK(line.text.find("until", at) != std::string_view::npos);
    }
  }
}

TEST_CASE("conventions: the map in ARCHITECTURE.md has every folder, and the document stays short") {
  const std::string document = support::read_file(root / "ARCHITECTURE.md");
  REQUIRE(!document.empty());
  CHECK(support::lines_of(document).size() < 200);
  std::set<std::string> folders;
  for (const source_file& file : tree()) {
    const std::string folder = std::filesystem::path(file.path).parent_path().generic_string();
    const bool of_core = folder.starts_with("include/cellroute/");
    const bool of_adapters = folder.starts_with("adapters/") && folder.find('/', 9) == std::string::npos;
    if (of_core || of_adapters) folders.insert(folder.substr(folder.find_last_of('/') + 1));
  }
  REQUIRE(folders.size() > 5);
  for (const std::string& folder : folders) {
    CAPTURE(folder);
    CHECK(document.find("`" + folder + "`") != std::string::npos);
  }
}

TEST_CASE("conventions: every script that a document names exists and can be run") {
  std::size_t named = 0;
  for (const source_file& file : tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (std::size_t at = file.text.find("scripts/"); at != std::string::npos;
         at = file.text.find("scripts/", at + 1)) {
      const std::size_t end =
          std::min(file.text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at + 8), file.text.size());
      const std::string script = file.text.substr(at, end - at);
      if (script == "scripts/") continue;
      ++named;
      CAPTURE(file.path);
      CAPTURE(script);
      const auto status = std::filesystem::status(root / script);
      CHECK(std::filesystem::is_regular_file(status));
      CHECK((status.permissions() & std::filesystem::perms::owner_exec) != std::filesystem::perms::none);
    }
  }
  CHECK(named > 2);
}

}  // namespace
}  // namespace cellroute
