// What a process gives up, and that it is gone. Needs root; else only refusals are tested.
#include "adapters/process/privileges.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string_view>
#include <thread>

namespace cellroute::process {
namespace {

struct identity_case {
  std::string_view says;
  const char* user;
  const char* group;
  std::string_view mistake;
};

const identity_case identity_cases[] = {
    {"no such user", "nobody-of-that-name", "nogroup", "there is no user nobody-of-that-name"},
    {"no such group", "nobody", "no-group-of-that-name", "there is no group no-group-of-that-name"},
    {"root is no user to become", "root", "nogroup", "root gives up nothing"},
    {"nor is its group one", "nobody", "root", "root gives up nothing"},
};

TEST_CASE("privileges: whom nobody can become") {
  for (const identity_case& row : identity_cases) {
    CAPTURE(row.says);
    const auto who = find_identity(row.user, row.group);
    REQUIRE_FALSE(who);
    CHECK(who.error().what.starts_with(row.mistake));
  }
}

bool is_root() {
  if (::getuid() == 0) return true;
  MESSAGE("SKIPPED: only root can become somebody else");
  return false;
}

/// Runs it in a process of its own; returns the number of the first check that failed there, 0 for none.
template <class Checks>
int in_a_process_of_its_own(const Checks& checks) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(checks());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("privileges: what is given up is gone, in every thread") {
  if (!is_root()) return;
  const auto nobody = find_identity("nobody", "nogroup");
  REQUIRE(nobody);
  CHECK(in_a_process_of_its_own([&nobody] {
          std::atomic<int> asked{0};
          std::atomic<int> answer{-1};
          std::thread before([&] {
            while (asked == 0) std::this_thread::yield();
            answer = ::getuid() != 0 && ::open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0 ? 0 : 1;
          });
          const bool dropped = drop_privileges(*nobody).has_value();
          asked = 1;
          before.join();
          if (!dropped) return 1;
          if (answer != 0) return 2;
          if (::getuid() != nobody->uid || ::geteuid() != nobody->uid) return 3;
          if (::getgid() != nobody->gid || ::getegid() != nobody->gid) return 4;
          if (::seteuid(0) == 0 || ::setuid(0) == 0 || ::setgid(0) == 0) return 5;
          gid_t groups[64];
          const int count = ::getgroups(64, groups);
          for (int i = 0; i < count; ++i) {
            if (groups[i] == 0) return 6;
          }
          if (::open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0) return 7;
          if (!drop_privileges(*nobody)) return 8;  // who is nobody already has nothing more to give up
          return 0;
        }) == 0);
}

TEST_CASE("privileges: who is neither root nor that user is refused") {
  if (!is_root()) return;
  const auto nobody = find_identity("nobody", "nogroup");
  const auto daemon = find_identity("daemon", "daemon");
  REQUIRE(nobody);
  REQUIRE(daemon);
  CHECK(in_a_process_of_its_own([&] {
          if (!drop_privileges(*nobody)) return 1;
          const auto again = drop_privileges(*daemon);
          return again || !again.error().what.starts_with("only root can become daemon") ? 2 : 0;
        }) == 0);
}

}  // namespace
}  // namespace cellroute::process
