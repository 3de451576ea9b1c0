#include "adapters/edge/listener.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/socket_pair.hpp"

namespace cellroute::edge {
namespace {

/// Counts, and stops the reactor when as much has happened as the test waits for.
struct counting_observer final : listener_observer {
  explicit counting_observer(io::reactor& r) : reactor(r) {}
  void on_opened(std::uint16_t) override { note(opened); }
  void on_closed(std::uint16_t) override { note(closed); }
  void on_dropped(std::uint16_t, drop_reason reason) override {
    reasons += std::string(to_string(reason)) + " ";
    note(dropped);
  }
  void on_paused(std::uint16_t) override { ++paused; }
  void note(int& count) {
    ++count;
    if (opened + dropped == expected_arrivals && closed >= expected_closed) reactor.stop();
  }
  io::reactor& reactor;
  int expected_arrivals = -1;
  int expected_closed = 0;
  int opened = 0;
  int closed = 0;
  int dropped = 0;
  int paused = 0;
  std::string reasons;
};

/// Answers 204 to everything.
struct short_handler final : exchange_handler {
  io::task<void> serve(exchange& x) override {
    ++served;
    response_view view;
    view.status = x.refused.status == 0 ? std::uint16_t{204} : x.refused.status;
    outgoing_response out;
    out.view = &view;
    out.close = !x.settle_body();
    body_piece none;
    none.end = true;
    (void)co_await x.send_head(out, none, no_trailers, time_point::max());
  }
  int served = 0;
};

/// Clients that connect, and a listener, in one process and without a port: an unnamed address of this host's kernel.
class arrivals {
 public:
  explicit arrivals(io::reactor& reactor, listener_options options, connection_count& count)
      : observer(reactor), listener_(reactor, options, handler, observer, count) {
    descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un any{};
    any.sun_family = AF_UNIX;
    socklen_t size_bytes = sizeof(sa_family_t);             // no name: the kernel chooses one
    auto* const where = reinterpret_cast<sockaddr*>(&any);  // allow: reinterpret_cast: socket API
    if (::bind(descriptor_, where, size_bytes) != 0 || ::listen(descriptor_, 64) != 0) std::terminate();
    size_bytes = sizeof address_;
    auto* const named = reinterpret_cast<sockaddr*>(&address_);  // allow: reinterpret_cast: socket API
    if (::getsockname(descriptor_, named, &size_bytes) != 0) std::terminate();
    address_bytes_ = size_bytes;
  }
  ~arrivals() {
    for (const int c : clients) ::close(c);
  }
  arrivals(const arrivals&) = delete;
  arrivals& operator=(const arrivals&) = delete;

  void connect(int how_many) {
    for (int i = 0; i < how_many; ++i) {
      clients.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const auto* const where = reinterpret_cast<const sockaddr*>(&address_);  // allow: reinterpret_cast: socket API
      if (::connect(clients.back(), where, address_bytes_) != 0) std::terminate();
    }
  }
  void open() { REQUIRE(listener_.open(descriptor_) == 0); }
  [[nodiscard]] listener& of() { return listener_; }

  short_handler handler;
  counting_observer observer;
  std::vector<int> clients;

 private:
  listener listener_;
  int descriptor_ = -1;
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
};

TEST_CASE("listener: what it takes, and what it drops") {
  struct limit_case {
    std::string_view says;
    std::uint32_t connections_max;
    std::uint32_t open_elsewhere;  // on other reactors
    std::uint32_t burst;
    int arrive;
    int opened;
    std::string_view reasons;
  };
  const limit_case cases[] = {
      {"as many as may be open", 3, 0, 100, 3, 3, ""},
      {"one more", 3, 0, 100, 4, 3, "connections_max "},
      {"those of other reactors count", 3, 2, 100, 2, 1, "connections_max "},
      {"none where none may be open", 0, 0, 100, 1, 0, "connections_max "},
      {"a burst of its size", 100, 0, 3, 3, 3, ""},
      {"a burst of one more", 100, 0, 3, 4, 3, "accept_rate "},
      {"what is over the rate does not count as open", 3, 0, 3, 5, 3, "accept_rate accept_rate "},
  };
  for (const limit_case& row : cases) {
    CAPTURE(row.says);
    io::reactor r;
    connection_count count;
    count.open = row.open_elsewhere;
    listener_options options;
    options.connections_max = row.connections_max;
    accept_limit accepts(1, row.burst);
    options.accepts = &accepts;
    arrivals a(r, options, count);
    a.observer.expected_arrivals = row.arrive;
    a.connect(row.arrive);
    a.open();
    r.run();
    CHECK(a.observer.opened == row.opened);
    CHECK(a.observer.reasons == row.reasons);
    // The reactor has stopped, and with it every connection has ended.
    CHECK(a.observer.closed == row.opened);
    CHECK(count.open == row.open_elsewhere);
    CHECK(a.of().open_count() == 0);
  }
}

/// Drains once both clients were taken: one turn of the loop later they are idle.
struct drain_on_tick final : io::tick_listener {
  drain_on_tick(io::reactor& r, arrivals& a) : reactor(r), of(a) {}
  void on_tick(time_point) override {
    if (of.observer.opened < 2) return;
    of.of().drain();
    closed_at_once = of.observer.closed;
    reactor.stop();
  }
  io::reactor& reactor;
  arrivals& of;
  int closed_at_once = -1;
};

TEST_CASE("listener: a drain closes what is idle at once, and takes nothing more") {
  io::reactor r;
  connection_count count;
  arrivals a(r, {}, count);
  drain_on_tick drain(r, a);
  r.add_tick_listener(drain);
  a.connect(2);
  a.open();
  r.run();
  r.remove_tick_listener(drain);
  CHECK(drain.closed_at_once == 2);
  CHECK(a.of().is_draining());
  CHECK(a.of().open_count() == 0);
  CHECK(count.open == 0);
}

/// Lets time pass until nobody can be taken, looks a few ticks longer, and has one client leave then.
struct leave_when_full final : io::tick_listener {
  leave_when_full(io::reactor& r, arrivals& a, connection_room& c) : reactor(r), of(a), elsewhere(c) {}
  void on_tick(time_point) override {
    if (of.observer.paused == 0 || ++ticks < 5) return;
    if (ticks == 5) {
      opened_when_full = of.observer.opened;
      elsewhere.open -= 1;
    }
    if (of.observer.opened == 3) reactor.stop();
  }
  io::reactor& reactor;
  arrivals& of;
  connection_room& elsewhere;
  int ticks = 0;
  int opened_when_full = -1;
};

TEST_CASE("listener: where the room of all listeners is full, clients wait until there is some, and are not dropped") {
  io::reactor r;
  connection_count count;
  connection_room room;
  room.open_max = 3;
  room.open = 1;  // of another listener
  listener_options options;
  options.room = &room;
  arrivals a(r, options, count);
  leave_when_full leave(r, a, room);
  r.add_tick_listener(leave);
  a.connect(4);
  a.open();
  r.run();
  r.remove_tick_listener(leave);
  CHECK(leave.opened_when_full == 2);
  CHECK(a.observer.opened == 3);
  CHECK(a.observer.dropped == 0);
  CHECK(a.observer.paused == 2);  // a pause is counted when it begins, not each time that somebody looks
}

TEST_CASE("listener: the words for drops") {
  CHECK(to_string(drop_reason::connections_max) == "connections_max");
  CHECK(to_string(drop_reason::accept_rate) == "accept_rate");
}

}  // namespace
}  // namespace cellroute::edge
