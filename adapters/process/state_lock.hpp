#pragma once

#include <optional>
#include <string>

#include "adapters/process/privileges.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// Why a folder of state cannot be had.
struct state_error {
  std::string what;          ///< what is wrong, and what to do
  bool is_unusable = false;  ///< the disk is at fault: a process can go on without
};

/// The right to a folder of state, which one process at a time has.
///
/// The folder is made where there is none, for one user only: this one, or whom this process is about to become. One
/// that belongs to another user or is open to others is refused. The right ends with the object, or with the process,
/// however that ends.
class state_lock {
 public:
  [[nodiscard]] static expected<state_lock, state_error> take(const std::string& folder,
                                                              const std::optional<identity>& later = {});

  state_lock(state_lock&& other) noexcept;
  state_lock& operator=(state_lock&&) = delete;
  ~state_lock();

  /// The same right once more: it ends with the last of them. Errors: no descriptor can be had.
  [[nodiscard]] expected<state_lock, state_error> share() const;

 private:
  explicit state_lock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace cellroute::process
