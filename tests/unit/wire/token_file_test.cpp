#include "adapters/wire/token_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::wire {
namespace {

struct token_case {
  std::string_view says;
  std::string text;
  unsigned mode;
  std::string_view token;  ///< empty: refused
  std::string_view told;   ///< behind the file's name
};

const token_case token_cases[] = {
    {"one word", "abc", 0600, "abc", ""},
    {"and space around it", " abc\r\n", 0400, "abc", ""},
    {"everybody may read it", "abc", 0644, "", ": others may read it; chmod 600 it"},
    {"its group may write it", "abc", 0620, "", ": others may read it; chmod 600 it"},
    {"nothing", "\n", 0600, "", ": is empty; it must hold the token"},
    {"two words", "abc def", 0600, "", ": must hold one word, the token, and nothing else"},
    {"a book", std::string(5000, 'x'), 0600, "", ": must hold one word, the token, and nothing else"},
};

TEST_CASE("token file: one word, for its owner alone") {
  const support::scratch_folder folder;
  for (const token_case& row : token_cases) {
    CAPTURE(row.says);
    const std::string path = folder.file("token");
    std::ofstream(path) << row.text;
    std::filesystem::permissions(path, std::filesystem::perms(row.mode));
    const auto read = read_token_file(path);
    if (row.token.empty()) {
      REQUIRE_FALSE(read);
      CHECK(read.error() == path + std::string(row.told));
    } else {
      REQUIRE(read);
      CHECK(*read == row.token);
    }
    std::filesystem::remove(path);
  }
  CHECK(read_token_file("/nowhere/token").error() == "/nowhere/token: no such file");
}

}  // namespace
}  // namespace cellroute::wire
