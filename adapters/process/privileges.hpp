#pragma once

#include <sys/types.h>

#include <string>

#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// Whom a process becomes once it has opened what only root may open.
struct identity {
  std::string user;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// What is wrong, and what to do.
struct privilege_error {
  std::string what;
};

/// Errors: no such user or group; root, who gives up nothing.
[[nodiscard]] expected<identity, privilege_error> find_identity(const std::string& user, const std::string& group);

/// Gives up user, groups and capabilities for good, for all threads, and makes sure that they cannot be had again. Who
/// is that user already gives up the rest.
///
/// Errors:  another user than root wants to become a third one; what could not be given up. Then the process must end.
/// Threads: before those are started that run programs; capabilities of threads that root started are gone with it.
[[nodiscard]] expected<void, privilege_error> drop_privileges(const identity& who);

}  // namespace cellroute::process
