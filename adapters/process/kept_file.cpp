#include "adapters/process/kept_file.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace cellroute::process {
namespace {

constexpr std::size_t read_bytes_first = std::size_t{64} << 10;

/// A file that is closed at the end.
class open_file {
 public:
  open_file(disk& on, int file) : on_(on), file_(file) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() { on_.close(file_); }

  [[nodiscard]] disk_result<void> write_all(byte_parts parts) const {
    for (std::span<const std::byte> part : parts) {
      while (!part.empty()) {
        const auto sent = on_.write(file_, part);
        if (!sent) return unexpected(sent.error());
        if (*sent == 0) return unexpected(std::make_error_code(std::errc::no_space_on_device));
        part = part.subspan(*sent);
      }
    }
    return {};
  }

  [[nodiscard]] disk_result<void> sync() const { return on_.sync(file_); }
  [[nodiscard]] disk_result<std::size_t> read(std::span<std::byte> to) const { return on_.read(file_, to); }

 private:
  disk& on_;
  int file_;
};

std::string failed(const std::string& name, const char* what, const std::error_code& why) {
  return name + ": " + what + ": " + why.message();
}

/// Tells what failed. `is_synced`: it is on the disk when this returns.
expected<void, std::string> write_parts(disk& on, const std::string& name, disk::access how, byte_parts parts,
                                        bool is_synced = true) {
  const auto opened = on.open(name, how);
  if (!opened) return unexpected(failed(name, "cannot be written", opened.error()));
  const open_file file(on, *opened);
  if (const auto written = file.write_all(parts); !written)
    return unexpected(failed(name, "cannot be written", written.error()));
  if (!is_synced) return {};
  if (const auto synced = file.sync(); !synced)
    return unexpected(failed(name, "cannot be brought to the disk", synced.error()));
  return {};
}

/// Writes under another name first, then renames.
expected<void, replace_error> write_and_rename(disk& on, const std::string& name, byte_parts parts, bool is_synced) {
  const std::string unfinished = name + unfinished_ending;
  if (auto written = write_parts(on, unfinished, disk::access::create, parts, is_synced); !written) {
    (void)on.remove(unfinished);
    return unexpected(replace_error{written.error(), false});
  }
  if (const auto renamed = on.rename(unfinished, name); !renamed) {
    (void)on.remove(unfinished);
    return unexpected(replace_error{failed(name, "cannot get its name", renamed.error()), true});
  }
  return {};
}

}  // namespace

expected<void, std::string> write_file(disk& on, const std::string& name, byte_parts parts) {
  auto written = write_and_rename(on, name, parts, false);
  if (!written) return unexpected(std::move(written).error().what);
  return {};
}

expected<void, replace_error> replace_file(disk& on, const std::string& name, byte_parts parts) {
  if (auto written = write_and_rename(on, name, parts, true); !written) return written;
  if (const auto synced = on.sync_folder(); !synced)
    return unexpected(replace_error{failed(name, "its name cannot be brought to the disk", synced.error()), true});
  return {};
}

expected<void, std::string> append_to_file(disk& on, const std::string& name, byte_parts parts) {
  return write_parts(on, name, disk::access::append, parts);
}

expected<std::optional<std::vector<std::byte>>, std::string> read_file(disk& on, const std::string& name,
                                                                       std::size_t size_max) {
  using content = std::optional<std::vector<std::byte>>;
  const auto opened = on.open(name, disk::access::read);
  if (!opened && opened.error() == std::errc::no_such_file_or_directory) return content();
  if (!opened) return unexpected(failed(name, "cannot be read", opened.error()));
  const open_file file(on, *opened);
  std::vector<std::byte> bytes;
  for (;;) {
    const std::size_t have = bytes.size();
    bytes.resize(std::max(read_bytes_first, 2 * have));
    const auto got = file.read(std::span(bytes).subspan(have));
    if (!got) return unexpected(failed(name, "cannot be read", got.error()));
    bytes.resize(have + *got);
    if (bytes.size() > size_max) return unexpected(name + ": is larger than anything that is kept here");
    if (*got == 0) return content(std::move(bytes));
  }
}

}  // namespace cellroute::process
