#include "adapters/edge/listener.hpp"

#include <unistd.h>

#include <cerrno>

#include "adapters/edge/http1_downstream.hpp"

namespace cellroute::edge {

std::string_view to_string(drop_reason reason) {
  switch (reason) {
    case drop_reason::connections_max:
      return "connections_max";
    case drop_reason::accept_rate:
      return "accept_rate";
    case drop_reason::no_descriptor:
      return "no_descriptor";
  }
  return {};
}

listener::listener(io::reactor& reactor, listener_options options, exchange_handler& handler,
                   listener_observer& observer, connection_count& count)
    : reactor_(reactor), options_(options), handler_(handler), observer_(observer), count_(count), socket_(reactor) {
  reactor_.add_tick_listener(*this);
}

listener::~listener() { reactor_.remove_tick_listener(*this); }

int listener::open(int descriptor) {
  const int error = socket_.open(descriptor);
  if (error == 0) reactor_.spawn(accept_all());
  return error;
}

io::task<void> listener::accept_all() {
  for (;;) {
    const io::io_status waited = co_await socket_.readable();
    if (waited != io::io_status::ok) co_return;
    for (;;) {
      const expected<io::accepted, int> connection = io::accept_connection(socket_.descriptor());
      if (connection) {
        take(*connection);
        continue;
      }
      const int error = connection.error();
      if (error == EINTR || error == ECONNABORTED || error == EPROTO) continue;
      if (error != EAGAIN && error != EWOULDBLOCK) {
        // Out of descriptors or memory: no further edge will come for those that wait, so the tick asks again.
        observer_.on_dropped(options_.index, drop_reason::no_descriptor);
        paused_ = true;
      }
      break;
    }
    socket_.forget_readable();
  }
}

void listener::on_tick(time_point) {
  if (!paused_) return;
  paused_ = false;
  socket_.pretend_readable();
}

void listener::take(const io::accepted& connection) {
  if (options_.accepts != nullptr && !options_.accepts->admit(reactor_.now())) {
    ::close(connection.descriptor);
    observer_.on_dropped(options_.index, drop_reason::accept_rate);
    return;
  }
  if (count_.open.fetch_add(1, std::memory_order_relaxed) >= options_.connections_max) {
    count_.open.fetch_sub(1, std::memory_order_relaxed);
    ::close(connection.descriptor);
    observer_.on_dropped(options_.index, drop_reason::connections_max);
    return;
  }
  reactor_.spawn(http1_connection::serve(*this, connection));
}

void listener::drain() {
  draining_ = true;
  socket_.cancel();
  socket_.close();
  paused_ = false;
  for (links* l = connections_.next; l != &connections_;) {
    auto& connection = static_cast<http1_connection&>(*l);
    l = l->next;  // an idle connection that is cut ends at once, and takes no other with it
    if (connection.is_idle()) connection.cut();
  }
}

void listener::cut() {
  for (links* l = connections_.next; l != &connections_;) {
    auto& connection = static_cast<http1_connection&>(*l);
    l = l->next;
    connection.cut();
  }
}

}  // namespace cellroute::edge
