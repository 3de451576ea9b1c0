#include "cellroute/base/expected.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

using namespace cellroute;

namespace {

enum class fault { small, large };

expected<int, fault> halved(int number) {
  if (number % 2 != 0) return unexpected(fault::small);
  return number / 2;
}

}  // namespace

TEST_CASE("expected: holds a value or the reason why not") {
  const auto good = halved(8);
  REQUIRE(good);
  CHECK(*good == 4);
  const auto bad = halved(7);
  CHECK_FALSE(bad);
  CHECK(bad.error() == fault::small);
}

TEST_CASE("expected: and_then goes on with a value and passes a reason through") {
  CHECK((halved(8).and_then(halved) == expected<int, fault>(2)));
  CHECK((halved(6).and_then(halved) == expected<int, fault>(unexpected(fault::small))));
  CHECK((halved(7).and_then([](int) -> expected<int, fault> { return 1; }).error() == fault::small));
}

TEST_CASE("expected: a value and a reason of one type stay apart") {
  const expected<std::string, std::string> value("x");
  const expected<std::string, std::string> reason(unexpected(std::string("x")));
  CHECK(value.has_value());
  CHECK_FALSE(reason.has_value());
  CHECK_FALSE((value == reason));
}

TEST_CASE("expected: a value that can only be moved is moved out") {
  expected<std::unique_ptr<int>, fault> held(std::make_unique<int>(3));
  const std::unique_ptr<int> taken = *std::move(held);
  CHECK(*taken == 3);
}

TEST_CASE("expected: success without a value") {
  const expected<void, fault> good;
  const expected<void, fault> bad = unexpected(fault::large);
  CHECK(good);
  CHECK_FALSE(bad);
  CHECK(bad.error() == fault::large);
}
