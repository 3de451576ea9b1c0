#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "adapters/sync/artifact.hpp"
#include "adapters/sync/content_intake.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/table/key_digest.hpp"
#include "cellroute/table/key_table.hpp"

namespace cellroute::sync {

/// SHA-256. Source: FIPS 180-4, by OpenSSL.
[[nodiscard]] wire::digest sha256(std::span<const std::byte> bytes);

/// What a control plane delivers: the fleet sections of a configuration, the rows of keys apart from all else.
struct content {
  std::string document;  ///< all but the rows, as a text that `read_configuration` takes
  key_table keys;        ///< the outcomes are names of placements
  key_digest digest;     ///< of the rows
  wire::digest sum{};    ///< of all of it: what it is known by
};

/// Range: the table's outcomes have texts. `salt` is that of the control plane's epoch: with another one the same
///        content has another digest.
/// Cost:  about 130 ms a million keys.
[[nodiscard]] content make_content(std::string document, key_table keys, std::uint64_t salt);

/// All of a content, for whoever has nothing, or nothing of use.
[[nodiscard]] artifact pack_snapshot(const content& all, const wire::content_id& id);

/// What makes `to` of `from`.
/// Range: both were made with one salt.
[[nodiscard]] artifact pack_delta(const content& from, const content& to, const wire::content_id& id);

/// What makes `to` of a content that differs from it in these buckets of its digest, and perhaps in its document; that
/// content has the sum `base`.
[[nodiscard]] artifact pack_repair(const content& to, std::span<const std::uint16_t> buckets, const wire::digest& base,
                                   std::uint64_t salt, const wire::content_id& id);

/// The digest of the rows as they are, whatever was believed of them. Cost: as `make_content`.
[[nodiscard]] key_digest sum_up(const content& held, std::uint64_t salt);

/// What of a digest a repair starts from: all groups; or the buckets of these groups, one after another.
/// Range: groups below 64.
[[nodiscard]] std::vector<wire::digest> sums_of(const key_digest& rows, std::span<const std::uint32_t> groups);

/// Who unpacks.
struct unpacking {
  std::uint64_t salt = 0;  ///< of the digests, as the control plane said it
  std::uint64_t seed = 0;  ///< of the table: a secret of this process
  std::pmr::memory_resource* resource = std::pmr::get_default_resource();  ///< of the table; outlives it
};

/// Makes a content of bytes that anybody may have sent, and of `base`, where it was announced as a way from there. What
/// comes out is what was announced, by its digest, or it is refused.
///
/// It is checked as a delivery, and no further: whether the document makes sense, and goes together with the rows, is
/// for those to say who read configurations. Errors: `crc` where the bytes are not those that were sent;
/// `base_mismatch`; `unsupported`; `digest_mismatch` for all
///         else that does not come out as announced.
/// Cost:   of a snapshot about 0.4 s a million keys, of a small delta 15 ms.
[[nodiscard]] expected<content, refusal> unpack(const wire::config_begin& what, std::span<const std::byte> bytes,
                                                const content* base, const unpacking& how);

/// An artifact as it came, or as it lies on a disk.
struct piece {
  wire::config_begin what{};
  std::span<const std::byte> bytes{};
};

/// A snapshot and the deltas behind it as one: what `unpack` of each on what the one before made comes to. Their rows
/// are joined first, then built and checked once, so that a long chain costs little more than its snapshot.
///
/// Only the last content is checked by its digest: those in between are nobody's.
/// Range:  at least one piece.
/// Errors: as `unpack`; `base_mismatch` where a delta does not start where the piece before it ended, and for a repair.
/// Cost:   as `unpack` of the snapshot, and less than a microsecond a changed row.
[[nodiscard]] expected<content, refusal> unpack_chain(std::span<const piece> chain, const unpacking& how);

}  // namespace cellroute::sync
