#include "adapters/control/head_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t head_bytes_max = 4096;

std::string failed(std::string_view what, const std::string& path) {
  return fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno));
}

/// A descriptor that is closed at the end of its block.
struct closing {
  int descriptor;
  ~closing() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

bool write_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(to, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// Why a file cannot be believed; nothing where it can, or is not there.
std::optional<std::string> why_foreign(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  if (facts.st_uid != ::geteuid()) return path + ": belongs to another user; name another store, or change its owner";
  if ((facts.st_mode & 022u) != 0) return path + ": others may write it; chmod go-w it";
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const wire::node& tree, std::string_view name) {
  const wire::node* found = tree.find(name);
  if (found == nullptr || found->kind != wire::node_kind::plain) return std::nullopt;
  const auto number = wire::parse_count(found->text);
  return number ? std::optional(*number) : std::nullopt;
}

}  // namespace

std::string write_head(const publish_head& head) {
  return fmt::format("{{\"epoch\":{},\"version\":{},\"digest\":\"{}\",\"salt\":{}}}\n", head.content.epoch,
                     head.content.version, wire::to_hex(head.content.sum), head.salt);
}

std::optional<publish_head> read_head(std::string_view text) {
  const auto tree = wire::read_json(text, "head");
  if (!tree || tree->kind != wire::node_kind::map) return std::nullopt;
  const auto epoch = number_in(*tree, "epoch");
  const auto version = number_in(*tree, "version");
  const auto salt = number_in(*tree, "salt");
  const wire::node* digest = tree->find("digest");
  if (!epoch || !version || !salt || digest == nullptr) return std::nullopt;
  const auto sum = wire::parse_digest(digest->text);
  if (!sum) return std::nullopt;
  return publish_head{{*epoch, *version, *sum}, *salt};
}

head_file::head_file(std::string path, int lock, const publish_head& head)
    : path_(std::move(path)), lock_(lock), head_(head) {}

head_file::head_file(head_file&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)), head_(other.head_) {}

head_file::~head_file() {
  if (lock_ >= 0) ::close(lock_);
}

expected<head_file, std::string> head_file::open(const std::string& path, const publish_head& begin) {
  const std::string lock_path = path + ".lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return unexpected(failed("open", lock_path));
  head_file made(path, lock, begin);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return unexpected(errno == EWOULDBLOCK
                          ? lock_path + ": another control plane has this store; end that one, or name another store"
                          : failed("lock", lock_path));
  }
  if (auto why = why_foreign(path)) return unexpected(*std::move(why));
  const auto text = wire::read_file(path, head_bytes_max);
  if (!text) {
    if (text.error() != wire::file_error::missing)
      return unexpected(path + ": " + std::string(to_string(text.error())));
    if (auto kept = made.keep(begin); !kept) return unexpected(std::move(kept).error());
    return made;
  }
  const auto head = read_head(*text);
  if (!head) return unexpected(path + ": is no head of a control plane; bring back the one of a backup");
  made.head_ = *head;
  return made;
}

expected<void, std::string> head_file::keep(const publish_head& next) {
  if (!path_.empty()) {
    const std::string made = path_ + ".new";
    {
      const closing file{::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
      if (file.descriptor < 0) return unexpected(failed("open", made));
      if (!write_all(file.descriptor, write_head(next))) return unexpected(failed("write", made));
      if (::fsync(file.descriptor) != 0) return unexpected(failed("write", made));
    }
    if (::rename(made.c_str(), path_.c_str()) != 0) return unexpected(failed("rename", made));
    std::string folder = std::filesystem::path(path_).parent_path().string();
    if (folder.empty()) folder = ".";
    const closing place{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place.descriptor < 0 || ::fsync(place.descriptor) != 0) return unexpected(failed("write", folder));
  }
  head_ = next;
  return {};
}

}  // namespace cellroute::control
