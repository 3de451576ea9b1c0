#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/process/disk.hpp"
#include "cellroute/base/random.hpp"

namespace cellroute::support {

/// What goes wrong at a call.
///
/// io_error     it fails; of bytes that `sync` was to bring to the disk none ever comes there, though later calls
/// succeed no_space     what is written there goes in part; from then on nothing more does short_write  what is written
/// there goes in part; the rest may follow read_only    it fails, and all that come after and change something crash
/// neither it nor any after it happens
enum class disk_fault { io_error, no_space, short_write, read_only, crash };

/// What of that which was not brought to the disk is there after a restart.
///
/// killed  all; and it still is not brought there: the process ended, not the machine
/// kept    all
/// lost    nothing
/// torn    each name as it was or as it is; of each file a part, perhaps with a wrong byte
enum class disk_aftermath { killed, kept, lost, torn };

/// A folder that is not there, and knows what of it is on the disk. It is as bad as a disk may be: what was not synced
/// may come there in any order.
class simulated_disk final : public process::disk {
 public:
  using bytes = std::vector<std::byte>;

  /// The n-th call from now on goes wrong; 1 is the next.
  void fail_call(std::size_t n, disk_fault how) {
    fault_ = how;
    countdown_ = n;
    has_failed_ = false;
  }
  /// Whether that call came, and could go wrong in that way.
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  [[nodiscard]] std::size_t calls() const { return calls_; }

  /// The disk is well again, and the process starts anew.
  void restart(disk_aftermath after, random_numbers& rng) {
    if (after == disk_aftermath::kept) sync_everything();
    if (after == disk_aftermath::torn) tear(rng);
    if (after != disk_aftermath::killed) {
      names_ = synced_names_;
      for (node& each : nodes_) each.seen = each.synced;
    }
    heal();
    files_.clear();
  }
  /// The disk is well again, and the process goes on.
  void heal() {
    countdown_ = 0;
    is_full_ = is_read_only_ = is_over_ = false;
  }

  /// Puts a file there, on the disk.
  void put(const std::string& name, bytes content) {
    nodes_.push_back({content, content, {}});
    names_[name] = synced_names_[name] = nodes_.size() - 1;
  }
  void put(const std::string& name, std::string_view text) {
    const auto view = std::as_bytes(std::span(text.data(), text.size()));
    put(name, bytes(view.begin(), view.end()));
  }
  void drop(const std::string& name) {
    names_.erase(name);
    synced_names_.erase(name);
  }
  [[nodiscard]] std::map<std::string, bytes> content() const {
    std::map<std::string, bytes> all;
    for (const auto& [name, at] : names_) all.emplace(name, nodes_[at].seen);
    return all;
  }

  process::disk_result<int> open(const std::string& name, access how) override {
    if (const int error = before(how != access::read)) return failed(error);
    const auto at = names_.find(name);
    if (how == access::read && at == names_.end()) return failed(ENOENT);
    if (at == names_.end() && is_full_) return failed(ENOSPC);
    if (at == names_.end()) {
      nodes_.emplace_back();
      names_[name] = nodes_.size() - 1;
    } else if (how == access::create) {
      nodes_[at->second].seen.clear();
      nodes_[at->second].missing.clear();  // what is written there from now on is new
    }
    files_[++last_file_] = {names_[name], 0};
    return last_file_;
  }

  void close(int file) override { files_.erase(file); }

  process::disk_result<std::size_t> read(int file, std::span<std::byte> to) override {
    if (const int error = before(false)) return failed(error);
    auto& [at, offset] = files_.at(file);
    const bytes& from = nodes_[at].seen;
    std::size_t size = 0;
    for (; size < to.size() && offset < from.size(); ++size) to[size] = from[offset++];
    return size;
  }

  process::disk_result<std::size_t> write(int file, std::span<const std::byte> part) override {
    const bool was_full = is_full_;
    const int error = before(true, &part);
    if (error != 0 || was_full) return failed(error != 0 ? error : ENOSPC);
    bytes& to = nodes_[files_.at(file).first].seen;
    to.insert(to.end(), part.begin(), part.end());
    return part.size();
  }

  process::disk_result<void> sync(int file) override {
    node& of = nodes_[files_.at(file).first];
    if (const int error = before(true)) {
      if (of.seen.size() > of.synced.size() && !is_over_) of.missing.emplace_back(of.synced.size(), of.seen.size());
      return failed(error);
    }
    of.sync();
    return {};
  }

  process::disk_result<void> sync_folder() override {
    if (const int error = before(true)) return failed(error);
    synced_names_ = names_;
    return {};
  }

  process::disk_result<void> rename(const std::string& from, const std::string& to) override {
    if (const int error = before(true)) return failed(error);
    const auto at = names_.find(from);
    if (at == names_.end()) return failed(ENOENT);
    names_[to] = at->second;
    names_.erase(from);
    return {};
  }

  process::disk_result<void> remove(const std::string& name) override {
    if (const int error = before(true)) return failed(error);
    if (names_.erase(name) == 0) return failed(ENOENT);
    return {};
  }

  process::disk_result<std::vector<std::string>> list() override {
    if (const int error = before(false)) return failed(error);
    std::vector<std::string> all;
    for (const auto& [name, at] : names_) all.push_back(name);
    return all;
  }

 private:
  struct node {
    bytes seen{};
    bytes synced{};
    std::vector<std::pair<std::size_t, std::size_t>> missing{};  // never come to the disk

    void sync() {
      synced = seen;
      for (const auto& [from, to] : missing) {
        for (std::size_t i = from; i < to && i < synced.size(); ++i) synced[i] = std::byte{0};
      }
    }
  };

  static unexpected<std::error_code> failed(int error) {
    return unexpected(std::error_code(error, std::system_category()));
  }

  /// What the call fails with, or 0. Of what is to be written, `part` is then what goes.
  int before(bool is_change, std::span<const std::byte>* part = nullptr) {
    if (is_over_) return EIO;
    ++calls_;
    if (is_read_only_ && is_change) return EROFS;
    if (countdown_ == 0 || --countdown_ > 0) return 0;
    const bool needs_bytes = fault_ == disk_fault::short_write;
    const bool needs_change = needs_bytes || fault_ == disk_fault::no_space || fault_ == disk_fault::read_only;
    if ((needs_bytes && (part == nullptr || part->size() < 2)) || (needs_change && !is_change)) return 0;
    has_failed_ = true;
    return fail(part);
  }

  int fail(std::span<const std::byte>* part) {
    if (part != nullptr && (fault_ == disk_fault::no_space || fault_ == disk_fault::short_write)) {
      is_full_ = fault_ == disk_fault::no_space;
      if (part->size() < 2) return ENOSPC;
      *part = part->first(part->size() / 2);
      return 0;
    }
    switch (fault_) {
      case disk_fault::io_error:
      case disk_fault::short_write:
        return EIO;
      case disk_fault::no_space:
        is_full_ = true;
        return ENOSPC;
      case disk_fault::read_only:
        is_read_only_ = true;
        return EROFS;
      case disk_fault::crash:
        is_over_ = true;
        return EIO;
    }
    return EIO;
  }

  void sync_everything() {
    for (node& each : nodes_) each.sync();
    synced_names_ = names_;
  }

  void tear(random_numbers& rng) {
    std::map<std::string, std::size_t> both = names_;
    both.insert(synced_names_.begin(), synced_names_.end());
    for (const auto& [name, ignored] : both) {
      if (rng.below(2) == 0) continue;
      const auto at = names_.find(name);
      if (at == names_.end()) {
        synced_names_.erase(name);
      } else {
        synced_names_[name] = at->second;
      }
    }
    for (node& each : nodes_) {
      if (each.seen == each.synced || rng.below(3) == 0) continue;
      const std::size_t before = each.synced.size();
      const bool is_longer =
          each.seen.size() > before && std::equal(each.synced.begin(), each.synced.end(), each.seen.begin());
      const std::size_t from = is_longer ? before : 0;
      each.sync();
      each.synced.resize(from + rng.below(each.synced.size() - from + 1));
      if (each.synced.size() > from && rng.below(2) == 0)
        each.synced[from + rng.below(each.synced.size() - from)] ^= std::byte{0x40};
    }
  }

  std::vector<node> nodes_;
  std::map<std::string, std::size_t> names_;
  std::map<std::string, std::size_t> synced_names_;
  std::map<int, std::pair<std::size_t, std::size_t>> files_;  // the node, and where to read on
  int last_file_ = 2;
  std::size_t calls_ = 0;
  std::size_t countdown_ = 0;
  disk_fault fault_ = disk_fault::io_error;
  bool has_failed_ = false;
  bool is_full_ = false;
  bool is_read_only_ = false;
  bool is_over_ = false;
};

}  // namespace cellroute::support
