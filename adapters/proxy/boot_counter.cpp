#include "adapters/proxy/boot_counter.hpp"

#include <algorithm>
#include <utility>

namespace cellroute::proxy {
namespace {

constexpr const char* file_name = "BOOT";

}  // namespace

void boot_counter::load(std::vector<std::string>& told) {
  const auto note = load_note(on_, file_name);
  if (!note) {
    told.push_back(note.error() + "; starts are counted anew");
  } else if (*note) {
    auto records = read_boots(**note);
    if (records) {
      records_ = *std::move(records);
    } else {
      told.push_back(std::string(file_name) + ": " + records.error() + "; starts are counted anew");
    }
  }
}

void boot_counter::excuse() {
  if (records_.empty() || records_.back().has_survived || records_.back().begun == 0) return;
  --records_.back().begun;
  (void)store();
}

bool boot_counter::is_crash_loop(const wire::digest& sum) const {
  const auto at = std::ranges::find(records_, sum, &boot_record::sum);
  return at != records_.end() && !at->has_survived && at->begun >= boots_max;
}

expected<void, std::string> boot_counter::begin(const wire::digest& sum) {
  if (has_begun_ && records_.back().sum == sum) return {};  // it goes on
  if (has_begun_ && !records_.back().has_survived) --records_.back().begun;
  has_begun_ = true;
  const auto at = std::ranges::find(records_, sum, &boot_record::sum);
  boot_record record{sum, 0, false};
  if (at != records_.end()) {
    record = *at;
    records_.erase(at);
  }
  if (!record.has_survived) ++record.begun;
  if (records_.size() >= records_max) records_.erase(records_.begin());
  records_.push_back(record);
  if (record.has_survived) return {};  // nothing is counted, and the one before can wait for its turn
  return store();
}

expected<void, std::string> boot_counter::survived() {
  if (!has_begun_ || records_.back().has_survived) return {};
  const boot_record before = std::exchange(records_.back(), {records_.back().sum, 0, true});
  auto stored = store();
  if (!stored) records_.back() = before;
  return stored;
}

expected<void, std::string> boot_counter::ended() {
  if (!std::exchange(has_begun_, false) || records_.back().has_survived) return {};
  --records_.back().begun;
  return store();
}

expected<void, std::string> boot_counter::store() {
  const auto stored = store_note(on_, file_name, write_boots(records_));
  if (!stored) return unexpected(stored.error().what);
  return {};
}

}  // namespace cellroute::proxy
