#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// Whether a descriptor takes something now, or within `wait`.
[[nodiscard]] bool is_writable(int descriptor, std::chrono::milliseconds wait);

/// The descriptor that lines of a log go to; one that it opened itself is closed with it.
///
/// Threads: one at a time.
class log_output {
  struct passkey {};

 public:
  /// `stdout`, `stderr`, `off` or the path of a file, which is appended to and made if need be. With `off` no access
  /// line is wanted; what else there is to say goes to stderr. Errors: why it cannot be opened, and what to do.
  [[nodiscard]] static expected<std::unique_ptr<log_output>, std::string> open(const std::string& name);

  log_output(passkey, std::string name, int descriptor, bool is_ours);
  log_output(const log_output&) = delete;
  log_output& operator=(const log_output&) = delete;
  ~log_output();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool wants_access() const { return wants_access_; }
  [[nodiscard]] bool is_writable(std::chrono::milliseconds wait) const;

  /// Writes some of it, at once and as much as surely does not wait. Returns what `write` does.
  [[nodiscard]] ssize_t write_some(std::string_view text) const;

  /// Opens a file of that path again, as log rotation needs it; other outputs stay. Returns 0, or the error: then it is
  /// as before.
  [[nodiscard]] int reopen();

 private:
  enum class kind { regular, socket, other };
  void look();

  std::string name_;
  int descriptor_;
  bool is_ours_;  // a file that was opened here
  bool wants_access_;
  kind kind_ = kind::other;
};

}  // namespace cellroute::process
