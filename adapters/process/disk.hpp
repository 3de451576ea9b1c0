#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/process/privileges.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::process {

template <class T>
using disk_result = expected<T, std::error_code>;

/// The calls of the system by which files of one folder outlive a crash, and no others: behind an interface, so that a
/// test can fail each of them, or lose the power there.
///
/// Names are those of files in the folder. A file is on the disk after `sync`, its name after `sync_folder`; until then
/// both may be there after a crash, or not, or the file in part.
/// Errors: what the system says. Threads: one owner.
class disk {
 public:
  /// read    a file that is there
  /// append  to write behind what it has; where there is no file it is made
  /// create  to write it anew; what it had is gone
  enum class access : std::uint8_t { read, append, create };

  /// A number for the calls below, until `close`.
  [[nodiscard]] virtual disk_result<int> open(const std::string& name, access how) = 0;
  virtual void close(int file) = 0;
  /// How many bytes came; 0 at the end.
  [[nodiscard]] virtual disk_result<std::size_t> read(int file, std::span<std::byte> to) = 0;
  /// How many bytes went: perhaps fewer than there are.
  [[nodiscard]] virtual disk_result<std::size_t> write(int file, std::span<const std::byte> bytes) = 0;
  [[nodiscard]] virtual disk_result<void> sync(int file) = 0;
  [[nodiscard]] virtual disk_result<void> sync_folder() = 0;
  /// In one step; a file that had the name is gone.
  [[nodiscard]] virtual disk_result<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual disk_result<void> remove(const std::string& name) = 0;
  /// The names of all files, in no order.
  [[nodiscard]] virtual disk_result<std::vector<std::string>> list() = 0;

 protected:
  ~disk() = default;
};

/// A folder of this machine. Files that are made can be read by this user alone.
///
/// Range: nobody else writes there (`state_lock`).
class disk_folder final : public disk {
 public:
  /// Files that are made belong to `later`, whom this process is about to become.
  /// Errors: what the system says of the folder.
  [[nodiscard]] static disk_result<disk_folder> open_folder(const std::string& path,
                                                            std::optional<identity> later = {});

  disk_folder(disk_folder&& other) noexcept;
  disk_folder& operator=(disk_folder&&) = delete;
  ~disk_folder();

  [[nodiscard]] disk_result<int> open(const std::string& name, access how) override;
  void close(int file) override;
  [[nodiscard]] disk_result<std::size_t> read(int file, std::span<std::byte> to) override;
  [[nodiscard]] disk_result<std::size_t> write(int file, std::span<const std::byte> bytes) override;
  [[nodiscard]] disk_result<void> sync(int file) override;
  [[nodiscard]] disk_result<void> sync_folder() override;
  [[nodiscard]] disk_result<void> rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] disk_result<void> remove(const std::string& name) override;
  [[nodiscard]] disk_result<std::vector<std::string>> list() override;

 private:
  disk_folder(int descriptor, std::optional<identity> later) : descriptor_(descriptor), later_(std::move(later)) {}

  int descriptor_;
  std::optional<identity> later_;
};

}  // namespace cellroute::process
