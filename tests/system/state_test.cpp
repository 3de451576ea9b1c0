// What a router keeps from one start to the next: tables of key files, in a folder that one process has.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

namespace fs = std::filesystem;

router_config config_of(std::uint16_t one, std::uint16_t two, const fs::path& state) {
  router_config config{.placements = {{"tier1", at(one)}, {"tier3", at(two)}}, .keys = "acme: tier1"};
  config.key_files = "keys.tsv";
  config.files = {{"keys.tsv", "visa\ttier1\nglobex\ttier3\n"}};
  config.arguments = {"--state-dir", state.string()};
  return config;
}

std::vector<fs::path> tables_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".ctab") found.push_back(entry.path());
  }
  return found;
}

TEST_CASE("state: the table of key files is kept, and the next start opens it") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder folder;
  const fs::path state = folder.path() / "state";
  {
    router_process router(config_of(one.port(), two.port(), state));
    REQUIRE(router.process().wait_line("\"keys_kept\""));
    CHECK_FALSE(router.process().find_line("kept_keys_used"));
    CHECK(tables_in(state).size() == 1);
    struct stat facts{};
    REQUIRE(::stat(state.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0700);
  }
  {
    router_process router(config_of(one.port(), two.port(), state));
    CHECK(router.process().wait_line("kept_keys_used"));
    CHECK(router.metric("gateway_config_keys") == 3);
    for (const char* const key : {"acme", "visa"}) CHECK(cell_of(router, key) == "one");
    CHECK(cell_of(router, "globex") == "two");
    // Other keys are another table; two are left, however many there were.
    for (int i = 0; i < 3; ++i) {
      std::ofstream(router.folder() / "keys.tsv") << "visa\ttier3\nk" << i << "\ttier1\n";
      CHECK(eventually([&] { return cell_of(router, "k" + std::to_string(i)) == "one"; }));
    }
    CHECK(eventually([&] { return tables_in(state).size() == 2; }));
    CHECK(cell_of(router, "visa") == "two");
  }
}

TEST_CASE("state: what else makes the keys counts, too: another inline key, another file, another placement") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder folder;
  const fs::path state = folder.path() / "state";
  router_config config = config_of(one.port(), two.port(), state);
  {
    router_process router(config);
    REQUIRE(router.process().wait_line("\"keys_kept\""));
  }
  config.keys = "acme: tier3";
  {
    router_process router(config);
    REQUIRE(router.process().wait_line("\"keys_kept\""));
    CHECK(cell_of(router, "acme") == "two");
  }
  config.placements = {{"tier1", at(one.port())}, {"last", at(two.port())}};
  config.keys = "acme: tier1";
  const std::string said = [&config, &folder] {
    fs::create_directory(folder.path() / "c");
    std::ofstream(folder.path() / "c" / "router.yaml") << config.yaml();
    std::ofstream(folder.path() / "c" / "keys.tsv") << config.files[0].second;
    program router(
        {router_path(), "--config", (folder.path() / "c" / "router.yaml").string(), "--state-dir", config.arguments[1]},
        {}, 0);
    CHECK(router.wait_exit() == 1);
    return router.whole_output();
  }();
  CHECK(said.find("keys.tsv:2:8: names the placement \"tier3\", which there is not") != std::string::npos);
}

TEST_CASE("state: a table that was damaged is told, made anew and written again") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder folder;
  const fs::path state = folder.path() / "state";
  {
    router_process router(config_of(one.port(), two.port(), state));
    REQUIRE(router.process().wait_line("\"keys_kept\""));
  }
  const std::string good = read_text(tables_in(state).at(0));
  std::string bad = good;
  bad[150] = static_cast<char>(bad[150] ^ 1);
  for (const std::string& bytes : {bad, good.substr(0, 100), std::string("visa\ttier1\n")}) {
    std::ofstream(tables_in(state).at(0), std::ios::binary) << bytes;
    router_process router(config_of(one.port(), two.port(), state));
    CHECK(router.process().wait_line("kept_keys_refused"));
    CHECK(router.process().wait_line("\"keys_kept\""));
    CHECK(cell_of(router, "visa") == "one");
    CHECK(read_text(tables_in(state).at(0)).size() == good.size());
  }
}

TEST_CASE("state: a folder has one process at a time, of its own user, and closed to others") {
  fake_cell one(says{"one"});
  const scratch_folder folder;
  const fs::path state = folder.path() / "state";
  const router_config config = config_of(one.port(), one.port(), state);
  const auto start_again = [&state](const router_process& beside) {
    program second({router_path(), "--config", beside.config_file().string(), "--state-dir", state.string()}, {}, 0);
    CHECK(second.wait_exit() == 1);
    return second.whole_output();
  };
  const fs::path open = folder.path() / "open";
  fs::create_directory(open);
  ::chmod(open.c_str(), 0755);
  {
    router_process router(config);
    CHECK(start_again(router).find("another process uses it") != std::string::npos);
    CHECK(router.metric("gateway_config_keys") == 3);
    program third({router_path(), "--config", router.config_file().string(), "--state-dir", open.string()}, {}, 0);
    CHECK(third.wait_exit() == 1);
    CHECK(third.whole_output().find("is open to others; chmod 700 it") != std::string::npos);
  }
  router_process router(config);  // the lock went with its process
  CHECK(router.metric("gateway_config_keys") == 3);
}

TEST_CASE("state: a disk that takes nothing is told once, and refuses no configuration") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder folder;
  {
    router_process router(config_of(one.port(), two.port(), folder.path() / "no" / "state"));
    CHECK(router.process().wait_line("state_unusable"));
    CHECK(cell_of(router, "visa") == "one");
  }
  const fs::path state = folder.path() / "state";
  router_process router(config_of(one.port(), two.port(), state));
  REQUIRE(router.process().wait_line("\"keys_kept\""));
  fs::remove_all(state);
  for (int i = 0; i < 2; ++i) {
    std::ofstream(router.folder() / "keys.tsv") << "visa\ttier1\nk" << i << "\ttier1\n";
    CHECK(eventually([&] { return cell_of(router, "k" + std::to_string(i)) == "one"; }));
  }
  CHECK(router.process().wait_line("keys_not_kept"));
  router.process().signal(SIGTERM);
  CHECK(router.process().wait_exit() == 0);
  const std::string all = router.process().whole_output();
  CHECK(all.find("keys_not_kept") == all.rfind("keys_not_kept"));
}

}  // namespace
}  // namespace cellroute::system_test
