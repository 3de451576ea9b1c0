#pragma once

#include <cstdint>
#include <string>

#include "adapters/sync/base_session.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/base_messages.hpp"

namespace cellroute::control {

/// A content as a message of the base protocol, which has three maps: keys to placements, placements to one endpoint
/// each, and the default placement. What cannot be said exactly in them is not said: then there is the reason instead.
///
/// Of a placement its kind and the id of its endpoint are not said: both are names, and a router has its own for them.
/// Cost: about 0.2 s a million keys.
[[nodiscard]] sync::base_publication write_base_content(const sync::content& content, std::uint64_t version,
                                                        wire::base_dialect dialect);

}  // namespace cellroute::control
