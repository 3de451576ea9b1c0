#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/edge/listener.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "adapters/proxy/worker.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::proxy {

/// The address to listen on; an empty host is every address of both families. None: the host is no address.
[[nodiscard]] std::optional<io::socket_address> listen_address(const wire::socket_address& wished);

/// What heads may be like, on listeners and in the cells' answers.
[[nodiscard]] http1::head_limits limits_of(const wire::http_settings& http);

/// The listeners of a router, each one of all workers, as configurations come and go.
///
/// A listener has a place, by which connections and requests know it; one that was closed keeps its place.
///
/// Threads: one owner.
class router_listeners {
 public:
  using worker_list = std::vector<std::unique_ptr<worker>>;

  struct entry {
    std::string name;
    wire::socket_address wished;  ///< as configured
    io::socket_address address;   ///< as it listens
    label_id label = 0;
    std::vector<wire::network_prefix> trusted_proxies;
    std::unique_ptr<edge::connection_count> count;
    std::unique_ptr<edge::accept_limit> accepts;
    bool is_open = true;

    /// Whether this is the listener that is meant: one with another address is another one.
    [[nodiscard]] bool is_for(const wire::listener_settings& l) const {
      return is_open && name == l.name && wished == l.address;
    }
  };

  /// A listener that the workers are to take.
  struct opened {
    std::size_t place = 0;
    std::vector<int> descriptors;  ///< one a worker
  };

  explicit router_listeners(label_names& names) : names_(&names) {}

  [[nodiscard]] const std::vector<entry>& entries() const { return entries_; }
  /// Where they listen, in configured order.
  [[nodiscard]] std::vector<io::socket_address> addresses() const;
  /// What requests need to know of each, by place, under a configuration that may not be in use yet.
  [[nodiscard]] std::vector<listener_facts> facts(const std::vector<wire::listener_settings>& wanted) const;
  /// How many connections all of them may have at once.
  [[nodiscard]] edge::connection_room& room() { return room_; }

  /// Makes a place for a listener, which is not opened yet.
  void add(const wire::listener_settings& l);
  /// Errors: why it cannot listen, and what to do.
  [[nodiscard]] expected<opened, std::string> open(std::size_t place, std::size_t worker_count);
  /// Adds and opens what is wanted and is not there. On failure nothing is left open; errors as of `open`.
  [[nodiscard]] expected<std::vector<opened>, std::string> open_missing(
      const std::vector<wire::listener_settings>& wanted, std::size_t worker_count);
  /// Takes `open_missing` back.
  void drop(const std::vector<opened>& listeners);

  /// Gives a listener to workers that do not run yet. Errors: as of `open`.
  [[nodiscard]] expected<void, std::string> give_first(const opened& o, const wire::settings& local,
                                                       const worker_list& workers);
  /// Gives a listener to workers that run.
  void give(const opened& o, const wire::settings& local, const worker_list& workers);
  /// Has those that stay obey other settings.
  void set_options(const wire::settings& local, const worker_list& workers);
  /// Closes those that are not wanted any more; what runs there may finish. Returns their places.
  [[nodiscard]] std::vector<std::size_t> close_unwanted(const wire::settings& local, const worker_list& workers);

 private:
  [[nodiscard]] edge::listener_options options_of(std::size_t place, const wire::settings& local);

  label_names* names_;
  std::vector<entry> entries_;  // by place
  edge::connection_room room_;
};

}  // namespace cellroute::proxy
