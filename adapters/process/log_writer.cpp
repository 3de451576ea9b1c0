#include "adapters/process/log_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "adapters/process/json_writer.hpp"

namespace cellroute::process {
namespace {

// A batch is one write to a file; beyond some 64 KiB a larger one saves nothing.
constexpr std::size_t batch_max_bytes = 128 * 1024;

// How long the writer pauses between looks at the rings. At the longest, a reactor that starts to serve 70,000
// requests a second fills half of a ring of the default size before it is noticed.
constexpr std::chrono::milliseconds pause_min = 5ms;
constexpr std::chrono::milliseconds pause_max = 20ms;

// How long a wait for a reader takes before stop is looked at again.
constexpr std::chrono::milliseconds patience = 20ms;

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

void read_ends(std::span<access_ring* const> rings, std::vector<std::uint64_t>& ends) {
  ends.clear();
  for (const access_ring* ring : rings) ends.push_back(ring->end());
}

}  // namespace

std::string_view to_string(log_level level) {
  switch (level) {
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warn:
      return "warn";
    case log_level::error:
      return "error";
  }
  return {};
}

void append_event_line(std::string& out, const event_record& event) {
  json_writer line(out);
  line.begin_object()
      .field("timestamp", event.timestamp)
      .field("level", to_string(event.level))
      .field("event", event.event)
      .field("message", event.message);
  for (const event_pair& pair : event.pairs) {
    std::visit([&](const auto& value) { line.field(pair.name, value); }, pair.value);
  }
  line.end_object();
  out += '\n';
}

expected<std::unique_ptr<log_writer>, std::string> log_writer::open(log_settings settings) {
  assert(settings.now != nullptr);
  auto output = log_output::open(settings.output);
  if (!output) return unexpected(std::move(output).error());
  return std::make_unique<log_writer>(passkey{}, std::move(settings), *std::move(output));
}

log_writer::log_writer(passkey, log_settings settings, std::unique_ptr<log_output> output)
    : settings_(std::move(settings)),
      level_(settings_.level),
      output_(std::move(output)),
      layout_(settings_.layout),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

log_writer::~log_writer() = default;

void log_writer::add_ring(access_ring& ring) {
  const std::lock_guard lock(mutex_);
  rings_.push_back(&ring);
}

void log_writer::event(const event_record& event) {
  if (event.level < level_.load(std::memory_order_relaxed)) return;
  std::string line;
  append_event_line(line, event);
  {
    const std::lock_guard lock(mutex_);
    if (events_.size() + line.size() > settings_.event_queue_max_bytes) {
      ++events_dropped_;
      return;
    }
    events_ += line;
  }
  something_.notify_one();
}

void log_writer::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_wanted_ = true;
  }
  something_.notify_one();
}

void log_writer::change(std::unique_ptr<log_output> output, access_layout layout) {
  {
    const std::lock_guard lock(mutex_);
    if (!next_) next_.emplace();
    if (output != nullptr) next_->output = std::move(output);
    next_->layout = std::move(layout);
    next_->events_before += std::exchange(events_, {});
    read_ends(rings_, next_->ends);
    change_wanted_.store(true, std::memory_order_relaxed);
  }
  something_.notify_one();
}

log_counts log_writer::counts() const {
  const std::lock_guard lock(mutex_);
  log_counts counts{lines_written_.value(), bytes_written_.value(), lines_lost_.value(), events_dropped_, 0};
  for (const access_ring* ring : rings_) counts.records_dropped += ring->dropped();
  return counts;
}

void log_writer::run(const std::stop_token& stop) {
  sigset_t all;
  ::sigfillset(&all);  // a reader that left is EPIPE here, and no signal of the process is handled by this thread
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);

  batch_.reserve(batch_max_bytes + access_path_max_bytes * 2);  // and what the last line of a batch adds
  std::vector<access_ring*> rings;
  std::vector<std::uint64_t> ends;
  auto pause = pause_min;
  while (!gave_up_) {
    const bool stopping = stop.stop_requested();  // looked at first: what was there before the stop is written
    bool reopen_wanted = false;
    std::optional<next_settings> next;
    {
      const std::lock_guard lock(mutex_);
      rings = rings_;
      next = std::exchange(next_, {});
    }
    if (next) take_over(*std::move(next), rings, stop);
    {
      const std::lock_guard lock(mutex_);
      if (next_) continue;
      read_ends(rings, ends);  // what comes behind them may come behind a change
      batch_ += events_;
      events_.clear();
      reopen_wanted = std::exchange(reopen_wanted_, false);
    }
    if (reopen_wanted) reopen_output();
    const bool more = fill_batch(rings, ends);
    if (!batch_.empty()) {
      write_batch(stop);
      pause = pause_min;
    } else {
      pause = std::min(2 * pause, pause_max);
    }
    if (more) continue;
    if (stopping) return;
    std::unique_lock lock(mutex_);
    something_.wait_for(lock, stop, pause, [this] { return !events_.empty() || reopen_wanted_ || next_; });
  }
}

/// What was there before the change goes where it would have gone, as far as one batch holds it.
void log_writer::take_over(next_settings next, std::span<access_ring* const> rings, const std::stop_token& stop) {
  change_wanted_.store(true, std::memory_order_relaxed);  // what the old output does not take now, it never does
  batch_ += next.events_before;
  (void)fill_batch(rings.first(std::min(rings.size(), next.ends.size())), next.ends);
  if (!batch_.empty()) write_batch(stop);
  change_wanted_.store(false, std::memory_order_relaxed);
  layout_ = std::move(next.layout);
  if (next.output == nullptr) return;
  output_ = std::move(next.output);
  torn_ = false;
}

/// Takes records in front of the ends until the batch is full; true when some may be left.
bool log_writer::fill_batch(std::span<access_ring* const> rings, std::span<const std::uint64_t> ends) {
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const std::size_t number = (first_ring_ + i) % rings.size();
    access_ring& ring = *rings[number];
    while (!ring.is_read_to(ends[number])) {
      const std::optional<access_record> record = ring.front();
      if (!record) break;
      if (output_->wants_access()) append_access_line(batch_, *record, layout_);
      ring.pop();
      if (batch_.size() < batch_max_bytes) continue;
      first_ring_ = (first_ring_ + i + 1) % rings.size();  // the others' turn, so that a busy ring starves none
      return true;
    }
  }
  return false;
}

/// Writes the whole batch; what cannot be written is lost and counted.
void log_writer::write_batch(const std::stop_token& stop) {
  const bool was_torn = std::exchange(torn_, false);
  if (was_torn) batch_.insert(0, 1, '\n');
  std::string_view rest = batch_;
  const int error_number = write_all(rest, stop);

  const std::size_t size = batch_.size() - rest.size();
  if (size > 0) {
    lines_written_.add(count_lines({batch_.data(), size}) - (was_torn ? 1 : 0));
    bytes_written_.add(size);
  }
  torn_ = size > 0 ? batch_[size - 1] != '\n' : was_torn;
  if (error_number != 0 && !failing_) report_failure(error_number);
  lines_lost_.add(count_lines(rest) - (was_torn && size == 0 ? 1 : 0));
  batch_.clear();
  if (error_number == 0 && failing_) report_recovery();
}

/// Takes from the front of `rest` what was written. Returns 0 or the error.
int log_writer::write_all(std::string_view& rest, const std::stop_token& stop) {
  while (!rest.empty()) {
    if (!output_->is_writable(patience)) {
      if (change_wanted_.load(std::memory_order_relaxed)) return ETIMEDOUT;  // to where lines are taken, perhaps
      if (!stop.stop_requested()) continue;
      waited_after_stop_ += patience;
      gave_up_ = waited_after_stop_ >= settings_.stop_timeout;
      if (gave_up_) return ETIMEDOUT;
      continue;
    }
    const ssize_t written = output_->write_some(rest);
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;
    } else if (errno == EAGAIN) {
      ::poll(nullptr, 0, 1);  // said to be writable, and was not: do not spin
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

void log_writer::reopen_output() {
  if (const int error_number = output_->reopen(); error_number != 0) {
    report(log_level::error, "log_reopen_failed", "the log file cannot be opened again; lines go to the old one",
           {{"path", output_->name()}, {"reason", std::strerror(error_number)}});
  }
}

void log_writer::report_failure(int error_number) {
  failing_ = true;
  lost_before_ = lines_lost_.value();
  const char* const reason = error_number == ETIMEDOUT ? "nobody reads it"
                             : error_number == EBADF   ? "it was closed when this process started"
                                                       : std::strerror(error_number);
  report(log_level::error, "log_write_failed", "lines are lost and counted until writing works again",
         {{"output", output_->name()}, {"reason", reason}});
}

void log_writer::report_recovery() {
  failing_ = false;
  report(log_level::warn, "log_write_recovered", "the log is written again",
         {{"output", output_->name()}, {"lines_lost", lines_lost_.value() - lost_before_}});
}

/// Says it where it may be seen, or not at all: the writer does not wait to complain.
void log_writer::report(log_level level, std::string_view event, std::string_view message,
                        std::initializer_list<event_pair> pairs) {
  std::string line;
  append_event_line(line, {settings_.now(), level, event, message, {pairs.begin(), pairs.size()}});
  if (!is_writable(settings_.report_descriptor, 0ms)) return;
  [[maybe_unused]] const ssize_t written = ::write(settings_.report_descriptor, line.data(), line.size());
}

}  // namespace cellroute::process
