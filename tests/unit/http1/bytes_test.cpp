#include "adapters/http1/bytes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/http1/field_names.hpp"
#include "cellroute/base/ascii.hpp"
#include "tests/unit/http1/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::http1;

TEST_CASE("http1 bytes: the fast searches find what the plain ones find, for every byte at every place") {
  for (int value = 0; value < 256; ++value) {
    for (std::size_t size = 0; size <= 40; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(value);
        const exact_bytes bytes{text};
        const char* const begin = bytes.view().data();
        const char* const end = begin + size;
        REQUIRE(fast_search::find_control(begin, end) == plain_search::find_control(begin, end));
        REQUIRE(fast_search::find_target_end(begin, end) == plain_search::find_target_end(begin, end));
        REQUIRE(fast_search::find_token_end(begin, end) == plain_search::find_token_end(begin, end));
      }
    }
  }
}

TEST_CASE("http1 bytes: the fast searches find the first of two") {
  for (std::size_t first = 0; first < 40; ++first) {
    for (std::size_t second = first + 1; second < 40; ++second) {
      std::string text(40, '~');
      text[first] = text[second] = '\r';
      CHECK(fast_search::find_control(text.data(), text.data() + 40) == text.data() + first);
      CHECK(fast_search::find_target_end(text.data(), text.data() + 40) == text.data() + first);
      CHECK(fast_search::find_token_end(text.data(), text.data() + 40) == text.data() + first);
    }
  }
}

TEST_CASE("http1 bytes: what a class holds (RFC 9110 section 5.6.2)") {
  const std::string_view no_token = "\"(),/:;<=>?@[\\]{} \t\r\n";
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    CAPTURE(value);
    const bool expected = value > 0x20 && value < 0x7f && no_token.find(c) == std::string_view::npos;
    CHECK(holds(token_bytes, c) == expected);
    CHECK(plain_search::is_control(c) == ((value < 0x20 && value != 9) || value == 0x7f));
    CHECK(plain_search::ends_target(c) == (value <= 0x20 || value >= 0x7f || value == '#'));
  }
  CHECK_FALSE(is_token(""));
  CHECK(is_token("a"));
  CHECK_FALSE(is_token("a b"));
}

TEST_CASE("http1 bytes: the members of a list") {
  struct list_case {
    std::string_view says;
    std::string_view list;
    std::vector<std::string_view> expected;
  };
  const list_case cases[] = {
      {"one", "a", {"a"}},
      {"white space is no part of a member", " a\t,\tb ", {"a", "b"}},
      {"empty members do not count", ",, a ,,b, ", {"a", "b"}},
      {"inner white space stays", "a b,c", {"a b", "c"}},
      {"nothing", "", {}},
      {"only commas", " , ,", {}},
  };
  for (const list_case& row : cases) {
    CAPTURE(row.says);
    std::vector<std::string_view> members;
    for_each_member(row.list, [&](std::string_view member) {
      members.push_back(member);
      return true;
    });
    CHECK(members == row.expected);
  }
}

TEST_CASE("http1 names: every name is known in any case, and no name of one byte more or less") {
  struct name_case {
    std::string name;
    field_name expected;
  };
  const name_case cases[] = {
      {"Accept", field_name::accept},
      {"Connection", field_name::connection},
      {"Content-Length", field_name::content_length},
      {"Content-Type", field_name::content_type},
      {"Cookie", field_name::cookie},
      {"Date", field_name::date},
      {"Expect", field_name::expect},
      {"Forwarded", field_name::forwarded},
      {"Host", field_name::host},
      {"HTTP2-Settings", field_name::http2_settings},
      {"Keep-Alive", field_name::keep_alive},
      {"Proxy-Authenticate", field_name::proxy_authenticate},
      {"Proxy-Authorization", field_name::proxy_authorization},
      {"Proxy-Connection", field_name::proxy_connection},
      {"Proxy-Status", field_name::proxy_status},
      {"Referer", field_name::referer},
      {"Retry-After", field_name::retry_after},
      {"Server", field_name::server},
      {"TE", field_name::te},
      {"Trailer", field_name::trailer},
      {"Transfer-Encoding", field_name::transfer_encoding},
      {"Upgrade", field_name::upgrade},
      {"User-Agent", field_name::user_agent},
      {"Via", field_name::via},
      {"X-Cell-Generation", field_name::x_cell_generation},
      {"X-Cell-Key", field_name::x_cell_key},
      {"X-Cell-Placement", field_name::x_cell_placement},
      {"X-Failover-Reason", field_name::x_failover_reason},
      {"X-Forwarded-For", field_name::x_forwarded_for},
      {"X-Forwarded-Host", field_name::x_forwarded_host},
      {"X-Forwarded-Port", field_name::x_forwarded_port},
      {"X-Forwarded-Proto", field_name::x_forwarded_proto},
      {"X-Request-Id", field_name::x_request_id},
      {"X-Route-Decision", field_name::x_route_decision},
      {"X-Route-Reason", field_name::x_route_reason},
      {"X-Circuit-State", field_name::x_circuit_state},
      {"X-Routed-To", field_name::x_routed_to},
      {"X-Routing-Key", field_name::x_routing_key},
  };
  CHECK(std::size(cases) == static_cast<std::size_t>(field_name::x_routing_key));
  for (const name_case& row : cases) {
    CAPTURE(row.name);
    const std::string lower = lowered(row.name);
    std::string upper = row.name;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
    CHECK(classify(row.name) == row.expected);
    CHECK(classify(lower) == row.expected);
    CHECK(classify(upper) == row.expected);
    CHECK(classify(row.name + "x") == field_name::other);
    CHECK(classify(row.name.substr(1)) == field_name::other);
    for (std::size_t at = 0; at < row.name.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        if (!holds(token_bytes, c) || to_lower(c) == lower[at]) continue;
        std::string changed = row.name;
        changed[at] = c;
        REQUIRE(classify(changed) == field_name::other);
      }
    }
  }
}
