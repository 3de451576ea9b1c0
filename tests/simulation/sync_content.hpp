#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "adapters/sync/artifact.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/table/key_digest.hpp"

namespace cellroute::simulation {

/// A content in small: what a table is to the real thing. A content that is `bad` is refused by every router's checks.
struct small_content {
  std::map<int, int> rows{};
  bool is_bad = false;
  friend bool operator==(const small_content&, const small_content&) = default;
};

[[nodiscard]] wire::digest digest_of(const small_content& c);
[[nodiscard]] wire::digest digest_of_bytes(std::span<const std::byte> bytes);

/// `good` or `bad`, then a line `key value` each; of a change, `key -` where the row goes.
[[nodiscard]] std::string encode(const small_content& c);
[[nodiscard]] std::string encode_delta(const small_content& from, const small_content& to);
/// Of some buckets of `to`: what `base` has in them and `to` has not goes by them.
[[nodiscard]] std::string encode_repair(const small_content& to, std::span<const std::uint16_t> buckets);
/// Makes of `base` what the text says. Nothing where it is no such text.
[[nodiscard]] std::optional<small_content> decode(std::string_view text, small_content base);

/// The digests of the rows, as a repair needs them: real ones, with a faster hash.
[[nodiscard]] key_digest digest_rows(const small_content& c);

[[nodiscard]] sync::artifact_use::counted artifact_of(wire::transfer_kind kind, const std::string& text,
                                                      const wire::content_id& content, std::size_t keys);

}  // namespace cellroute::simulation
