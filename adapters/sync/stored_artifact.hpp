#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "adapters/sync/content.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::sync {

/// An artifact as it lies on a disk, alone in a file or behind others. Little endian:
///
///   `CRS1`, size of the announcement (4), size of the artifact (8), salt (8), CRC-32C of the artifact (4), CRC-32C of
///   all before this and of the announcement (4); the announcement, which is a `config_begin` as it travels; the
///   artifact, as it travels.
///
/// The sums tell a record that was not written to its end, and a disk that lies. `unpack_chain` checks the rest.
struct stored_artifact {
  std::uint64_t salt = 0;      ///< of the content's digest
  sync::piece piece{};         ///< its bytes are a view
  std::size_t size_bytes = 0;  ///< of all of it
};

enum class stored_error : std::uint8_t {
  cut_off,           ///< there is less than it says
  bad_magic,         ///< something else, or of a version that is not known here
  bad_crc,           ///< damaged
  bad_announcement,  ///< no `config_begin`, or one of other bytes
  too_large,         ///< beyond the limits that were given
};
[[nodiscard]] std::string_view to_string(stored_error error);

/// What is larger is not read: `unpack` makes room for what is announced.
struct stored_limits {
  std::uint64_t content_bytes_max = std::uint64_t{1} << 30;
  std::uint64_t keys_max = std::uint64_t{1} << 32;
};

/// What stands in front of the artifact's bytes.
///
/// Errors: `too_large` and `bad_announcement`, where it could not be read again: a label may be anything.
[[nodiscard]] expected<std::vector<std::byte>, stored_error> write_stored_head(const piece& one, std::uint64_t salt);

/// Reads the one that `bytes` begin with.
[[nodiscard]] expected<stored_artifact, stored_error> read_stored(std::span<const std::byte> bytes,
                                                                  const stored_limits& limits = {});

}  // namespace cellroute::sync
