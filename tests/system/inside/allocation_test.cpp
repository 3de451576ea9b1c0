// In steady state a request costs no allocation, and its decision no lock: the router runs here in this process, and
// every allocation and every lock of its workers or its log counts. Its admin thread, which no request needs, may do
// either.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <thread>

#include "adapters/proxy/router.hpp"
#include "adapters/wire/configuration.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/routing_table.hpp"
#include "tests/support/sanitizer.hpp"
#include "tests/system/inside/router_inside.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

std::atomic<std::size_t> allocations{0};  // of all threads that are not exempt
std::atomic<std::size_t> locks{0};        // likewise
thread_local bool exempt = false;

void* take(std::size_t size_bytes, std::size_t alignment = 0) {
  if (!exempt) allocations.fetch_add(1, std::memory_order_relaxed);
  void* const taken = alignment == 0
                          ? std::malloc(size_bytes)
                          : std::aligned_alloc(alignment, (size_bytes + alignment - 1) / alignment * alignment);
  if (taken == nullptr) std::abort();
  return taken;
}

}  // namespace
}  // namespace cellroute::system_test

// In place of the C library's, for the whole executable. A sanitizer has put its own there already.
#if !CELLROUTE_SANITIZER
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using lock_function = int (*)(pthread_mutex_t*);
  static const auto lock = std::bit_cast<lock_function>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (!cellroute::system_test::exempt) cellroute::system_test::locks.fetch_add(1, std::memory_order_relaxed);
  return lock(mutex);
}
#endif

// Replaced for the whole executable; all forms, so that no sanitizer sees memory of one kind given back as another. Not
// inlined: GCC would see `new` given back by `free`, and warn.
// clang-format off
using std::align_val_t;
using std::size_t;
[[gnu::noinline]] void* operator new(size_t n) { return cellroute::system_test::take(n); }  // allow: new: counts
[[gnu::noinline]] void* operator new[](size_t n) { return cellroute::system_test::take(n); }  // allow: new: counts
[[gnu::noinline]] void* operator new(size_t n, align_val_t a) { return cellroute::system_test::take(n, static_cast<size_t>(a)); }  // allow: new: counts
[[gnu::noinline]] void* operator new[](size_t n, align_val_t a) { return cellroute::system_test::take(n, static_cast<size_t>(a)); }  // allow: new: counts
[[gnu::noinline]] void* operator new(size_t n, const std::nothrow_t&) noexcept { return cellroute::system_test::take(n); }  // allow: new: counts
[[gnu::noinline]] void* operator new[](size_t n, const std::nothrow_t&) noexcept { return cellroute::system_test::take(n); }  // allow: new: counts
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete[](void* p, size_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete(void* p, align_val_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete[](void* p, align_val_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete(void* p, size_t, align_val_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete[](void* p, size_t, align_val_t) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }  // allow: delete: the other half
[[gnu::noinline]] void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }  // allow: delete: the other half
// clang-format on

namespace cellroute::system_test {
namespace {

/// Exempts the thread that holds it: this test's own side of the sockets.
class exemption {
 public:
  exemption() { exempt = true; }
  exemption(const exemption&) = delete;
  exemption& operator=(const exemption&) = delete;
  ~exemption() { exempt = false; }
};

TEST_CASE("allocation: the counter counts") {
  const std::size_t before = allocations;
  const std::string long_enough(100, 'a');
  CHECK(allocations == before + 1);
  CHECK(long_enough.size() == 100);
}

TEST_CASE("locks: the counter counts") {
  std::mutex mutex;
  const std::size_t before = locks;
  const std::lock_guard lock(mutex);
  if (!is_sanitized()) CHECK(locks == before + 1);
}

/// Asks `count` times in a row, round after round, until a round counts nothing. Buffers and the log's batch grow to
/// the largest that they ever needed, which is for chance to say and soon over: what is steady, never is. False: no
/// round of them was quiet.
[[nodiscard]] bool becomes_quiet(client& c, const std::string& bytes, int count) {
  for (int round = 0; round < 20; ++round) {
    const std::size_t before = allocations;
    for (int i = 0; i < count; ++i) {
      if (!c.ask(bytes).complete) return false;
    }
    // A sanitizer's room around each variable makes a coroutine's frame larger than those that are kept.
    if (allocations == before || is_sanitized()) return true;
  }
  return false;
}

struct steady_case {
  std::string_view says;
  std::string request;
};

const steady_case steady_cases[] = {
    {"without content", keyed("GET /a/path?with=query", "User-Agent: test\r\nAccept: */*\r\n")},
    {"with content", keyed("POST /", "Content-Length: 1000\r\n") + std::string(1000, 'c')},
    {"with content in chunks",
     keyed("POST /", "Transfer-Encoding: chunked\r\n") + "3e8\r\n" + std::string(1000, 'c') + "\r\n0\r\n\r\n"},
    {"with a request id and a key of the default placement",
     request("GET /", "X-Routing-Key: nobody\r\nX-Request-Id: an-id-that-is-longer-than-any-small-string\r\n")},
    {"that the router refuses", request("GET /", "Accept: application/json\r\n")},
};

TEST_CASE("allocation: none in 1,000 requests on a connection, with access log and metrics on") {
  const exemption mine;
  fake_cell cell([](cell_connection& c) {
    const exemption cells;
    message request;
    while (c.read_request(request)) c.answer("200 OK", std::string(1024, 'a'));
  });
  const scratch_folder folder;
  const router_inside router(
      router_config{.placements = {{"tier1", at(cell.port())}},
                    .log = "level: error, access: {output: \"" + (folder.path() / "access.log").string() + "\"}"}
          .yaml(),
      [] { exempt = true; });
  for (const steady_case& row : steady_cases) {
    CAPTURE(row.says);
    client c(router.port());
    CHECK(becomes_quiet(c, row.request, 1000));
  }
}

TEST_CASE("locks: none between the head and the decision") {
  const exemption mine;
  const router_inside router(router_config{.placements = {{"tier1", at(9)}},
                                           .key = "on_unknown: reject",
                                           .log = "level: error, access: {output: \"off\"}"}
                                 .yaml(),
                             [] { exempt = true; });
  // Asio takes some in each turn of its loop. Requests that came together and end with the decision share a few turns,
  // so whatever each of them took would be seen.
  constexpr std::size_t count = 500;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += request("GET /", "X-Routing-Key: nobody\r\n");
  client c(router.port());
  std::size_t least = count;
  for (int round = 0; round < 20 && least >= count / 5; ++round) {
    const std::size_t before = locks;
    c.send(bytes);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(c.read_answer().status() == 404);
    least = std::min(least, locks - before);
  }
  MESSAGE(least << " locks in the turns of the loop that served " << count << " requests");
  if (!is_sanitized()) CHECK(least < count / 5);
}

TEST_CASE("allocation: none in 100 requests of 1 MiB, up and down") {
  const exemption mine;
  constexpr std::size_t size_bytes = 1024 * 1024;
  fake_cell cell([](cell_connection& c) {
    const exemption cells;
    message request;
    while (c.read_request(request)) c.answer("200 OK", request.content);
  });
  const router_inside router(
      router_config{.placements = {{"tier1", at(cell.port())}}, .log = "level: error, access: {output: \"off\"}"}
          .yaml(),
      [] { exempt = true; });
  client c(router.port());
  const std::string bytes =
      keyed("POST /", "Content-Length: " + std::to_string(size_bytes) + "\r\n") + std::string(size_bytes, 'b');
  CHECK(becomes_quiet(c, bytes, 100));
}

TEST_CASE("allocation: none between the head and the decision") {
  const table_spec spec = read_yaml_spec(router_config{.placements = {{"tier1", at(9)}, {"tier3", at(9)}}}.yaml());
  const auto table = routing_table::compile(spec, generation_number{7}, 1);
  REQUIRE(table);
  const std::string unknown(256, 'u');
  std::size_t default_placements = 0;
  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i) {
    std::array<field, 3> fields{};
    fields[0] = {"Host", "shop.example", field_name::host, false};
    fields[1] = {"X-Routing-Key", i % 2 == 0 ? std::string_view("acme") : std::string_view(unknown),
                 field_name::x_routing_key, false};
    fields[2] = {"Accept", "*/*", field_name::accept, false};
    const auto key = read_routing_key(fields, key_header{});
    if (!key) continue;
    const auto made = table->route(*key, key_origin{key_source::header, "X-Routing-Key"});
    if (made && made->why == reason::default_) ++default_placements;
  }
  const std::size_t after = allocations;
  CHECK(after == before);
  CHECK(default_placements == 500);
}

}  // namespace
}  // namespace cellroute::system_test
