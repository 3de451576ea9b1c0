#pragma once

namespace cellroute::process {

/// How much nicer than the process a thread in the background is. Of one processor that both want all the time it gets
/// about a quarter, and whoever serves is never behind it in the queue.
inline constexpr int background_niceness = 5;

/// Makes the calling thread, and it alone, yield to those that serve: it reads, compiles or checks a configuration,
/// which may wait. Where the system refuses, it stays as it is. Source: Linux, setpriority(2), "C library/kernel
/// differences": niceness is that of a thread.
void become_background_thread();

}  // namespace cellroute::process
