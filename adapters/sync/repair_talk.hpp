#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/wire/sync_messages.hpp"
#include "cellroute/table/key_digest.hpp"

namespace cellroute::sync {

/// What makes the wanted content of another: all rows of these buckets.
struct repair_need {
  wire::digest base{};                   ///< of the content that is there, as its router calls it
  std::vector<std::uint16_t> buckets{};  ///< ascending; none where only the document differs
  friend bool operator==(const repair_need&, const repair_need&) = default;
  friend bool operator<(const repair_need& a, const repair_need& b) {
    return a.base != b.base ? a.base < b.base : a.buckets < b.buckets;
  }
};

/// ignored   an answer to another question: late, and no mistake
/// asks      there is a further question
/// found     it is known what is needed
/// hopeless  it has nothing to start from, or so much differs that all of it is no longer
/// broken    no answer to what was asked: the session has lost its order
enum class repair_step : std::uint8_t { ignored, asks, found, hopeless, broken };

/// The control plane's side of finding out where the rows of a router differ from those that it should have. Two
/// questions: for the digests of all groups, and for those of the buckets in the groups that differ.
///
/// What the router says of its content is believed in digests of rows alone: what comes out is checked by the digest of
/// the whole, as ever.
///
/// Time: none; its owner ends it where no answer comes. Threads: one owner.
class repair_talk {
 public:
  /// More buckets than a quarter of them are sent as all of it: by then a repair is no less work, and little shorter.
  static constexpr std::size_t buckets_end = key_digest::bucket_count / 4;

  explicit repair_talk(const wire::content_id& wanted) : wanted_(wanted) {}

  /// What is asked now.
  [[nodiscard]] wire::repair question() const { return {wanted_, groups_}; }
  /// An answer. `whole` is the digest of the rows of the wanted content.
  [[nodiscard]] repair_step take(const wire::repair_request& said, const key_digest& whole);
  /// What is needed, once it was found.
  [[nodiscard]] const repair_need* found() const { return is_found_ ? &need_ : nullptr; }

 private:
  [[nodiscard]] repair_step take_groups(const wire::repair_request& said, const key_digest& whole);
  [[nodiscard]] repair_step take_buckets(const wire::repair_request& said, const key_digest& whole);

  wire::content_id wanted_;
  std::vector<std::uint32_t> groups_;  // none: those of all groups are asked for
  repair_need need_;
  bool is_found_ = false;
};

}  // namespace cellroute::sync
