#include "adapters/process/local_socket.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "adapters/io/socket.hpp"
#include "tests/support/scratch_folder.hpp"

namespace cellroute::process {
namespace {

/// A program that listens, or connects, and knows nothing of locks.
class plain_program {
 public:
  explicit plain_program(const std::string& path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    std::ranges::copy(path, address_.sun_path);
  }
  plain_program(const plain_program&) = delete;
  plain_program& operator=(const plain_program&) = delete;
  ~plain_program() { ::close(descriptor_); }

  [[nodiscard]] bool listen() const {
    return ::bind(descriptor_, where(), sizeof address_) == 0 && ::listen(descriptor_, 1) == 0;
  }
  [[nodiscard]] bool connect() const { return ::connect(descriptor_, where(), sizeof address_) == 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  [[nodiscard]] const sockaddr* where() const {
    return reinterpret_cast<const sockaddr*>(&address_);  // allow: reinterpret_cast: socket API
  }

  int descriptor_;
  sockaddr_un address_{};
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("local socket: its user alone can open it whatever the umask, and it goes with the object") {
  const support::scratch_folder folder;
  const std::string path = folder.file("s.sock");
  const mode_t umask_before = ::umask(0);
  {
    auto opened = local_socket::open(path);
    ::umask(umask_before);
    REQUIRE(opened);
    struct stat facts{};
    REQUIRE(::lstat(path.c_str(), &facts) == 0);
    CHECK(S_ISSOCK(facts.st_mode));
    CHECK((facts.st_mode & 07777) == 0600);
    CHECK(facts.st_uid == ::geteuid());

    const local_socket moved = *std::move(opened);
    const plain_program client(path);
    CHECK(client.connect());
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("local socket: who has connected is known by his user") {
  const support::scratch_folder folder;
  const std::string path = folder.file("s.sock");
  auto opened = local_socket::open(path);
  REQUIRE(opened);
  const int listening = opened->release_descriptor();
  const plain_program client(path);
  REQUIRE(client.connect());
  const int taken = ::accept(listening, nullptr, nullptr);
  REQUIRE(taken >= 0);
  CHECK(io::peer_user(taken) == ::geteuid());
  ::close(taken);
  ::close(listening);

  const int internet = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_FALSE(io::peer_user(internet));
  CHECK_FALSE(io::peer_user(-1));
  ::close(internet);
}

TEST_CASE("local socket: one process at a time has it, and then the next") {
  const support::scratch_folder folder;
  const std::string path = folder.file("s.sock");
  {
    const auto first = local_socket::open(path);
    REQUIRE(first);
    const auto second = local_socket::open(path);
    REQUIRE_FALSE(second);
    CHECK(second.error() == "socket " + path + ": another process uses it; stop that one, or give each its own");
    CHECK(std::filesystem::exists(path));
  }
  CHECK(local_socket::open(path));
}

TEST_CASE("local socket: what a dead process left is replaced, what somebody listens on is not") {
  const support::scratch_folder folder;
  const std::string path = folder.file("s.sock");
  {
    const plain_program stranger(path);
    REQUIRE(stranger.listen());
    const auto refused = local_socket::open(path);
    REQUIRE_FALSE(refused);
    CHECK(has(refused.error(), "another process uses it"));
    const plain_program client(path);
    CHECK(client.connect());
  }
  REQUIRE(std::filesystem::exists(path));
  const auto opened = local_socket::open(path);
  REQUIRE(opened);
  const plain_program client(path);
  CHECK(client.connect());
}

TEST_CASE("local socket: what is no socket stays, and so does what came in its place") {
  const support::scratch_folder folder;
  const std::string path = folder.file("s.sock");
  std::ofstream(path) << "precious";
  const auto refused = local_socket::open(path);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error(), "something else is there"));
  CHECK(std::filesystem::file_size(path) == 8);
  std::filesystem::remove(path);
  {
    const auto opened = local_socket::open(path);
    REQUIRE(opened);
    std::filesystem::remove(path);
    std::ofstream(path) << "precious";
  }
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("local socket: a path that cannot be one") {
  const support::scratch_folder folder;
  for (const std::string& path : {std::string(), folder.file(std::string(108, 'x'))}) {
    const auto refused = local_socket::open(path);
    REQUIRE_FALSE(refused);
    CHECK(has(refused.error(), "1 to 107 bytes"));
  }
  const auto refused = local_socket::open(folder.file("none/s.sock"));
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error(), "No such file or directory"));
}

}  // namespace
}  // namespace cellroute::process
