#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/control_process.hpp"
#include "tests/system/support/programs.hpp"

/// `cellroute ctl` against a control plane, and what it may push.
namespace cellroute::system_test {

inline constexpr std::string_view fleet =
    "version: \"v1\"\nrouting: {default_placement: a, keys: {inline: {acme: a}}}\nplacements: {a: {endpoints: [{url: "
    "\"http://127.0.0.1:1\"}]}, b: {endpoints: [{url: \"http://127.0.0.1:2\"}]}}\n";

struct told {
  int code = 0;
  std::string output;

  [[nodiscard]] bool has(std::string_view text) const { return output.find(text) != std::string::npos; }
};

/// Any words of the tool, in this environment.
[[nodiscard]] inline told tool(std::vector<std::string> words, const std::vector<std::string>& environment = {}) {
  words.insert(words.begin(), tool_path());
  program run(words, environment, 0);
  const auto code = run.wait_exit();
  return {code.value_or(-1), run.whole_output()};
}

/// The tool with its words, against this control plane.
[[nodiscard]] inline told ctl(const control_process& control, std::vector<std::string> words) {
  words.insert(words.begin(), {"ctl", "--url", "http://127.0.0.1:" + std::to_string(control.port())});
  return tool(std::move(words));
}

[[nodiscard]] inline std::string written(const control_process& control, const std::string& name,
                                         std::string_view text) {
  const std::string path = (control.folder() / name).string();
  std::ofstream(path) << text;
  return path;
}

}  // namespace cellroute::system_test
