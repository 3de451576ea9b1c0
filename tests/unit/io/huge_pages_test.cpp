#include "adapters/io/huge_pages.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

using namespace cellroute;
using io::huge_page_resource;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t line = 64;

}  // namespace

TEST_CASE("huge pages: a small block is aligned as asked, and none is kept") {
  huge_page_resource memory;
  void* const block = memory.allocate(1000, line);
  CHECK(std::bit_cast<std::uintptr_t>(block) % line == 0);
  std::memset(block, 1, 1000);
  memory.deallocate(block, 1000, line);
  CHECK(memory.kept_bytes() == 0);
}

TEST_CASE("huge pages: a large block starts on one, and all of it can be written") {
  huge_page_resource memory;
  for (const std::size_t size : {4 * mib, 4 * mib + 1, 7 * mib - 64}) {
    CAPTURE(size);
    void* const block = memory.allocate(size, line);
    CHECK(std::bit_cast<std::uintptr_t>(block) % (2 * mib) == 0);
    std::memset(block, 1, size);
    memory.deallocate(block, size, line);
  }
}

TEST_CASE("huge pages: the last block that came back serves the next one of about its size, as it was left") {
  struct row {
    const char* what;
    std::size_t size;
    bool is_served;
  };
  const row rows[] = {
      {"a small one", 1 * mib, false},      {"less than four fifths of it", 6 * mib, false},
      {"four fifths of it", 8 * mib, true}, {"a little less", 10 * mib - 1000, true},
      {"as much", 10 * mib, true},          {"more", 10 * mib + 1, false},
  };
  for (const row& r : rows) {
    CAPTURE(r.what);
    huge_page_resource memory;
    auto* const first = static_cast<unsigned char*>(memory.allocate(10 * mib, line));
    first[0] = 77;
    memory.deallocate(first, 10 * mib, line);
    CHECK(memory.kept_bytes() == 10 * mib);
    auto* const block = static_cast<unsigned char*>(memory.allocate(r.size, line));
    CHECK((block == first) == r.is_served);
    if (r.is_served) CHECK(block[0] == 77);
    CHECK(memory.kept_bytes() == (r.is_served ? 0 : 10 * mib));
    memory.deallocate(block, r.size, line);
    if (r.is_served) CHECK(memory.kept_bytes() == 10 * mib);  // all of it, whatever was asked for
  }
}

TEST_CASE("huge pages: trim gives the kept block back; the next one is zero again") {
  huge_page_resource memory;
  auto* block = static_cast<unsigned char*>(memory.allocate(6 * mib, line));
  block[5 * mib] = 77;
  memory.deallocate(block, 6 * mib, line);
  memory.trim();
  CHECK(memory.kept_bytes() == 0);
  memory.trim();
  block = static_cast<unsigned char*>(memory.allocate(6 * mib, line));
  CHECK(block[5 * mib] == 0);
  memory.deallocate(block, 6 * mib, line);
}

TEST_CASE("huge pages: what cannot be had is refused") {
  huge_page_resource memory;
  CHECK_THROWS_AS((void)memory.allocate(~std::size_t{0} - 100, line), std::bad_alloc);
  CHECK_THROWS_AS((void)memory.allocate(std::size_t{1} << 55, line), std::bad_alloc);
}

TEST_CASE("huge pages: many threads") {
  huge_page_resource memory;
  std::vector<std::thread> threads;
  for (unsigned char mine = 1; mine <= 4; ++mine) {
    threads.emplace_back([&memory, mine] {
      for (int round = 0; round < 20; ++round) {
        const std::size_t size = (4 + mine % 2) * mib;
        auto* const block = static_cast<unsigned char*>(memory.allocate(size, line));
        std::memset(block, mine, 4096);
        if (round % 5 == 0) memory.trim();
        CHECK(block[4095] == mine);
        memory.deallocate(block, size, line);
      }
    });
  }
  for (std::thread& each : threads) each.join();
}
