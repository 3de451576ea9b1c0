#include "adapters/proxy/failure.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "adapters/edge/reason_phrase.hpp"
#include "adapters/proxy/local_answer.hpp"

namespace cellroute::proxy {
namespace {

struct failure_case {
  failure what;
  std::uint16_t status;
  std::string_view error;    // RFC 9209 section 2.3
  bool counts_as_upstreams;  // the cell's fault
};

// The statuses are a contract with clients: behaviour that another version of the router may not change in passing.
const failure_case failure_cases[] = {
    {failure::malformed_request, 400, "http_request_error", false},
    {failure::key_missing, 400, "http_request_error", false},
    {failure::key_empty, 400, "http_request_error", false},
    {failure::key_too_long, 400, "http_request_error", false},
    {failure::key_repeated, 400, "http_request_error", false},
    {failure::key_is_list, 400, "http_request_error", false},
    {failure::method_refused, 405, "http_request_denied", false},
    {failure::not_forwarded, 200, "proxy_internal_response", false},
    {failure::unknown_key, 404, "destination_not_found", false},
    {failure::no_configuration, 503, "proxy_configuration_error", false},
    {failure::body_malformed, 400, "http_request_error", false},
    {failure::body_idle, 408, "http_request_error", false},
    {failure::body_too_large, 413, "http_request_error", false},
    {failure::no_endpoint, 500, "proxy_configuration_error", false},
    {failure::name_not_resolved, 502, "dns_error", true},
    {failure::connect_refused, 502, "connection_refused", true},
    {failure::connect_timeout, 504, "connection_timeout", true},
    {failure::no_descriptor, 503, "proxy_internal_error", false},
    {failure::upstream_closed, 502, "connection_terminated", true},
    {failure::bad_answer, 502, "http_protocol_error", true},
    {failure::answer_timeout, 504, "http_response_timeout", true},
    {failure::stream_idle, 504, "connection_read_timeout", true},
    {failure::total_timeout, 504, "http_response_timeout", true},
    {failure::client_left, 499, "", false},
};

TEST_CASE("failures: what each becomes for the client, and whether it counts against the cell") {
  for (const failure_case& row : failure_cases) {
    const failure_outcome what = outcome_of(row.what);
    CAPTURE(what.code);
    CHECK(what.status == row.status);
    CHECK(what.error == row.error);
    CHECK(what.upstream.has_value() == row.counts_as_upstreams);
    // The token in the answer and the label of the metric are one word, so that one finds the other; `total_timeout`
    // has no token of its own.
    if (what.upstream) CHECK(to_string(*what.upstream) == row.error);
  }
}

TEST_CASE("failures: every one has a code of its own, a message, and a status with a phrase") {
  std::set<std::string_view> codes;
  for (const failure_case& row : failure_cases) {
    const failure_outcome what = outcome_of(row.what);
    CAPTURE(what.code);
    CHECK_FALSE(what.code.empty());
    CHECK_FALSE(what.message.empty());
    CHECK(codes.insert(what.code).second);
    // Both go between quotes, into JSON and into a field.
    CHECK(std::string(what.code).find_first_of("\"\\") == std::string::npos);
    CHECK(std::string(what.message).find_first_of("\"\\\r\n") == std::string::npos);
    if (row.what != failure::client_left) CHECK_FALSE(edge::reason_phrase(what.status).empty());
  }
  CHECK(codes.size() == static_cast<std::size_t>(failure::client_left) + 1);
}

TEST_CASE("failures: which one a fault of either side is") {
  using edge::stream_fault;
  struct fault_case {
    stream_fault fault;
    failure of_upstream;
    failure of_body;
  };
  const fault_case rows[] = {
      {stream_fault::malformed, failure::bad_answer, failure::body_malformed},
      {stream_fault::too_large, failure::bad_answer, failure::body_too_large},
      {stream_fault::timed_out, failure::answer_timeout, failure::body_idle},
      {stream_fault::no_descriptor, failure::no_descriptor, failure::client_left},
      {stream_fault::closed, failure::upstream_closed, failure::client_left},
      {stream_fault::cancelled, failure::upstream_closed, failure::client_left},
  };
  for (const fault_case& row : rows) {
    CAPTURE(static_cast<int>(row.fault));
    CHECK(failure_of_upstream(row.fault) == row.of_upstream);
    CHECK(failure_of_body(row.fault) == row.of_body);
  }
  CHECK(failure_of(key_error::missing) == failure::key_missing);
  CHECK(failure_of(key_error::empty) == failure::key_empty);
  CHECK(failure_of(key_error::too_long) == failure::key_too_long);
  CHECK(failure_of(key_error::duplicate) == failure::key_repeated);
  CHECK(failure_of(key_error::list) == failure::key_is_list);
}

TEST_CASE("failure: a refused key is told in the words that explanations have, too") {
  const auto check_same = [](failure what, const key_refusal& refused) {
    CAPTURE(refused.code);
    CHECK(outcome_of(what).status == refused.status);
    CHECK(outcome_of(what).code == refused.code);
  };
  for (const key_error error :
       {key_error::missing, key_error::empty, key_error::too_long, key_error::duplicate, key_error::list}) {
    check_same(failure_of(error), refusal_of(error));
    CHECK(outcome_of(failure_of(error)).message == refusal_of(error).message);
  }
  check_same(failure::unknown_key, key_is_unknown);
  CHECK(outcome_of(failure::unknown_key).message == key_is_unknown.message);
  check_same(failure::malformed_request, key_breaks_head);
}

}  // namespace
}  // namespace cellroute::proxy
