#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/sync/use_of.hpp"
#include "adapters/wire/sync_messages.hpp"

namespace cellroute::sync {

/// A content, or the way to it from another, as bytes that travel. Made once, for all routers.
struct artifact {
  wire::transfer_kind kind = wire::transfer_kind::snapshot;
  std::optional<wire::digest> base{};  ///< of the content that it starts from
  wire::content_id content{};
  std::string label{};
  wire::digest sum{};  ///< of `bytes`
  std::uint64_t raw_bytes = 0;
  std::uint64_t keys = 0;
  std::string compression = "none";
  std::vector<std::byte> bytes{};
};

/// What its receiver is told before the first byte. Who sends it adds the numbers of the transfer and of its chunks.
[[nodiscard]] inline wire::config_begin announce(const artifact& a) {
  wire::config_begin said;
  said.kind = a.kind;
  said.base = a.base;
  said.content = a.content;
  said.label = a.label;
  said.artifact = a.sum;
  said.bytes = a.bytes.size();
  said.raw_bytes = a.raw_bytes;
  said.keys = a.keys;
  said.compression = a.compression;
  return said;
}

using artifact_use = use_of<artifact>;

}  // namespace cellroute::sync
