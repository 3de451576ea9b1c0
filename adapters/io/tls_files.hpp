#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cellroute/base/expected.hpp"

namespace cellroute::io {

/// What tells one state of a file from another without reading it; all zero where there is no such file.
struct file_mark {
  std::string file;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const file_mark&, const file_mark&) = default;
};

/// How the file is now; a link is followed. Cost: a call.
[[nodiscard]] file_mark mark_of(const std::string& file);

/// Who may read a file.
enum class file_secrecy : std::uint8_t { open, secret };

struct marked_text {
  std::string text;
  file_mark mark;  ///< of the very bytes that were read
};

/// A file of certificates or keys never needs more.
inline constexpr std::size_t pem_file_bytes_max = 4 * 1024 * 1024;

/// Reads a whole file. A `secret` one must be closed to others: neither readable nor writable for everybody, nor
/// writable for its group; it belongs to root or to this process's user. No file may be writable for everybody. Errors:
/// what is wrong, and what to do about it, beginning with the file's name.
[[nodiscard]] expected<marked_text, std::string> read_marked_file(const std::string& file, file_secrecy secrecy);

}  // namespace cellroute::io
