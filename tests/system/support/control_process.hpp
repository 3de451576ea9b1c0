#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/client.hpp"
#include "tests/system/support/program.hpp"
#include "tests/system/support/programs.hpp"

namespace cellroute::system_test {

struct control_setup {
  std::string routes{};                        ///< the followed file
  std::string routes_name = "cellroute.yaml";  ///< empty: it follows none, and the API writes
  std::string settings{};                      ///< further sections of the settings
  std::string listener{};                      ///< further keys of the listener, each with a comma before it
  std::vector<std::pair<std::string, std::string>> files{};  ///< beside them, for the owner alone: name and content
  std::vector<std::string> environment{};                    ///< NAME=VALUE
};

/// `cellroute-control` as a user runs it: follows `routes` in a folder of its own, and keeps its store there.
class control_process {
 public:
  explicit control_process(control_setup with) : setup_(std::move(with)) {
    if (!setup_.routes_name.empty()) write_routes(setup_.routes);
    for (const auto& [name, text] : setup_.files) {
      std::ofstream(folder_.path() / name) << text;
      std::filesystem::permissions(folder_.path() / name, std::filesystem::perms(0600));
    }
    port_ = unused_port();
    std::ofstream(folder_.path() / "control.yaml")
        << "apiVersion: cellroute-control/v1\nlisteners: [{address: \"127.0.0.1:" << port_ << "\"" << setup_.listener
        << "}]\nwatch: \"" << setup_.routes_name << "\"\nstore: \"sqlite:control.db\"\nlog: {level: debug}\n"
        << setup_.settings;
    start();
  }
  control_process(const control_process&) = delete;
  control_process& operator=(const control_process&) = delete;
  ~control_process() {
    process_->signal(SIGTERM);
    const std::optional<int> code = process_->wait_exit();
    if (code != 0) FAIL_CHECK("the control plane ended with " << code.value_or(-999) << ":\n" << process_->output());
  }

  void start() {
    const std::vector<std::string> command{control_path(), "--config", (folder_.path() / "control.yaml").string()};
    process_.emplace(command, setup_.environment, 0);
    if (!process_->wait_line(R"("event":"listening")")) FAIL("it did not start:\n" << process_->output());
  }
  /// Ends it without a word.
  void kill() {
    process_->signal(SIGKILL);
    (void)process_->wait_exit();
  }

  void write_routes(std::string_view text) const {
    // As a deployment does it: nobody reads half of it.
    const std::filesystem::path next = folder_.path() / "next";
    std::ofstream(next) << text;
    std::filesystem::rename(next, folder_.path() / setup_.routes_name);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] program& process() { return *process_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] message page(std::string_view path, std::string_view method = "GET",
                             std::string_view fields = {}) const {
    return ask(port_, std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
                          std::string(fields) + "Connection: close\r\n\r\n");
  }
  [[nodiscard]] double metric(std::string_view family, const std::vector<std::string>& labels = {}) const {
    return sum_of(page("/metrics").content, family, labels);
  }
  /// Bytes in memory now, as the system counts them.
  [[nodiscard]] std::size_t resident_bytes() const {
    const std::string status = read_text("/proc/" + std::to_string(process_->pid()) + "/status");
    const std::size_t found = status.find("VmRSS:");
    return found == std::string::npos ? 0 : std::strtoull(status.c_str() + found + 6, nullptr, 10) * 1024;
  }

 private:
  scratch_folder folder_;
  control_setup setup_;
  std::uint16_t port_ = 0;
  std::optional<program> process_;
};

}  // namespace cellroute::system_test
