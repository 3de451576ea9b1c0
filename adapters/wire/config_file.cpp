#include "adapters/wire/config_file.hpp"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "cellroute/base/hash.hpp"

namespace cellroute::wire {

std::uint64_t content_hash(std::string_view text) { return checksum(std::as_bytes(std::span(text))); }

expected<std::string, load_error> read_text(const config_file& from) {
  auto text = read_file(from.path);
  if (text) return *std::move(text);
  load_error error;
  error.mistakes.push_back(fmt::format("{}: {}", from.path, to_string(text.error())));
  error.is_missing = text.error() == file_error::missing;
  return unexpected(std::move(error));
}

expected<configuration, load_error> load_text(std::string_view text, const config_file& from) {
  auto read = read_configuration(text, from.path);
  load_error error;
  if (!read) {
    for (const diagnostic& d : read.error()) error.mistakes.push_back(to_string(d));
    error.is_in_file = true;
    return unexpected(std::move(error));
  }
  auto completed = effective(std::move(read->local), from.flags, from.environment);
  if (!completed) {
    error.mistakes.push_back(std::move(completed).error());
    error.is_override = true;
    return unexpected(std::move(error));
  }
  read->local = *std::move(completed);
  return *std::move(read);
}

}  // namespace cellroute::wire
