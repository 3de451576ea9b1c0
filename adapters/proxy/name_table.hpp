#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "adapters/io/address.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

/// The addresses that endpoint names had when last asked for. Requests never wait for a name.
///
/// Threads: any; one mutex, taken when endpoints are made and when names change.
class name_table {
 public:
  [[nodiscard]] std::optional<io::socket_address> find(std::string_view host) const {
    const std::lock_guard lock(mutex_);
    const auto found = addresses_.find(host);
    return found == addresses_.end() ? std::nullopt : std::optional(found->second);
  }
  /// True where that is news.
  bool set(const std::string& host, const io::socket_address& address) {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = addresses_.try_emplace(host, address);
    if (!is_new && place->second == address) return false;
    place->second = address;
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, io::socket_address, std::less<>> addresses_;
};

/// Told of a name's new address, on the resolver's thread.
class name_listener {
 public:
  virtual void on_address(const std::string& host, const io::socket_address& address) = 0;
  virtual void on_unresolved(const std::string& host, const std::string& why) = 0;

 protected:
  ~name_listener() = default;
};

/// Asks the system's resolver for the names of endpoints, again and again, off the data path. A name that cannot be
/// resolved keeps its last address.
///
/// Threads: those of its context; the look-ups themselves run on Asio's own thread.
class name_resolver {
 public:
  static constexpr duration refresh = 30s;

  name_resolver(asio::io_context& context, name_table& table, name_listener& listener);
  name_resolver(const name_resolver&) = delete;
  name_resolver& operator=(const name_resolver&) = delete;

  /// Asks for these names from now on.
  void watch(std::set<std::string> hosts);
  /// Names of `watch` that were asked for and not answered yet.
  [[nodiscard]] std::size_t pending() const { return pending_; }
  void stop();

 private:
  void ask_all();
  void ask(const std::string& host);

  name_table& table_;
  name_listener& listener_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::set<std::string> hosts_;
  std::size_t pending_ = 0;
};

}  // namespace cellroute::proxy
