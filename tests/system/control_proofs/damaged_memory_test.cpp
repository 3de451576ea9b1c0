// A router whose memory changes a row: it finds that itself, without a word from anybody, and has it mended.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <map>
#include <memory_resource>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/system/control_proofs/linked_fleet.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/ctl.hpp"

namespace cellroute::system_test {
namespace {

/// Memory that loses bits.
class failing_memory final : public std::pmr::memory_resource {
 public:
  /// Changes a bit of each text like this. How many there were.
  std::size_t damage(std::string_view text) {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const auto& [start, size] : blocks_) {
      const std::string_view block(start, size);
      for (std::size_t at = block.find(text); at != std::string_view::npos; at = block.find(text, at + 1)) {
        std::atomic_ref<char>(start[at]).fetch_xor(1);
        ++found;
      }
    }
    return found;
  }

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    void* const made = std::pmr::new_delete_resource()->allocate(size, alignment);
    const std::lock_guard lock(mutex_);
    blocks_[static_cast<char*>(made)] = size;
    return made;
  }
  void do_deallocate(void* start, std::size_t size, std::size_t alignment) override {
    {
      const std::lock_guard lock(mutex_);
      blocks_.erase(static_cast<char*>(start));
    }
    std::pmr::new_delete_resource()->deallocate(start, size, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::mutex mutex_;
  std::map<char*, std::size_t> blocks_;
};

TEST_CASE("damaged memory: a router finds that a row is another one, says so, and asks for all of it again") {
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(2'000, 0, 1, 2)).status() == 200);
  failing_memory memory;
  io::reactor shared;
  linked_router router(shared, control.port(), "rt-1", 1, memory, 1ms);
  const publishing_thread publishing(shared);
  const auto is_shown = [&](std::string_view what) {
    return eventually([&] { return control.page("/v1/routers/rt-1").content.find(what) != std::string::npos; });
  };
  const auto damage_a_row = [&](std::uint64_t time) {
    REQUIRE(router.has_key(key_name(17)));
    REQUIRE(memory.damage(key_name(17)) > 0);
    CHECK_FALSE(router.has_key(key_name(17)));
    CHECK(eventually([&] { return router.damaged() == time; }));
  };
  REQUIRE(eventually([&] { return router.applied() == 1; }));
  CHECK(is_shown(R"("scrub":{"ok":true,)"));
  damage_a_row(1);
  CHECK(control.process().wait_line("router_damaged"));
  REQUIRE(eventually([&] { return router.applied() == 2; }));
  CHECK(is_shown(R"("on_target":true)"));
  CHECK(is_shown(R"("scrub":{"ok":true,)"));
  CHECK(router.has_key(key_name(17)));
  CHECK(router.refused() == 0);

  // Not twice within an hour: it stays, and is told of, until the next change.
  damage_a_row(2);
  CHECK(is_shown(R"("scrub":{"ok":false,)"));
  CHECK(ctl(control, {"routers"}).has("in_sync, damaged"));
  CHECK(router.applied() == 2);

  // Of another row; what the router makes of that is not what was announced, so it is asked where it differs.
  REQUIRE(tell(control, "PUT", "/v1/keys/one-more", R"({"placement":"tier1"})").status() < 300);
  REQUIRE(eventually([&] { return router.applied() == 3; }));
  CHECK(router.refused() == 1);
  CHECK(is_shown(R"("on_target":true)"));
  CHECK(is_shown(R"("scrub":{"ok":true,)"));
  CHECK(router.has_key(key_name(17)));
  CHECK(router.damaged() == 2);
  CHECK_FALSE(ctl(control, {"routers"}).has("damaged"));
}

}  // namespace
}  // namespace cellroute::system_test
