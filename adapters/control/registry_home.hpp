#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "adapters/control/publisher.hpp"
#include "adapters/control/registry.hpp"
#include "adapters/io/reactor.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::control {

/// Hears what is published, on the reactor.
class content_listener {
 public:
  virtual void on_next_content(published_content next) = 0;

 protected:
  ~content_listener() = default;
};

/// A folder that only this user may enter, gone with its owner; or none.
class private_folder {
 public:
  private_folder() = default;
  /// Errors: what the system says.
  [[nodiscard]] static expected<private_folder, std::string> make();
  private_folder(private_folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  private_folder& operator=(private_folder&&) = delete;
  ~private_folder();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The registry in its store, and the way of what it publishes from the thread that published it to the reactor.
///
/// Without a store it is in one that goes with the process. Its epoch is the time of its birth: so routers that still
/// run what an earlier process published take what this one does for newer, as long as the clock only grows.
///
/// Threads: as of the registry; the rest on the reactor's. Outlives the reactor's run.
class registry_home final : private publication_listener {
 public:
  /// `file` is that of the store; empty: none. A store that is not there is made, with the seed for its salt.
  ///
  /// Errors: those of the store, as a line for the operator.
  [[nodiscard]] static expected<std::unique_ptr<registry_home>, std::string> open(io::reactor& reactor,
                                                                                  const std::string& file,
                                                                                  const registry_settings& settings,
                                                                                  wall_time now,
                                                                                  content_listener& listener);
  registry_home(const registry_home&) = delete;
  registry_home& operator=(const registry_home&) = delete;
  ~registry_home() = default;

  [[nodiscard]] registry& of() { return *registry_; }
  /// Tells what is current, where anything is, and from now on what comes.
  void begin();

 private:
  registry_home(io::reactor& reactor, private_folder folder, content_listener& listener)
      : reactor_(reactor), folder_(std::move(folder)), listener_(listener) {}
  void on_published(const active_content& now, const active_content& before) override;

  io::reactor& reactor_;
  private_folder folder_;
  content_listener& listener_;
  std::atomic<bool> is_telling_ = false;
  std::unique_ptr<registry> registry_;
};

}  // namespace cellroute::control
