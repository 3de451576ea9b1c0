#include "adapters/control/event_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/control/audit_json.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t entries_max = 1'000;
constexpr std::size_t piece_bytes = 60'000;
constexpr std::size_t lines_at_once = 100;
constexpr std::string_view lost_event = "event: lost\ndata: {}\n\n";
constexpr std::string_view line_kind = "audit";

std::string text_of(const event_mark& mark, std::string_view kind, std::string_view data) {
  return fmt::format("id: {}.{}\nevent: {}\ndata: {}\n\n", mark.audit, mark.event.value_or(0), kind, data);
}

std::string data_of(const audit_record& line) {
  std::string data;
  process::json_writer out(data);
  write_audit_line(out, line);
  return data;
}

}  // namespace

class event_log::watcher final : public body_source {
 public:
  watcher(event_log& of, const place& from, std::unique_ptr<audit_source> lines)
      : of_(of), seen_(from), lines_(std::move(lines)) {}
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  ~watcher() override {
    const std::lock_guard lock(of_.mutex_);
    --of_.watchers_;
  }

  bool next(std::string& piece) override {
    piece.clear();
    std::uint64_t stored_until = 0;
    {
      std::unique_lock lock(of_.mutex_);
      if (is_first_) {  // so that whoever watches knows at once that he does
        is_first_ = false;
        piece = ": watching\n\n";
      } else {
        of_.something_.wait_for(lock, of_.beat_, [this] { return of_.is_closed_ || is_behind(); });
      }
      if (of_.is_closed_) return false;
      stored_until = take(piece);
    }
    if (piece.empty() && stored_until > 0) read_lines(stored_until, piece);
    if (piece.empty()) piece = ": nothing new\n\n";
    return true;
  }

 private:
  [[nodiscard]] bool is_behind() const { return of_.last_ > seen_.event || of_.audit_ > seen_.audit; }

  /// What comes next and is here. The line up to which the store has to be read before more can be told; 0: none.
  std::uint64_t take(std::string& piece) {
    if (!of_.entries_.empty() && of_.entries_.front().id > seen_.event + 1) {
      seen_.event = of_.entries_.front().id - 1;
      seen_.has_lost = true;
    }
    if (std::exchange(seen_.has_lost, false)) piece += lost_event;
    for (const entry& each : of_.entries_) {
      if (each.id <= seen_.event) continue;
      const std::uint64_t before = each.is_line ? each.audit - 1 : each.audit;
      if (before > seen_.audit) return before;
      seen_.event = each.id;
      if (each.is_line && each.audit <= seen_.audit) continue;  // the store had it already
      seen_.audit = each.audit;
      piece += each.text;
      if (piece.size() >= piece_bytes) return 0;
    }
    return of_.audit_ > seen_.audit ? of_.audit_ : 0;
  }

  /// Some lines, up to that one. What cannot be read is lost.
  void read_lines(std::uint64_t until, std::string& piece) {
    const auto found = lines_->lines_behind(seen_.audit, lines_at_once);
    if (!found || found->empty()) {
      seen_.audit = until;
      piece = lost_event;
      return;
    }
    for (const audit_record& each : *found) {
      seen_.audit = std::min(each.sequence, until);
      if (each.sequence > until) return;
      piece += text_of({each.sequence, {}}, line_kind, data_of(each));
    }
  }

  event_log& of_;
  place seen_;
  std::unique_ptr<audit_source> lines_;
  bool is_first_ = true;
};

void event_log::begin(std::uint64_t audit) {
  const std::lock_guard lock(mutex_);
  audit_first_ = audit_ = audit;
}

void event_log::add(std::string_view kind, std::string_view data) {
  const std::lock_guard lock(mutex_);
  append(kind, data, false);
}

void event_log::on_audited(const audit_record& line) {
  const std::string data = data_of(line);
  const std::lock_guard lock(mutex_);
  audit_ = line.sequence;
  append(line_kind, data, true);
}

void event_log::append(std::string_view kind, std::string_view data, bool is_line) {
  ++last_;
  entries_.push_back({last_, audit_, is_line, text_of({audit_, last_}, kind, data)});
  if (entries_.size() > entries_max) entries_.pop_front();
  something_.notify_all();
}

void event_log::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  something_.notify_all();
}

std::unique_ptr<body_source> event_log::watch(std::optional<event_mark> last, std::unique_ptr<audit_source> lines) {
  const std::lock_guard lock(mutex_);
  if (watchers_ >= watchers_max_ || is_closed_) return nullptr;
  ++watchers_;
  return std::make_unique<watcher>(*this, place_of(last), std::move(lines));
}

event_log::place event_log::place_of(const std::optional<event_mark>& last) const {
  if (!last) return {last_, audit_, false};
  const bool is_ahead = last->audit > audit_;  // of a store that has gone back since
  if (last->event) {
    if (*last->event < first_) return {first_, std::min(last->audit, audit_first_), true};  // of an earlier process
    if (*last->event > last_ || is_ahead) return {last_, audit_, true};
    return {*last->event, last->audit, false};
  }
  if (is_ahead) return {last_, audit_, true};
  const auto found =
      std::ranges::find_if(entries_, [&](const entry& each) { return each.is_line && each.audit == last->audit; });
  return {found == entries_.end() ? first_ : found->id, last->audit, false};
}

}  // namespace cellroute::control
