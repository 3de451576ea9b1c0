#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "adapters/control/control_plane.hpp"
#include "adapters/control/settings.hpp"
#include "adapters/control/store.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/fd_limit.hpp"
#include "adapters/process/standard_descriptors.hpp"

namespace {

enum exit_code : int { exit_ok = 0, exit_invalid = 1, exit_usage = 2 };

void print_error(const std::string& text) { std::fprintf(stderr, "cellroute-control: %s\n", text.c_str()); }

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

/// What was published behind the backup is gone: the epoch, the time of now, is above any that routers have seen.
int restore(const std::string& backup, const std::string& file) {
  using namespace cellroute;
  if (file.empty()) {
    print_error("--restore needs --store sqlite:FILE, where there is no file yet");
    return exit_usage;
  }
  const wall_time now = io::read_wall_clock();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  auto made = control::store::restore(backup, file, static_cast<std::uint64_t>(seconds), now);
  if (!made) {
    print_error(made.error().detail);
    return exit_invalid;
  }
  const auto head = made->reading().head();
  if (!head) {
    print_error(head.error().detail);
    return exit_invalid;
  }
  std::printf("restored: version %llu in epoch %llu, %llu keys\n", static_cast<unsigned long long>(head->version),
              static_cast<unsigned long long>(head->epoch), static_cast<unsigned long long>(head->keys));
  return exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cellroute;
  process::fill_standard_descriptors();
  CLI::App app("Publishes a routing configuration to all routers, and knows who runs it.", "cellroute-control");
  app.footer(
      "Examples:\n"
      "  cellroute-control --watch cellroute.yaml\n"
      "  cellroute-control --watch cellroute.yaml --store sqlite:control.db --listen 127.0.0.1:8081\n"
      "  cellroute-control --store sqlite:control.db\n"
      "  cellroute-control --config control.yaml\n\n"
      "Routers connect to ws://HOST:8081/connect; the API is at http://HOST:8081/v1/, its contract at\n"
      "/v1/openapi.json. It writes where no file is followed. Without a token (auth.admin_token_file) or client "
      "certificates\n"
      "(listeners[].tls.client_auth) only this machine may connect.\n"
      "Flags win over the file.\n"
      "Exit codes: 0 stopped as asked; 1 invalid configuration, or a port or store that cannot be had; 2 usage, or no "
      "configuration.\n"
      "SIGTERM, SIGINT and SIGQUIT send routers away and end; a second one ends at once. SIGUSR1 opens the log file "
      "again. SIGHUP has the followed file read again, which happens by itself when it changes.");
  std::string config_path;
  std::string listen;
  std::string store;
  std::string watch;
  std::string backup;
  bool show_version = false;
  const std::string version = CELLROUTE_VERSION;
  const std::string commit = CELLROUTE_COMMIT;
  app.add_option("-c,--config", config_path, "settings of the control plane, YAML or JSON; else the defaults");
  app.add_option("--listen", listen, "address of the first listener, like 127.0.0.1:8081");
  app.add_option("--store", store, "where it keeps what it has published, like sqlite:control.db");
  app.add_option("--watch", watch, "a routing file to follow and publish");
  app.add_option("--restore", backup, "make the store of --store from this backup, in a new epoch, and end");
  app.add_flag("-V,--version", show_version, "print the version and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_ok : exit_usage;
  }
  if (show_version) {
    std::printf("cellroute-control %s (%s)\n", version.c_str(), commit.c_str());
    return exit_ok;
  }
  control::settings_flags flags;
  if (!listen.empty()) flags.listen = listen;
  if (!store.empty()) flags.store = store;
  if (!watch.empty()) flags.watch = watch;
  auto settings = control::load_settings(config_path, flags);
  if (!settings) {
    const wire::load_error& error = settings.error();
    for (const wire::diagnostic& d : error.mistakes) std::fprintf(stderr, "%s\n", wire::to_string(d).c_str());
    if (!error.otherwise.empty()) print_error(error.otherwise);
    return error.is_missing || error.is_override ? exit_usage : exit_invalid;
  }
  if (!backup.empty()) return restore(backup, std::string(control::file_of_store(settings->store)));
  if (settings->watch.empty() && settings->store.empty()) {
    print_error(
        "nothing to publish, and nowhere to keep it: name a routing file with --watch FILE, or with --store "
        "sqlite:FILE where it keeps what the API is told (watch: and store: in the settings)");
    return exit_usage;
  }
  if (const auto limit = process::raise_fd_limit(); !limit) print_error("the limit of descriptors stays as it was");
  for (const int number : {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2}) std::signal(number, SIG_IGN);

  control::control_plane control(*std::move(settings), {version, commit, random_seed(), true});
  if (const auto started = control.start(); !started) {
    for (const std::string& line : started.error().lines) print_error(line);
    return exit_invalid;
  }
  control.run();
  // From here on nothing listens to signals any more: one that comes now must not change how this process ended.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  return exit_ok;
}
