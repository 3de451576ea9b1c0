// Loaded in front of a program by a test: stands before each system call that reaches a file, a folder or a connection,
// and lets one of them fail, or be the last, when the test has counted down to it.
#include "tests/support/call_points.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

using cellroute::support::call_points;

call_points* find_control() {
  const char* const file = std::getenv(cellroute::support::call_points_variable);
  if (file == nullptr) return nullptr;
  const int descriptor = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC));
  if (descriptor < 0) return nullptr;
  const auto mapped =
      ::syscall(SYS_mmap, nullptr, sizeof(call_points), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::syscall(SYS_close, descriptor);
  return mapped == -1 ? nullptr : reinterpret_cast<call_points*>(mapped);  // allow: reinterpret_cast: mapped memory
}

call_points* control = nullptr;

__attribute__((constructor)) void attach() { control = find_control(); }

/// What only wakes a thread, or waits for the time: no disk and no peer is behind it.
bool is_of_process(int descriptor) {
  std::array<char, 64> path{};
  std::array<char, 32> link{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", descriptor);
  const auto size = ::syscall(SYS_readlink, path.data(), link.data(), link.size());
  return size > 0 && std::string_view(link.data(), static_cast<std::size_t>(size)).starts_with("anon_inode:");
}

/// Counts the call; whether it is the one that fails. Does not come back where it is the last one.
bool fails(const char* name, int descriptor = -1) {
  if (control == nullptr || control->armed == call_points::outcome::none) return false;
  if (descriptor >= 0 && is_of_process(descriptor)) return false;
  const auto at = static_cast<std::size_t>(control->seen++);
  if (at < call_points::names_max) std::strncpy(control->names[at].data(), name, control->names[at].size() - 1);
  const call_points::outcome armed = control->armed;
  if (armed == call_points::outcome::count || std::strcmp(name, control->wanted.data()) != 0) return false;
  if (--control->countdown != 0) return false;
  if (control->armed.exchange(call_points::outcome::none) == call_points::outcome::none) return false;
  control->has_come = true;
  if (armed == call_points::outcome::kill) {
    for (;;) ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
  }
  return true;
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));  // allow: reinterpret_cast: what dlsym gives is a function
}

}  // namespace

extern "C" {

// Where a failure is told by -1 and errno. DESCRIPTOR: -1 where the call has none.
#define CELLROUTE_POINT(RESULT, NAME, PARAMETERS, ARGUMENTS, DESCRIPTOR, ERROR) \
  RESULT NAME PARAMETERS {                                                      \
    static auto* const next = real<RESULT PARAMETERS>(#NAME);                   \
    if (!fails(#NAME, DESCRIPTOR)) return next ARGUMENTS;                       \
    errno = ERROR;                                                              \
    return -1;                                                                  \
  }
CELLROUTE_POINT(ssize_t, read, (int fd, void* to, size_t size), (fd, to, size), fd, EIO)
CELLROUTE_POINT(ssize_t, pread, (int fd, void* to, size_t size, off_t at), (fd, to, size, at), fd, EIO)
CELLROUTE_POINT(ssize_t, pread64, (int fd, void* to, size_t size, off64_t at), (fd, to, size, at), fd, EIO)
CELLROUTE_POINT(ssize_t, readv, (int fd, const iovec* to, int count), (fd, to, count), fd, EIO)
CELLROUTE_POINT(ssize_t, write, (int fd, const void* from, size_t size), (fd, from, size), fd, EIO)
CELLROUTE_POINT(ssize_t, pwrite, (int fd, const void* from, size_t size, off_t at), (fd, from, size, at), fd, EIO)
CELLROUTE_POINT(ssize_t, pwrite64, (int fd, const void* from, size_t size, off64_t at), (fd, from, size, at), fd, EIO)
CELLROUTE_POINT(ssize_t, writev, (int fd, const iovec* from, int count), (fd, from, count), fd, EIO)
CELLROUTE_POINT(int, fsync, (int fd), (fd), fd, EIO)
CELLROUTE_POINT(int, fdatasync, (int fd), (fd), fd, EIO)
CELLROUTE_POINT(int, ftruncate, (int fd, off_t size) noexcept, (fd, size), fd, EIO)
CELLROUTE_POINT(int, ftruncate64, (int fd, off64_t size) noexcept, (fd, size), fd, EIO)
CELLROUTE_POINT(int, fallocate, (int fd, int how, off_t at, off_t size), (fd, how, at, size), fd, EIO)
CELLROUTE_POINT(int, fallocate64, (int fd, int how, off64_t at, off64_t size), (fd, how, at, size), fd, EIO)
CELLROUTE_POINT(off_t, lseek, (int fd, off_t at, int from) noexcept, (fd, at, from), fd, EIO)
CELLROUTE_POINT(off64_t, lseek64, (int fd, off64_t at, int from) noexcept, (fd, at, from), fd, EIO)
CELLROUTE_POINT(int, flock, (int fd, int how) noexcept, (fd, how), fd, EIO)
CELLROUTE_POINT(int, fchmod, (int fd, mode_t mode) noexcept, (fd, mode), fd, EIO)
CELLROUTE_POINT(int, fchown, (int fd, uid_t user, gid_t group) noexcept, (fd, user, group), fd, EIO)
CELLROUTE_POINT(int, fstat, (int fd, struct stat* to) noexcept, (fd, to), fd, EIO)
CELLROUTE_POINT(int, fstat64, (int fd, struct stat64* to) noexcept, (fd, to), fd, EIO)
CELLROUTE_POINT(int, stat, (const char* path, struct stat* to) noexcept, (path, to), -1, EIO)
CELLROUTE_POINT(int, stat64, (const char* path, struct stat64* to) noexcept, (path, to), -1, EIO)
CELLROUTE_POINT(int, lstat, (const char* path, struct stat* to) noexcept, (path, to), -1, EIO)
CELLROUTE_POINT(int, lstat64, (const char* path, struct stat64* to) noexcept, (path, to), -1, EIO)
CELLROUTE_POINT(int, fstatat, (int folder, const char* path, struct stat* to, int how) noexcept,
                (folder, path, to, how), folder, EIO)
CELLROUTE_POINT(int, access, (const char* path, int mode) noexcept, (path, mode), -1, EIO)
CELLROUTE_POINT(int, rename, (const char* from, const char* to) noexcept, (from, to), -1, EIO)
CELLROUTE_POINT(int, renameat, (int a, const char* from, int b, const char* to) noexcept, (a, from, b, to), a, EIO)
CELLROUTE_POINT(int, unlink, (const char* path) noexcept, (path), -1, EIO)
CELLROUTE_POINT(int, unlinkat, (int folder, const char* path, int how) noexcept, (folder, path, how), folder, EIO)
CELLROUTE_POINT(int, mkdir, (const char* path, mode_t mode) noexcept, (path, mode), -1, EIO)
CELLROUTE_POINT(int, mkdirat, (int folder, const char* path, mode_t mode) noexcept, (folder, path, mode), folder, EIO)
CELLROUTE_POINT(int, rmdir, (const char* path) noexcept, (path), -1, EIO)
CELLROUTE_POINT(int, shutdown, (int fd, int how) noexcept, (fd, how), fd, ENOTCONN)
CELLROUTE_POINT(int, socketpair, (int family, int type, int protocol, int made[2]) noexcept,
                (family, type, protocol, made), -1, EMFILE)
CELLROUTE_POINT(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t size) noexcept,
                (fd, level, name, value, size), fd, EINVAL)
CELLROUTE_POINT(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* size) noexcept,
                (fd, level, name, value, size), fd, EINVAL)
#undef CELLROUTE_POINT

// The connection is gone, then.
#define CELLROUTE_TALKING(NAME, PARAMETERS, ARGUMENTS)         \
  ssize_t NAME PARAMETERS {                                    \
    static auto* const next = real<ssize_t PARAMETERS>(#NAME); \
    if (!fails(#NAME, fd)) return next ARGUMENTS;              \
    ::syscall(SYS_shutdown, fd, SHUT_RDWR);                    \
    errno = ECONNRESET;                                        \
    return -1;                                                 \
  }
CELLROUTE_TALKING(recv, (int fd, void* to, size_t size, int how), (fd, to, size, how))
CELLROUTE_TALKING(recvmsg, (int fd, msghdr* to, int how), (fd, to, how))
CELLROUTE_TALKING(send, (int fd, const void* from, size_t size, int how), (fd, from, size, how))
CELLROUTE_TALKING(sendmsg, (int fd, const msghdr* from, int how), (fd, from, how))
#undef CELLROUTE_TALKING

/// The peer has gone before it was taken: then it is not there any more.
int accept4(int fd, sockaddr* from, socklen_t* size, int how) {
  static auto* const next = real<int(int, sockaddr*, socklen_t*, int)>("accept4");
  const bool has_failed = fails("accept4", fd);
  const int taken = next(fd, from, size, how);
  if (!has_failed || taken < 0) return taken;
  ::syscall(SYS_close, taken);
  errno = ECONNABORTED;
  return -1;
}

/// It is closed in any case: that is what Linux does.
int close(int fd) {
  static auto* const next = real<int(int)>("close");
  const bool has_failed = fails("close", fd);
  const int result = next(fd);
  if (!has_failed) return result;
  errno = EIO;
  return -1;
}

void* mmap(void* at, size_t size, int protection, int how, int fd, off_t from) noexcept {
  static auto* const next = real<void*(void*, size_t, int, int, int, off_t)>("mmap");
  if (fd < 0 || !fails("mmap", fd)) return next(at, size, protection, how, fd, from);
  errno = ENOMEM;
  return MAP_FAILED;
}
void* mmap64(void* at, size_t size, int protection, int how, int fd, off64_t from) noexcept {
  return mmap(at, size, protection, how, fd, from);
}

// With a further argument, which may be there or not.
#define CELLROUTE_OPENING(NAME, PARAMETERS, ARGUMENTS, DESCRIPTOR)                       \
  int NAME PARAMETERS {                                                                  \
    static auto* const next = real<int PARAMETERS>(#NAME);                               \
    std::va_list more;                                                                   \
    va_start(more, flags);                                                               \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                                        \
    if (!fails(#NAME, DESCRIPTOR)) return next ARGUMENTS;                                \
    errno = EIO;                                                                         \
    return -1;                                                                           \
  }
CELLROUTE_OPENING(open, (const char* path, int flags, ...), (path, flags, mode), -1)
CELLROUTE_OPENING(open64, (const char* path, int flags, ...), (path, flags, mode), -1)
CELLROUTE_OPENING(openat, (int folder, const char* path, int flags, ...), (folder, path, flags, mode), folder)
CELLROUTE_OPENING(openat64, (int folder, const char* path, int flags, ...), (folder, path, flags, mode), folder)
#undef CELLROUTE_OPENING

#define CELLROUTE_CONTROLLING(NAME)                            \
  int NAME(int fd, int what, ...) {                            \
    static auto* const next = real<int(int, int, ...)>(#NAME); \
    std::va_list more;                                         \
    va_start(more, what);                                      \
    void* const argument = va_arg(more, void*);                \
    va_end(more);                                              \
    if (!fails(#NAME, fd)) return next(fd, what, argument);    \
    errno = EIO;                                               \
    return -1;                                                 \
  }
CELLROUTE_CONTROLLING(fcntl)
CELLROUTE_CONTROLLING(fcntl64)
#undef CELLROUTE_CONTROLLING

}  // extern "C"
