#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace cellroute::io {

/// A kernel pipe that carries content from one socket to another without a copy through this process.
struct pipe {
  int read_end = -1;
  int write_end = -1;
  std::size_t held_bytes = 0;  ///< read from one side and not yet written to the other

  pipe() = default;
  pipe(const pipe&) = delete;
  pipe& operator=(const pipe&) = delete;
  ~pipe();
};

/// Bytes that a pipe is asked to hold; where the system allows less, it holds less.
inline constexpr std::size_t pipe_bytes = 1024 * 1024;

class pipe_pool;

struct pipe_releaser {
  pipe_pool* pool = nullptr;
  void operator()(pipe* used) const;
};
/// A borrowed pipe, given back at the end on every path.
using pipe_handle = std::unique_ptr<pipe, pipe_releaser>;

/// The pipes of one reactor. Threads: one owner. Outlives its handles.
class pipe_pool {
 public:
  static constexpr std::size_t kept_max = 16;

  /// Empty where the process has no descriptors left: then content goes through memory.
  [[nodiscard]] pipe_handle take();

 private:
  friend pipe_releaser;
  void give_back(std::unique_ptr<pipe> used);
  std::vector<std::unique_ptr<pipe>> free_;
};

}  // namespace cellroute::io
