#include "adapters/io/host_pattern.hpp"

#include <doctest/doctest.h>

#include <string_view>

namespace cellroute::io {
namespace {

struct fit_case {
  std::string_view says;
  std::string_view pattern;
  std::string_view host;
  host_fit expected;
};

const fit_case fit_cases[] = {
    {"a name fits itself", "app.test", "app.test", host_fit::exact},
    {"in whatever case", "App.Test", "aPP.tESt", host_fit::exact},
    {"and with the dot of the root", "app.test", "app.test.", host_fit::exact},
    {"no other name", "app.test", "app.tests", host_fit::none},
    {"nor a name below", "app.test", "a.app.test", host_fit::none},
    {"a wildcard stands for one label", "*.app.test", "a.app.test", host_fit::wildcard},
    {"in whatever case", "*.APP.test", "a.app.TEST", host_fit::wildcard},
    {"not for two", "*.app.test", "a.b.app.test", host_fit::none},
    {"not for none", "*.app.test", "app.test", host_fit::none},
    {"not for an empty one", "*.app.test", ".app.test", host_fit::none},
    {"not for a part of one", "a*.app.test", "ab.app.test", host_fit::none},
    {"not for a whole top-level domain", "*.test", "app.test", host_fit::none},
    {"a star alone is nothing", "*", "app.test", host_fit::none},
    {"nothing fits nothing", "", "", host_fit::none},
    {"a host that is only the root", "app.test", ".", host_fit::none},
};

TEST_CASE("host pattern: which name of a certificate fits a host (RFC 6125 section 6.4.3)") {
  for (const fit_case& row : fit_cases) {
    CAPTURE(row.says);
    CAPTURE(row.pattern);
    CAPTURE(row.host);
    CHECK((fit_host(row.pattern, row.host) == row.expected));
  }
}

}  // namespace
}  // namespace cellroute::io
