#include "adapters/control/fleet_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "adapters/control/fleet_memory.hpp"
#include "adapters/io/reactor.hpp"
#include "tests/support/scratch_folder.hpp"

namespace cellroute::control {
namespace {

const wall_time now(1000h);

known_router router(std::string id, wall_time seen) {
  known_router made;
  made.id = std::move(id);
  made.seen = seen;
  made.running = wire::content_id{3, 42};
  made.running->sum.fill(std::byte{7});
  made.build = "1.0";
  made.last_refusal = "guard: no";
  return made;
}

fleet_file opened(const std::string& path, std::string_view cluster = "c1") {
  auto made = fleet_file::open(path, cluster);
  REQUIRE_MESSAGE(made, made.error().detail);
  return *std::move(made);
}

std::vector<known_router> all(fleet_file& of) {
  auto read = of.read();
  REQUIRE_MESSAGE(read, read.error().detail);
  return *std::move(read);
}

TEST_CASE("fleet file: what is written is there at the next start, until it is forgotten") {
  const support::scratch_folder folder;
  const std::string path = folder.file("fleet.db");
  known_router odd = router("a/\"b\"", now - 1h);
  odd.running.reset();
  const known_router first = router("r1", now);
  {
    fleet_file file = opened(path);
    CHECK(all(file).empty());
    REQUIRE(file.write(std::vector{first, odd}, now - 2h));
  }
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 077u) == 0);
  fleet_file file = opened(path);
  CHECK((all(file) == std::vector{odd, first}));
  const known_router later = router("r1", now + 1h);
  REQUIRE(file.write(std::vector{later}, now - 1h));  // seen just then: not yet
  CHECK((all(file) == std::vector{odd, later}));
  REQUIRE(file.write({}, now - 1h + 1ns));
  CHECK((all(file) == std::vector{later}));
}

TEST_CASE(
    "fleet file: another cluster's is begun anew; what another process has, or holds something else, is left alone") {
  const support::scratch_folder folder;
  const std::string path = folder.file("fleet.db");
  {
    fleet_file file = opened(path);
    REQUIRE(file.write(std::vector{router("r1", now)}, now));
  }
  fleet_file file = opened(path, "c2");
  CHECK(all(file).empty());

  const std::string other = folder.file("other.db");
  {
    auto made = database::open(other, database_use::create);
    REQUIRE(made);
    REQUIRE(made->run("CREATE TABLE precious(x)"));
  }
  CHECK_FALSE(fleet_file::open(other, "c1"));
  const std::string text = folder.file("text");
  std::ofstream(text) << "this is no database, but somebody needs it nevertheless; it is a text, and a long one, too\n";
  CHECK_FALSE(fleet_file::open(text, "c1"));
  CHECK_FALSE(fleet_file::open(folder.file("nowhere/fleet.db"), "c1"));
}

/// Hears why nothing is kept.
class complaints final : public fleet_memory::listener {
 public:
  void on_fleet_not_kept(const std::string& why) override { heard.push_back(why); }
  std::vector<std::string> heard{};
};

TEST_CASE("fleet memory: who was here before is missing until he comes, or is forgotten") {
  const support::scratch_folder folder;
  const std::string path = folder.file("fleet.db");
  io::reactor reactor;
  const wall_time wall = reactor.clock().wall;
  const sync::push_hub hub({});
  complaints hears;
  {
    fleet_file file = opened(path);
    REQUIRE(file.write(std::vector{router("late", wall - 2h), router("r1", wall - 30min)}, wall - 24h));
  }
  {
    fleet_memory memory(reactor, hub, 1h, hears);
    memory.open(path, "c1");
    CHECK(memory.missing().size() == 1);
    CHECK(memory.missing().contains("r1"));
    CHECK(memory.is_remembered(wall - 1h + 1s));
    CHECK(!memory.is_remembered(wall - 1h));
    memory.on_tick(reactor.now());
    CHECK(memory.missing().size() == 1);
    CHECK(hears.heard.empty());

    fleet_memory beside(reactor, hub, 1h, hears);  // another process, which has its store in the same folder
    beside.open(path, "c1");
    CHECK(hears.heard.size() == 1);
    CHECK(beside.missing().empty());
  }
  fleet_file file = opened(path);  // at the end what is over went from there, too
  CHECK(all(file).size() == 1);
}

}  // namespace
}  // namespace cellroute::control
