#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "adapters/tool/tool.hpp"

namespace {

cellroute::time_point read_clock() {
  return cellroute::time_point(std::chrono::steady_clock::now().time_since_epoch());
}

std::size_t columns_of_output() {
  winsize size{};
  return ::ioctl(1, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A peer that left is an error of the write: OpenSSL's own writes raise it, also the farewell of a session.
  std::signal(SIGPIPE, SIG_IGN);
  cellroute::tool::surroundings around{
      CELLROUTE_VERSION, CELLROUTE_COMMIT, std::nullopt,       std::chrono::system_clock::now(),
      &read_clock,       ::isatty(2) != 0, columns_of_output()};
  if (const char* path = std::getenv("CONFIG_PATH"); path != nullptr && *path != '\0') around.config_path = path;
  const std::vector<std::string> arguments(argv + (argc > 0), argv + argc);
  const auto done = cellroute::tool::run(arguments, around);
  std::fwrite(done.output.data(), 1, done.output.size(), stdout);
  std::fwrite(done.errors.data(), 1, done.errors.size(), stderr);
  // A full disk or a closed pipe must not look like success to a script.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return done.exit_code == 0 ? 1 : done.exit_code;
  return done.exit_code;
}
