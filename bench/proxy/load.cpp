/// The load of the proxy bench: one thread that sends requests with random known keys and counts the answers.
///
/// Three ways to load: closed loop (each connection sends as soon as it was answered), fixed rate (`--rate`; latency
/// counts from the instant at which a request was due, so a stalled proxy cannot hide), idle (`--idle`; connections
/// that were answered once and stay). At the end it drains: some proxies take a client that leaves amid a request for a
/// failed upstream. SIGTERM ends the counting, as the end of its time does.
///
/// The CPU time of the processes named by `--cpu-of` is read when the counting starts and when it ends, by this
/// process, so that requests and CPU time belong to exactly the same window.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "bench/proxy/messages.hpp"
#include "bench/proxy/net.hpp"

namespace cellroute::bench {
namespace {

constexpr std::size_t answer_head_limit_bytes = 64U * 1024;
constexpr std::size_t failures_max = 1'000;      // past that the run says nothing, and would only spin
constexpr std::size_t samples_max = 10'000'000;  // latencies kept; more requests are counted, but not ranked

volatile std::sig_atomic_t is_asked_to_stop = 0;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

/// CPU time of all threads of the processes in a comma-separated list, from scheduler accounting.
///
/// Cost: one small file a thread. Exact to a scheduler tick, where /proc/PID/stat counts in steps of 10 ms.
double cpu_seconds(std::string_view pids) {
  double total = 0;
  while (!pids.empty()) {
    const std::string tasks = "/proc/" + std::string(take_until(pids, ",")) + "/task";
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      double run_ns = 0;
      if (std::ifstream(task.path() / "schedstat") >> run_ns) total += run_ns / 1e9;
    }
    if (error) die("cannot read " + tasks);
  }
  return total;
}

/// What came out. `wrong` are answers of the wrong status, size or cell; `failed` are requests without an answer.
struct tally {
  std::uint64_t completed = 0;  ///< while counting
  std::uint64_t answered = 0;   ///< in all
  std::uint64_t failed = 0;
  std::uint64_t wrong = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t undrained = 0;
  std::vector<std::uint32_t> latencies_us_x16;  ///< sixteenths of a microsecond
  std::vector<timed_answer> each;               ///< where they are recorded

  void sample(std::int64_t due_ns, std::int64_t latency_ns, bool is_recorded) {
    constexpr std::int64_t most = 0xffff'ffff;
    if (is_recorded && each.size() < samples_max) each.push_back({due_ns, latency_ns});
    if (latencies_us_x16.size() < samples_max)
      latencies_us_x16.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(latency_ns * 2 / 125, 0, most)));
  }
  [[nodiscard]] double percentile_us(double share) {
    if (latencies_us_x16.empty()) return 0;
    const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(latencies_us_x16.size() - 1));
    std::nth_element(latencies_us_x16.begin(), latencies_us_x16.begin() + rank, latencies_us_x16.end());
    return latencies_us_x16[static_cast<std::size_t>(rank)] / 16.0;
  }
};

/// unconnected  no socket
/// ready        connected, nothing asked
/// asked        a request is on its way, or its answer is
/// leaving      answered, waits for the proxy to close
enum class phase : std::uint8_t { unconnected, ready, asked, leaving };

struct connection {
  descriptor socket;
  phase at = phase::unconnected;
  bool in_body = false;                  ///< of the answer
  bool close = false;                    ///< the answer said so
  bool right = false;                    ///< the answer is the expected one, so far
  std::string unsent;                    ///< of the request's head
  std::uint64_t request_body_bytes = 0;  ///< still to be sent
  std::string unread;                    ///< an answer's head that came in pieces
  std::uint64_t answer_body_bytes = 0;   ///< still to come
  std::int64_t due_ns = 0;               ///< latency counts from here
  const key_list::entry* expected = nullptr;
};

class generator {
 public:
  generator(const options& with, key_list& keys)
      : with_(with), keys_(keys), writer_(with), connections_(with.connections) {
    if (with_.method != "GET") request_body_.assign(256U * 1024, 'b');
  }

  /// Warms up, counts, drains. Bounded by the three times, or by the number of requests and failures.
  void run() {
    const std::int64_t started_ns = now_ns();
    const std::int64_t count_at_ns = started_ns + (with_.requests > 0 ? 0 : to_ns(with_.warm_up_seconds));
    const std::int64_t stop_at_ns = count_at_ns + to_ns(with_.seconds);
    next_due_ns_ = started_ns;
    for (connection& each : connections_) reconnect(each);
    for (;;) {
      const std::int64_t now = now_ns();
      if (stage_ == stage::warming && now >= count_at_ns) start_counting(now);
      const bool is_over = now >= stop_at_ns || is_asked_to_stop != 0 || is_done();
      if (stage_ != stage::draining && is_over) stop_counting(now);
      if (stage_ == stage::draining && (now >= counted_to_ns_ + to_ns(with_.drain_seconds) || is_quiet())) break;
      if (with_.rate > 0) ask_what_is_due(now);
      for (const epoll_event& event : events_.wait(pause_ns(now, count_at_ns, stop_at_ns)))
        advance(connections_[event.data.u64], has_ended(event));
    }
    for (const connection& each : connections_) result_.undrained += each.at == phase::asked ? 1 : 0;
  }

  void print() {
    std::printf(
        "{\"completed\":%llu,\"answered\":%llu,\"failed\":%llu,\"wrong\":%llu,\"reconnects\":%llu,\"undrained\":%llu,",
        number(result_.completed), number(result_.answered), number(result_.failed), number(result_.wrong),
        number(result_.reconnects), number(result_.undrained));
    std::printf("\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"own_cpu_seconds\":%.6f,\"cpu_seconds\":[",
                static_cast<double>(counted_to_ns_ - counted_from_ns_) / 1e9, result_.percentile_us(0.5),
                result_.percentile_us(0.99), own_cpu_seconds_);
    for (std::size_t at = 0; at < cpu_seconds_.size(); ++at) std::printf("%s%.6f", at > 0 ? "," : "", cpu_seconds_[at]);
    std::printf("]}\n");
  }

  /// Writes each answer that was counted, as `timed_answer` lies in memory.
  void record() const {
    std::ofstream out(with_.record, std::ios::binary);
    const auto bytes = std::as_bytes(std::span(result_.each));
    out.write(static_cast<const char*>(static_cast<const void*>(bytes.data())),
              static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) die("cannot write " + with_.record);
  }

  [[nodiscard]] bool is_clean() const { return result_.failed + result_.wrong + result_.undrained == 0; }

 private:
  enum class stage : std::uint8_t { warming, counting, draining };

  static unsigned long long number(std::uint64_t value) { return value; }

  // --- the window ---

  void start_counting(std::int64_t now) {
    stage_ = stage::counting;
    counted_from_ns_ = now;
    cpu_seconds_ = read_cpu();
    own_cpu_seconds_ = cpu_seconds("self");
  }

  void stop_counting(std::int64_t now) {
    if (stage_ == stage::warming) start_counting(now);
    const std::vector<double> before = cpu_seconds_;
    cpu_seconds_ = read_cpu();
    for (std::size_t at = 0; at < before.size(); ++at) cpu_seconds_[at] -= before[at];
    own_cpu_seconds_ = cpu_seconds("self") - own_cpu_seconds_;
    counted_to_ns_ = now;
    stage_ = stage::draining;
  }

  [[nodiscard]] std::vector<double> read_cpu() const {
    std::vector<double> read;
    for (const std::string& pids : with_.cpu_of) read.push_back(cpu_seconds(pids));
    return read;
  }

  [[nodiscard]] bool is_done() const {
    return result_.failed + result_.wrong >= failures_max || (with_.requests > 0 && result_.answered >= with_.requests);
  }

  [[nodiscard]] bool is_quiet() const {
    return overdue_ns_.empty() &&
           std::ranges::none_of(connections_, [](const connection& each) { return each.at == phase::asked; });
  }

  [[nodiscard]] std::int64_t pause_ns(std::int64_t now, std::int64_t count_at_ns, std::int64_t stop_at_ns) const {
    std::int64_t until_ns = now + 10'000'000;
    if (stage_ == stage::warming) until_ns = std::min(until_ns, count_at_ns);
    if (stage_ == stage::counting) until_ns = std::min(until_ns, stop_at_ns);
    if (with_.rate > 0 && stage_ != stage::draining) until_ns = std::min(until_ns, next_due_ns_);
    return std::max<std::int64_t>(until_ns - now, 0);
  }

  // --- asking ---

  [[nodiscard]] bool may_ask() const {
    return stage_ != stage::draining && (with_.requests == 0 || asked_ < with_.requests);
  }

  void reconnect(connection& again) {
    again = connection{};
    again.socket = connect_to(with_.port, SOCK_NONBLOCK);
    if (!again.socket.is_open()) return fail(again);
    events_.add(again.socket, static_cast<std::uint64_t>(&again - connections_.data()));
    become_ready(again);
  }

  /// Closed loop: ask at once. Fixed rate: take what is overdue, or wait in line (first come, so that all are used).
  void become_ready(connection& now_ready) {
    now_ready.at = phase::ready;
    if (with_.rate <= 0) {
      if (may_ask()) ask(now_ready, now_ns());
    } else if (!overdue_ns_.empty()) {
      const std::int64_t due_ns = overdue_ns_.front();
      overdue_ns_.pop_front();
      ask(now_ready, due_ns);
    } else {
      waiting_.push_back(static_cast<std::size_t>(&now_ready - connections_.data()));
    }
  }

  void ask_what_is_due(std::int64_t now) {
    const std::int64_t gap_ns = to_ns(1 / with_.rate);
    for (; next_due_ns_ <= now && stage_ != stage::draining; next_due_ns_ += gap_ns) {
      connection* free = nullptr;
      while (free == nullptr && !waiting_.empty()) {
        connection& first = connections_[waiting_.front()];
        waiting_.pop_front();
        if (first.at == phase::ready) free = &first;
      }
      if (free != nullptr) {
        ask(*free, next_due_ns_);
      } else {
        overdue_ns_.push_back(next_due_ns_);
      }
    }
  }

  void ask(connection& by, std::int64_t due_ns) {
    by.at = phase::asked;
    by.due_ns = due_ns;
    by.expected = &keys_.next();
    by.in_body = false;
    by.request_body_bytes = with_.method != "GET" ? with_.body_bytes : 0;
    ++asked_;
    const std::string_view head = writer_.write(by.expected->key);
    const transfer sent = send(by.socket, head);
    if (sent.size != head.size())
      by.unsent = head.substr(sent.size.value_or(0));  // still connecting, or it failed: see `flush`
    if (by.request_body_bytes > 0) flush(by);
  }

  // --- moving on ---

  /// Sends what is left of the request. A failure shows at the next receive, which also sees an early answer.
  void flush(connection& by) {
    while (!by.unsent.empty()) {
      const transfer sent = send(by.socket, by.unsent);
      if (!sent.size) return;
      by.unsent.erase(0, *sent.size);
    }
    while (by.request_body_bytes > 0) {
      const transfer sent = send(by.socket, std::string_view(request_body_).substr(0, by.request_body_bytes));
      if (!sent.size) return;
      by.request_body_bytes -= *sent.size;
    }
  }

  /// Goes as far as it can without waiting. A short read means that nothing more is there.
  void advance(connection& by, bool ended) {
    if (!by.socket.is_open()) return;
    flush(by);
    for (;;) {
      const bool skips = by.in_body;
      const transfer got = skips ? discard(by.socket, by.answer_body_bytes) : receive(by.socket, input_);
      if (!got.size && !got.failed) return;
      if (got.failed || got.size == 0U) return end(by);
      if (skips) {
        take_body(by, *got.size);
      } else if (!take_answer(by, std::string_view(input_.data(), *got.size))) {
        return;
      }
      if (!skips && !by.in_body && !ended && *got.size < input_.size()) return;
    }
  }

  /// The stream ended. Between two requests a proxy may do that; in the `leaving` phase it is asked to.
  void end(connection& by) {
    if (by.at == phase::asked) return fail(by);
    if (by.at == phase::leaving) {
      count(by);
    } else {
      ++result_.reconnects;
    }
    restart(by);
  }

  void fail(connection& by) {
    ++result_.failed;
    restart(by);
  }

  void restart(connection& by) {
    by.socket.close();
    by.at = phase::unconnected;
    if (stage_ != stage::draining && !is_done()) reconnect(by);
  }

  /// False when the connection was given up, or replaced.
  bool take_answer(connection& by, std::string_view bytes) {
    if (by.at != phase::asked) return fail(by), false;  // an answer that nobody asked for
    if (!by.unread.empty()) {
      by.unread.append(bytes);
      bytes = by.unread;
    }
    const std::size_t end_at = bytes.find(head_end);
    if (end_at == std::string_view::npos) {
      if (by.unread.empty()) by.unread.assign(bytes);
      return by.unread.size() <= answer_head_limit_bytes || (fail(by), false);
    }
    const answer_head head = read_head(bytes.substr(0, end_at + 2));
    by.right = is_right(head, *by.expected);
    by.close = head.close;
    const std::uint64_t there_bytes = bytes.size() - end_at - head_end.size();
    if (!head.ok || there_bytes > head.body_bytes) {  // an error of the proxy's own: where it ends does not matter
      ++result_.wrong;
      restart(by);
      return false;
    }
    by.unread.clear();
    by.in_body = true;
    by.answer_body_bytes = head.body_bytes;
    take_body(by, there_bytes);
    return true;
  }

  [[nodiscard]] bool is_right(const answer_head& head, const key_list::entry& expected) const {
    const bool is_big = with_.method == "GET" && with_.body_bytes > 0;
    if (head.body_bytes != (is_big ? with_.body_bytes : 1024)) return false;
    if (!with_.verify) return true;
    return with_.direct || (head.routed_to == expected.cell && head.cell == expected.cell);
  }

  void take_body(connection& by, std::uint64_t size_bytes) {
    by.answer_body_bytes -= size_bytes;
    if (by.answer_body_bytes > 0) return;
    by.in_body = false;
    if (with_.close || by.close) {
      by.at = phase::leaving;  // counted when the proxy has closed: that is part of the work
    } else {
      count(by);
      become_ready(by);
    }
  }

  void count(connection& by) {
    ++result_.answered;
    if (!by.right) ++result_.wrong;
    const std::int64_t now = now_ns();
    if (stage_ == stage::counting) ++result_.completed;
    const bool is_sampled = with_.rate > 0 ? by.due_ns >= counted_from_ns_ : stage_ == stage::counting;
    if (is_sampled && stage_ != stage::warming) result_.sample(by.due_ns, now - by.due_ns, !with_.record.empty());
  }

  const options& with_;
  key_list& keys_;
  request_writer writer_;
  std::vector<connection> connections_;  // never grows: connections are known by their place
  event_set events_;
  tally result_;
  stage stage_ = stage::warming;
  std::uint64_t asked_ = 0;
  std::int64_t counted_from_ns_ = 0;
  std::int64_t counted_to_ns_ = 0;
  std::vector<double> cpu_seconds_;
  double own_cpu_seconds_ = 0;
  std::int64_t next_due_ns_ = 0;
  std::deque<std::int64_t> overdue_ns_;  // at most rate x seconds of them
  std::deque<std::size_t> waiting_;
  std::string request_body_;
  std::array<char, 64U * 1024> input_{};
};

/// Holds connections that were answered once. Says `idle N` at each step and goes on when a line comes in, so that the
/// runner can look at the proxy's memory meanwhile; at the end asks again on a sample and looks for a closed one among
/// all.
class idler {
 public:
  idler(const options& with, key_list& keys) : with_(with), keys_(keys), writer_(with) {}

  bool run() {
    for (const std::size_t target : with_.idle) {
      while (held_.size() < target) {
        held_.push_back(connect_to(with_.port, 0));
        if (!held_.back().is_open() || !ask(held_.back())) die("an idle connection was not answered");
      }
      std::printf("idle %zu\n", held_.size());
      std::fflush(stdout);
      if (std::fgetc(stdin) == EOF) return false;
    }
    const std::size_t lost = static_cast<std::size_t>(std::ranges::count_if(held_, is_closed));
    const std::size_t step = std::max<std::size_t>(held_.size() / 100, 1);
    std::size_t sampled = 0;
    std::size_t dead = 0;
    for (std::size_t at = 0; at < held_.size(); at += step, ++sampled) dead += ask(held_[at]) ? 0U : 1U;
    std::printf("{\"held\":%zu,\"lost\":%zu,\"sampled\":%zu,\"dead\":%zu}\n", held_.size(), lost, sampled, dead);
    return lost + dead == 0;
  }

 private:
  static bool is_closed(const descriptor& socket) {
    char byte = 0;
    const ssize_t got = ::recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }

  bool ask(const descriptor& socket) {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) die("setsockopt");
    const std::string_view request = writer_.write(keys_.next().key);
    if (send(socket, request).size != request.size()) return false;
    std::string answer;
    for (;;) {
      const transfer got = receive(socket, input_);
      if (!got.size || got.size == 0U || answer.size() > answer_head_limit_bytes) return false;
      answer.append(input_.data(), *got.size);
      const std::size_t end_at = answer.find(head_end);
      if (end_at == std::string::npos) continue;
      const answer_head head = read_head(std::string_view(answer).substr(0, end_at + 2));
      if (!head.ok || head.close) return false;
      if (answer.size() == end_at + head_end.size() + head.body_bytes) return true;
    }
  }

  const options& with_;
  key_list& keys_;
  request_writer writer_;
  std::vector<descriptor> held_;
  std::array<char, 16U * 1024> input_{};
};

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
}

}  // namespace
}  // namespace cellroute::bench

int main(int argc, char** argv) {
  using namespace cellroute::bench;
  options with;
  CLI::App app{
      "Loads a proxy on 127.0.0.1 and prints one line of JSON; exits 1 if a request failed.\n"
      "Example: bench_load --port 8080 --keys keys.tsv --connections 64 --seconds 2 --cpu-of $(pidof nginx)"};
  app.add_option("--port", with.port, "the proxy's port")->required();
  app.add_option("--keys", with.keys_file, "file of lines key<TAB>cell")->required();
  app.add_option("--connections", with.connections, "how many (64)")->check(CLI::Range(1, 20'000));
  app.add_option("--seconds", with.seconds, "how long to count (1)")->check(CLI::Range(0.05, 600.0));
  app.add_option("--warm-up", with.warm_up_seconds, "seconds before the counting starts (0.2)")
      ->check(CLI::Range(0.0, 60.0));
  app.add_option("--drain", with.drain_seconds, "seconds to wait for the last answers (5)")
      ->check(CLI::Range(0.0, 60.0));
  app.add_option("--requests", with.requests, "stop after so many, without a warm-up, at the latest after --seconds");
  app.add_option("--rate", with.rate, "requests a second, due at fixed instants (0: closed loop)")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--method", with.method, "GET or POST (GET)")->check(CLI::IsMember({"GET", "POST"}));
  app.add_option("--body-bytes", with.body_bytes, "size of the answer's body (GET) or the request's (POST)");
  app.add_flag("--close", with.close, "a connection for each request");
  app.add_flag("--direct", with.direct, "the port is an upstream's: no decision to verify");
  app.add_flag("--verify", with.verify, "each answer must name its key's cell, and come from it");
  app.add_option("--idle", with.idle, "hold so many idle connections, step by step: 1000,5000")->delimiter(',');
  app.add_option("--record", with.record, "a file for the instant and the latency of each answer that was counted");
  app.add_option("--cpu-of", with.cpu_of, "process ids, comma-separated, whose CPU time to sum; may be repeated")
      ->take_all();
  CLI11_PARSE(app, argc, argv);

  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlive the runner
  std::signal(SIGTERM, [](int) { is_asked_to_stop = 1; });
  raise_descriptor_limit();
  key_list keys(with.keys_file);
  if (!with.idle.empty()) return idler(with, keys).run() ? 0 : 1;
  generator load(with, keys);
  load.run();
  if (!with.record.empty()) load.record();
  load.print();
  return load.is_clean() ? 0 : 1;
}
