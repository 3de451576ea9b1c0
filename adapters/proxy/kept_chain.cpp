#include "adapters/proxy/kept_chain.hpp"

#include <fmt/format.h>

#include <utility>

#include "adapters/process/kept_file.hpp"

namespace cellroute::proxy {
namespace {

constexpr std::string_view snapshot_prefix = "snap-";
constexpr std::string_view snapshot_ending = ".crs";
constexpr std::string_view log_prefix = "log-";
constexpr std::string_view log_ending = ".crd";

bool has_both(std::string_view name, std::string_view prefix, std::string_view ending) {
  return name.size() > prefix.size() + ending.size() && name.starts_with(prefix) && name.ends_with(ending);
}

/// Takes the records of a log, up to the first that does not follow the one before.
void take_log(kept_chain& to, const sync::stored_limits& limits) {
  std::span<const std::byte> left = to.log;
  while (!left.empty()) {
    const auto next = sync::read_stored(left, limits);
    if (!next) {
      to.cut = sync::to_string(next.error());
      return;
    }
    const wire::config_begin& what = next->piece.what;
    if (what.kind != wire::transfer_kind::delta || what.base != to.pieces.back().what.content.sum ||
        next->salt != to.salt) {
      to.cut = "a record that does not follow the one before";
      return;
    }
    to.pieces.push_back(next->piece);
    left = left.subspan(next->size_bytes);
  }
}

}  // namespace

std::string snapshot_name(std::string_view stem) {
  return fmt::format("{}{}{}", snapshot_prefix, stem, snapshot_ending);
}
std::string log_name(std::string_view stem) { return fmt::format("{}{}{}", log_prefix, stem, log_ending); }

bool is_chain_file(std::string_view name) {
  constexpr std::string_view unfinished = process::unfinished_ending;
  if (name.ends_with(unfinished)) name.remove_suffix(unfinished.size());
  return has_both(name, snapshot_prefix, snapshot_ending) || has_both(name, log_prefix, log_ending);
}

expected<kept_chain, std::string> read_chain(process::disk& on, std::string_view stem,
                                             const sync::stored_limits& limits) {
  constexpr std::size_t around_bytes = std::size_t{2} << 20;  // what stands around an artifact
  const std::size_t file_bytes_max = limits.content_bytes_max + around_bytes;
  const std::string name = snapshot_name(stem);
  auto snapshot = process::read_file(on, name, file_bytes_max);
  if (!snapshot) return unexpected(snapshot.error());
  if (!*snapshot) return unexpected(name + ": is not there");
  kept_chain made;
  made.stem = stem;
  made.snapshot = **std::move(snapshot);
  auto first = sync::read_stored(made.snapshot, limits);
  if (!first) return unexpected(fmt::format("{}: {}", name, sync::to_string(first.error())));
  if (first->size_bytes != made.snapshot.size() || first->piece.what.kind != wire::transfer_kind::snapshot)
    return unexpected(name + ": is no snapshot");
  made.salt = first->salt;
  made.pieces.push_back(std::move(first->piece));
  auto log = process::read_file(on, log_name(stem), file_bytes_max);
  if (!log) {
    made.cut = log.error();
  } else if (*log) {
    made.log = **std::move(log);
    take_log(made, limits);
  }
  return made;
}

}  // namespace cellroute::proxy
