// A publish by the control plane as a user runs it, in which each system call fails once, or is the last (T13).
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/control_proofs/faulty_process.hpp"
#include "tests/system/control_proofs/plane.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t keys = 30;

/// Three rows that move at once.
std::string three_rows(std::size_t table) {
  std::string json = "{";
  for (const std::size_t number : {1U, 8U, 21U})
    json += (number == 1 ? "\"" : ", \"") + key_name(number) + "\": \"" + std::string(cell_in(number, table)) + "\"";
  return json + "}";
}

/// The table that all of the three rows are of; -1: they are not of one.
int table_of(const control_process& control) {
  int found = -2;
  for (const std::size_t number : {1U, 8U, 21U}) {
    const std::string row = control.page("/v1/keys/" + key_name(number)).content;
    const std::string placement = "\"placement\":\"";
    const std::size_t at = row.find(placement);
    const bool is_first =
        at != std::string::npos && row.substr(at + placement.size()).starts_with(std::string(cell_in(number, 0)) + '"');
    const int table = is_first ? 0 : 1;
    found = found == -2 || found == table ? table : -1;
  }
  return found;
}

/// 0: the store cannot be read.
std::uint64_t published(const control_process& control) { return version_of(control.page("/v1/info")); }

void try_publish(call_control& calls, const fault& what) {
  CAPTURE(static_cast<int>(what.what));
  CAPTURE(what.name);
  CAPTURE(what.number);
  control_setup setup = written_by_api();
  setup.environment = calls.environment();
  control_process control(setup);
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, 1, 2)).status() / 100 == 2);
  calls.arm(what);
  const message answer = tell(control, "PATCH", "/v1/keys", three_rows(1));
  calls.disarm();
  const bool is_acknowledged = answer.status() == 200;
  CAPTURE(answer.head.text);
  CAPTURE(answer.content);
  if (what.what == outcome::count || !calls.has_come()) CHECK(is_acknowledged);
  CHECK(answer.status() != 404);
  if (!(what.what == outcome::kill && calls.has_come())) {
    REQUIRE_FALSE(control.process().has_ended());
    // A lock that could not be given back leaves the store without readers until the next start: then it says so.
    if (const std::uint64_t version = published(control); version != 0) {
      CHECK(version == (table_of(control) == 1 ? 2 : 1));
      if (is_acknowledged) CHECK(version == 2);
    } else {
      CHECK(answer.status() == 503);
    }
  }
  control.kill();
  control.start();
  const std::uint64_t version = published(control);
  CAPTURE(version);
  if (is_acknowledged) CHECK(version == 2);
  REQUIRE((version == 1 || version == 2));
  CHECK(table_of(control) == static_cast<int>(version) - 1);
  CHECK(control.page("/v1/audit:verify").content.find(R"("ok":true)") != std::string::npos);
  CHECK(tell(control, "PUT", "/v1/keys/more", R"({"placement":"tier1"})").status() / 100 == 2);
  CHECK(published(control) == version + 1);
  CHECK(table_of(control) == static_cast<int>(version) - 1);
}

TEST_CASE("store proof: at each call of a publish it fails or dies, and nothing acknowledged is lost") {
  fault_tally tally = try_all_calls(try_publish);
  MESSAGE("a publish by the control plane: " << tally.text());
  CHECK(fault_tally::sum_of(tally.points) > sized(10, 40));
  CHECK(tally.points["fdatasync"] + tally.points["fsync"] >= 2);
}

}  // namespace
}  // namespace cellroute::system_test
