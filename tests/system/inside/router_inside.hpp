#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "adapters/proxy/router.hpp"
#include "adapters/wire/configuration.hpp"

namespace cellroute::system_test {

[[nodiscard]] inline wire::configuration read_yaml_configuration(const std::string& yaml) {
  auto read = wire::read_configuration(yaml, "test.yaml");
  if (!read) FAIL(wire::to_string(read.error().front()));
  return *std::move(read);
}

/// The fleet of a configuration with its inline keys as assignments.
[[nodiscard]] inline table_spec read_yaml_spec(const std::string& yaml) {
  const wire::configuration read = read_yaml_configuration(yaml);
  table_spec spec = read.spec;
  for (const key_row& row : read.inline_keys.rows) {
    spec.assignments.push_back({std::string(row.key), spec.placements[row.outcome].id});
  }
  return spec;
}

/// The router as an object in this process, with its own threads. `on_admin_thread` is called first on the one that
/// serves the admin pages.
class router_inside {
 public:
  explicit router_inside(
      const std::string& yaml, void (*on_admin_thread)() = [] {})
      : router_(read_yaml_configuration(yaml), proxy::router_options{"test", "test", 1, false}) {
    const auto started = router_.start();
    if (!started) FAIL(started.error().what);
    admin_ = std::thread([this, on_admin_thread] {
      on_admin_thread();
      router_.run();
    });
  }
  router_inside(const router_inside&) = delete;
  router_inside& operator=(const router_inside&) = delete;
  ~router_inside() {
    router_.stop();
    if (admin_.joinable()) admin_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return router_.addresses().front().port; }
  [[nodiscard]] proxy::router& operator*() { return router_; }

 private:
  proxy::router router_;
  std::thread admin_;
};

}  // namespace cellroute::system_test
