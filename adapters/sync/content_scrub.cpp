#include "adapters/sync/content_scrub.hpp"

#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace cellroute::sync {

bool content_scrub::is_sound(const content& held) {
  const std::size_t first = key_digest::bucket_count * step_ / steps;
  step_ = (step_ + 1) % steps;
  const std::size_t end = step_ == 0 ? key_digest::bucket_count : key_digest::bucket_count * step_ / steps;
  std::vector<std::uint16_t> buckets(end - first);
  std::iota(buckets.begin(), buckets.end(), static_cast<std::uint16_t>(first));
  const wire::digest document = sha256(std::as_bytes(std::span(held.document)));
  return held.digest.recomputed(held.keys, buckets, sha256).root(document, sha256) == held.sum;
}

}  // namespace cellroute::sync
