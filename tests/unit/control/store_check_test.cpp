#include "adapters/control/store_check.hpp"

#include <doctest/doctest.h>

#include <asio/executor_work_guard.hpp>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/control/registry_script.hpp"

namespace cellroute::control {
namespace {

/// What it is told, and a reactor that runs until it is.
class told_checks final : public store_check_listener {
 public:
  void on_store_checked(const stored<void>& found, duration took) override {
    CHECK(took > duration(0));
    told_.push_back(found ? "whole" : found.error().detail);
  }
  /// The next thing; empty where nothing comes.
  std::string next() {
    const std::size_t before = told_.size();
    for (int i = 0; i < 2'000 && told_.size() == before; ++i) {
      const auto stays = asio::make_work_guard(reactor.context());
      reactor.context().restart();
      reactor.context().run_for(5ms);
    }
    return told_.size() == before ? "" : told_.back();
  }
  io::reactor reactor{};

 private:
  std::vector<std::string> told_;
};

TEST_CASE("store check: a store that contradicts itself is told, and that it is whole again, each time that it looks") {
  const support::scratch_folder folder;
  const auto made = open_registry(create_store(folder.file("control.db")));
  (void)put(*made, first_config);
  told_checks hears;
  store_check check(hears.reactor, *made, 1h, hears);
  const time_point start = hears.reactor.now();
  check.on_tick(start);
  check.on_tick(start + 9min);
  CHECK_FALSE(check.is_whole());  // a start has other things to do
  check.on_tick(start + 10min);
  check.on_tick(start + 11min);
  CHECK(hears.next() == "whole");
  CHECK(check.is_whole() == true);
  CHECK(check.at() > wall_time());

  auto beside = must(database::open(folder.file("control.db"), database_use::write));
  must(beside.run("UPDATE route SET placement = 2 WHERE key = x'61636d65'"));
  check.on_tick(start + 69min);
  check.on_tick(start + 70min);
  const std::string why = hears.next();
  CHECK_MESSAGE(why.find("1 rows differ") != std::string::npos, why);
  CHECK(check.is_whole() == false);
  must(beside.run("UPDATE route SET placement = 1 WHERE key = x'61636d65'"));
  check.on_tick(start + 130min);
  CHECK(hears.next() == "whole");
  CHECK(check.is_whole() == true);
}

TEST_CASE("store check: what cannot be read says nothing of whether it is whole") {
  const support::scratch_folder folder;
  const auto made = open_registry(create_store(folder.file("control.db")));
  told_checks hears;
  store_check check(hears.reactor, *made, 1min, hears);
  std::filesystem::rename(folder.file("control.db"), folder.file("aside"));
  check.on_tick(hears.reactor.now() + 1min);
  CHECK(hears.next().find("control.db") != std::string::npos);
  CHECK_FALSE(check.is_whole());
  std::filesystem::rename(folder.file("aside"), folder.file("control.db"));
}

TEST_CASE("store check: one that is given up ends soon, and is no damage") {
  const support::scratch_folder folder;
  auto made = create_store(folder.file("control.db"));
  REQUIRE(publish(made, many(20'000)));
  auto reading = must(store_reader::open(folder.file("control.db")));
  std::atomic<bool> is_given_up{true};
  const auto found = reading.check_whole(&is_given_up);
  REQUIRE_FALSE(found);
  CHECK(found.error().what == store_error::unavailable);
  is_given_up = false;
  must(reading.check_whole(&is_given_up));
}

}  // namespace
}  // namespace cellroute::control
