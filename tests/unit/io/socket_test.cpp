#include "adapters/io/socket.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/socket_pair.hpp"
#include "tests/unit/io/words.hpp"

namespace cellroute::io {
namespace {

using support::socket_pair;
using support::started;

/// One read of at most `room` bytes: the status, or the text.
std::string read_once(socket& from, std::size_t room = 64) {
  std::array<char, 64> block{};
  const io_result r = from.try_read({block.data(), room});
  return r.status == io_status::ok ? std::string(block.data(), r.size_bytes) : std::string(to_word(r.status));
}

std::string outcome(const started<io_status>& wait) {
  return wait.result ? std::string(to_word(*wait.result)) : "waits";
}

TEST_CASE("socket: a short read has drained it, so the next try costs no call; an edge says when there is more") {
  reactor r;
  socket_pair pair(r);
  pair.peer_writes("hello");
  CHECK(read_once(pair.ours, 2) == "he");  // a full read may leave more behind
  CHECK(pair.ours.has_news());
  CHECK(read_once(pair.ours, 8) == "llo");
  CHECK_FALSE(pair.ours.has_news());
  pair.peer_writes("again");
  CHECK(read_once(pair.ours) == "would_block");  // nobody has told
  pair.becomes_readable();
  CHECK(read_once(pair.ours) == "again");
}

TEST_CASE("socket: a stale edge wakes, and the try that follows finds nothing and waits again") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> first(pair.ours.readable());
  CHECK(outcome(first) == "waits");
  pair.becomes_readable();
  CHECK(outcome(first) == "ok");
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> second(pair.ours.readable());
  CHECK(outcome(second) == "waits");
  pair.becomes_readable();
}

TEST_CASE("socket: an edge that came while nobody waited is not lost") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  pair.becomes_readable();
  CHECK(outcome(started<io_status>(pair.ours.readable())) == "ok");
}

TEST_CASE("socket: the end is announced once, and no short read hides it") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  pair.peer_writes("last words");
  pair.peer_ends();
  pair.peer_hangs_up();
  CHECK(pair.ours.peer_closed());
  CHECK(read_once(pair.ours) == "last words");
  CHECK(read_once(pair.ours) == "end");
  CHECK(read_once(pair.ours) == "end");
}

TEST_CASE("socket: a full pipe blocks the writer until the peer reads") {
  reactor r;
  socket_pair pair(r);
  pair.make_narrow();
  const std::string block(4096, 'x');
  std::size_t sent_bytes = 0;
  io_result last;
  while ((last = pair.ours.try_write(block)).status == io_status::ok) sent_bytes += last.size_bytes;
  CHECK(to_word(last.status) == "would_block");
  CHECK(sent_bytes > 0);
  const started<io_status> wait(pair.ours.writable());
  CHECK(outcome(wait) == "waits");
  CHECK(pair.peer_reads().size() == sent_bytes);
  CHECK(to_word(pair.ours.try_write(block).status) == "would_block");  // until told
  pair.becomes_writable();
  CHECK(outcome(wait) == "ok");
  CHECK(pair.ours.try_write(block).status == io_status::ok);
}

TEST_CASE("socket: writing to a peer that has gone is a reset, and no signal") {
  reactor r;
  socket_pair pair(r);
  pair.close_peer();
  CHECK(to_word(pair.ours.try_write(std::string_view("x")).status) == "reset");
}

TEST_CASE("socket: shutdown_send tells the peer that nothing follows, and reading goes on") {
  reactor r;
  socket_pair pair(r);
  CHECK(pair.ours.try_write(std::string_view("bye")).status == io_status::ok);
  pair.ours.shutdown_send();
  CHECK(pair.peer_reads() == "bye");
  CHECK(pair.peer_saw_end());
  pair.peer_writes("too");
  CHECK(read_once(pair.ours) == "too");
}

TEST_CASE("socket: a deadline ends its wait and no other, never early, at most a tick late") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  const time_point now = r.now();
  const started<io_status> wait(pair.ours.readable(now + 1s));
  r.wheel().sweep(now + 1s - 1ns);
  CHECK(outcome(wait) == "waits");
  r.wheel().sweep(now + 1s + timer_wheel::tick);
  CHECK(outcome(wait) == "timed_out");

  const started<io_status> without_deadline(pair.ours.readable());
  r.wheel().sweep(now + 1h);
  CHECK(outcome(without_deadline) == "waits");
  pair.becomes_readable();
  CHECK(outcome(without_deadline) == "ok");
}

TEST_CASE("socket: a wait that was woken in time leaves no deadline behind") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> in_time(pair.ours.readable(r.now() + 1s));
  pair.becomes_readable();
  CHECK(outcome(in_time) == "ok");
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> later(pair.ours.readable(r.now() + 10s));
  r.wheel().sweep(r.now() + 5s);
  CHECK(outcome(later) == "waits");
  pair.becomes_readable();
}

TEST_CASE("socket: the deadline of a reader that waits may be moved, to earlier or later; that of nobody not") {
  struct move_case {
    std::string_view says;
    duration first;
    duration second;
    duration swept_at;
    std::string_view expected;
  };
  const move_case cases[] = {
      {"earlier", 300s, 30s, 31s, "timed_out"},
      {"earlier, but not yet", 300s, 30s, 29s, "waits"},
      {"later", 30s, 300s, 31s, "waits"},
      {"later, and over", 30s, 300s, 301s, "timed_out"},
  };
  for (const move_case& row : cases) {
    CAPTURE(row.says);
    reactor r;
    socket_pair pair(r);
    CHECK(read_once(pair.ours) == "would_block");
    pair.ours.move_read_deadline(r.now() + 1s);
    const started<io_status> wait(pair.ours.readable(r.now() + row.first));
    pair.ours.move_read_deadline(r.now() + row.second);
    r.wheel().sweep(r.now() + row.swept_at);
    CHECK(outcome(wait) == row.expected);
    pair.becomes_readable();
  }
}

TEST_CASE("socket: one reader and one writer wait side by side, each for its own edge and under its own deadline") {
  reactor r;
  socket_pair pair(r);
  pair.make_narrow();
  const std::string block(4096, 'x');
  while (pair.ours.try_write(block).status == io_status::ok) {
  }
  CHECK(read_once(pair.ours) == "would_block");
  const time_point now = r.now();
  const started<io_status> reader(pair.ours.readable(now + 5s));
  const started<io_status> writer(pair.ours.writable(now + 1s));
  r.wheel().sweep(now + 2s);
  CHECK(outcome(reader) == "waits");
  CHECK(outcome(writer) == "timed_out");
  pair.becomes_writable();
  CHECK(outcome(reader) == "waits");
  pair.becomes_readable();
  CHECK(outcome(reader) == "ok");
}

TEST_CASE("socket: cancel wakes both, and every later wait ends at once") {
  reactor r;
  socket_pair pair(r);
  pair.make_narrow();
  const std::string block(4096, 'x');
  while (pair.ours.try_write(block).status == io_status::ok) {
  }
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> reader(pair.ours.readable(r.now() + 1s));
  const started<io_status> writer(pair.ours.writable(r.now() + 1s));
  pair.ours.cancel();
  CHECK(outcome(reader) == "cancelled");
  CHECK(outcome(writer) == "cancelled");
  CHECK(outcome(started<io_status>(pair.ours.readable())) == "cancelled");
  pair.becomes_readable();
  CHECK(outcome(started<io_status>(pair.ours.readable())) == "cancelled");
  CHECK(pair.ours.is_cancelled());
  r.wheel().sweep(r.now() + 1h);  // the deadlines are gone with the waits
}

TEST_CASE("socket: refuse_waits leaves the present wait alone") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> present(pair.ours.readable());
  pair.ours.refuse_waits();
  CHECK(outcome(present) == "waits");
  CHECK(outcome(started<io_status>(pair.ours.writable())) == "cancelled");
  pair.ours.cancel();
  CHECK(outcome(present) == "cancelled");
}

TEST_CASE("socket: cancel_read ends reading alone, and allow_read takes that back") {
  reactor r;
  socket_pair pair(r);
  CHECK(read_once(pair.ours) == "would_block");
  const started<io_status> waiting(pair.ours.readable());
  pair.ours.cancel_read();
  CHECK(outcome(waiting) == "cancelled");
  CHECK(outcome(started<io_status>(pair.ours.readable())) == "cancelled");
  CHECK(outcome(started<io_status>(pair.ours.writable())) == "ok");
  CHECK_FALSE(pair.ours.is_cancelled());

  pair.ours.allow_read();
  SUBCASE("a wait begun then waits for its edge") {
    const started<io_status> again(pair.ours.readable());
    CHECK(outcome(again) == "waits");
    pair.becomes_readable();
    CHECK(outcome(again) == "ok");
  }
  SUBCASE("one that need not wait is not told of what was cancelled before") {
    pair.becomes_readable();
    CHECK(outcome(started<io_status>(pair.ours.readable())) == "ok");
  }
}

struct counting_watcher final : hangup_watcher {
  int told = 0;
  void on_hangup() override { ++told; }
};

TEST_CASE("socket: the watcher is told once of a peer that left; a half-closed one has not, where that is allowed") {
  struct hangup_case {
    std::string_view says;
    bool half_close;
    bool broken;
    int expected;
  };
  const hangup_case cases[] = {
      {"the peer ended its sending side", false, false, 1},
      {"the same, but it may still read", true, false, 0},
      {"the connection broke", false, true, 1},
      {"the connection broke, half-closed or not", true, true, 1},
  };
  for (const hangup_case& row : cases) {
    CAPTURE(row.says);
    reactor r;
    socket_pair pair(r);
    counting_watcher watcher;
    pair.ours.watch_hangup(&watcher, row.half_close);
    pair.becomes_readable();
    CHECK(watcher.told == 0);
    row.broken ? pair.breaks() : pair.peer_hangs_up();
    CHECK(watcher.told == row.expected);
    row.broken ? pair.breaks() : pair.peer_hangs_up();
    CHECK(watcher.told == row.expected);
    CHECK(pair.ours.peer_closed());
    CHECK(pair.ours.is_broken() == row.broken);
  }
}

TEST_CASE("socket: no watcher is told once it was taken off") {
  reactor r;
  socket_pair pair(r);
  counting_watcher watcher;
  pair.ours.watch_hangup(&watcher);
  pair.ours.watch_hangup(nullptr);
  pair.peer_hangs_up();
  CHECK(watcher.told == 0);
}

TEST_CASE("socket: whoever is woken by an event may destroy the socket") {
  for (const bool reader_destroys : {true, false}) {
    CAPTURE(reader_destroys);
    reactor r;
    std::optional<socket_pair> pair;
    pair.emplace(r);
    pair->make_narrow();
    const std::string block(4096, 'x');
    while (pair->ours.try_write(block).status == io_status::ok) {
    }
    CHECK(read_once(pair->ours) == "would_block");
    counting_watcher watcher;
    pair->ours.watch_hangup(&watcher);
    const auto destroy_when = [](std::optional<socket_pair>& p, socket::wait_awaiter wait) -> task<int> {
      (void)co_await wait;
      p.reset();
      co_return 1;
    };
    const started<int> waiting(destroy_when(pair, reader_destroys ? pair->ours.readable() : pair->ours.writable()));
    pair->breaks();
    CHECK_FALSE(pair.has_value());
    CHECK(waiting.result == 1);
    CHECK(watcher.told == 0);
  }
}

TEST_CASE("reactor: an event fetched for an earlier owner of a descriptor's number is not delivered to the next one") {
  reactor r;
  std::optional<socket_pair> first;
  first.emplace(r);
  const int number = first->ours.descriptor();
  const std::uint32_t life = r.life_of(number);
  CHECK(life != 0);
  first.reset();
  CHECK(r.life_of(number) == 0);
  socket_pair second(r);
  if (second.ours.descriptor() == number) CHECK(r.life_of(number) != life);
}

struct told_events final : registered {
  std::vector<std::uint32_t> events;
  reactor* stops = nullptr;
  void on_events(std::uint32_t e) override {
    events.push_back(e);
    if (stops != nullptr) stops->stop();
  }
};

TEST_CASE("reactor: runs posted work, delivers edges, and destroys what still waits when it stops") {
  reactor r;
  socket_pair pair(r);
  socket_pair never(r);
  std::string told;
  const auto wait_then_stop = [](socket& s, reactor& owner, std::string& out) -> task<void> {
    std::array<char, 16> block{};
    for (;;) {
      const io_result got = s.try_read(block);
      if (got.status == io_status::ok) break;
      (void)co_await s.readable();
    }
    out += std::string_view(block.data(), 5);
    owner.stop();
  };
  struct in_frame {
    std::string& out;
    ~in_frame() { out += "~"; }
  };
  const auto wait_forever = [](socket& s, std::string& out) -> task<void> {
    const in_frame alive{out};
    std::array<char, 1> block{};
    (void)s.try_read(block);
    (void)co_await s.readable();
    out += "woken";
  };
  r.spawn(wait_then_stop(pair.ours, r, told));
  r.spawn(wait_forever(never.ours, told));
  CHECK(r.running_count() == 2);
  r.post([&pair] { pair.peer_writes("hello"); });
  r.run();
  CHECK(told == "hello~");
  CHECK(r.running_count() == 0);
}

TEST_CASE("reactor: a registration's events begin with what is there already; room is told where it was asked for") {
  enum class asks : std::uint8_t { never, at_once, later };
  for (const asks how : {asks::never, asks::at_once, asks::later}) {
    CAPTURE(static_cast<int>(how));
    reactor r;
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    CHECK(::send(ends[1], "x", 1, MSG_NOSIGNAL) == 1);
    told_events owner;
    owner.stops = &r;
    REQUIRE(r.add(ends[0], owner, how == asks::at_once) == 0);
    if (how == asks::later) REQUIRE(r.watch_room(ends[0]) == 0);
    r.run();
    REQUIRE(owner.events.size() == 1);
    CHECK((owner.events[0] & EPOLLIN) != 0);
    CHECK(((owner.events[0] & EPOLLOUT) != 0) == (how != asks::never));
    r.remove(ends[0]);
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST_CASE("socket: one that was filled hears of room, as often as it is filled") {
  reactor r;
  socket_pair pair(r);
  std::size_t sent_bytes = 0;
  int heard = 0;
  const auto fill_thrice = [&](socket& s) -> task<void> {
    const std::string block(65'536, 'x');
    while (heard < 3) {
      const io_result wrote = s.try_write(block, false);
      sent_bytes += wrote.size_bytes;
      if (wrote.status == io_status::ok) continue;
      const io_status waited = co_await s.writable(r.now() + 5s);
      if (waited != io_status::ok) break;
      ++heard;
    }
    r.stop();
  };
  r.spawn(fill_thrice(pair.ours));
  std::size_t got_bytes = 0;
  std::atomic<bool> is_over = false;
  std::thread reader([&] {
    while (!is_over) {
      std::this_thread::sleep_for(5ms);
      got_bytes += pair.peer_reads().size();
    }
  });
  r.run();
  is_over = true;
  reader.join();
  got_bytes += pair.peer_reads().size();
  CHECK(heard == 3);
  CHECK(sent_bytes == got_bytes);
}

TEST_CASE("socket: opening a descriptor that is none fails with the system's word, and leaves it closed") {
  reactor r;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
  socket s(r);
  CHECK(s.open(ends[0]) == EBADF);
  CHECK_FALSE(s.is_open());
}

TEST_CASE("socket: neither end of a connection holds back a small write") {
  const auto listener = open_listener(*parse_address("127.0.0.1", 0), {});
  REQUIRE(listener);
  const auto client = start_connect(local_address(*listener));
  REQUIRE(client);
  const auto accepted = accept_connection(*listener);
  REQUIRE(accepted);
  for (const int descriptor : {*client, accepted->descriptor}) {
    int no_delay = 0;
    socklen_t size_bytes = sizeof no_delay;
    REQUIRE(::getsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size_bytes) == 0);
    CHECK(no_delay != 0);
  }
  for (const int descriptor : {*listener, *client, accepted->descriptor}) ::close(descriptor);
}

TEST_CASE("socket: a listener tells whether a connection waits") {
  const auto listener = open_listener(*parse_address("127.0.0.1", 0), {});
  REQUIRE(listener);
  CHECK_FALSE(has_waiting_connection(*listener));
  std::vector<int> descriptors{*listener};
  for (int i = 0; i < 2; ++i) {
    const auto client = start_connect(local_address(*listener));
    REQUIRE(client);
    descriptors.push_back(*client);
  }
  for (int left = 2; left > 0; --left) {
    for (int i = 0; !has_waiting_connection(*listener) && i < 1000; ++i)
      ::poll(nullptr, 0, 5);  // the kernel's handshake
    CHECK(has_waiting_connection(*listener));
    const auto taken = accept_connection(*listener);
    REQUIRE(taken);
    descriptors.push_back(taken->descriptor);
  }
  CHECK_FALSE(has_waiting_connection(*listener));
  for (const int descriptor : descriptors) ::close(descriptor);
}

int option_of(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size_bytes = sizeof value;
  if (::getsockopt(descriptor, level, name, &value, &size_bytes) != 0) return -1;
  return value;
}

TEST_CASE(
    "socket: a peer that vanished is noticed within 25 s, on what was opened and on all that a listener accepts") {
  const auto listener = open_listener(*parse_address("127.0.0.1", 0), {});
  REQUIRE(listener);
  notice_vanished(*listener);
  const auto ours = start_connect(local_address(*listener));
  REQUIRE(ours);
  CHECK(option_of(*ours, SOL_SOCKET, SO_KEEPALIVE) == 0);
  notice_vanished(*ours);
  auto taken = accept_connection(*listener);
  for (int i = 0; !taken && i < 1000; ++i) {  // the handshake is the kernel's
    ::poll(nullptr, 0, 5);
    taken = accept_connection(*listener);
  }
  REQUIRE(taken);
  for (const int end : {*ours, taken->descriptor}) {
    CHECK(option_of(end, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option_of(end, IPPROTO_TCP, TCP_KEEPIDLE) == 10);
    CHECK(option_of(end, IPPROTO_TCP, TCP_KEEPINTVL) == 5);
    CHECK(option_of(end, IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(option_of(end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 25'000);
    ::close(end);
  }
  ::close(*listener);
}

}  // namespace
}  // namespace cellroute::io
