#include "adapters/process/log_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace cellroute::process {
namespace {

int open_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO that nobody reads is an error, not a wait. It changes nothing for files.
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

}  // namespace

bool is_writable(int descriptor, std::chrono::milliseconds wait) {
  pollfd entry{descriptor, POLLOUT, 0};
  return ::poll(&entry, 1, static_cast<int>(wait.count())) > 0;
}

expected<std::unique_ptr<log_output>, std::string> log_output::open(const std::string& name) {
  int descriptor = name == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
  const bool is_file = name != "stdout" && name != "stderr" && name != "off";
  if (is_file) descriptor = open_file(name);
  if (descriptor < 0) {
    return unexpected("cannot open the log " + name + ": " + std::strerror(errno) +
                      "; make it a file that can be written, or name another in log.access.output");
  }
  return std::make_unique<log_output>(passkey{}, name, descriptor, is_file);
}

log_output::log_output(passkey, std::string name, int descriptor, bool is_ours)
    : name_(std::move(name)), descriptor_(descriptor), is_ours_(is_ours), wants_access_(name_ != "off") {
  look();
}

log_output::~log_output() {
  if (is_ours_) ::close(descriptor_);
}

bool log_output::is_writable(std::chrono::milliseconds wait) const {
  return kind_ == kind::regular || process::is_writable(descriptor_, wait);
}

ssize_t log_output::write_some(std::string_view text) const {
  if (kind_ == kind::regular) return ::write(descriptor_, text.data(), text.size());
  if (kind_ == kind::socket) return ::send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  // A pipe that can take anything takes PIPE_BUF bytes whole. So lines up to that length stay whole, too, where
  // several processes share the pipe.
  std::string_view piece = text.substr(0, PIPE_BUF);
  const std::size_t line_end = piece.rfind('\n');
  if (line_end != piece.npos) piece = piece.substr(0, line_end + 1);
  return ::write(descriptor_, piece.data(), piece.size());
}

int log_output::reopen() {
  if (!is_ours_) return 0;
  const int fresh = open_file(name_);
  if (fresh < 0) return errno;
  ::close(std::exchange(descriptor_, fresh));
  look();
  return 0;
}

void log_output::look() {
  struct stat status{};
  const bool known = ::fstat(descriptor_, &status) == 0;
  kind_ = known && S_ISREG(status.st_mode)    ? kind::regular
          : known && S_ISSOCK(status.st_mode) ? kind::socket
                                              : kind::other;
}

}  // namespace cellroute::process
