// A proxied request on kept connections costs four data calls and the waits between them: no clock, lock, registration
// or allocation reaches the system. Counted by strace, as the kernel sees it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// How often a thread made each call.
using call_counts = std::map<std::string, int>;

/// The name under which these have the waits of a millisecond in which nothing came.
constexpr std::string_view dry_wait = "dry epoll_wait";

/// The calls of the thread that received `begin`, from there until it received `end`. A line is `TID name(...) =
/// result`; calls that another thread's line interrupted come as two lines, `<unfinished ...>` and `<... name
/// resumed>`.
call_counts calls_between(std::string_view trace, std::string_view begin, std::string_view end) {
  call_counts counts;
  std::string thread;
  while (!trace.empty()) {
    const std::string_view line = trace.substr(0, trace.find('\n'));
    trace.remove_prefix(std::min(trace.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    if (thread.empty()) {
      if (line.find(begin) == std::string_view::npos) continue;
      thread = line.substr(0, space);
      if (line.find("resumed>") != std::string_view::npos) ++counts["recvfrom"];
    }
    if (line.substr(0, space) != thread) continue;
    if (line.find(end) != std::string_view::npos) break;
    if (line.find("epoll_wait") != std::string_view::npos && line.find(", 1)") != std::string_view::npos &&
        line.ends_with("= 0")) {
      ++counts[std::string(dry_wait)];
    }
    const std::size_t name = line.find_first_not_of(' ', space);
    if (line.substr(name).starts_with("<...") || line.substr(name).starts_with("---")) continue;
    ++counts[std::string(line.substr(name, line.find('(', name) - name))];
  }
  return counts;
}

TEST_CASE("system calls: the counter reads a trace") {
  const std::string_view trace =
      "7 recvfrom(9, \"before\", 10, 0, NULL, NULL) = 6\n"
      "8 recvfrom(9, \"GET /begin\", 100, 0, NULL, NULL) = 10\n"
      "7 futex(0x1, FUTEX_WAIT) = 0\n"
      "8 epoll_wait(3, <unfinished ...>\n"
      "8 <... epoll_wait resumed>[], 10, -1) = 1\n"
      "8 epoll_wait(5, [], 256, 1)                = 0\n"
      "8 epoll_wait(5, <unfinished ...>\n"
      "7 epoll_wait(6, [], 256, 1) = 0\n"
      "8 <... epoll_wait resumed>[], 256, 1) = 0\n"
      "8 epoll_wait(5, [], 256, 0) = 0\n"
      "8 epoll_wait(5, [{events=EPOLLIN, data={u32=1, u64=1}}], 256, 1) = 1\n"
      "8 sendto(10, \"GET /begin\", 10, MSG_NOSIGNAL, NULL, 0) = 10\n"
      "8 recvfrom(9, \"GET /end\", 100, 0, NULL, NULL) = 8\n"
      "8 futex(0x1, FUTEX_WAIT) = 0\n";
  CHECK((calls_between(trace, "GET /begin", "GET /end") ==
         call_counts{{"recvfrom", 1}, {"epoll_wait", 5}, {std::string(dry_wait), 2}, {"sendto", 1}}));
}

TEST_CASE("system calls: two receives and two sends a request, and nothing else but waiting") {
  if (std::system("strace -f true >/dev/null 2>&1") != 0) {
    skip("strace is not installed, or may not trace here");
    return;
  }
  if (is_sanitized()) {
    MESSAGE("SKIPPED: a sanitizer makes system calls of its own");
    return;
  }
  const scratch_folder folder;
  const std::string trace = (folder.path() / "trace.txt").string();
  fake_cell cell(echo_content{});
  constexpr int count = 1000;
  double took_ms = 0;
  {
    router_process router({.placements = {{"tier1", at(cell.port())}},
                           .under = {"strace", "-f", "-D", "-o", trace},
                           // A process that is traced cannot trace itself, as a leak check wants to.
                           .environment = {"ASAN_OPTIONS=detect_leaks=0"}});
    client c(router.port());
    for (int i = 0; i < 100; ++i) REQUIRE(c.ask(keyed("GET /warm-up")).status() == 200);
    const stopwatch time;
    REQUIRE(c.ask(keyed("GET /begin")).status() == 200);
    for (int i = 1; i < count; ++i) REQUIRE(c.ask(keyed("GET /")).status() == 200);
    REQUIRE(c.ask(keyed("GET /end")).status() == 200);
    took_ms = time.ms();
  }
  // The tracer ends after the router, and writes its last lines then.
  REQUIRE(eventually([&] { return read_text(trace).find("+++ exited with 0 +++") != std::string::npos; }));
  call_counts counts = calls_between(read_text(trace), "GET /begin", "GET /end");
  std::string told;
  for (const auto& [name, times] : counts) told += name + ": " + std::to_string(times) + "  ";
  MESSAGE("calls in " << count << " requests and " << took_ms << " ms: " << told);
  // One more now and then: readiness that was stale by the time it was acted on.
  CHECK(counts["recvfrom"] >= 2 * count);
  CHECK(counts["recvfrom"] <= 2 * count + count / 100);
  CHECK(counts["sendto"] == 2 * count);
  // The reactor hands over to Asio every 5 ms, and where nothing came for 1 ms. Asio then arms the one descriptor that
  // stands for all of ours, and waits around the reactor's own set. The timer of the wheel is set once a tick. All that
  // is for the time that goes by, and none of it for a request, which has a wait for the client and one for the cell.
  const double hand_overs = counts[std::string(dry_wait)] + took_ms / 5 + count / 100;
  CHECK(counts["epoll_wait"] <= 3 * count + 3 * hand_overs);
  CHECK(counts["epoll_ctl"] <= hand_overs);
  CHECK(counts["timerfd_settime"] <= 2 * took_ms / 50 + count / 100);
  for (const std::string_view known : {"recvfrom", "sendto", "epoll_wait", "epoll_ctl", "timerfd_settime"}) {
    counts.erase(std::string(known));
  }
  counts.erase(std::string(dry_wait));
  CHECK((counts == call_counts{}));
}

}  // namespace
}  // namespace cellroute::system_test
