// Whatever fails while a configuration is read and applied: what ran is left whole, or the new one is there whole.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include "tests/support/failing_calls.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

using support::failing_calls;
using support::failing_calls_variable;

/// The test's end of what it shares with the router.
class failure_control {
 public:
  failure_control() : file_(folder_.path() / "control") {
    std::ofstream(file_).close();
    std::filesystem::resize_file(file_, sizeof(failing_calls));
    const descriptor opened(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
    void* const mapped = ::mmap(nullptr, sizeof(failing_calls), PROT_READ | PROT_WRITE, MAP_SHARED, opened.get(), 0);
    REQUIRE(mapped != MAP_FAILED);
    calls_ = new (mapped) failing_calls;  // allow: new: in memory that two processes share
  }
  failure_control(const failure_control&) = delete;
  failure_control& operator=(const failure_control&) = delete;
  ~failure_control() { ::munmap(calls_, sizeof(failing_calls)); }

  [[nodiscard]] std::vector<std::string> environment() const {
    return {std::string("LD_PRELOAD=") + CELLROUTE_FAILING_CALLS_PATH,
            std::string(failing_calls_variable) + "=" + file_.string()};
  }

  /// The `number`th call of the kind fails.
  void arm(failing_calls::kind kind, int number) {
    calls_->has_failed = false;
    calls_->countdown = number;
    calls_->armed = kind;
  }
  /// Which one failed; empty: there were fewer.
  [[nodiscard]] std::string disarm() {
    calls_->armed = failing_calls::kind::none;
    return calls_->has_failed ? calls_->failed_name.data() : std::string();
  }
  /// How many more there would have to be.
  [[nodiscard]] int left() const { return calls_->countdown; }

 private:
  scratch_folder folder_;
  std::filesystem::path file_;
  failing_calls* calls_ = nullptr;
};

/// A router that goes to and fro between two configurations that differ in all that a failure could tear apart.
class two_configurations {
 public:
  explicit two_configurations(failure_control& failures) : failures_(failures) {}

  /// Has the other one applied while a call fails. Whether that many calls were made.
  bool survives(failing_calls::kind kind, int number) {
    std::ofstream(router_.config_file()) << text_of(true);
    failures_.arm(kind, number);
    const message answer = reload();
    const std::string failed = failures_.disarm();
    CAPTURE(failed);
    CAPTURE(number);
    CAPTURE(answer.content);
    const bool is_applied = answer.status() == 200;
    if (!is_applied) CHECK(answer.status() == 422);
    if (failed.empty()) CHECK(is_applied);
    (is_applied ? applied_ : refused_).insert(failed);
    CHECK(looks_like(is_applied));
    if (!is_applied) CHECK(router_.admin("/debug/config").content.find("\"rejected\":{") != std::string::npos);

    // Without the failure it is applied, and then the first one again.
    if (!is_applied) CHECK(reload().status() == 200);
    CHECK(looks_like(true));
    std::ofstream(router_.config_file()) << text_of(false);
    CHECK(reload().status() == 200);
    CHECK(looks_like(false));
    return !failed.empty();
  }

  /// The functions whose failure was survived by the old configuration, and by the new one.
  [[nodiscard]] const std::set<std::string>& refused() const { return refused_; }
  [[nodiscard]] const std::set<std::string>& applied() const { return applied_; }

 private:
  [[nodiscard]] router_config config_of(bool is_second) const {
    return {.placements = {{"tier1", at(one_.port())}, {"tier3", at(two_.port())}},
            .keys = is_second ? "globex: tier1" : "acme: tier1",
            .key_files = is_second ? "keys.tsv" : "",
            .reload = "watch: false, poll: off",
            .workers = 2,
            .files = {{"keys.tsv", "acme\ttier3\nhooli\ttier1\n"}},
            .environment = failures_.environment()};
  }
  [[nodiscard]] std::string text_of(bool is_second) const {
    std::string text = config_of(is_second).yaml();
    if (!is_second) return text;
    const std::string_view listeners = "listeners: [";
    return text.insert(text.find(listeners) + listeners.size(),
                       "{name: more, address: \"127.0.0.1:" + std::to_string(more_port_) + "\"}, ");
  }

  [[nodiscard]] message reload() const {
    return ask(router_.admin_port(), request("POST /v1/reload", "Content-Length: 0\r\n"));
  }

  /// Whether all that a client sees is of one configuration.
  [[nodiscard]] bool looks_like(bool is_second) const {
    const std::string_view cell = is_second ? "two" : "one";
    const auto said = [](std::uint16_t port) { return ask(port, request("GET /", "X-Routing-Key: acme\r\n")).content; };
    bool is_like = said(router_.port()) == cell;
    if (is_second) return is_like && eventually([&] { return said(more_port_) == cell; });
    return is_like && eventually([&] { return !client(more_port_).is_open(); });
  }

  failure_control& failures_;
  fake_cell<says> one_{says{"one"}};
  fake_cell<says> two_{says{"two"}};
  std::uint16_t more_port_ = unused_port();
  router_process router_{config_of(false)};
  std::set<std::string> refused_;
  std::set<std::string> applied_;
};

TEST_CASE("failing apply: each system call on the way fails once, and the configuration in use is whole") {
  if (is_sanitized()) {
    MESSAGE("SKIPPED: a sanitizer wants to be loaded first");
    return;
  }
  failure_control failures;
  two_configurations both(failures);
  int number = 1;
  while (number < 200 && both.survives(failing_calls::kind::system, number)) ++number;
  MESSAGE("" << number - 1 << " calls failed, one at a time");
  CHECK(number > 8);
  CHECK(number < 200);
  for (const std::string_view name : {"fopen", "fread", "pthread_create", "socket", "bind", "listen"}) {
    CAPTURE(name);
    CHECK(both.refused().contains(std::string(name)));
  }
}

TEST_CASE("failing apply: memory ends at any point of the reading, and the configuration in use is whole") {
  if (is_sanitized()) {
    MESSAGE("SKIPPED: a sanitizer wants to be loaded first");
    return;
  }
  failure_control failures;
  two_configurations both(failures);
  constexpr int more_than_any = 1'000'000;
  CHECK_FALSE(both.survives(failing_calls::kind::memory, more_than_any));
  const int all = more_than_any - failures.left();
  std::set<int> numbers;
  for (int i = 0; i < 40; ++i) numbers.insert({1 + all * i / 40, all - i / 2});
  for (const int number : numbers) (void)both.survives(failing_calls::kind::memory, number);
  MESSAGE("" << numbers.size() << " of " << all << " allocations failed, one at a time");
  CHECK(all > 100);
}

}  // namespace
}  // namespace cellroute::system_test
