#pragma once

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/system/support/client.hpp"
#include "tests/system/support/program.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

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

/// A local file without `routing`: all of that comes from this control plane. `sections` are further ones of the file,
/// `keys` further ones of `control_plane`, each with a comma before it.
[[nodiscard]] inline router_config told_by(std::uint16_t control_port, std::string_view sections = {},
                                           std::string_view keys = {}) {
  router_config config;
  config.whole =
      "process: {workers: 1, drain: {unready_for: 0s, timeout: 2s}}\n"
      "listeners: [{name: web, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\n"
      "control_plane: {urls: [\"ws://127.0.0.1:" +
      std::to_string(control_port) + "/connect\"]" + std::string(keys) + "}\n" + std::string(sections);
  return config;
}

[[nodiscard]] inline message admin_page(std::uint16_t admin_port, std::string_view path) {
  return ask(admin_port, request("GET " + std::string(path), "Connection: close\r\n"));
}

/// The router as a user runs it. It ends with the object, and must then have ended well: a sanitizer's report is seen.
class router_process {
 public:
  explicit router_process(const router_config& config)
      : config_file_(folder_.path() / "cellroute.yaml"), config_text_(config.yaml()) {
    std::ofstream(config_file_) << config_text_;
    for (const auto& [name, text] : config.files) std::ofstream(folder_.path() / name) << text;
    std::vector<std::string> command = config.under;
    command.emplace_back(router_path());
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

/// What a control plane knows it by.
[[nodiscard]] inline std::string id_of(const router_process& router) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + ":" + std::to_string(router.admin_port());
}

/// What the cell answers to which a key goes.
inline std::string cell_of(const router_process& router, std::string_view key) {
  return ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(key) + "\r\n")).content;
}

/// Sends so many requests of a key; returns how many were answered with this status.
inline int answers_of(const router_process& router, std::string_view key, int requests, int status) {
  int found = 0;
  for (int i = 0; i < requests; ++i) {
    found += ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(key) + "\r\n")).status() == status;
  }
  return found;
}

/// How many pushes came to this: `applied`, `unchanged` or `rejected`.
[[nodiscard]] inline double pushes(const router_process& router, const std::string& result) {
  return router.metric("gateway_config_apply_total", {"result=\"" + result + "\"", "source=\"push\""});
}

/// Whether a key goes, in time, to the cell that answers so.
[[nodiscard]] inline bool leads_to(const router_process& router, std::string_view key, std::string_view cell) {
  return eventually([&] { return cell_of(router, key) == cell; });
}

}  // namespace cellroute::system_test
