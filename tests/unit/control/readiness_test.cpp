#include "adapters/control/readiness.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "adapters/control/pages.hpp"
#include "tests/unit/control/registry_script.hpp"

namespace cellroute::control {
namespace {

struct store_case {
  std::string_view says;
  const char* breaks;  ///< what somebody else does to the file
  std::string_view why;
};

const store_case store_cases[] = {
    {"a store as it should be", "SELECT 1", ""},
    {"no epoch", "UPDATE meta SET value = 0 WHERE name = 'epoch'", "epoch"},
    {"nothing can be written",
     "CREATE TRIGGER no BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'the disk is read only'); END",
     "the disk is read only"},
    {"nothing can be read", "DROP TABLE meta", "meta"},
};

TEST_CASE("readiness: what its store says") {
  for (const store_case& row : store_cases) {
    CAPTURE(row.says);
    const support::scratch_folder folder;
    const auto made = open_registry(create_store(folder.file("control.db")));
    auto beside = must(database::open(folder.file("control.db"), database_use::write));
    must(beside.run(row.breaks));
    const std::string why = why_not_ready(*made);
    CHECK(why.empty() == row.why.empty());
    CHECK_MESSAGE(why.find(row.why) != std::string::npos, why);
  }
}

TEST_CASE("readiness: who writes at the moment is not waited for, and a file that has gone is missed") {
  const support::scratch_folder folder;
  const auto made = open_registry(create_store(folder.file("control.db")));
  {
    const registry::turn writing = made->begin();
    CHECK(why_not_ready(*made).empty());
  }
  std::filesystem::remove(folder.file("control.db"));
  CHECK(!why_not_ready(*made).empty());
}

TEST_CASE("readiness: less than 5 % of the disk") {
  CHECK(is_nearly_full(0, 1));
  CHECK(is_nearly_full(4, 100));
  CHECK(!is_nearly_full(5, 100));
  CHECK(!is_nearly_full(1, 1));
  CHECK(is_nearly_full(std::uint64_t{1} << 40, std::uint64_t{1} << 50));
}

class some_state final : public page_source {
 public:
  some_state(control_state is, std::string_view why_not) : is_(is), why_not_(why_not) {}
  control_state state() const override { return is_; }
  std::string_view why_not_ready() const override { return why_not_; }
  std::string metrics() const override { return ""; }

 private:
  control_state is_;
  std::string_view why_not_;
};

struct page_case {
  std::string_view says;
  control_state is;
  std::string_view why_not;
  std::uint16_t status;
  std::string_view has;
};

const page_case page_cases[] = {
    {"ready", control_state::ready, "", 200, R"({"status":"ready"})"},
    {"the store is in the way", control_state::ready, "the disk is full", 503, R"("detail":"the disk is full")"},
    {"nothing yet", control_state::starting, "", 503, "nothing is published yet"},
    {"it stops", control_state::draining, "", 503, "it stops"},
};

TEST_CASE("readiness: the page tells it, and the other two do not change") {
  for (const page_case& row : page_cases) {
    CAPTURE(row.says);
    const io::loop_clock clock;
    some_state source(row.is, row.why_not);
    request_log log(nullptr, clock, 1);
    const control_pages pages(clock, source, log);
    const front_answer got = pages.answer("/readyz");
    CHECK(got.status == row.status);
    CHECK_MESSAGE(got.body.find(row.has) != std::string::npos, got.body);
    CHECK(pages.answer("/health").status == 200);
    CHECK(pages.answer("/livez").status == 200);
  }
}

}  // namespace
}  // namespace cellroute::control
