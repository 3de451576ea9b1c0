#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/io/reactor.hpp"
#include "adapters/proxy/pushed_contents.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "tests/system/inside/router_inside.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

/// What a router has of its control plane, without the rest of a router: the link on its own thread, and on another one
/// contents that are unpacked, checked and compiled. What comes out is published, and nobody reads it.
class linked_router final : private proxy::pushed_listener {
 public:
  /// Its key tables lie in `memory`, which outlives it.
  linked_router(io::reactor& shared, std::uint16_t port, std::string id, std::uint64_t seed,
                std::pmr::memory_resource& memory = *std::pmr::new_delete_resource(), duration scrub_period = 1min)
      : current_(snapshot<proxy::active_configuration>{1, {nothing(), {}}}),
        contents_(shared, current_, memory, seed, *this, scrub_period) {
    contents_.start({}, nullptr, {});
    contents_.connect(link_of(port, std::move(id), seed), false);
  }

  [[nodiscard]] std::uint64_t applied() const { return applied_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }
  [[nodiscard]] bool has_key(std::string_view key) {
    reader<proxy::active_configuration> current(current_);
    return current.current().value.table.keys().find(key).has_value();
  }

 private:
  static routing_table nothing() {
    const table_spec spec = read_yaml_spec(
        "routing: {default_placement: a}\nplacements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}]}}\n");
    auto made = routing_table::compile(spec, generation_number{1}, 1);
    REQUIRE(made);
    return *std::move(made);
  }
  static proxy::control_link_options link_of(std::uint16_t port, std::string id, std::uint64_t seed) {
    proxy::control_link_options made;
    made.urls = {{false, "127.0.0.1", port, "/connect"}};
    made.who = {std::move(id), "boot-1", "linked", {}, "file"};
    made.limits.can.content_bytes_max = std::uint64_t{1} << 30;
    made.limits.can.keys_max = 10'000'000;
    made.limits.can.compressions = {"zstd"};
    made.seed = seed;
    return made;
  }

  void on_pushed(proxy::loaded_configuration loaded) override {
    const std::uint64_t generation = loaded.table.generation().value;
    if (!current_.publish({generation, {std::move(loaded.table), {}}})) return contents_.refused("it was overtaken");
    ++applied_;
    contents_.applied();
  }
  void on_push_unchanged(const wire::content_id&) override {}
  void on_push_refused(const std::string&, const std::string&) override { ++refused_; }
  void on_not_kept(const std::string&) override {}
  void on_damaged(const std::string&) override { ++damaged_; }
  void on_reverted(const std::string&, const std::string&) override {}
  void on_not_reverted(const std::string&, const std::string&) override {}
  void on_not_taken(const std::vector<std::string>&) override {}
  void on_prepared(const std::string&) override {}
  void on_folder_changed() override {}
  void on_link_event(const std::string&, const std::string&) override {}

  published<proxy::active_configuration> current_;
  std::atomic<std::uint64_t> applied_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> damaged_{0};
  proxy::pushed_contents contents_;
};

/// The thread on which routers publish. It ends before these do.
class publishing_thread {
 public:
  explicit publishing_thread(io::reactor& shared) : shared_(shared), thread_([&shared] { shared.run(); }) {}
  publishing_thread(const publishing_thread&) = delete;
  publishing_thread& operator=(const publishing_thread&) = delete;
  ~publishing_thread() {
    shared_.stop();
    thread_.join();
  }

 private:
  io::reactor& shared_;
  std::thread thread_;
};

/// Many of them; they share the thread on which routers publish.
class linked_fleet {
 public:
  linked_fleet(std::uint16_t port, std::size_t count) : thread_(reactor_) {
    for (std::size_t i = 0; i < count; ++i) routers_.emplace_back(reactor_, port, "rt-" + std::to_string(i), i + 1);
  }
  [[nodiscard]] const std::deque<linked_router>& routers() const { return routers_; }
  [[nodiscard]] std::uint64_t refused() const {
    std::uint64_t sum = 0;
    for (const linked_router& r : routers_) sum += r.refused();
    return sum;
  }
  /// Whether each has published at least so many.
  [[nodiscard]] bool all_applied(std::uint64_t count) const {
    for (const linked_router& r : routers_) {
      if (r.applied() < count) return false;
    }
    return true;
  }

 private:
  io::reactor reactor_;
  std::deque<linked_router> routers_;
  publishing_thread thread_;
};

}  // namespace cellroute::system_test
