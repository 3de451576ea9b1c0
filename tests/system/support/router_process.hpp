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
#include "tests/system/support/client.hpp"
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

/// A configuration in parts, each as YAML in flow style; what is left empty keeps its default.
///
/// One worker, so that a test knows which pool and which log ring its requests meet.
struct router_config {
  std::vector<std::pair<std::string, std::string>> placements;  ///< the last one is the default placement
  std::string keys = "acme: tier1";
  std::string key_files{};  ///< names, with commas
  std::string routing{};    ///< further keys of it, each with a comma before it
  std::string key{};
  std::string defaults{};
  std::string listener{};  ///< further keys of the listener, each with a comma before it
  std::string http{};
  std::string log = "access: {preset: default}";
  std::string decision{};
  std::string drain = "unready_for: 0s, timeout: 2s";
  std::string reload{};
  std::string guard{};
  std::string metrics{};
  std::string admin = "address: \"127.0.0.1:0\"";
  std::string process{};  ///< further keys of the process, each with a comma before it
  int workers = 1;
  rlim_t descriptors_max = 0;                                ///< 0: as many as this process may have
  std::vector<std::pair<std::string, std::string>> files{};  ///< beside the configuration: name and content
  std::vector<std::string> under{};                          ///< a command that runs the router: strace and its flags
  std::vector<std::string> arguments{};                      ///< behind `--config FILE`
  std::vector<std::string> environment{};                    ///< NAME=VALUE
  std::string whole{};  ///< the whole configuration, in the place of all of its parts

  [[nodiscard]] std::string yaml() const {
    if (!whole.empty()) return whole;
    std::string text = "process: {workers: " + std::to_string(workers) + ", drain: {" + drain + "}" + process + "}\n" +
                       "listeners: [{name: web, address: \"127.0.0.1:0\"" + listener + "}]\n" + "admin: {" + admin +
                       "}\nlog: {" + log + "}\n";
    const auto section = [&text](std::string_view name, const std::string& inside) {
      if (!inside.empty()) text += std::string(name) + ": {" + inside + "}\n";
    };
    section("http", http);
    section("reload", reload);
    section("guard", guard);
    section("metrics", metrics);
    section("decision", decision);
    section("key", key);
    section("defaults", defaults);
    text += "routing: {default_placement: " + placements.back().first + ", keys: {inline: {" + keys + "}" +
            (key_files.empty() ? "" : ", files: [" + key_files + "]") + "}" + routing + "}\nplacements:\n";
    for (const auto& [name, inside] : placements) text += "  " + name + ": {" + inside + "}\n";
    return text;
  }
};

[[nodiscard]] inline std::string endpoint(std::uint16_t port, std::string_view further = {}) {
  return "{url: \"http://127.0.0.1:" + std::to_string(port) + "\"" + std::string(further) + "}";
}
/// A placement of one endpoint.
[[nodiscard]] inline std::string at(std::uint16_t port, std::string_view further = {}) {
  return "endpoints: [" + endpoint(port) + "]" + std::string(further);
}

/// A program, its output as lines, and its end: by its own id, on every path.
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

[[nodiscard]] inline message admin_page(std::uint16_t admin_port, std::string_view path) {
  return ask(admin_port, request("GET " + std::string(path), "Connection: close\r\n"));
}

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

/// The router as a user runs it. It ends with the object, and must then have ended well: a sanitizer's report is seen.
class router_process {
 public:
  explicit router_process(const router_config& config)
      : config_file_(folder_.path() / "cellroute.yaml"), config_text_(config.yaml()) {
    std::ofstream(config_file_) << config_text_;
    for (const auto& [name, text] : config.files) std::ofstream(folder_.path() / name) << text;
    std::vector<std::string> command = config.under;
    command.emplace_back(CELLROUTE_ROUTER_PATH);
    command.insert(command.end(), {"--config", config_file_.string()});
    command.insert(command.end(), config.arguments.begin(), config.arguments.end());
    process_.emplace(command, config.environment, config.descriptors_max);
    // The admin listener is announced last.
    const auto admin = process_->wait_line(R"("listener":"admin")");
    const auto web = process_->find_line(R"("listener":"web")");
    if (!admin || !web) FAIL("the router did not start with\n" << config_text_ << process_->output());
    port_ = port_in(*web);
    admin_port_ = port_in(*admin);
  }
  router_process(const router_process&) = delete;
  router_process& operator=(const router_process&) = delete;
  ~router_process() {
    process_->signal(SIGTERM);
    // The second signal ends at once, but two that come together count as one: the first has to be seen.
    if (process_->wait_line(R"("event":"drain_started")", 1s)) process_->signal(SIGTERM);
    const std::optional<int> code = process_->wait_exit();
    if (!expects_failure_ && code != 0)
      FAIL_CHECK("the router ended with " << code.value_or(-999) << ":\n" << process_->output());
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_port_; }
  [[nodiscard]] program& process() { return *process_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] const std::filesystem::path& config_file() const { return config_file_; }
  /// Writes the configuration anew, as an editor does that saves in place.
  void edit(const router_config& config) const { std::ofstream(config_file_) << config.yaml(); }
  void edit(std::string_view text) const { std::ofstream(config_file_) << text; }
  /// Whether this generation became current in time.
  [[nodiscard]] bool reaches_generation(std::uint64_t generation) const {
    return eventually([&] { return metric("gateway_config_generation") >= static_cast<double>(generation); });
  }
  /// For a test that ends the router itself.
  void expect_failure() { expects_failure_ = true; }

  /// The line of the request with that id.
  [[nodiscard]] log_line access_line(std::string_view request_id) {
    const auto line = process_->wait_line(R"("request_id":")" + std::string(request_id) + '"');
    if (!line) FAIL_CHECK("no access line for " << request_id);
    return log_line(line.value_or("{}"));
  }
  [[nodiscard]] message admin(std::string_view path) const { return admin_page(admin_port_, path); }
  [[nodiscard]] double metric(std::string_view family, const std::vector<std::string>& labels = {}) const {
    return sum_of(admin("/metrics").content, family, labels);
  }
  /// Bytes in memory now, as the system counts them.
  [[nodiscard]] std::size_t resident_bytes() const {
    const std::string status = read_text("/proc/" + std::to_string(process_->pid()) + "/status");
    const std::size_t found = status.find("VmRSS:");
    return found == std::string::npos ? 0 : std::strtoull(status.c_str() + found + 6, nullptr, 10) * 1024;
  }

 private:
  static std::uint16_t port_in(const std::string& line) {
    const std::string address = log_line(line)["address"];
    return static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  }

  scratch_folder folder_;
  std::filesystem::path config_file_;
  std::string config_text_;
  std::optional<program> process_;
  std::uint16_t port_ = 0;
  std::uint16_t admin_port_ = 0;
  bool expects_failure_ = false;
};

}  // namespace cellroute::system_test
