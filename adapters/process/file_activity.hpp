#pragma once

#include <string>

#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// Whether somebody writes this file now, as far as the system tells: it is open for writing, or it was written less
/// than `quiet` ago. Half a file can be a good one, so whoever would use it waits.
///
/// A file that is not there, or that cannot be asked about, is not being written. Time: `now` is passed in.
/// Cost: some system calls. Whoever opens the file for writing in just this moment waits for some microseconds.
/// Source: fcntl(2), "Leases": a read lease is not given while a writer has the file open.
[[nodiscard]] bool is_being_written(const std::string& path, duration quiet, wall_time now);

}  // namespace cellroute::process
