// Loaded in front of the router by a test: lets a system call, or the memory of a thread that was started meanwhile,
// fail when the test has counted down to it.
#include "tests/support/failing_calls.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace {

using cellroute::support::failing_calls;

thread_local bool is_young = false;  // the thread was started while armed

failing_calls* find_control() {
  const char* const file = std::getenv(cellroute::support::failing_calls_variable);
  if (file == nullptr) return nullptr;
  const int descriptor = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC));
  if (descriptor < 0) return nullptr;
  void* const mapped = ::mmap(nullptr, sizeof(failing_calls), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  return mapped == MAP_FAILED ? nullptr : static_cast<failing_calls*>(mapped);
}

failing_calls* control = nullptr;

__attribute__((constructor)) void attach() { control = find_control(); }

bool is_armed(failing_calls::kind kind) { return control != nullptr && control->armed == kind; }

/// Whether this call is the one.
bool fails(failing_calls::kind kind, const char* name) {
  if (!is_armed(kind) || --control->countdown != 0) return false;
  std::strncpy(control->failed_name.data(), name, control->failed_name.size() - 1);
  control->armed = failing_calls::kind::none;
  control->has_failed = true;
  return true;
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));  // allow: reinterpret_cast: what dlsym gives is a function
}

/// What a new thread is to run.
struct young_thread {
  void* (*run)(void*);
  void* argument;
};

void* run_young(void* given) {
  const young_thread what = *static_cast<young_thread*>(given);
  std::free(given);
  is_young = true;
  return what.run(what.argument);
}

}  // namespace

extern "C" {

std::FILE* fopen(const char* name, const char* mode) {
  static auto* const next = real<std::FILE*(const char*, const char*)>("fopen");
  if (!fails(failing_calls::kind::system, "fopen")) return next(name, mode);
  errno = EMFILE;
  return nullptr;
}

std::size_t fread(void* to, std::size_t size, std::size_t count, std::FILE* from) {
  static auto* const next = real<std::size_t(void*, std::size_t, std::size_t, std::FILE*)>("fread");
  if (!fails(failing_calls::kind::system, "fread")) return next(to, size, count, from);
  ::dup3(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ::fileno(from), O_CLOEXEC);  // a folder cannot be read
  return next(to, size, count, from);
}

int open(const char* name, int flags, ...) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (!fails(failing_calls::kind::system, "open")) return next(name, flags, mode);
  errno = EMFILE;
  return -1;
}

// Where a failure is told by -1 and errno.
#define CELLROUTE_FAILING(RESULT, NAME, PARAMETERS, ARGUMENTS, ERROR)      \
  RESULT NAME PARAMETERS {                                                 \
    static auto* const next = real<RESULT PARAMETERS>(#NAME);              \
    if (!fails(failing_calls::kind::system, #NAME)) return next ARGUMENTS; \
    errno = ERROR;                                                         \
    return -1;                                                             \
  }
CELLROUTE_FAILING(int, socket, (int family, int type, int protocol), (family, type, protocol), EMFILE)
CELLROUTE_FAILING(int, bind, (int descriptor, const sockaddr* address, socklen_t size), (descriptor, address, size),
                  EADDRINUSE)
CELLROUTE_FAILING(int, listen, (int descriptor, int backlog), (descriptor, backlog), EADDRINUSE)
CELLROUTE_FAILING(int, inotify_add_watch, (int descriptor, const char* name, std::uint32_t mask),
                  (descriptor, name, mask), ENOSPC)
#undef CELLROUTE_FAILING

int pthread_create(pthread_t* thread, const pthread_attr_t* how, void* (*run)(void*), void* argument) {
  using create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto* const next = real<create>("pthread_create");
  if (fails(failing_calls::kind::system, "pthread_create")) return EAGAIN;
  if (!is_armed(failing_calls::kind::memory)) return next(thread, how, run, argument);
  void* const what = std::malloc(sizeof(young_thread));
  if (what == nullptr) return EAGAIN;
  return next(thread, how, run_young, std::construct_at(static_cast<young_thread*>(what), run, argument));
}

}  // extern "C"

void* operator new(std::size_t size_bytes) {  // allow: new: it stands in front of the library's
  if (is_young && fails(failing_calls::kind::memory, "operator new")) throw std::bad_alloc();
  if (void* const memory = std::malloc(size_bytes > 0 ? size_bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }               // allow: delete: as above
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }  // allow: delete: as above
