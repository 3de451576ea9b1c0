#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/process/disk.hpp"
#include "adapters/sync/stored_artifact.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::proxy {

[[nodiscard]] std::string snapshot_name(std::string_view stem);
[[nodiscard]] std::string log_name(std::string_view stem);
/// Whether a name is one of a chain's file, or of one that is being written.
[[nodiscard]] bool is_chain_file(std::string_view name);

/// A snapshot's file, `snap-STEM.crs`, and the log of deltas behind it, `log-STEM.crd`, as far as they are good.
struct kept_chain {
  std::string stem;
  std::vector<std::byte> snapshot;
  std::vector<std::byte> log;
  std::vector<sync::piece> pieces;  ///< the snapshot, then the deltas, each from where the one before ends; views
  std::uint64_t salt = 0;
  std::string cut;  ///< why there are no more pieces; empty where the log was used to its end
};

/// Reads a chain.
/// Errors: why there is not even a snapshot, with the name of its file.
[[nodiscard]] expected<kept_chain, std::string> read_chain(process::disk& on, std::string_view stem,
                                                           const sync::stored_limits& limits);

}  // namespace cellroute::proxy
