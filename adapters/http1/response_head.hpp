#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "adapters/http1/body_framing.hpp"
#include "adapters/http1/head_error.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

/// A response as any protocol hands it on, and what only HTTP/1 says about it.
struct response_head {
  response_view view;
  std::uint8_t version_minor = 1;  ///< 0 or 1: higher ones are read as 1
  bool keep_alive = false;         ///< the connection may carry another request once this response has ended
  body_framing framing = body_framing::none;
  bool nominates = false;  ///< Connection names fields, which may come behind the content, too
};

/// Takes a response head apart.
///
/// `head`, `storage` and the views are as for `parse_request_head`. `request_was_head` and `upgrade_asked`, the
/// protocols that it asked for, are of the request that it answers.
/// - No content follows 1xx, 204, 304 and the answer to HEAD. `view.body.length_bytes` still has the Content-Length
///   that 304 and HEAD carry: it is passed on. An interim answer and 204 have none; where they claim content, the claim
///   is dropped and `keep_alive` is false, because content may follow all the same.
/// - 101 is refused unless it names protocols that were asked for, then in `view.upgrade`.
/// - A status line may lack the space before an empty reason: many servers do, and it deceives nobody.
///
/// Cost: one pass, no allocation.
/// Errors: whatever it is, the response is a bad one: 502. After one, `out` means nothing.
/// Source: RFC 9112 sections 4 to 6, RFC 9110 sections 6.4.1 and 15.
[[nodiscard]] expected<void, head_error> parse_response_head(std::string_view head, bool request_was_head,
                                                             std::string_view upgrade_asked, const head_limits& limits,
                                                             std::span<field> storage, response_head& out);

}  // namespace cellroute::http1
