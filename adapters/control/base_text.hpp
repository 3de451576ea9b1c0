#pragma once

#include <cstdint>
#include <string>

#include "adapters/sync/base_session.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/base_messages.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/table/table_rows.hpp"

namespace cellroute::control {

/// A content as a message of the base protocol, piece by piece: of a million keys it is some 40 MB.
///
/// Range: the content's keys outlive it.
class base_message {
 public:
  /// Errors: what cannot be said in the three maps, as `sync::base_publication::why_not`.
  /// Cost: a look at each key.
  [[nodiscard]] static expected<base_message, std::string> open(const sync::content& content, std::uint64_t version,
                                                                wire::base_dialect dialect);

  /// Puts the next piece behind `to`, some 64 KiB. False: it is over.
  [[nodiscard]] bool next(std::string& to);

 private:
  base_message() = default;

  table_rows rows_;
  std::string head_;
  std::string tail_;
  std::size_t at_ = 0;
};

/// A content as a message of the base protocol, which has three maps: keys to placements, placements to one endpoint
/// each, and the default placement. What cannot be said exactly in them is not said: then there is the reason instead.
///
/// A router makes of it what it makes of placements of which nothing is said: no settings, and one Host for all of
/// them, the client's or the endpoint's, as its own settings have it. A kind that is not what the name says stands
/// beside the maps; a router that does not read it goes by the name. The id of an endpoint is a name, and each router
/// has its own. Cost: about 0.2 s a million keys.
[[nodiscard]] sync::base_publication write_base_content(const sync::content& content, std::uint64_t version,
                                                        wire::base_dialect dialect);

}  // namespace cellroute::control
