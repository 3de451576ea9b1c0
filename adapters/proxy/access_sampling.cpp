#include "adapters/proxy/access_sampling.hpp"

#include <algorithm>
#include <functional>

namespace cellroute::proxy {

access_sampling::access_sampling(const wire::sampling_settings& settings)
    : logs_all_(settings.ratio >= 1),
      below_(logs_all_ ? 0 : static_cast<std::uint64_t>(settings.ratio * 0x1p64)),
      slower_than_(settings.always.slower_than.value_or(duration::max())),
      keys_(settings.always.keys) {
  for (const wire::status_range& range : settings.always.statuses) {
    for (std::size_t status = range.low; status <= range.high; ++status) statuses_.set(status);
  }
  std::ranges::sort(keys_);
}

sampling_decision access_sampling::decide(std::uint16_t status, duration elapsed, std::string_view key,
                                          random_numbers& chance) const {
  if (logs_all_) return sampling_decision::ratio;
  if (status < statuses_.size() && statuses_[status]) return sampling_decision::status;
  if (elapsed > slower_than_) return sampling_decision::slow;
  if (!keys_.empty() && std::binary_search(keys_.begin(), keys_.end(), key, std::less<>())) {
    return sampling_decision::key;
  }
  return chance() < below_ ? sampling_decision::ratio : sampling_decision::dropped;
}

}  // namespace cellroute::proxy
