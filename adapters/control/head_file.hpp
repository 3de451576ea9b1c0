#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::control {

/// What was published last, and under which salt: what a control plane has to know at its next start, so that its
/// numbers only grow and the same content is the same.
struct publish_head {
  wire::content_id content{1, 0, {}};  ///< version 0: nothing was published yet
  std::uint64_t salt = 0;              ///< of the epoch's digests
  friend bool operator==(const publish_head&, const publish_head&) = default;
};

/// Keeps the head in a file beside the store, written whole or not at all: a process that is killed at any moment finds
/// the one before or the one after. One process at a time has it.
///
/// Threads: one at a time.
class head_file {
 public:
  /// Without a file, nothing is kept: each start begins with `begin`.
  explicit head_file(const publish_head& begin) : head_(begin) {}

  /// Opens `path`, or begins it with `begin` where there is none.
  /// Errors: another process has it; it belongs to somebody else, or others may write it; it holds something else; what
  ///         the system says.
  [[nodiscard]] static expected<head_file, std::string> open(const std::string& path, const publish_head& begin);

  head_file(head_file&& other) noexcept;
  head_file& operator=(head_file&&) = delete;
  ~head_file();

  [[nodiscard]] const publish_head& head() const { return head_; }
  /// It is on the disk when this returns. Errors: what the system says; then it is as before.
  [[nodiscard]] expected<void, std::string> keep(const publish_head& next);

 private:
  head_file(std::string path, int lock, const publish_head& head);

  std::string path_;  ///< empty: nothing is kept
  int lock_ = -1;
  publish_head head_;
};

/// One line of text, and back. Nothing where it is something else.
[[nodiscard]] std::string write_head(const publish_head& head);
[[nodiscard]] std::optional<publish_head> read_head(std::string_view text);

}  // namespace cellroute::control
