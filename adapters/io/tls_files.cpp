#include "adapters/io/tls_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace cellroute::io {
namespace {

/// Closes at the end, on every path.
struct open_file {
  int descriptor = -1;
  explicit open_file(int d) : descriptor(d) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

std::int64_t nanoseconds(const timespec& at) { return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec; }

file_mark mark_from(const std::string& file, const struct stat& facts) {
  return {file, facts.st_dev, facts.st_ino, facts.st_size, nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim)};
}

/// What is wrong with who may touch a key; nothing where all is well.
std::optional<std::string> exposure_of_key(const std::string& file, const struct stat& facts) {
  constexpr unsigned forbidden = S_IROTH | S_IWOTH | S_IWGRP;
  if ((facts.st_mode & forbidden) != 0) {
    return fmt::format("{}: holds a private key and has the mode {:04o}, which lets others at it; run chmod 0600 {}",
                       file, facts.st_mode & 07777u, file);
  }
  if (facts.st_uid != 0 && facts.st_uid != ::geteuid()) {
    return fmt::format(
        "{}: holds a private key and belongs to the user {}; give it to root or to the user {} with chown", file,
        facts.st_uid, ::geteuid());
  }
  return std::nullopt;
}

/// The same of a file that may be read: whoever may write it decides whom to believe.
std::optional<std::string> exposure_of_certificate(const std::string& file, const struct stat& facts) {
  if ((facts.st_mode & S_IWOTH) == 0) return std::nullopt;
  return fmt::format("{}: has the mode {:04o}, which lets everybody change it; run chmod o-w {}", file,
                     facts.st_mode & 07777u, file);
}

std::string cannot_read(const std::string& file, int error) {
  return fmt::format("{}: cannot be read: {}; {}", file, std::generic_category().message(error),
                     error == ENOENT ? "check the name" : "make it readable for the user of this process");
}

}  // namespace

file_mark mark_of(const std::string& file) {
  struct stat facts{};
  if (::stat(file.c_str(), &facts) != 0) {
    file_mark none;
    none.file = file;
    return none;
  }
  return mark_from(file, facts);
}

expected<marked_text, std::string> read_marked_file(const std::string& file, file_secrecy secrecy) {
  // Not blocking: a pipe of that name must not hold up whoever loads a configuration.
  const open_file opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (opened.descriptor < 0) return unexpected(cannot_read(file, errno));
  struct stat facts{};
  if (::fstat(opened.descriptor, &facts) != 0) return unexpected(cannot_read(file, errno));
  if (!S_ISREG(facts.st_mode)) return unexpected(fmt::format("{}: is not a file; name one", file));
  const bool is_key = secrecy == file_secrecy::secret;
  if (auto exposed = is_key ? exposure_of_key(file, facts) : exposure_of_certificate(file, facts)) {
    return unexpected(*std::move(exposed));
  }
  marked_text read{{}, mark_from(file, facts)};
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(opened.descriptor, block, sizeof block);
    if (got == 0) return read;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unexpected(cannot_read(file, errno));
    read.text.append(block, static_cast<std::size_t>(got));
    if (read.text.size() > pem_file_bytes_max) {
      return unexpected(
          fmt::format("{}: is larger than {} bytes; it should hold certificates or a key, and nothing else", file,
                      pem_file_bytes_max));
    }
  }
}

}  // namespace cellroute::io
