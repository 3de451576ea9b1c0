#include "adapters/process/background_thread.hpp"

#include <sys/resource.h>

namespace cellroute::process {

void become_background_thread() {
  // 0: this thread. Beyond the last step it is the last.
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + background_niceness);
}

}  // namespace cellroute::process
