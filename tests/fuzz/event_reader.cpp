// What a stream of events may hold: however it is cut, the same events come out, and none is larger than may be.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "adapters/tool/event_reader.hpp"

using namespace cellroute::tool;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  event_reader at_once;
  const std::vector<server_event> all = at_once.take(text);
  event_reader in_two;
  const std::size_t cut = size == 0 ? 0 : data[0] % size;
  std::vector<server_event> parts = in_two.take(text.substr(0, cut));
  for (server_event& each : in_two.take(text.substr(cut))) parts.push_back(each);
  require(parts.size() == all.size() && at_once.last_id() == in_two.last_id());
  for (std::size_t i = 0; i < all.size(); ++i) {
    require(all[i].id == parts[i].id && all[i].kind == parts[i].kind && all[i].data == parts[i].data);
    require(!all[i].kind.empty() && all[i].data.size() <= size);
  }
  return 0;
}
