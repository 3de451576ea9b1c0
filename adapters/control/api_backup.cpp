#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "adapters/control/api_parts.hpp"

// The store as one file, for whoever keeps it elsewhere.
namespace cellroute::control {
namespace {

/// A file that nobody else sees any more: it is gone from its folder, and from the disk with this.
class file_stream final : public body_source {
 public:
  explicit file_stream(int descriptor) : descriptor_(descriptor) {}
  file_stream(const file_stream&) = delete;
  file_stream& operator=(const file_stream&) = delete;
  ~file_stream() override { ::close(descriptor_); }

  bool next(std::string& piece) override {
    piece.resize(answer_piece_bytes);
    ssize_t got = 0;
    do {
      got = ::read(descriptor_, piece.data(), piece.size());
    } while (got < 0 && errno == EINTR);
    piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return got > 0;
  }

 private:
  int descriptor_;
};

/// What HEAD is answered with where GET has a stream: nobody takes a byte of it.
class no_stream final : public body_source {
 public:
  bool next(std::string&) override { return false; }
};

answer backup_answer(std::unique_ptr<body_source> stream, const store_head& head) {
  answer made;
  made.stream = std::move(stream);
  made.headers.emplace_back("Content-Type", "application/vnd.sqlite3");
  add_tag(made, tag_of(head));
  return made;
}

}  // namespace

answer get_backup(call& c) {
  if (c.asked.method == "HEAD") {
    reader<active_content> now(c.state.of.current());
    return backup_answer(std::make_unique<no_stream>(), now.current().value.head);
  }
  static std::atomic<std::uint64_t> made_so_far = 0;
  const std::string path = fmt::format("{}.backup.{}.{}", c.state.of.store_path(), ::getpid(), ++made_so_far);
  int descriptor = -1;
  store_head head;
  {
    registry::turn turn = c.state.of.begin();
    head = turn.base().head;
    const auto noted = turn.stored().append_audit(c.who.name, "store.backup", {}, {}, c.now);
    if (!noted) return problem_answer(noted.error());
    const auto done = turn.stored().backup(path);
    if (done) descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    (void)::unlink(path.c_str());
    // A copy that failed leaves what it was about to do beside it.
    for (const char* const beside : {"-journal", "-wal", "-shm"}) (void)::unlink((path + beside).c_str());
    if (!done) return problem_answer(done.error());
  }
  if (descriptor < 0) return problem_answer(503, "unavailable", "the copy cannot be read");
  return backup_answer(std::make_unique<file_stream>(descriptor), head);
}

}  // namespace cellroute::control
