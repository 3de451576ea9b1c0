// The names that a configuration may choose from are those that the log has.
#include "adapters/wire/access_fields.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "adapters/process/access_log.hpp"

namespace cellroute::proxy {
namespace {

TEST_CASE("access fields: checked and written ones are the same, in the same order") {
  using checked = wire::access_preset;
  using written = process::access_preset;
  for (const auto& [name, mirrored] : {std::pair(checked::standard, written::standard),
                                       {checked::m1, written::m1},
                                       {checked::homebrew, written::homebrew},
                                       {checked::spec, written::spec},
                                       {checked::ecs, written::ecs},
                                       {checked::otel, written::otel}}) {
    const auto names = wire::access_field_names(name);
    const auto fields = process::access_fields(mirrored);
    CHECK(names.size() >= 9);
    CHECK(std::ranges::equal(names, fields, {}, {}, &process::access_field::name));
  }
}

}  // namespace
}  // namespace cellroute::proxy
