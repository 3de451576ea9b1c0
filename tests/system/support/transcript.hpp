#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/system/support/program.hpp"

namespace cellroute::system_test {

/// Compares what was said with a file of tests/system/control; CELLROUTE_REWRITE writes it anew.
inline void compare_with(const std::string& name, const std::string& transcript) {
  const std::string file = std::string(CELLROUTE_SOURCE_DIR) + "/tests/system/control/" + name;
  if (std::getenv("CELLROUTE_REWRITE") != nullptr) std::ofstream(file) << transcript;
  CHECK(transcript == read_text(file));
}

}  // namespace cellroute::system_test
