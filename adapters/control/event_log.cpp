#include "adapters/control/event_log.hpp"

#include <fmt/format.h>

namespace cellroute::control {
namespace {

constexpr std::size_t entries_max = 1'000;
constexpr std::size_t piece_bytes = 60'000;

}  // namespace

class event_log::watcher final : public body_source {
 public:
  watcher(event_log& of, std::uint64_t behind, bool has_lost) : of_(of), seen_(behind), has_lost_(has_lost) {}
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  ~watcher() override {
    const std::lock_guard lock(of_.mutex_);
    --of_.watchers_;
  }

  bool next(std::string& piece) override {
    piece.clear();
    std::unique_lock lock(of_.mutex_);
    if (is_first_) {  // so that whoever watches knows at once that he does
      is_first_ = false;
      piece = ": watching\n\n";
    } else {
      of_.something_.wait_for(lock, of_.beat_, [this] { return of_.is_closed_ || of_.last_ > seen_; });
    }
    if (of_.is_closed_) return false;
    const bool is_behind = !of_.entries_.empty() && of_.entries_.front().id > seen_ + 1;
    if (has_lost_ || is_behind) piece += "event: lost\ndata: {}\n\n";
    has_lost_ = false;
    for (const entry& each : of_.entries_) {
      if (each.id <= seen_) continue;
      piece += each.text;
      seen_ = each.id;
      if (piece.size() >= piece_bytes) break;
    }
    if (piece.empty()) piece = ": nothing new\n\n";
    return true;
  }

 private:
  event_log& of_;
  std::uint64_t seen_;
  bool has_lost_;
  bool is_first_ = true;
};

void event_log::add(std::string_view kind, std::string_view data) {
  const std::lock_guard lock(mutex_);
  ++last_;
  entries_.push_back({last_, fmt::format("id: {}\nevent: {}\ndata: {}\n\n", last_, kind, data)});
  if (entries_.size() > entries_max) entries_.pop_front();
  something_.notify_all();
}

void event_log::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  something_.notify_all();
}

std::unique_ptr<body_source> event_log::watch(std::optional<std::uint64_t> last_id) {
  const std::lock_guard lock(mutex_);
  if (watchers_ >= watchers_max_ || is_closed_) return nullptr;
  ++watchers_;
  if (!last_id) return std::make_unique<watcher>(*this, last_, false);
  if (*last_id < first_) return std::make_unique<watcher>(*this, first_, true);  // of a process before this one
  if (*last_id > last_) return std::make_unique<watcher>(*this, last_, true);
  return std::make_unique<watcher>(*this, *last_id, false);
}

}  // namespace cellroute::control
