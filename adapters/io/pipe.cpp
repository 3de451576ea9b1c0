#include "adapters/io/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace cellroute::io {

pipe::~pipe() {
  if (read_end >= 0) ::close(read_end);
  if (write_end >= 0) ::close(write_end);
}

void pipe_releaser::operator()(pipe* used) const { pool->give_back(std::unique_ptr<pipe>(used)); }

pipe_handle pipe_pool::take() {
  std::unique_ptr<pipe> taken;
  if (!free_.empty()) {
    taken = std::move(free_.back());
    free_.pop_back();
  } else {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
    taken = std::make_unique<pipe>();
    taken->read_end = ends[0];
    taken->write_end = ends[1];
    (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(pipe_bytes));
  }
  return pipe_handle(taken.release(), pipe_releaser{this});
}

void pipe_pool::give_back(std::unique_ptr<pipe> used) {
  // What an exchange that was cut left in it must not reach another.
  if (used->held_bytes == 0 && free_.size() < kept_max) free_.push_back(std::move(used));
}

}  // namespace cellroute::io
