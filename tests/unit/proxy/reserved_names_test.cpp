// Names of headers that a configuration may give, against the names that readers of heads classify.
#include <doctest/doctest.h>

#include <string_view>

#include "adapters/http1/field_names.hpp"
#include "adapters/proxy/head_edits.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::proxy {
namespace {

constexpr std::string_view classified[] = {"Accept",
                                           "Connection",
                                           "Content-Length",
                                           "Content-Type",
                                           "Cookie",
                                           "Date",
                                           "Expect",
                                           "Forwarded",
                                           "Host",
                                           "HTTP2-Settings",
                                           "Keep-Alive",
                                           "Proxy-Authenticate",
                                           "Proxy-Authorization",
                                           "Proxy-Connection",
                                           "Proxy-Status",
                                           "Referer",
                                           "Retry-After",
                                           "Server",
                                           "TE",
                                           "Trailer",
                                           "Transfer-Encoding",
                                           "Upgrade",
                                           "User-Agent",
                                           "Via",
                                           "X-Cell-Generation",
                                           "X-Cell-Key",
                                           "X-Cell-Placement",
                                           "X-Failover-Reason",
                                           "X-Forwarded-For",
                                           "X-Forwarded-Host",
                                           "X-Forwarded-Port",
                                           "X-Forwarded-Proto",
                                           "X-Request-Id",
                                           "X-Route-Decision",
                                           "X-Route-Reason",
                                           "X-Routed-To",
                                           "X-Routing-Key"};

TEST_CASE("reserved names: a request id's header is the usual one, or one that nothing else acts on") {
  for (const std::string_view name : classified) {
    CAPTURE(name);
    REQUIRE((http1::classify(name) != field_name::other));
    CHECK(wire::parse_request_id_name(name).has_value() == (name == "X-Request-Id"));
  }
}

TEST_CASE("reserved names: a key is not read from what belongs to one hop") {
  for (const std::string_view name : classified) {
    CAPTURE(name);
    if (http1::hop_by_hop.has(http1::classify(name))) CHECK_FALSE(wire::parse_field_name(name).has_value());
  }
}

}  // namespace
}  // namespace cellroute::proxy
