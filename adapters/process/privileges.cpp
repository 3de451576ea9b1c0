#include "adapters/process/privileges.hpp"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace cellroute::process {
namespace {

constexpr std::size_t entry_max_bytes = std::size_t{1} << 20;  // of the user database; a group may have many members

unexpected<privilege_error> error(std::string what) { return unexpected(privilege_error{std::move(what)}); }

unexpected<privilege_error> failed(const std::string& what) { return error(what + ": " + std::strerror(errno)); }

/// Calls one of the `get..nam_r`, whose buffer must be as large as the entry needs.
template <class Entry>
std::optional<Entry> find_entry(int (*get)(const char*, Entry*, char*, std::size_t, Entry**), const std::string& name) {
  Entry entry{};
  Entry* found = nullptr;
  std::vector<char> buffer(4096);
  while (get(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
    if (buffer.size() >= entry_max_bytes) return std::nullopt;
    buffer.resize(2 * buffer.size());
  }
  if (found == nullptr) return std::nullopt;
  return entry;  // its texts are gone; only numbers are used
}

/// The sets of capabilities of one thread; 0 is the calling one.
bool has_capabilities(pid_t thread) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, thread};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return errno != ESRCH;  // a thread that has ended has none
  for (const __user_cap_data_struct& set : sets) {
    if ((set.effective | set.permitted | set.inheritable) != 0) return true;
  }
  return false;
}

bool give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         ::syscall(SYS_capset, &header, none.data()) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

struct folder_closer {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

bool any_thread_has_capabilities() {
  if (has_capabilities(0)) return true;
  const std::unique_ptr<DIR, folder_closer> threads(::opendir("/proc/self/task"));
  if (threads == nullptr) return false;  // there is no /proc
  while (const dirent* const entry = ::readdir(threads.get())) {
    const pid_t thread = std::atoi(entry->d_name);
    if (thread > 0 && has_capabilities(thread)) return true;
  }
  return false;
}

struct ids {
  uid_t users[3];
  gid_t groups[3];
};

ids read_ids() {
  ids now{};
  ::getresuid(&now.users[0], &now.users[1], &now.users[2]);
  ::getresgid(&now.groups[0], &now.groups[1], &now.groups[2]);
  return now;
}

bool is_all(const identity& who, const ids& now) {
  bool all = true;
  for (const uid_t user : now.users) all = all && user == who.uid;
  for (const gid_t group : now.groups) all = all && group == who.gid;
  return all;
}

}  // namespace

expected<identity, privilege_error> find_identity(const std::string& user, const std::string& group) {
  const auto account = find_entry(::getpwnam_r, user);
  if (!account) return error("there is no user " + user + ": name one that this machine knows");
  const auto members = find_entry(::getgrnam_r, group);
  if (!members) return error("there is no group " + group + ": name one that this machine knows");
  if (account->pw_uid == 0 || members->gr_gid == 0) return error("root gives up nothing: name another user and group");
  return identity{user, account->pw_uid, members->gr_gid};
}

expected<void, privilege_error> drop_privileges(const identity& who) {
  if (!is_all(who, read_ids())) {
    if (::geteuid() != 0) return error("only root can become " + who.user + ": start as root, or remove it");
    // In this order: who is no longer root may not change groups.
    if (::initgroups(who.user.c_str(), who.gid) != 0) return failed("the groups cannot be changed");
    if (::setresgid(who.gid, who.gid, who.gid) != 0) return failed("the group cannot be changed");
    if (::setresuid(who.uid, who.uid, who.uid) != 0) return failed("the user cannot be changed");
  }
  if (!give_up_capabilities()) return failed("the capabilities cannot be given up");
  if (!is_all(who, read_ids()) || any_thread_has_capabilities()) return error("something was not given up");
  if (::setresuid(static_cast<uid_t>(-1), 0, static_cast<uid_t>(-1)) == 0) return error("root can be had again");
  if (::setresgid(static_cast<gid_t>(-1), 0, static_cast<gid_t>(-1)) == 0) return error("its group can be had again");
  return {};
}

}  // namespace cellroute::process
