#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adapters/edge/listener.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/process/access_ring.hpp"
#include "adapters/proxy/forwarder.hpp"
#include "adapters/proxy/upstream_directory.hpp"

namespace cellroute::proxy {

/// One core of the data plane: a reactor with its listeners, connections, counters and log ring, on a thread of its
/// own.
///
/// Threads: made and destroyed by one thread; between `start` and the end of `join`, only the members that say so may
/// be
///          called from outside.
class worker final : public edge::listener_observer, public io::tick_listener {
 public:
  worker(published<active_configuration>& configurations, const name_table& addresses, label_names& names,
         http1::head_limits limits, std::uint64_t seed);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Before `start`. Takes the descriptor, which listens already, over. Returns errno.
  [[nodiscard]] int add_listener(edge::listener_options options, int descriptor, edge::connection_count& count,
                                 label_id label);
  void start();
  void join();

  // These may be called by any thread.
  void drain();  ///< no new connection, no new request
  void cut();    ///< ends what still runs
  void stop();
  void set_address(std::string host, io::socket_address address);
  /// As `add_listener`, while it runs.
  void open_listener(edge::listener_options options, int descriptor, edge::connection_count& count, label_id label);
  /// Takes no new connection there; what still runs is cut when `timeout` is over.
  void close_listener(std::size_t index, duration timeout);
  /// By the index of the listener, those that are closed aside; the limits of heads are those of the cells' answers,
  /// too.
  void set_options(std::vector<std::optional<edge::listener_options>> options, http1::head_limits limits);
  [[nodiscard]] std::size_t open_connections() const { return open_.load(std::memory_order_relaxed); }
  [[nodiscard]] const reactor_metrics& metrics() const { return metrics_; }
  [[nodiscard]] process::access_ring& ring() { return ring_; }

 private:
  void on_opened(std::uint16_t listener) override;
  void on_closed(std::uint16_t listener) override;
  void on_dropped(std::uint16_t listener, edge::drop_reason reason) override;
  void on_paused(std::uint16_t listener) override;
  void on_tick(time_point now) override;

  io::reactor reactor_;
  reactor_metrics metrics_;
  process::access_ring ring_;
  upstream_directory directory_;
  std::optional<forwarder> forwarder_;
  void sweep_listeners(time_point now);

  /// One that was closed keeps its place, so that the index of the others stays.
  struct place {
    std::unique_ptr<edge::listener> listener;  // null: it was closed, and no connection is left
    time_point cut_at = time_point::max();
  };
  std::vector<place> listeners_;
  std::vector<label_id> listener_labels_;
  struct upstream_counts {
    std::size_t idle = 0;
    std::size_t active = 0;
  };
  std::unordered_map<label_id, upstream_counts> connection_counts_;
  std::atomic<std::size_t> open_{0};
  time_point swept_at_;
  std::thread thread_;
};

}  // namespace cellroute::proxy
