// A request's target and its tags, from anybody: what is taken apart holds no more than was sent, and no route is found
// for a path that has another number of segments.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "adapters/control/api_target.hpp"
#include "cellroute/base/unescape.hpp"

using namespace cellroute::control;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(static_cast<const char*>(static_cast<const void*>(data)), size);
  if (const auto plain = cellroute::unescape(text)) require(plain->size() <= text.size());
  if (const auto tags = read_tags(text)) {
    std::size_t sum = 0;
    for (const std::string& each : tags->tags) sum += each.size() + 2;
    require(sum <= text.size());
  }
  const auto parts = split_target(text);
  if (!parts) return 0;
  require(parts->path.starts_with('/'));
  for (const std::string_view pattern : {"/v1/keys/{key}", "/v1/versions/{version}:rollback", "/v1/a/{a}/diff/{b}"}) {
    const auto found = match_path(pattern, parts->path);
    if (!found) continue;
    for (const std::string& each : *found) require(!each.empty() && each.size() < parts->path.size());
  }
  return 0;
}
