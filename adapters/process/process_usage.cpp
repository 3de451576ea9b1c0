#include "adapters/process/process_usage.hpp"

#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>

namespace cellroute::process {
namespace {

std::optional<std::uint64_t> read_resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all_pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(statm >> all_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

struct close_directory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::optional<std::uint64_t> count_open_fds() {
  const std::unique_ptr<DIR, close_directory> directory(::opendir("/proc/self/fd"));
  if (!directory) return std::nullopt;
  std::uint64_t entries = 0;
  while (::readdir(directory.get()) != nullptr) ++entries;
  return entries < 3 ? 0 : entries - 3;  // `.`, `..` and the descriptor that reads the directory
}

double to_seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

process_usage read_process_usage() {
  process_usage usage{read_resident_bytes(), count_open_fds(), {}, {}};
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  rusage times{};
  if (::getrusage(RUSAGE_SELF, &times) == 0)
    usage.cpu_seconds = to_seconds(times.ru_utime) + to_seconds(times.ru_stime);
  return usage;
}

void give_back_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace cellroute::process
