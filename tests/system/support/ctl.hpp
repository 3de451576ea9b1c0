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

/// The tool with its words, against this control plane.
[[nodiscard]] inline told ctl(const control_process& control, std::vector<std::string> words) {
  std::vector<std::string> command{tool_path(), "ctl", "--url", "http://127.0.0.1:" + std::to_string(control.port())};
  command.insert(command.end(), words.begin(), words.end());
  program tool(command, {}, 0);
  const auto code = tool.wait_exit();
  return {code.value_or(-1), tool.whole_output()};
}

[[nodiscard]] inline std::string written(const control_process& control, const std::string& name,
                                         std::string_view text) {
  const std::string path = (control.folder() / name).string();
  std::ofstream(path) << text;
  return path;
}

}  // namespace cellroute::system_test
