#pragma once

#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/proxy/messages.hpp"
#include "tests/system/support/program.hpp"
#include "tests/system/support/proof_size.hpp"

namespace cellroute::system_test {

/// The cells of the bench, as one process: a port for each name.
class bench_cells {
 public:
  explicit bench_cells(const std::vector<std::string>& names) : ports_(names.size()), process_(command(names), {}, 0) {
    for (const std::uint16_t port : ports_) REQUIRE(eventually([&] { return static_cast<bool>(connect_to(port)); }));
  }
  [[nodiscard]] std::uint16_t port(std::size_t index) const { return ports_[index]; }

 private:
  std::vector<std::string> command(const std::vector<std::string>& names) {
    std::vector<std::string> words{BENCH_UPSTREAM_PATH};
    for (std::size_t i = 0; i < names.size(); ++i) {
      ports_[i] = unused_port();
      words.insert(words.end(), {"--cell", names[i] + "=" + std::to_string(ports_[i])});
    }
    return words;
  }

  std::vector<std::uint16_t> ports_;
  program process_;
};

/// The bench's generator at a fixed rate, from its making to `stop`: each request has an instant at which it is due,
/// and its latency counts from there. The figures of any time between can be had afterwards.
class steady_load {
 public:
  /// `keys`: lines of a key and its cell.
  steady_load(std::uint16_t port, const std::string& keys, int rate)
      : folder_(), process_(command(folder_.path(), port, keys, rate), {}, 0) {}

  /// Ends it. False where anything failed, was wrong or was left without an answer; `told` has it in words.
  [[nodiscard]] bool stop() {
    process_.signal(SIGTERM);
    const bool is_clean = process_.wait_exit() == 0;
    told_ = process_.whole_output();
    std::ifstream in(folder_.path() / "answers", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    answers_.resize(bytes.size() / sizeof(bench::timed_answer));
    std::memcpy(static_cast<void*>(answers_.data()), bytes.data(), answers_.size() * sizeof(bench::timed_answer));
    return is_clean;
  }
  [[nodiscard]] const std::string& told() const { return told_; }
  [[nodiscard]] std::size_t answered() const { return answers_.size(); }

  /// After `stop`: of the requests that were due in between.
  [[nodiscard]] double p99_ms(steady::time_point from, steady::time_point to) const {
    std::vector<double> some;
    for (const bench::timed_answer& a : answers_) {
      const steady::time_point due{std::chrono::nanoseconds(a.due_ns)};
      if (due >= from && due < to) some.push_back(static_cast<double>(a.latency_ns) / 1e6);
    }
    return quantile(std::move(some), 0.99);
  }

 private:
  static std::vector<std::string> command(const std::filesystem::path& folder, std::uint16_t port,
                                          const std::string& keys, int rate) {
    const std::string file = (folder / "keys.tsv").string();
    std::ofstream(file) << keys;
    return {BENCH_LOAD_PATH,
            "--port",
            std::to_string(port),
            "--keys",
            file,
            "--rate",
            std::to_string(rate),
            "--seconds",
            "600",
            "--verify",
            "--connections",
            "32",
            "--record",
            (folder / "answers").string()};
  }

  scratch_folder folder_;
  program process_;
  std::vector<bench::timed_answer> answers_;
  std::string told_;
};

}  // namespace cellroute::system_test
