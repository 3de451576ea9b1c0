#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// A socket in the file system that only this process' user can connect to, and that listens.
///
/// One process at a time has it: beside it lies `PATH.lock`, which is locked as long as this object lives, and stays. A
/// socket that a dead process left is replaced. What else stands at the path, or belongs to somebody else, or still
/// takes connections, is left alone. The socket goes with the object, if it still is the one that was made.
class local_socket {
 public:
  /// Errors: what is wrong, and what to do.
  [[nodiscard]] static expected<local_socket, std::string> open(const std::string& path);

  local_socket(local_socket&& other) noexcept;
  local_socket& operator=(local_socket&&) = delete;
  ~local_socket();

  /// The listening descriptor, non-blocking, which belongs to the caller from now on. Once.
  [[nodiscard]] int release_descriptor();

 private:
  local_socket(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  /// Errors: as those of `open`.
  [[nodiscard]] expected<void, std::string> listen();
  [[nodiscard]] expected<void, std::string> remove_stale() const;

  std::string path_;
  int lock_ = -1;
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;  // 0: none was made
};

}  // namespace cellroute::process
