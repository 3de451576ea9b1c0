#include "adapters/proxy/check_counter.hpp"

#include <algorithm>
#include <span>

#include "adapters/process/kept_file.hpp"
#include "adapters/proxy/boot_counter.hpp"

namespace cellroute::proxy {
namespace {

constexpr const char* checked_name = "CHECK";
constexpr const char* counts_name = "CHECKS";

std::vector<boot_record> read_counts(process::disk& on, const char* name, std::vector<std::string>& told) {
  const auto note = load_note(on, name);
  if (note && !*note) return {};
  auto records = note ? read_boots(**note) : unexpected(note.error());
  if (records) return *std::move(records);
  told.push_back((note ? std::string(name) + ": " : std::string()) + records.error() + "; checks are counted anew");
  return {};
}

void write_counts(process::disk& on, const char* name, std::span<const boot_record> records) {
  const std::string text = write_boots(records);
  (void)process::write_file(on, name, {std::as_bytes(std::span(text))});
}

}  // namespace

bool check_counter::load(std::vector<std::string>& told) {
  records_ = read_counts(on_, counts_name, told);
  const std::vector<boot_record> last = read_counts(on_, checked_name, told);
  if (last.empty()) return false;
  const auto at = std::ranges::find(records_, last.front().sum, &boot_record::sum);
  if (at != records_.end()) {
    ++at->begun;
  } else {
    if (records_.size() >= records_max) records_.erase(records_.begin());
    records_.push_back({last.front().sum, 1, false});
  }
  store();
  (void)on_.remove(checked_name);
  return true;
}

std::vector<wire::digest> check_counter::take_crash_loops() {
  std::vector<wire::digest> found;
  for (const boot_record& each : records_) {
    if (each.begun >= boots_max) found.push_back(each.sum);
  }
  for (const wire::digest& sum : found) forget(sum);
  return found;
}

void check_counter::begin(const wire::digest& sum) {
  current_ = sum;
  const boot_record record{sum, 1, false};
  write_counts(on_, checked_name, {&record, 1});
}

void check_counter::end() {
  (void)on_.remove(checked_name);
  forget(current_);
}

void check_counter::forget(const wire::digest& sum) {
  if (std::erase_if(records_, [&](const boot_record& each) { return each.sum == sum; }) > 0) store();
}

void check_counter::store() const {
  if (records_.empty()) return void(on_.remove(counts_name));
  write_counts(on_, counts_name, records_);
}

}  // namespace cellroute::proxy
