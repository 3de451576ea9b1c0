#include "adapters/process/file_watcher.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace cellroute::process {
namespace {

constexpr int links_max = 40;

// Not IN_MODIFY: a file is read when its writer has closed it, and a log in the same folder says nothing.
constexpr std::uint32_t events_of_interest = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                             IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t folder_has_gone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW;

}  // namespace

std::vector<place> places_on_path(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<place> found;
  std::error_code failed;
  fs::path rest = fs::absolute(path, failed);
  fs::path walked = rest.root_path();  // holds no link
  rest = rest.relative_path();
  for (int links = 0; !rest.empty();) {
    const fs::path part = *rest.begin();
    fs::path behind;
    for (auto at = std::next(rest.begin()); at != rest.end(); ++at) behind /= *at;
    if (part.empty() || part == "." || part == "..") {
      if (part == "..") walked = walked.parent_path();
      rest = behind;
      continue;
    }
    const fs::path here = walked / part;
    const bool is_link = fs::is_symlink(fs::symlink_status(here, failed));
    if (is_link || behind.empty()) found.push_back({walked.string(), part.string()});
    if (!is_link) {
      walked = here;
      rest = behind;
      continue;
    }
    const fs::path target = fs::read_symlink(here, failed);
    if (failed || ++links > links_max) break;
    if (target.is_absolute()) walked = target.root_path();
    rest = target.relative_path() / behind;
  }
  return found;
}

file_watcher::file_watcher() : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

file_watcher::~file_watcher() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool file_watcher::watch(std::span<const std::string> paths) {
  if (descriptor_ < 0) return false;
  std::map<std::string, std::set<std::string>> wanted;
  for (const std::string& path : paths) {
    for (const place& p : places_on_path(path)) wanted[p.folder].insert(p.name);
  }
  std::map<std::string, int> watches;
  std::map<int, std::set<std::string>> names;
  bool watches_all = true;
  for (const auto& [folder, wanted_names] : wanted) {
    const int watch = ::inotify_add_watch(descriptor_, folder.c_str(), events_of_interest);
    if (watch < 0) {
      watches_all = false;
      continue;
    }
    watches.emplace(folder, watch);
    names[watch].insert(wanted_names.begin(), wanted_names.end());  // two names of one folder share a watch
  }
  for (const auto& [folder, watch] : watches_) {
    if (!names.contains(watch)) ::inotify_rm_watch(descriptor_, watch);
  }
  watches_ = std::move(watches);
  names_ = std::move(names);
  return watches_all;
}

bool file_watcher::take_changes() {
  if (descriptor_ < 0) return false;
  bool concerns = false;
  alignas(inotify_event) std::array<char, 16384> block;
  for (;;) {
    const ssize_t got = ::read(descriptor_, block.data(), block.size());
    if (got <= 0) return concerns;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, block.data() + at, sizeof event);
      const char* const name = block.data() + at + sizeof event;
      at += sizeof event + event.len;
      const auto known = names_.find(event.wd);
      const bool is_ours = known != names_.end();
      if ((event.mask & folder_has_gone) != 0 && (is_ours || event.wd < 0)) concerns = true;
      if (is_ours && event.len > 0 && known->second.contains(name)) concerns = true;
    }
  }
}

}  // namespace cellroute::process
