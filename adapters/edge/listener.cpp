#include "adapters/edge/listener.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "adapters/edge/http1_downstream.hpp"

namespace cellroute::edge {

std::string_view to_string(drop_reason reason) {
  switch (reason) {
    case drop_reason::connections_max:
      return "connections_max";
    case drop_reason::accept_rate:
      return "accept_rate";
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
    accept_waiting();
    socket_.forget_readable();
  }
}

void listener::accept_waiting() {
  for (;;) {
    if (options_.room != nullptr && options_.room->is_full()) {
      pause();
      return;
    }
    const expected<io::accepted, int> connection = io::accept_connection(socket_.descriptor());
    if (connection) {
      paused_ = false;
      take(*connection);
      if (io::has_waiting_connection(socket_.descriptor())) continue;
      return;
    }
    const int error = connection.error();
    if (error == EINTR || error == ECONNABORTED || error == EPROTO) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) {
      paused_ = false;
    } else {
      pause();  // out of descriptors or memory
    }
    return;
  }
}

/// No further edge will come for those that wait, so each tick asks again.
void listener::pause() {
  if (!std::exchange(paused_, true)) observer_.on_paused(options_.index);
}

void listener::on_tick(time_point) {
  if (paused_) socket_.pretend_readable();
}

void listener::take(const io::accepted& connection) {
  if (options_.accepts != nullptr && !options_.accepts->admit(reactor_.now())) {
    ::close(connection.descriptor);
    observer_.on_dropped(options_.index, drop_reason::accept_rate);
    return;
  }
  if (!count_in()) {
    count_out();
    ::close(connection.descriptor);
    observer_.on_dropped(options_.index, drop_reason::connections_max);
    return;
  }
  reactor_.spawn(http1_connection::serve(*this, connection));
}

/// Counts one more open connection; false where that is too many.
bool listener::count_in() {
  if (options_.room != nullptr) options_.room->open.fetch_add(1, std::memory_order_relaxed);
  return count_.open.fetch_add(1, std::memory_order_relaxed) < options_.connections_max;
}

void listener::count_out() {
  if (options_.room != nullptr) options_.room->open.fetch_sub(1, std::memory_order_relaxed);
  count_.open.fetch_sub(1, std::memory_order_relaxed);
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
