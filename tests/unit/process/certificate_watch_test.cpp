#include "adapters/process/certificate_watch.hpp"

#include <doctest/doctest.h>

#include <string>

namespace cellroute::process {
namespace {

constexpr duration day = 24h;
const wall_time now{std::chrono::seconds(1'790'000'000)};

std::string told(certificate_watch& watch, std::initializer_list<certificate_facts> all, wall_time at) {
  std::string text;
  for (const certificate_warning& w : watch.look(
           std::data(all) == nullptr ? std::span<const certificate_facts>() : std::span(std::data(all), all.size()),
           at)) {
    text += (text.empty() ? "" : ", ") + w.of.name + " " + std::to_string(w.left / 1h) + "h";
  }
  return text;
}

TEST_CASE("certificate watch: each certificate is warned of 30, 7 and 1 days before its end, and at it; once") {
  certificate_watch watch;
  const certificate_facts c{"web", "a.pem", now + 40 * day};
  const auto after = [&](duration passed) { return told(watch, {c}, now + passed); };
  CHECK(after(0s) == "");
  CHECK(after(9 * day) == "");
  CHECK(after(10 * day) == "a.pem 720h");
  CHECK(after(11 * day) == "");
  CHECK(after(33 * day) == "a.pem 168h");
  CHECK(after(38 * day) == "");
  CHECK(after(39 * day) == "a.pem 24h");
  CHECK(after(39 * day + 1h) == "");
  CHECK(after(40 * day) == "a.pem 0h");
  CHECK(after(50 * day) == "");
}

TEST_CASE("certificate watch: a process that starts late warns at once, of what is nearest alone") {
  certificate_watch watch;
  const certificate_facts soon{"web", "a.pem", now + 3h};
  const certificate_facts over{"web", "b.pem", now - 5 * day};
  const certificate_facts good{"web", "c.pem", now + 300 * day};
  CHECK(told(watch, {soon, over, good}, now) == "a.pem 3h, b.pem -120h");
  CHECK(told(watch, {soon, over, good}, now) == "");
}

TEST_CASE("certificate watch: one that was renewed is warned of anew, and the same file elsewhere is another") {
  certificate_watch watch;
  CHECK(told(watch, {{"web", "a.pem", now + 5 * day}}, now) == "a.pem 120h");
  CHECK(told(watch, {{"web", "a.pem", now + 90 * day}}, now) == "");
  CHECK(told(watch, {{"web", "a.pem", now + 90 * day}}, now + 65 * day) == "a.pem 600h");
  CHECK(told(watch, {{"web", "a.pem", now + 90 * day}, {"admin", "a.pem", now + 90 * day}}, now + 65 * day) ==
        "a.pem 600h");
  CHECK(told(watch, {}, now) == "");
  CHECK(told(watch, {{"web", "a.pem", now + 90 * day}}, now + 65 * day) == "a.pem 600h");  // it was gone
}

TEST_CASE("certificate watch: it looks at first, and then once an hour") {
  certificate_watch watch;
  const time_point start{std::chrono::hours(3)};
  CHECK(watch.is_due(start));
  CHECK_FALSE(watch.is_due(start + 59min));
  CHECK(watch.is_due(start + 60min));
  CHECK_FALSE(watch.is_due(start + 61min));
}

}  // namespace
}  // namespace cellroute::process
