#include "adapters/wire/token_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstddef>
#include <string_view>

#include "adapters/wire/configuration.hpp"

namespace cellroute::wire {
namespace {

constexpr std::size_t token_bytes_max = 4096;
constexpr std::string_view space = " \t\r\n";

}  // namespace

expected<std::string, std::string> read_token_file(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077u) != 0)
    return unexpected(fmt::format("{}: others may read it; chmod 600 it", path));
  const auto text = read_file(path, token_bytes_max);
  if (!text && text.error() == file_error::too_large)
    return unexpected(fmt::format("{}: must hold one word, the token, and nothing else", path));
  if (!text) return unexpected(fmt::format("{}: {}", path, to_string(text.error())));
  const std::size_t begin = text->find_first_not_of(space);
  if (begin == std::string::npos) return unexpected(path + ": is empty; it must hold the token");
  std::string token = text->substr(begin, text->find_last_not_of(space) + 1 - begin);
  if (token.find_first_of(space) != std::string::npos)
    return unexpected(path + ": must hold one word, the token, and nothing else");
  return token;
}

}  // namespace cellroute::wire
