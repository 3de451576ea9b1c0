// What becomes of lines: where they go, in which order, and what happens when nobody takes them.
#include "adapters/process/log_writer.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::process {
namespace {

using support::scratch_folder;

wall_time fixed_now() { return wall_time(1'767'528'000'000ms); }

/// Both ends of a pipe.
struct pipe_pair {
  int reader = -1;
  int writer = -1;
  pipe_pair() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = ends[0];
    writer = ends[1];
  }
  pipe_pair(const pipe_pair&) = delete;
  pipe_pair& operator=(const pipe_pair&) = delete;
  ~pipe_pair() {
    ::close(reader);
    ::close(writer);
  }
  /// What was written so far; nothing if that is nothing.
  [[nodiscard]] std::string take() const {
    ::fcntl(reader, F_SETFL, O_NONBLOCK);
    std::string text(1 << 20, '\0');
    const ssize_t size = ::read(reader, text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
};

std::string contents(const std::string& path) {
  std::ifstream input(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::unique_ptr<log_writer> open_log(const std::string& output, log_settings settings = {}) {
  settings.output = output;
  settings.now = fixed_now;
  auto log = log_writer::open(settings);
  REQUIRE(log);
  return std::move(*log);
}

/// Waits for a fact.
template <class Fact>
void wait_for(const Fact& fact) {
  while (!fact()) std::this_thread::yield();
}

void push(access_ring& ring, std::string_view path) {
  access_record record;
  record.method = "GET";
  record.path = path;
  record.status_code = 200;
  REQUIRE(ring.push(record));
}

TEST_CASE("event line: four members, then the pairs as given") {
  std::string text;
  const std::string source = "file";
  const event_pair pairs[] = {{"generation", 7u}, {"delta", -1},        {"share", 0.5},
                              {"forced", true},   {"path", "a\"b.yml"}, {"source", source}};
  append_event_line(text, {fixed_now(), log_level::warn, "config_applied", "a \"new\" one", pairs});
  CHECK(text == R"({"timestamp":"2026-01-04T12:00:00.000Z","level":"warn","event":"config_applied",)"
                R"("message":"a \"new\" one","generation":7,"delta":-1,"share":0.5,"forced":true,"path":"a\"b.yml",)"
                R"("source":"file"})"
                "\n");
}

TEST_CASE("log writer: stopping it writes all that was pushed before, ring by ring in order") {
  const scratch_folder folder;
  access_ring first;
  access_ring second;
  {
    const auto log = open_log(folder.file("log"), {.layout = access_layout(access_preset::m1)});
    log->add_ring(first);
    log->add_ring(second);
    for (int i = 0; i < 1000; ++i) {
      push(first, "/first/" + std::to_string(i));
      push(second, "/second/" + std::to_string(i));
    }
  }
  const std::string text = contents(folder.file("log"));
  CHECK(lines_in(text) == 2000);
  std::size_t at_first = 0;
  std::size_t at_second = 0;
  for (int i = 0; i < 1000; ++i) {
    at_first = text.find("\"/first/" + std::to_string(i) + '"', at_first);
    at_second = text.find("\"/second/" + std::to_string(i) + '"', at_second);
    REQUIRE(at_first != std::string::npos);
    REQUIRE(at_second != std::string::npos);
  }
}

TEST_CASE("log writer: a line is written soon, without a stop and without being woken") {
  const scratch_folder folder;
  access_ring ring;
  const auto log = open_log(folder.file("log"));
  log->add_ring(ring);
  push(ring, "/soon");
  // The two are counted one after the other.
  wait_for([&] {
    const std::size_t size = contents(folder.file("log")).size();
    return log->counts() == log_counts{.lines_written = 1, .bytes_written = size};
  });
  CHECK(contents(folder.file("log")).find("\"/soon\"") != std::string::npos);
}

TEST_CASE("log writer: a file is appended to and is not for everyone to read") {
  const scratch_folder folder;
  std::ofstream(folder.file("log")) << "before\n";
  open_log(folder.file("log"))->event(fixed_now(), log_level::info, "started", "");
  CHECK(contents(folder.file("log")).starts_with("before\n{\"timestamp\""));
  open_log(folder.file("fresh"));
  CHECK((std::filesystem::status(folder.file("fresh")).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
}

TEST_CASE("log writer: events below the level are not written, access lines have no level") {
  const scratch_folder folder;
  access_ring ring;
  {
    const auto log = open_log(folder.file("log"), {.level = log_level::warn});
    log->add_ring(ring);
    log->event(fixed_now(), log_level::info, "quiet_1", "");
    log->event(fixed_now(), log_level::warn, "heard_1", "");
    log->set_level(log_level::error);
    log->event(fixed_now(), log_level::warn, "quiet_2", "");
    log->event(fixed_now(), log_level::error, "heard_2", "");
    log->set_level(log_level::debug);
    log->event(fixed_now(), log_level::debug, "heard_3", "");
    push(ring, "/heard");
  }
  const std::string text = contents(folder.file("log"));
  CHECK(lines_in(text) == 4);
  CHECK(text.find("quiet") == std::string::npos);
}

TEST_CASE("log writer: a file that cannot be opened is an error with its reason") {
  const scratch_folder folder;
  for (const auto& [path, expected] : {std::pair{folder.file("absent/log"), ENOENT}, {folder.file(""), EISDIR}}) {
    const auto log = log_writer::open({.output = path, .now = fixed_now});
    REQUIRE_FALSE(log);
    CHECK(log.error().starts_with("cannot open the log " + path + ": " + std::strerror(expected) + "; "));
  }
}

TEST_CASE("log writer: a pipe that nobody reads yet is an error, not a wait") {
  const scratch_folder folder;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const auto log = log_writer::open({.output = folder.file("fifo"), .now = fixed_now});
  REQUIRE_FALSE(log);
  CHECK(log.error().find(std::strerror(ENXIO)) != std::string::npos);
}

TEST_CASE("log writer: on a full disk lines are lost, counted, and that is said once") {
  const pipe_pair complaints;
  access_ring ring;
  {
    const auto log = open_log("/dev/full", {.report_descriptor = complaints.writer});
    log->add_ring(ring);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      push(ring, "/lost");
      wait_for([&] { return log->counts().lines_lost == i; });
    }
    CHECK(log->counts() == log_counts{.lines_lost = 3});
  }
  CHECK(complaints.take() == R"({"timestamp":"2026-01-04T12:00:00.000Z","level":"error","event":"log_write_failed",)"
                             R"("message":"lines are lost and counted until writing works again","output":"/dev/full",)"
                             R"("reason":"No space left on device"})"
                             "\n");
}

/// Lets files of this process grow to that size and no further; the writer's thread blocks the signal that comes with
/// it.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t size_bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit low{size_bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;
  ~file_size_limit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_CASE("log writer: when writing works again, that is said, and a line that was cut does not spoil the next") {
  const scratch_folder folder;
  const pipe_pair complaints;
  access_ring ring;
  {
    const auto log = open_log(folder.file("log"),
                              {.layout = access_layout(access_preset::m1), .report_descriptor = complaints.writer});
    log->add_ring(ring);
    {
      const file_size_limit limit(100);  // within the first line
      push(ring, "/cut");
      wait_for([&] { return log->counts().lines_lost == 1; });
      push(ring, "/lost");
      wait_for([&] { return log->counts().lines_lost == 2; });
    }
    push(ring, "/written");
    wait_for([&] { return log->counts().lines_written == 1; });
  }
  const std::string text = contents(folder.file("log"));
  CHECK(lines_in(text) == 2);
  CHECK(text.find('\n') == 100);
  CHECK(text.find("{\"timestamp\"", 1) == 101);
  CHECK(text.find("\"/written\"") != std::string::npos);
  CHECK(text.find("\"/lost\"") == std::string::npos);
  const std::string said = complaints.take();
  CHECK(lines_in(said) == 2);
  CHECK(said.find(R"("event":"log_write_failed")") != std::string::npos);
  CHECK(said.find(R"("level":"warn","event":"log_write_recovered","message":"the log is written again",)") !=
        std::string::npos);
  CHECK(said.ends_with("\"lines_lost\":2}\n"));
}

TEST_CASE("log writer: a reader that left costs lines, not the process") {
  const scratch_folder folder;
  const pipe_pair complaints;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const int reader = ::open(folder.file("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  access_ring ring;
  const auto log = open_log(folder.file("fifo"), {.report_descriptor = complaints.writer});
  log->add_ring(ring);
  ::close(reader);
  push(ring, "/lost");
  wait_for([&] { return log->counts().lines_lost == 1; });
  wait_for([&] { return complaints.take().find("Broken pipe") != std::string::npos; });
}

TEST_CASE("log writer: a reader that does not read fills the rings, and holds up a stop only for its timeout") {
  const scratch_folder folder;
  const pipe_pair complaints;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const int reader = ::open(folder.file("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  access_ring ring(64 * 1024);
  {
    const auto log = open_log(folder.file("fifo"), {.stop_timeout = 50ms, .report_descriptor = complaints.writer});
    log->add_ring(ring);
    access_record record;
    record.path = "/waits";
    wait_for([&] { return !ring.push(record); });
    CHECK(log->counts().records_dropped == 1);
    CHECK(log->counts().lines_lost == 0);
  }
  ::close(reader);
  CHECK(complaints.take().find("nobody reads it") != std::string::npos);
}

TEST_CASE("log writer: a reader that reads slowly gets every line whole") {
  const scratch_folder folder;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const int reader = ::open(folder.file("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  ::fcntl(reader, F_SETFL, 0);
  access_ring ring;
  constexpr std::size_t records = 1000;
  std::string text;
  std::thread slow;
  {
    const auto log = open_log(folder.file("fifo"), {.layout = access_layout(access_preset::m1), .stop_timeout = 60s});
    slow = std::thread([&] {
      char piece[777];
      for (ssize_t size = 1; size > 0;) {
        size = ::read(reader, piece, sizeof piece);
        if (size > 0) text.append(piece, static_cast<std::size_t>(size));
      }
    });
    log->add_ring(ring);
    for (std::size_t i = 0; i < records; ++i) push(ring, "/" + std::string(i % 500, 'p'));
  }
  slow.join();
  ::close(reader);
  std::string expected;
  for (std::size_t i = 0; i < records; ++i) {
    const std::string path = "/" + std::string(i % 500, 'p');
    access_record record;
    record.method = "GET";
    record.path = path;
    record.status_code = 200;
    append_access_line(expected, record, access_layout(access_preset::m1));
  }
  CHECK((text == expected));
}

TEST_CASE("log writer: the queue of events has a bound, and what is beyond is counted") {
  const scratch_folder folder;
  const auto log = open_log("/dev/null", {.event_queue_max_bytes = 100});
  log->event(fixed_now(), log_level::info, "long", std::string(200, 'x'));
  CHECK(log->counts().events_dropped == 1);
}

TEST_CASE("log writer: after a rotation lines go to the file that has the name now") {
  const scratch_folder folder;
  const auto log = open_log(folder.file("log"));
  log->event(fixed_now(), log_level::info, "before", "");
  wait_for([&] { return log->counts().lines_written == 1; });
  std::filesystem::rename(folder.file("log"), folder.file("log.1"));
  log->reopen();
  wait_for([&] { return std::filesystem::exists(folder.file("log")); });
  log->event(fixed_now(), log_level::info, "after", "");
  wait_for([&] { return log->counts().lines_written == 2; });
  CHECK(contents(folder.file("log.1")).find("\"before\"") != std::string::npos);
  CHECK(contents(folder.file("log")).find("\"after\"") != std::string::npos);
  CHECK(contents(folder.file("log")).find("\"before\"") == std::string::npos);
}

std::unique_ptr<log_output> open_output(const std::string& name) {
  auto opened = log_output::open(name);
  REQUIRE(opened);
  return *std::move(opened);
}

TEST_CASE("log writer: from a change on lines go to the new output, and what was said before to the old one") {
  const scratch_folder folder;
  access_ring ring;
  {
    const auto log = open_log(folder.file("old"));
    log->add_ring(ring);
    push(ring, "/before");
    wait_for([&] { return log->counts().lines_written == 1; });
    for (int i = 0; i < 100; ++i) log->event(fixed_now(), log_level::info, "before", "");
    log->change(open_output(folder.file("new")), access_layout(access_preset::m1));
    log->event(fixed_now(), log_level::info, "after", "");
    wait_for([&] { return log->counts().lines_written == 102; });
    push(ring, "/after");
  }
  const std::string before = contents(folder.file("old"));
  CHECK(lines_in(before) == 101);
  CHECK(before.find("after") == std::string::npos);
  const std::string after = contents(folder.file("new"));
  CHECK(lines_in(after) == 2);
  CHECK(after.find("\"after\"") < after.find("\"/after\""));
  CHECK(after.find("\"cell\"") == std::string::npos);  // by the new layout
}

TEST_CASE("log writer: a record from before a change goes to the old output, one from behind it to the new one") {
  for (int round = 0; round < 100; ++round) {  // the writer may be anywhere when the change comes
    const scratch_folder folder;
    access_ring ring;
    {
      const auto log = open_log(folder.file("old"));
      log->add_ring(ring);
      for (int i = 0; i < 10; ++i) push(ring, "/before");
      log->change(open_output(folder.file("new")), access_layout());
      push(ring, "/after");
    }
    REQUIRE(lines_in(contents(folder.file("old"))) == 10);
    REQUIRE(lines_in(contents(folder.file("new"))) == 1);
  }
}

TEST_CASE("log writer: a change without an output keeps the one of before") {
  const scratch_folder folder;
  access_ring ring;
  {
    const auto log = open_log(folder.file("log"));
    log->add_ring(ring);
    log->change(nullptr, access_layout(access_preset::standard, std::array{std::string("path")}));
    log->event(fixed_now(), log_level::info, "changed", "");
    wait_for([&] { return log->counts().lines_written == 1; });
    push(ring, "/after");
  }
  CHECK(contents(folder.file("log")).ends_with("{\"path\":\"/after\"}\n"));
}

TEST_CASE("log writer: two changes at once are the last one") {
  const scratch_folder folder;
  {
    const auto log = open_log(folder.file("first"));
    for (const char* const name : {"second", "third"}) {
      log->change(open_output(folder.file(name)), access_layout());
    }
    log->change(nullptr, access_layout());
    log->event(fixed_now(), log_level::info, "last", "");
  }
  CHECK(contents(folder.file("first")).empty());
  CHECK(contents(folder.file("second")).empty());
  CHECK(lines_in(contents(folder.file("third"))) == 1);
}

TEST_CASE("log writer: off and on again") {
  const scratch_folder folder;
  access_ring ring(64 * 1024);
  {
    const auto log = open_log("off");
    log->add_ring(ring);
    while (ring.push({})) continue;
    wait_for([&] { return ring.push({}); });
    log->change(open_output(folder.file("log")), access_layout());
    log->event(fixed_now(), log_level::info, "on", "");
    wait_for([&] { return log->counts().lines_written > 0; });
    push(ring, "/on");
    wait_for([&] { return contents(folder.file("log")).find("\"/on\"") != std::string::npos; });
    log->change(open_output("off"), access_layout());
    while (ring.push({})) continue;
    wait_for([&] { return ring.push({}); });
  }
  CHECK(lines_in(contents(folder.file("log"))) < 1000);
}

TEST_CASE("log writer: after a change a rotation is of the new file") {
  const scratch_folder folder;
  const auto log = open_log(folder.file("old"));
  log->change(open_output(folder.file("new")), access_layout());
  log->event(fixed_now(), log_level::info, "before", "");
  wait_for([&] { return log->counts().lines_written == 1; });
  std::filesystem::rename(folder.file("new"), folder.file("new.1"));
  std::filesystem::remove(folder.file("old"));
  log->reopen();
  wait_for([&] { return std::filesystem::exists(folder.file("new")); });
  CHECK_FALSE(std::filesystem::exists(folder.file("old")));
}

TEST_CASE("log writer: a reader that does not read holds up no change, and costs only what waited for it") {
  const scratch_folder folder;
  const pipe_pair complaints;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const int reader = ::open(folder.file("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  access_ring ring(64 * 1024);
  {
    const auto log = open_log(folder.file("fifo"), {.stop_timeout = 60s, .report_descriptor = complaints.writer});
    log->add_ring(ring);
    access_record record;
    record.path = "/waits";
    wait_for([&] { return !ring.push(record); });
    log->change(open_output(folder.file("log")), access_layout());
    log->event(fixed_now(), log_level::info, "changed", "");
    wait_for([&] { return contents(folder.file("log")).find("\"changed\"") != std::string::npos; });
    CHECK(log->counts().lines_lost > 0);
  }
  ::close(reader);
  const std::string said = complaints.take();
  CHECK(said.find("nobody reads it") != std::string::npos);
  CHECK(said.find("log_write_recovered") != std::string::npos);
}

TEST_CASE("log writer: a rotation that fails is said, and the old file goes on") {
  const scratch_folder folder;
  const pipe_pair complaints;
  std::filesystem::create_directory(folder.file("inner"));
  const auto log = open_log(folder.file("inner/log"), {.report_descriptor = complaints.writer});
  std::filesystem::rename(folder.file("inner"), folder.file("moved"));
  log->reopen();
  std::string said;
  wait_for([&] { return !(said += complaints.take()).empty(); });
  CHECK(said.find("\"log_reopen_failed\"") != std::string::npos);
  log->event(fixed_now(), log_level::info, "after", "");
  wait_for([&] { return log->counts().lines_written == 1; });
  CHECK(contents(folder.file("moved/log")).find("\"after\"") != std::string::npos);
}

TEST_CASE("log writer: off wants no access lines, and takes what comes all the same") {
  access_ring ring(64 * 1024);  // outlives the writer
  const auto log = open_log("off");
  log->add_ring(ring);
  for (int full = 0; full < 5; ++full) {  // several batches
    while (ring.push({})) continue;
    wait_for([&] { return ring.push({}); });
  }
  CHECK(log->counts().lines_written == 0);
}

TEST_CASE("log writer: events of many threads, each line whole") {
  const scratch_folder folder;
  {
    const auto log = open_log(folder.file("log"), {.event_queue_max_bytes = 1 << 20});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&log] {
        for (int i = 0; i < 500; ++i) log->event(fixed_now(), log_level::info, "e", "m", {{"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const std::string text = contents(folder.file("log"));
  CHECK(lines_in(text) == 2000);
  std::size_t whole = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    whole += text.compare(at, 14, "{\"timestamp\":\"") == 0;
  }
  CHECK(whole == 2000);
}

}  // namespace
}  // namespace cellroute::process
