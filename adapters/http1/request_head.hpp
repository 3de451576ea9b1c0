#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "adapters/http1/body_framing.hpp"
#include "adapters/http1/head_error.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

/// A request as any protocol hands it on, and what only HTTP/1 says about it.
struct request_head {
  request_view view;
  std::uint8_t version_minor = 1;  ///< 0 or 1: higher ones are read as 1
  bool keep_alive = false;         ///< the client wants to send another request on this connection
  body_framing framing = body_framing::none;
  bool nominates = false;  ///< Connection names fields, which may come behind the content, too

  /// Where `view.target` lies in the one case that it is no part of the head: `http://host?query`, which lacks the `/`
  /// that goes upstream. On the heap, so that the view outlives a move.
  std::unique_ptr<char[]> made_target;
};

/// Takes a request head apart.
///
/// `head` is what the scanner found, from the start line to the empty line. `storage` has room for a field a line and
/// then holds `out.view.fields`. All views of `out` point into `head`, which must outlive them.
/// - Absolute form: its authority replaces Host, and the rest of it becomes the target in origin form. Its scheme is
///   checked but not believed: `view.scheme` is `http` here, and `https` is for the caller to say, who knows the
///   connection.
/// - `view.authority` is empty only for HTTP/1.0 without Host.
/// - Fields keep their order; what goes no further has `skip`: the hop-by-hop ones, those that Connection names, and
///   those that the writer makes anew. Routing and framing fields, and those that the router owns, are not skipped
///   because a client names them in Connection.
/// - `view.upgrade` asks for a tunnel: only in HTTP/1.1, named by Connection, in one line, without content, never h2c.
///
/// Cost: one pass, no allocation but for `made_target`.
/// Errors: all but those of a status or an unasked upgrade; `status_of` answers them. After one, `out.view` has what
///         was read before it: method and target, and the fields if all lines were in order. It is good for the log and
///         for the form of the answer, and not to be routed.
/// Source: RFC 9112 sections 2 to 6, RFC 9110 sections 7.2, 7.6.1, 7.8 and 10.1.1. Where they leave a choice between
/// refusing and repairing, we refuse.
[[nodiscard]] expected<void, head_error> parse_request_head(std::string_view head, const head_limits& limits,
                                                            std::span<field> storage, request_head& out);

}  // namespace cellroute::http1
