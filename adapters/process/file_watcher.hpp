#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace cellroute::process {

/// One name in one folder.
struct place {
  std::string folder;
  std::string name;
  friend auto operator<=>(const place&, const place&) = default;
};

/// Every name whose change can change what `path` leads to: the file's own, and each symbolic link's on the way, in the
/// folder where it stands. So the swap of a link three folders up is seen like an edit of the file.
///
/// Cost: some system calls for each part of the path. At most 40 links are followed, as by the system.
[[nodiscard]] std::vector<place> places_on_path(const std::string& path);

/// Tells that files may have changed, by inotify: folders are watched, since whoever replaces a file by a rename, or a
/// link to it, leaves nothing to watch in the old one.
///
/// Threads: one owner.
class file_watcher {
 public:
  file_watcher();
  file_watcher(const file_watcher&) = delete;
  file_watcher& operator=(const file_watcher&) = delete;
  ~file_watcher();

  /// Readable when something happened; -1 where the system gives no more of them.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// From now on these files, and no others. False: a folder cannot be watched, so changes in it are not told.
  ///
  /// To be called again after each change: what a link leads to may be elsewhere now.
  bool watch(std::span<const std::string> paths);

  /// Takes what has happened; true if it may concern one of the files.
  [[nodiscard]] bool take_changes();

 private:
  int descriptor_ = -1;
  std::map<std::string, int> watches_;          // by folder
  std::map<int, std::set<std::string>> names_;  // by watch
};

}  // namespace cellroute::process
