// A router that is started as root and becomes somebody else once its listeners are open.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
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

/// Runs a command once the folder of the configuration, `$3`, may be read by everybody.
const std::vector<std::string> in_a_readable_folder = {"sh", "-c", "chmod a+rx \"$(dirname \"$3\")\"; exec \"$@\"",
                                                       "sh"};

bool is_root() {
  if (::getuid() == 0) return true;
  skip("only root can become somebody else");
  return false;
}

router_config config_of_nobody(std::uint16_t cell_port) {
  return {.placements = {{"tier1", at(cell_port)}},
          .reload = "watch: false, poll: off",
          .process = ", privileges: {user: nobody, group: nogroup}",
          .under = in_a_readable_folder};
}

/// A port on which only root may listen; 0 where there is none.
std::uint16_t privileged_port() {
  const int unprivileged = std::atoi(read_text("/proc/sys/net/ipv4/ip_unprivileged_port_start").c_str());
  return unprivileged > 947 ? 947 : 0;
}

/// The configuration with a second listener behind the first.
std::string with_listener(const router_config& config, const std::string& address) {
  std::string yaml = config.yaml();
  const std::string_view end_of_first = "\"}]\n";
  return yaml.replace(yaml.find(end_of_first), end_of_first.size(),
                      "\"}, {name: low, address: \"" + address + "\"}]\n");
}

message post_reload(const router_process& router) {
  return ask(router.admin_port(), request("POST /v1/reload", "Content-Length: 0\r\n"));
}

TEST_CASE("privileges: every thread is that user, and has no capability") {
  if (!is_root()) return;
  fake_cell cell(says{"one"});
  router_process router(config_of_nobody(cell.port()));
  CHECK(router.process().find_line(R"("event":"privileges_dropped")"));
  CHECK(ask(router.port(), keyed("GET /")).content == "one");
  int threads = 0;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(router.process().pid()) + "/task")) {
    const std::string status = read_text(thread.path() / "status");
    CAPTURE(status);
    ++threads;
    CHECK(status.find("\nUid:\t65534\t65534\t65534\t65534\n") != std::string::npos);
    CHECK(status.find("\nGid:\t65534\t65534\t65534\t65534\n") != std::string::npos);
    for (const std::string_view set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
      CHECK(status.find("\n" + std::string(set) + ":\t0000000000000000\n") != std::string::npos);
    }
  }
  CHECK(threads >= 3);  // administration, the log, a worker
}

TEST_CASE("privileges: a folder of state is that user's, and the next start finds what was kept") {
  if (!is_root()) return;
  fake_cell cell(says{"one"});
  const scratch_folder scratch;
  fs::permissions(scratch.path(), fs::perms(0755));
  router_config config = config_of_nobody(cell.port());
  config.key_files = "keys.tsv";
  config.files = {{"keys.tsv", "visa\ttier1\n"}};
  config.arguments = {"--state-dir", scratch.file("state")};
  {
    router_process router(config);
    CHECK(router.process().wait_line("\"keys_kept\""));
    CHECK_FALSE(router.process().find_line("\"kept_keys_used\""));
  }
  for (const auto& entry : fs::recursive_directory_iterator(scratch.path())) {
    CAPTURE(entry.path().string());
    struct stat facts{};
    REQUIRE(::stat(entry.path().c_str(), &facts) == 0);
    CHECK(facts.st_uid == 65534);
    CHECK(facts.st_gid == 65534);
  }
  {
    router_process router(config);
    CHECK(router.process().wait_line("\"kept_keys_used\""));
    CHECK(ask(router.port(), request("GET /", "X-Routing-Key: visa\r\n")).content == "one");
  }
  config.process = {};  // root takes no folder that somebody else may write to
  std::ofstream(scratch.file("router.yaml")) << config.yaml();
  std::ofstream(scratch.file("keys.tsv")) << config.files[0].second;
  program root({router_path(), "--config", scratch.file("router.yaml"), "--state-dir", scratch.file("state")}, {}, 0);
  CHECK(root.wait_exit() == 1);
  CHECK(root.whole_output().find("does not belong to this user; chown it, or name another") != std::string::npos);
}

TEST_CASE(
    "privileges: a low port of the start is served; a later one is refused, and everything else follows an edit") {
  if (!is_root()) return;
  const std::uint16_t port = privileged_port();
  if (port == 0) return skip("every port is for everybody here");
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of_nobody(one.port());
  config.placements.emplace_back("tier3", at(two.port()));
  config.arguments = {"--listen", "127.0.0.1:" + std::to_string(port)};
  router_process router(config);
  CHECK(router.port() == port);
  CHECK(ask(port, keyed("GET /")).content == "one");

  config.keys = "acme: tier3";
  router.edit(config);
  CHECK(post_reload(router).status() == 200);
  CHECK(ask(port, keyed("GET /")).content == "two");

  config.keys = "acme: tier1";
  router.edit(with_listener(config, "127.0.0.2:" + std::to_string(port)));
  const message refused = post_reload(router);
  CHECK(refused.status() == 422);
  CHECK(refused.content.find(
            "cannot listen on 127.0.0.2:" + std::to_string(port) +
            ": Permission denied; ports below 1024 need a privilege, and process.privileges gives it up: "
            "choose another, or restart") != std::string::npos);
  CHECK(ask(port, keyed("GET /")).content == "two");
}

TEST_CASE("privileges: another user needs a restart, and says so") {
  if (!is_root()) return;
  fake_cell one(says{"one"});
  router_config config = config_of_nobody(one.port());
  router_process router(config);
  config.process = ", privileges: {user: daemon, group: daemon}";
  router.edit(config);
  CHECK(post_reload(router).status() == 200);
  const auto line = router.process().wait_line(R"("event":"restart_needed")");
  REQUIRE(line);
  CHECK(line->find(R"("settings":["process.privileges"])") != std::string::npos);
}

TEST_CASE("privileges: a log file is opened again as that user, who may not be allowed to") {
  if (!is_root()) return;
  fake_cell one(says{"one"});
  router_config config = config_of_nobody(one.port());
  router_process router(config);
  config.log = "access: {output: denied/access.log}";
  fs::create_directory(router.folder() / "denied");  // root's own
  router.edit(config);
  const message refused = post_reload(router);
  CHECK(refused.status() == 422);
  CHECK(refused.content.find("denied/access.log: Permission denied") != std::string::npos);
  fs::permissions(router.folder() / "denied", fs::perms::all);
  CHECK(post_reload(router).status() == 200);
  CHECK(eventually([&] { return fs::exists(router.folder() / "denied/access.log"); }));
}

struct refused_privilege {
  std::string_view says;
  std::vector<std::string> under;
  std::string_view privileges;
  std::string_view printed;
};

const refused_privilege refused_privileges[] = {
    {"no such user",
     {},
     "user: nobody-of-that-name, group: nogroup",
     "process.privileges: there is no user nobody-of-that-name: name one that this machine knows"},
    {"no such group", {}, "user: nobody, group: no-such-group", "process.privileges: there is no group no-such-group"},
    {"root", {}, "user: root, group: root", "process.privileges: root gives up nothing"},
    {"nobody cannot become another",
     {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"},
     "user: daemon, group: daemon",
     "process.privileges: only root can become daemon: start as root, or remove it"},
};

TEST_CASE("privileges: what cannot be given up ends the start with exit code 1 and says why") {
  if (!is_root()) return;
  for (const refused_privilege& row : refused_privileges) {
    CAPTURE(row.says);
    const scratch_folder folder;
    fs::permissions(folder.path(), fs::perms::all);
    router_config config = config_of_nobody(9);
    config.process = ", privileges: {" + std::string(row.privileges) + "}";
    std::ofstream(folder.file("cellroute.yaml")) << config.yaml();
    std::vector<std::string> command = row.under;
    command.insert(command.end(), {router_path(), "--config", folder.file("cellroute.yaml")});
    program router(command, {}, 0);
    CHECK(router.wait_exit() == 1);
    CAPTURE(router.whole_output());
    CHECK(router.whole_output().find(row.printed) != std::string::npos);
  }
}

TEST_CASE("privileges: who is that user already needs not be root") {
  if (!is_root()) return;
  fake_cell cell(says{"one"});
  router_config config = config_of_nobody(cell.port());
  for (const char* const word : {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}) {
    config.under.emplace_back(word);
  }
  // The words stand before the router: the configuration is two of them further.
  config.under[2] = "chmod a+rx \"$(dirname \"$7\")\"; exec \"$@\"";
  router_process router(config);
  CHECK(ask(router.port(), keyed("GET /")).content == "one");
  CHECK(router.process().find_line(R"("event":"privileges_dropped")"));
}

}  // namespace
}  // namespace cellroute::system_test
