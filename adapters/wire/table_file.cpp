#include "adapters/wire/table_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace cellroute::wire {
namespace {

/// A descriptor that is closed at the end.
class open_file {
 public:
  open_file(const std::string& path, int flags, mode_t mode = 0)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  /// Reads until there are `size` bytes or no more; returns how many there are, -1 on failure.
  [[nodiscard]] ssize_t read(std::byte* to, std::size_t size) const {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = ::read(descriptor_, to + done, size - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -1;
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return static_cast<ssize_t>(done);
  }

  [[nodiscard]] bool write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::write(descriptor_, bytes.data(), bytes.size());
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }

 private:
  int descriptor_;
};

unexpected<std::string> failed(std::string_view what, const std::string& path) {
  return unexpected(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

constexpr std::size_t head_bytes = sizeof(key_format::header);

/// What the content of a file is known by: the sums of its blocks, which a table's checksum is made of, so that a table
/// needs one pass for both.
class content_sum {
 public:
  /// The first bytes of the file, at most `head_bytes`.
  void add_head(std::span<const std::byte> head) { sum_ = checksum(head); }

  /// A further block, which is whole unless it is the last; returns its `key_format::block_sum`.
  std::uint64_t add_block(std::span<const std::byte> block) {
    if (block.empty()) return 0;
    const std::uint64_t sum = key_format::block_sum(block, index_++);
    sum_ += mix(sum);
    return sum;
  }

  /// What is left of a file. Returns whether it could be read.
  [[nodiscard]] bool add_rest(const open_file& file) {
    std::array<std::byte, key_format::block_bytes> block;
    for (;;) {
      const ssize_t got = file.read(block.data(), block.size());
      if (got <= 0) return got == 0;
      (void)add_block(std::span(block).first(static_cast<std::size_t>(got)));
    }
  }

  [[nodiscard]] std::uint64_t value() const { return sum_; }

 private:
  std::uint64_t sum_ = 0;
  std::size_t index_ = 0;
};

/// How much there is to read.
expected<std::size_t, file_error> size_to_read(const open_file& file) {
  if (!file.is_open())
    return unexpected(errno == ENOENT || errno == ENOTDIR ? file_error::missing : file_error::unreadable);
  struct stat facts{};
  if (::fstat(file.descriptor(), &facts) != 0 || !S_ISREG(facts.st_mode)) return unexpected(file_error::unreadable);
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > key_file_bytes_max) return unexpected(file_error::too_large);
  return size;
}

}  // namespace

bool is_table_file(const std::string& path) {
  const open_file file(path, O_RDONLY);
  std::array<std::byte, key_format::magic.size()> front{};
  if (!file.is_open() || file.read(front.data(), front.size()) != static_cast<ssize_t>(front.size())) return false;
  return std::memcmp(front.data(), key_format::magic.data(), front.size()) == 0;
}

expected<table_file, file_error> open_table_file(const std::string& path, std::pmr::memory_resource* resource) {
  const open_file file(path, O_RDONLY);
  const auto size = size_to_read(file);
  if (!size) return unexpected(size.error());
  arena memory(*size, resource);
  content_sum content;
  // Who shortens the file meanwhile makes a table that is refused; a read that fails is told once.
  bool is_whole = true;
  bool is_failed = false;
  const auto fill = [&](std::span<std::byte> part) {
    const ssize_t got = is_failed ? -1 : file.read(part.data(), part.size());
    is_failed = got < 0;
    const std::size_t filled = is_failed ? 0 : static_cast<std::size_t>(got);
    is_whole = is_whole && filled == part.size();
    std::ranges::fill(part.subspan(filled), std::byte{});
    return filled;
  };
  const std::span<std::byte> head = memory.bytes().first(std::min(*size, head_bytes));
  content.add_head(head.first(fill(head)));
  std::byte* const to = memory.data();
  auto table =
      key_table::open(std::move(memory), [&](std::size_t offset, std::span<const std::byte> block, std::size_t) {
        return content.add_block({block.data(), fill({to + offset, block.size()})});
      });
  if (is_failed || !content.add_rest(file)) return unexpected(file_error::unreadable);
  if (!is_whole && table) table = unexpected(open_error::bad_size);
  return table_file{std::move(table), content.value()};
}

std::uint64_t content_of_bytes(std::span<const std::byte> bytes) {
  content_sum content;
  content.add_head(bytes.first(std::min(bytes.size(), head_bytes)));
  for (std::size_t at = head_bytes; at < bytes.size(); at += key_format::block_bytes) {
    (void)content.add_block(bytes.subspan(at, std::min(bytes.size() - at, key_format::block_bytes)));
  }
  return content.value();
}

expected<std::uint64_t, file_error> content_of_file(const std::string& path) {
  const open_file file(path, O_RDONLY);
  if (const auto size = size_to_read(file); !size) return unexpected(size.error());
  content_sum content;
  std::array<std::byte, head_bytes> head{};
  const ssize_t got = file.read(head.data(), head.size());
  if (got < 0) return unexpected(file_error::unreadable);
  content.add_head(std::span(head).first(static_cast<std::size_t>(got)));
  if (!content.add_rest(file)) return unexpected(file_error::unreadable);
  return content.value();
}

std::string what_is_wrong(open_error error) {
  return fmt::format("is no compiled table that can be used here ({}); compile it again", to_string(error));
}

expected<void, std::string> write_table_file(const std::string& path, const key_table& table) {
  const std::string written = fmt::format("{}.{}.tmp", path, ::getpid());
  const auto give_up = [&written](std::string_view what) {
    auto error = failed(what, written);
    ::unlink(written.c_str());
    return error;
  };
  {
    const open_file file(written, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    if (!file.is_open()) return failed("cannot be written", written);
    const key_table::stored_bytes bytes = table.bytes();
    if (!file.write(bytes.head) || !file.write(bytes.rest)) return give_up("cannot be written");
    if (::fsync(file.descriptor()) != 0) return give_up("cannot be brought to the disk");
  }
  if (::rename(written.c_str(), path.c_str()) != 0) return give_up("cannot get its name");
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const open_file entry(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  if (entry.is_open()) (void)::fsync(entry.descriptor());  // where it is refused, the name comes to the disk later
  return {};
}

}  // namespace cellroute::wire
