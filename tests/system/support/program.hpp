#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/wire/node.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/system/support/descriptor.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

using support::scratch_folder;

[[nodiscard]] inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream input(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

/// One line of the log: an access line or an event.
class log_line {
 public:
  explicit log_line(std::string text) : text_(std::move(text)) {
    if (auto tree = wire::read_json(text_, "log line")) tree_ = *std::move(tree);
  }
  /// The member as text; `<none>` when the line has no such member, `null` when that is its value.
  [[nodiscard]] std::string operator[](std::string_view name) const {
    const wire::node* const member = tree_.find(name);
    if (member == nullptr) return "<none>";
    return member->kind == wire::node_kind::null ? "null" : member->text;
  }
  [[nodiscard]] double number(std::string_view name) const { return std::strtod((*this)[name].c_str(), nullptr); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  wire::node tree_;
};

[[nodiscard]] inline bool is_sanitizer_report(std::string_view line) {
  const auto says = [line](std::string_view text) { return line.find(text) != std::string_view::npos; };
  return says("runtime error: ") || (says("Sanitizer: ") && (says("ERROR: ") || says("WARNING: ")));
}

/// A program, its output as lines, and its end: by its own id, on every path. Nothing that a sanitizer has to say of it
/// is missed: that fails the test, whatever the test looks at.
class program {
 public:
  program(const std::vector<std::string>& command, const std::vector<std::string>& environment,
          rlim_t descriptors_max) {
    std::array<int, 2> output{};
    REQUIRE(::pipe2(output.data(), O_CLOEXEC) == 0);
    output_ = descriptor(output[0]);
    descriptor write_end(output[1]);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    std::vector<char*> variables;
    for (const std::string& variable : environment) variables.push_back(const_cast<char*>(variable.c_str()));
    for (char** v = environ; *v != nullptr; ++v) variables.push_back(*v);
    variables.push_back(nullptr);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {  // between fork and exec only what a signal handler may call
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(write_end.get(), 1);
      ::dup2(write_end.get(), 2);
      if (descriptors_max != 0) {
        const rlimit limit{descriptors_max, descriptors_max};
        ::setrlimit(RLIMIT_NOFILE, &limit);
      }
      ::execvpe(words[0], words.data(), variables.data());
      ::_exit(127);
    }
    write_end.reset();
    reader_ = std::thread([this] { read_output(); });
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    if (!status_) {
      ::kill(pid_, SIGKILL);
      (void)wait_exit();
    }
    reader_.join();
    // Its exit code does not tell where the program's own, for a start that failed, is the same.
    const auto said = std::ranges::find_if(lines_, is_sanitizer_report);
    if (said != lines_.end()) FAIL_CHECK("a sanitizer found something:\n" << output());
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const {
    if (!status_) ::kill(pid_, number);
  }
  [[nodiscard]] bool has_ended() {
    if (status_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    status_ = status;
    return true;
  }
  /// The exit code; minus the signal that ended it; nothing when it still runs.
  [[nodiscard]] std::optional<int> wait_exit(steady::duration limit = patience) {
    if (!eventually([this] { return has_ended(); }, limit)) return std::nullopt;
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -WTERMSIG(*status_);
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::string output() const {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  /// All of it: waits until the program has closed its output, as it does when it ends.
  [[nodiscard]] std::string whole_output() {
    (void)eventually([this] { return output_ended_.load(); });
    return output();
  }
  /// The first line that holds `text`.
  [[nodiscard]] std::optional<std::string> find_line(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::ranges::find_if(lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
    if (found == lines_.end()) return std::nullopt;
    return *found;
  }
  [[nodiscard]] std::optional<std::string> wait_line(std::string_view text, steady::duration limit = patience) {
    std::optional<std::string> line;
    (void)eventually([&] { return (line = find_line(text)).has_value() || output_ended_; }, limit);
    return line ? line : find_line(text);
  }

 private:
  void read_output() {
    std::string rest;
    std::array<char, 65536> bytes;
    for (;;) {
      const ssize_t size = ::read(output_.get(), bytes.data(), bytes.size());
      if (size <= 0) break;
      rest.append(bytes.data(), static_cast<std::size_t>(size));
      const std::lock_guard lock(mutex_);
      std::size_t begin = 0;
      for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
        lines_.push_back(rest.substr(begin, end - begin));
        begin = end + 1;
      }
      rest.erase(0, begin);
    }
    output_ended_ = true;
  }

  pid_t pid_ = -1;
  descriptor output_;
  std::optional<int> status_;
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::atomic<bool> output_ended_{false};
  std::thread reader_;
};

/// The sum of all series of a family whose labels hold each of these texts.
[[nodiscard]] inline double sum_of(std::string_view exposition, std::string_view family,
                                   const std::vector<std::string>& labels = {}) {
  double sum = 0;
  while (!exposition.empty()) {
    const std::string_view line = exposition.substr(0, exposition.find('\n'));
    exposition.remove_prefix(std::min(exposition.size(), line.size() + 1));
    if (!line.starts_with(family) || line.size() == family.size()) continue;
    if (line[family.size()] != '{' && line[family.size()] != ' ') continue;
    const auto in_line = [line](const std::string& label) { return line.find(label) != std::string_view::npos; };
    if (!std::ranges::all_of(labels, in_line)) continue;
    sum += std::strtod(std::string(line.substr(line.rfind(' '))).c_str(), nullptr);
  }
  return sum;
}

}  // namespace cellroute::system_test
