#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "adapters/process/disk.hpp"
#include "adapters/process/state_lock.hpp"
#include "adapters/proxy/last_known_good.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::proxy {

/// A folder of state as contents are kept in it, with the right to it.
///
/// Threads: one owner at a time.
class kept_place {
 public:
  /// Errors: what the system says of the folder.
  [[nodiscard]] static expected<std::unique_ptr<kept_place>, std::string> open(const std::string& folder,
                                                                               const process::state_lock& lock,
                                                                               std::optional<process::identity> later) {
    auto shared = lock.share();
    if (!shared) return unexpected(std::move(shared).error().what);
    auto opened = process::disk_folder::open_folder(folder, std::move(later));
    if (!opened) return unexpected("state_dir " + folder + ": cannot be opened: " + opened.error().message());
    return std::make_unique<kept_place>(*std::move(shared), *std::move(opened));
  }
  kept_place(process::state_lock lock, process::disk_folder folder)
      : lock_(std::move(lock)), folder_(std::move(folder)), contents_(folder_) {}
  kept_place(const kept_place&) = delete;
  kept_place& operator=(const kept_place&) = delete;
  ~kept_place() = default;

  [[nodiscard]] last_known_good& contents() { return contents_; }

  /// What an earlier process left; read once, whoever asks first. `is_start`: it is about to be used.
  [[nodiscard]] found_contents load(const sync::unpacking& how, bool is_start = false) {
    if (std::exchange(is_loaded_, true)) return {};
    return contents_.load(how, {}, is_start);
  }

 private:
  process::state_lock lock_;
  process::disk_folder folder_;
  last_known_good contents_;
  bool is_loaded_ = false;
};

}  // namespace cellroute::proxy
