#include "tests/unit/control/faulty_disk.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace cellroute::control {
namespace {

std::optional<std::string> bytes_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// As SQLite lays it out: our part first, the real file behind it.
struct disk_file {
  sqlite3_file base;
  faulty_disk* disk;
  const char* path;  // SQLite keeps it as long as the file is open; null for one without a name
};

disk_file& mine(sqlite3_file* file) { return *static_cast<disk_file*>(static_cast<void*>(file)); }
sqlite3_file* real(sqlite3_file* file) {
  return static_cast<sqlite3_file*>(
      static_cast<void*>(static_cast<char*>(static_cast<void*>(file)) + sizeof(disk_file)));
}

}  // namespace

/// What SQLite calls, in the form in which it calls it.
struct disk_calls {
  static faulty_disk& disk(sqlite3_vfs* vfs) { return *static_cast<faulty_disk*>(vfs->pAppData); }
  static bool goes_on(sqlite3_file* file) { return mine(file).disk->goes_on(); }
  static faulty_disk::file_state* state(sqlite3_file* file) {
    faulty_disk& on = *mine(file).disk;
    return on.is_counting_ && mine(file).path != nullptr ? &on.files_[mine(file).path] : nullptr;
  }

  static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    return goes_on(file) ? real(file)->pMethods->xRead(real(file), to, size, offset) : SQLITE_IOERR_READ;
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    if (!goes_on(file)) return SQLITE_FULL;
    if (auto* const of = state(file))
      of->unsure.push_back({offset, std::string(static_cast<const char*>(from), static_cast<std::size_t>(size))});
    return real(file)->pMethods->xWrite(real(file), from, size, offset);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (!goes_on(file)) return SQLITE_IOERR_TRUNCATE;
    if (auto* const of = state(file)) of->unsure.push_back({size, std::nullopt});
    return real(file)->pMethods->xTruncate(real(file), size);
  }
  /// The real disk need not be waited for: what is durable is known here.
  static int sync(sqlite3_file* file, int) {
    if (!goes_on(file)) return SQLITE_IOERR_FSYNC;
    if (state(file) != nullptr) mine(file).disk->synced(mine(file).path);
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* out) {
    return goes_on(file) ? real(file)->pMethods->xFileSize(real(file), out) : SQLITE_IOERR_FSTAT;
  }
  static int lock(sqlite3_file* file, int kind) {
    return goes_on(file) ? real(file)->pMethods->xLock(real(file), kind) : SQLITE_IOERR_LOCK;
  }
  static int unlock(sqlite3_file* file, int kind) { return real(file)->pMethods->xUnlock(real(file), kind); }
  static int is_reserved(sqlite3_file* file, int* out) {
    return goes_on(file) ? real(file)->pMethods->xCheckReservedLock(real(file), out) : SQLITE_IOERR_CHECKRESERVEDLOCK;
  }
  static int control(sqlite3_file* file, int what, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), what, argument);
  }
  static int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
  static int shm_map(sqlite3_file* file, int page, int page_size, int is_made, void volatile** out) {
    return goes_on(file) ? real(file)->pMethods->xShmMap(real(file), page, page_size, is_made, out)
                         : SQLITE_IOERR_SHMMAP;
  }
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    const bool is_release = (flags & SQLITE_SHM_UNLOCK) != 0;
    return is_release || goes_on(file) ? real(file)->pMethods->xShmLock(real(file), first, count, flags)
                                       : SQLITE_IOERR_SHMLOCK;
  }
  static void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
  static int shm_unmap(sqlite3_file* file, int is_removed) {
    return real(file)->pMethods->xShmUnmap(real(file), is_removed);
  }

  static constexpr sqlite3_io_methods methods = {
      2,         close,       read,    write,       truncate,        sync,    size,     lock,
      unlock,    is_reserved, control, sector_size, characteristics, shm_map, shm_lock, shm_barrier,
      shm_unmap, nullptr,     nullptr};

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    mine(file) = {{nullptr}, &disk(vfs), name};
    if (!disk(vfs).goes_on()) return SQLITE_CANTOPEN;
    const int code = disk(vfs).real_->xOpen(disk(vfs).real_, name, real(file), flags, out_flags);
    if (code == SQLITE_OK) mine(file).base.pMethods = &methods;
    if (code == SQLITE_OK) (void)state(file);  // known from now on
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int is_synced) {
    if (!disk(vfs).goes_on()) return SQLITE_IOERR_DELETE;
    const int code = disk(vfs).real_->xDelete(disk(vfs).real_, name, is_synced);
    if (code == SQLITE_OK && disk(vfs).is_counting_) {
      if (is_synced != 0) {
        disk(vfs).files_[name] = {};
      } else {
        disk(vfs).files_[name].unsure.push_back({0, std::nullopt});
      }
    }
    return code;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return disk(vfs).goes_on() ? disk(vfs).real_->xAccess(disk(vfs).real_, name, flags, out) : SQLITE_IOERR_ACCESS;
  }
  static int full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return disk(vfs).real_->xFullPathname(disk(vfs).real_, name, size, out);
  }
};

faulty_disk::faulty_disk() : real_(sqlite3_vfs_find(nullptr)) {
  calls_of_files_ = *real_;
  calls_of_files_.pNext = nullptr;
  calls_of_files_.zName = "faulty_disk";
  calls_of_files_.pAppData = this;
  calls_of_files_.szOsFile = static_cast<int>(sizeof(disk_file)) + real_->szOsFile;
  calls_of_files_.xOpen = disk_calls::open;
  calls_of_files_.xDelete = disk_calls::remove;
  calls_of_files_.xAccess = disk_calls::access;
  calls_of_files_.xFullPathname = disk_calls::full_path;
  REQUIRE(sqlite3_vfs_register(&calls_of_files_, 1) == SQLITE_OK);
}

faulty_disk::~faulty_disk() {
  sqlite3_vfs_unregister(&calls_of_files_);
  sqlite3_vfs_register(real_, 1);
}

void faulty_disk::start(const std::vector<std::string>& files) {
  files_.clear();
  for (const std::string& each : files) files_[each] = {bytes_in(each), {}};
  calls_ = 0;
  fail_at_.reset();
  crash_at_.reset();
  has_crashed_ = false;
  is_counting_ = true;
}

void faulty_disk::stop() {
  is_counting_ = false;
  has_crashed_ = false;
}

bool faulty_disk::goes_on() {
  if (has_crashed_) return false;
  if (!is_counting_) return true;
  const std::uint64_t call = calls_++;
  if (call == crash_at_) has_crashed_ = true;
  return !has_crashed_ && call != fail_at_;
}

void faulty_disk::synced(const std::string& path) { files_[path] = {bytes_in(path), {}}; }

void faulty_disk::power_up(survival kept, random_numbers& rng) {
  if (kept == survival::all) return;
  for (const auto& [path, of] : files_) {
    if (path.ends_with("-shm")) continue;
    std::optional<std::string> bytes = of.durable;
    for (const change& each : of.unsure) {
      if (kept == survival::none || rng.below(2) == 0) continue;
      const auto offset = static_cast<std::size_t>(each.offset);
      if (!bytes) bytes.emplace();
      if (!each.bytes) {
        bytes->resize(std::min(bytes->size(), offset));
      } else {
        if (bytes->size() < offset + each.bytes->size()) bytes->resize(offset + each.bytes->size());
        bytes->replace(offset, each.bytes->size(), *each.bytes);
      }
    }
    std::filesystem::remove(path + "-shm");
    if (bytes) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << *bytes;
    } else {
      std::filesystem::remove(path);
    }
  }
}

}  // namespace cellroute::control
