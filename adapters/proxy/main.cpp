#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "adapters/process/fd_limit.hpp"
#include "adapters/process/standard_descriptors.hpp"
#include "adapters/proxy/router.hpp"
#include "adapters/wire/config_file.hpp"

namespace {

enum exit_code : int { exit_ok = 0, exit_invalid = 1, exit_usage = 2 };

void print_error(const std::string& text) { std::fprintf(stderr, "cellroute-router: %s\n", text.c_str()); }

/// Variables that deployments of a cell router set, and that will mean something here. Until then, silence would let an
/// operator believe in them.
std::vector<std::string> unused_variables() {
  std::vector<std::string> set;
  for (const char* const name : {"CELL_NAME"}) {
    if (std::getenv(name) != nullptr) set.emplace_back(name);
  }
  return set;
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cellroute;
  process::fill_standard_descriptors();
  CLI::App app("Routes each request to the cell of its routing key.", "cellroute-router");
  app.footer(
      "Examples:\n"
      "  cellroute-router --config cellroute.yaml\n"
      "  PORT=8080 CONFIG_PATH=cellroute.yaml cellroute-router\n\n"
      "Flags win over the environment, the environment over the file. CONTROL_PLANE_URL names the "
      "control plane; CELL_NAME has no effect yet.\n"
      "Exit codes: 0 stopped as asked; 1 invalid configuration, or a port that cannot be had; 2 usage, or no "
      "configuration.\n"
      "SIGTERM, SIGINT and SIGQUIT drain; a second one ends at once. SIGUSR1 opens the log file again. SIGHUP has the "
      "configuration read again, which happens by itself when it changes.");
  std::string config_path;
  std::string listen;
  std::string admin;
  std::string state_dir;
  bool show_version = false;
  const std::string version = CELLROUTE_VERSION;
  const std::string commit = CELLROUTE_COMMIT;
  app.add_option("-c,--config", config_path, "the configuration, YAML or JSON; else CONFIG_PATH of the environment");
  app.add_option("--listen", listen, "address of the first listener, like :8080; else PORT of the environment");
  app.add_option("--admin", admin, "address of the admin listener, like 127.0.0.1:9901");
  app.add_option("--state-dir", state_dir, "folder of what is kept from one start to the next: process.state_dir");
  app.add_flag("-V,--version", show_version, "print the version and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_ok : exit_usage;
  }
  if (show_version) {
    std::printf("cellroute-router %s (%s)\n", version.c_str(), commit.c_str());
    return exit_ok;
  }
  if (config_path.empty()) {
    if (const char* const path = std::getenv("CONFIG_PATH")) config_path = path;
  }
  if (config_path.empty()) {
    print_error("no configuration: name one with --config FILE or CONFIG_PATH");
    return exit_usage;
  }
  wire::config_file file{config_path, {}, {}};
  if (!listen.empty()) file.flags.listen = listen;
  if (!admin.empty()) file.flags.admin = admin;
  if (!state_dir.empty()) file.flags.state_dir = state_dir;
  if (const char* const port = std::getenv("PORT")) file.environment.port = port;
  if (const char* const url = std::getenv("CONTROL_PLANE_URL")) file.environment.control_plane = url;
  io::huge_page_resource table_memory;
  auto configuration = wire::load(file, &table_memory);
  if (!configuration) {
    const wire::load_error& error = configuration.error();
    for (const wire::diagnostic& d : error.mistakes) std::fprintf(stderr, "%s\n", wire::to_string(d).c_str());
    if (!error.otherwise.empty()) print_error(error.otherwise);
    return error.is_missing || error.is_override ? exit_usage : exit_invalid;
  }
  if (const auto limit = process::raise_fd_limit(); !limit) print_error("the limit of descriptors stays as it was");
  // SIGPIPE: a peer that left is an error of the write. The others: until the router takes them, a start that waits for
  // names must not end by them.
  for (const int number : {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2}) std::signal(number, SIG_IGN);

  proxy::router_options options{version, commit, random_seed(), true, file};
  options.table_memory = &table_memory;
  options.unused_variables = unused_variables();
  proxy::router router(*std::move(configuration), std::move(options));
  if (const auto started = router.start(); !started) {
    print_error(started.error().what);
    return exit_invalid;
  }
  router.run();
  // From here on nothing listens to signals any more: one that comes now must not change how this process ended.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  return exit_ok;
}
