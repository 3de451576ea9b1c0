#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/proxy/metric_labels.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

/// Which requests are logged. First those that always are; of the others a share, by chance. So a line that chance let
/// through stands for 1 / ratio requests, and every other line for itself.
///
/// Time: passed in, like chance. Threads: const, so any.
class access_sampling {
 public:
  explicit access_sampling(const wire::sampling_settings& settings);

  /// Cost: nothing while all are logged; else a few comparisons, and a look-up among the keys that are named.
  [[nodiscard]] sampling_decision decide(std::uint16_t status, duration elapsed, std::string_view key,
                                         random_numbers& chance) const;

 private:
  bool logs_all_;
  std::uint64_t below_;  ///< of 2^64 equally likely numbers
  std::bitset<600> statuses_;
  duration slower_than_ = duration::max();
  std::vector<std::string> keys_;  ///< sorted
};

}  // namespace cellroute::proxy
