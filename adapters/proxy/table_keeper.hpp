#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/io/reactor.hpp"
#include "adapters/process/state_lock.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "cellroute/snapshot/published.hpp"

namespace cellroute::proxy {

/// Hears what came of keeping a table. Called on the keeper's reactor.
class keeping_listener {
 public:
  /// `error` is empty where the table is kept.
  virtual void on_kept(const std::string& error) = 0;

 protected:
  ~keeping_listener() = default;
};

/// Keeps the table that is in use in the folder of state, and the one before it: on a thread of its own, because it
/// waits for the disk.
///
/// Threads: the reactor's. Outlived by all that it is given.
class table_keeper {
 public:
  table_keeper(io::reactor& reactor, published<active_configuration>& current, keeping_listener& listener)
      : reactor_(reactor), current_(current), listener_(listener) {}
  table_keeper(const table_keeper&) = delete;
  table_keeper& operator=(const table_keeper&) = delete;
  ~table_keeper() {
    if (thread_.joinable()) thread_.join();
  }

  /// The table that is current was made of `content`; `is_kept`: it comes out of the folder, to which `lock` is the
  /// right for as long as something is written there.
  void keep(const std::string& folder, process::state_lock lock, std::uint64_t content, bool is_kept);

 private:
  void start(process::state_lock lock, bool is_kept);

  io::reactor& reactor_;
  published<active_configuration>& current_;
  keeping_listener& listener_;
  std::string folder_;
  std::vector<std::uint64_t> contents_;  ///< in use, and before
  std::thread thread_;
};

}  // namespace cellroute::proxy
