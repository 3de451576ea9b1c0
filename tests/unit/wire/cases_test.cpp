// Broken configurations and exactly what is said about them. CELLROUTE_REWRITE=1 rewrites what was said; the
// difference is what gets reviewed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "adapters/wire/configuration.hpp"

namespace cellroute::wire {
namespace {

const std::filesystem::path folder = "tests/unit/wire/cases";

std::string said_about(const std::filesystem::path& file) {
  const auto text = read_file(file.string());
  REQUIRE(text.has_value());
  const auto result = read_configuration(*text, file.filename().string());
  if (result) return "valid\n";
  std::string lines;
  for (const diagnostic& d : result.error()) lines += to_string(d) + "\n";
  return lines;
}

TEST_CASE("wire cases: every mistake is told, with its place and what to do") {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".txt") files.insert(entry.path());
  }
  CHECK(files.size() > 20);
  for (const std::filesystem::path& file : files) {
    CAPTURE(file);
    const std::filesystem::path expected_file = file.string() + ".txt";
    const std::string said = said_about(file);
    CHECK(said != "valid\n");
    if (std::getenv("CELLROUTE_REWRITE") != nullptr) std::ofstream(expected_file) << said;
    const auto expected = read_file(expected_file.string());
    REQUIRE(expected.has_value());
    CHECK(said == *expected);
  }
}

}  // namespace
}  // namespace cellroute::wire
