#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/process/fd_limit.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {

/// A control plane that is written by its API.
[[nodiscard]] inline control_setup written_by_api() {
  control_setup setup;
  setup.routes_name = "";
  setup.settings = "api: {require_preconditions: false}\n";
  return setup;
}

[[nodiscard]] inline message tell(const control_process& control, std::string_view method, std::string_view path,
                                  std::string_view body, std::string_view fields = {}) {
  client c(control.port());
  c.send(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n");
  c.send(body);
  return c.read_answer();
}

/// The number of what is published.
[[nodiscard]] inline std::uint64_t version_of(const message& answer) {
  const std::size_t at = answer.content.find("\"version\":");
  return at == std::string::npos ? 0 : std::strtoull(answer.content.c_str() + at + 10, nullptr, 10);
}

[[nodiscard]] inline std::string key_name(std::size_t number) {
  // Mixed up, so that no compression makes nothing of them.
  return "tenant-" + std::to_string((number * 2654435761U) % 4294967296U) + "-" + std::to_string(number);
}
/// The cell of a key in one of many tables. From 0 to 1, 2 to 3 and so on all keys move; else half of them, by chance.
[[nodiscard]] inline std::string_view cell_in(std::size_t number, std::size_t table) {
  std::uint64_t x = (number + 1) * 0x9e3779b97f4a7c15U ^ (table / 2 + 1) * 0xbf58476d1ce4e5b9U;
  x = (x ^ x >> 31) * 0x94d049bb133111ebU;
  return (x >> 63) == table % 2 ? "tier1" : "tier3";
}
[[nodiscard]] inline std::string_view other_cell(std::string_view cell) { return cell == "tier1" ? "tier3" : "tier1"; }

/// A whole configuration with so many keys, as JSON.
[[nodiscard]] inline std::string fleet_of(std::size_t keys, std::size_t table, std::uint16_t tier1,
                                          std::uint16_t tier3) {
  std::string json = R"({"routing": {"default_placement": "tier3", "keys": {"inline": {)";
  for (std::size_t i = 0; i < keys; ++i) {
    json += (i == 0 ? "\"" : ",\n\"") + key_name(i) + "\": \"" + std::string(cell_in(i, table)) + "\"";
  }
  const auto placement = [](std::string_view name, std::uint16_t port) {
    return "\"" + std::string(name) + R"(": {"endpoints": [{"url": "http://127.0.0.1:)" + std::to_string(port) +
           "\"}]}";
  };
  return json + "}}}, \"placements\": {" + placement("tier1", tier1) + ", " + placement("tier3", tier3) + "}}";
}

/// A router that keeps no access log: its disk is none of the proof.
[[nodiscard]] inline router_config silent_told_by(std::uint16_t control_port) {
  return told_by(control_port, "log: {access: {output: \"off\"}}\n");
}

/// Whether a router is connected and runs this version, as far as the control plane was told; `is_wanted`: and is to.
[[nodiscard]] inline bool runs(const control_process& control, const router_process& router, std::uint64_t version,
                               bool is_wanted = true) {
  const std::string page = control.page("/v1/routers/" + id_of(router)).content;
  return page.find("\"connected\":true") != std::string::npos &&
         page.find("\"version\":" + std::to_string(version) + ",") != std::string::npos &&
         page.find(is_wanted ? "\"on_target\":true" : "\"on_target\":false") != std::string::npos;
}

/// Whether this process and those that it starts may have so many descriptors.
[[nodiscard]] inline bool has_descriptors(std::size_t count) {
  (void)process::raise_fd_limit();
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}

[[nodiscard]] inline bool all_on_target(const control_process& control, std::size_t count,
                                        steady::duration limit = 60s) {
  return eventually([&] { return control.metric("cellroute_control_routers_on_target") == static_cast<double>(count); },
                    limit);
}

}  // namespace cellroute::system_test
