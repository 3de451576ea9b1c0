#include "adapters/sync/content.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <zstd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/varint.hpp"
#include "cellroute/table/outcome_list.hpp"
#include "cellroute/table/row_block.hpp"
#include "cellroute/table/row_block_reader.hpp"
#include "cellroute/table/table_rows.hpp"

namespace cellroute::sync {
namespace {

using bytes = std::vector<std::byte>;
using wire::refusal_code;

// An artifact, before it is compressed: `CRA1`, the size of the document and one (0: it is that of the base), the
// document, and the rows as row_block.hpp has them.
constexpr std::string_view content_magic = "CRA1";
constexpr int compression_level = 1;  // 16 ms a million keys; higher ones win a few per cent

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

bytes raw_of(const std::string* document, const bytes& rows) {
  const std::uint64_t size = document != nullptr ? document->size() + 1 : 0;
  bytes raw(content_magic.size() + varint_size(size) + (document != nullptr ? document->size() : 0) + rows.size());
  std::memcpy(raw.data(), content_magic.data(), content_magic.size());
  std::byte* at = write_varint(raw.data() + content_magic.size(), size);
  if (document != nullptr && !document->empty()) {
    std::memcpy(at, document->data(), document->size());
    at += document->size();
  }
  std::memcpy(at, rows.data(), rows.size());
  return raw;
}

artifact pack(wire::transfer_kind kind, const std::string* document, const bytes& rows, const content& to,
              const wire::content_id& id) {
  const bytes raw = raw_of(document, rows);
  artifact made;
  made.kind = kind;
  made.content = id;
  made.raw_bytes = raw.size();
  made.keys = to.keys.size();
  made.bytes.resize(ZSTD_compressBound(raw.size()));
  const std::size_t size =
      ZSTD_compress(made.bytes.data(), made.bytes.size(), raw.data(), raw.size(), compression_level);
  if (ZSTD_isError(size) == 0 && size < raw.size()) {
    made.bytes.resize(size);
    made.bytes.shrink_to_fit();
    made.compression = "zstd";
  } else {
    made.bytes = raw;
  }
  made.sum = sha256(made.bytes);
  return made;
}

unexpected<refusal> refused(refusal_code code, std::string why) { return unexpected(refusal{code, std::move(why)}); }
unexpected<refusal> not_as_announced(std::string why) { return refused(refusal_code::digest_mismatch, std::move(why)); }

/// Range: what is announced was found small enough.
expected<bytes, refusal> decompressed(const wire::config_begin& what, std::span<const std::byte> packed) {
  if (what.compression == "none") return bytes(packed.begin(), packed.end());
  if (what.compression != "zstd") return refused(refusal_code::unsupported, "its compression is not known here");
  // What the frame itself says of its size comes from a stranger, too: only what was announced counts.
  bytes raw(what.raw_bytes);
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) != 0) return not_as_announced("it cannot be decompressed into what was announced");
  raw.resize(size);
  return raw;
}

struct parts {
  std::optional<std::string> document;
  std::span<const std::byte> rows;
};

std::optional<parts> parts_of(std::span<const std::byte> raw) {
  if (raw.size() < content_magic.size() || std::memcmp(raw.data(), content_magic.data(), content_magic.size()) != 0)
    return std::nullopt;
  raw = raw.subspan(content_magic.size());
  const auto size = take_varint(raw);
  if (!size || (*size > 0 && *size - 1 > raw.size())) return std::nullopt;
  parts found;
  if (*size > 0) {
    const auto* text = static_cast<const char*>(static_cast<const void*>(raw.data()));
    found.document.emplace(text, *size - 1);
    raw = raw.subspan(*size - 1);
  }
  found.rows = raw;
  return found;
}

row_block::limits limits_of(std::uint64_t rows) { return {rows, key_format::bucket_bytes_max}; }

expected<key_table, refusal> keys_of(const wire::config_begin& what, const parts& given, const unpacking& how) {
  const auto rows = row_block::decode_rows(given.rows, limits_of(what.keys));
  if (!rows) return not_as_announced(fmt::format("its rows: {}", row_block::to_string(rows.error())));
  auto keys = key_table::build(rows->rows, how.seed, rows->names, how.resource);
  if (!keys) return not_as_announced(fmt::format("its rows: {}", to_string(keys.error().what)));
  return *std::move(keys);
}

expected<content, refusal> snapshot_of(const wire::config_begin& what, parts given, const unpacking& how) {
  auto keys = keys_of(what, given, how);
  if (!keys) return unexpected(keys.error());
  return make_content(*std::move(given.document), *std::move(keys), how.salt);
}

/// The table after some changes, without placements that no row has any more.
expected<key_table, build_error> applied(const key_table& table, const row_changes& changes) {
  auto keys = apply(table, changes);
  if (!keys) return keys;
  if (auto leaner = without_idle_outcomes(*keys)) return *std::move(leaner);
  return keys;
}

/// The base with some changes; `digest_of` makes the digest of the new table.
template <class DigestOf>
expected<content, refusal> changed(const content& base, parts given, const row_changes& changes, DigestOf&& digest_of) {
  auto keys = applied(base.keys, changes);
  if (!keys) return not_as_announced(fmt::format("its rows: {}", to_string(keys.error().what)));
  key_digest digest = digest_of(*keys);
  content made{given.document ? *std::move(given.document) : base.document, *std::move(keys), std::move(digest), {}};
  made.sum = made.digest.root(sha256(as_bytes(made.document)), sha256);
  return made;
}

expected<content, refusal> delta_of(const content& base, parts given) {
  const auto changes = row_block::decode_changes(given.rows);
  if (!changes) return not_as_announced(fmt::format("its rows: {}", row_block::to_string(changes.error())));
  return changed(base, std::move(given), *changes,
                 [&](const key_table& now) { return base.digest.updated(now, changes->changes, sha256); });
}

expected<content, refusal> repair_of(const content& base, parts given, const unpacking& how) {
  const auto some = row_block::decode_buckets(given.rows);
  if (!some) return not_as_announced(fmt::format("its rows: {}", row_block::to_string(some.error())));
  const auto changes = changes_to_repair(base.keys, *some, how.salt);
  if (!changes) return not_as_announced("its rows are of other buckets");
  // Nothing that was believed of the base counts any more: it may have changed in memory, or have come from another
  // control plane, whose digests have another salt.
  return changed(base, std::move(given), *changes,
                 [&](const key_table& now) { return key_digest::of(now, how.salt, sha256); });
}

expected<content, refusal> unpack_by_kind(const wire::config_begin& what, parts given, const content* base,
                                          const unpacking& how) {
  if (what.kind == wire::transfer_kind::snapshot) {
    if (!given.document) return not_as_announced("a snapshot without a document");
    return snapshot_of(what, std::move(given), how);
  }
  if (base == nullptr || what.base != base->sum) return refused(refusal_code::base_mismatch, "its base is not here");
  return what.kind == wire::transfer_kind::delta ? delta_of(*base, std::move(given))
                                                 : repair_of(*base, std::move(given), how);
}

/// What an artifact holds, once its bytes are found to be those that were announced. `raw` is what the parts lie in.
expected<parts, refusal> open_piece(const wire::config_begin& what, std::span<const std::byte> packed, bytes& raw) {
  if (sha256(packed) != what.artifact) return refused(refusal_code::crc, "its bytes are not those that were sent");
  auto plain = decompressed(what, packed);
  if (!plain) return unexpected(plain.error());
  if (plain->size() != what.raw_bytes) return not_as_announced("it has another size");
  raw = *std::move(plain);
  auto given = parts_of(raw);
  if (!given) return not_as_announced("it is no artifact that is known here");
  return *std::move(given);
}

expected<content, refusal> if_as_announced(expected<content, refusal> made, const wire::config_begin& what) {
  if (made && (made->sum != what.content.sum || made->keys.size() != what.keys))
    return not_as_announced("its digest is another one");
  return made;
}

/// Changes in a row as one, with views into them; nothing where they name more placements than a table can have.
std::optional<row_changes> joined(std::span<const row_changes> all) {
  outcome_list names;
  std::vector<key_change> changes;
  for (const row_changes& some : all) {
    std::vector<std::uint16_t> number;
    for (const std::string_view name : some.names) {
      const auto added = names.add(name);
      if (!added) return std::nullopt;
      number.push_back(*added);
    }
    for (key_change each : some.changes) {
      if (each.outcome) each.outcome = number[*each.outcome];
      changes.push_back(each);
    }
  }
  return changes_of({names.texts().begin(), names.texts().end()}, std::move(changes));
}

/// The table after changes in a row. Together they may name more placements than fit, though each in its turn does not.
expected<key_table, build_error> applied(key_table table, std::span<const row_changes> all) {
  if (const auto one = joined(all)) {
    auto keys = applied(table, *one);
    if (keys || all.size() == 1) return keys;
  }
  for (const row_changes& some : all) {
    auto keys = applied(table, some);
    if (!keys) return keys;
    table = *std::move(keys);
  }
  return table;
}

/// What a chain holds, before its rows are joined.
struct chain_parts {
  std::string document;
  key_table keys;  ///< of the snapshot
  std::vector<row_changes> changes;
};

expected<chain_parts, refusal> start_chain(const piece& first, const unpacking& how) {
  if (first.what.kind != wire::transfer_kind::snapshot)
    return refused(refusal_code::base_mismatch, "it does not begin with a snapshot");
  bytes raw;
  auto given = open_piece(first.what, first.bytes, raw);
  if (!given) return unexpected(given.error());
  if (!given->document) return not_as_announced("a snapshot without a document");
  auto keys = keys_of(first.what, *given, how);
  if (!keys) return unexpected(keys.error());
  return chain_parts{*std::move(given->document), *std::move(keys), {}};
}

std::optional<refusal> add_delta(chain_parts& to, const piece& next) {
  bytes raw;
  auto given = open_piece(next.what, next.bytes, raw);
  if (!given) return given.error();
  auto changes = row_block::decode_changes(given->rows);
  if (!changes) return not_as_announced(fmt::format("its rows: {}", row_block::to_string(changes.error()))).reason;
  if (given->document) to.document = *std::move(given->document);
  to.changes.push_back(*std::move(changes));
  return std::nullopt;
}

}  // namespace

wire::digest sha256(std::span<const std::byte> bytes) {
  // A digest of a table takes thousands of these, most of them short: finding the algorithm by its name and making a
  // state for each would take longer than they do.
  struct free_state {
    void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
  };
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, free_state> state(EVP_MD_CTX_new());
  wire::digest sum;
  EVP_DigestInit_ex2(state.get(), algorithm, nullptr);
  EVP_DigestUpdate(state.get(), bytes.data(), bytes.size());
  EVP_DigestFinal_ex(state.get(), static_cast<unsigned char*>(static_cast<void*>(sum.data())), nullptr);
  return sum;
}

content make_content(std::string document, key_table keys, std::uint64_t salt) {
  key_digest digest = key_digest::of(keys, salt, sha256);
  content made{std::move(document), std::move(keys), std::move(digest), {}};
  made.sum = made.digest.root(sha256(as_bytes(made.document)), sha256);
  return made;
}

artifact pack_snapshot(const content& all, const wire::content_id& id) {
  return pack(wire::transfer_kind::snapshot, &all.document, row_block::encode(rows_of(all.keys)), all, id);
}

artifact pack_delta(const content& from, const content& to, const wire::content_id& id) {
  const bytes rows = row_block::encode(changes_between(from.keys, to.keys));
  artifact made = pack(wire::transfer_kind::delta, from.document != to.document ? &to.document : nullptr, rows, to, id);
  made.base = from.sum;
  return made;
}

artifact pack_repair(const content& to, std::span<const std::uint16_t> buckets, const wire::digest& base,
                     std::uint64_t salt, const wire::content_id& id) {
  const bytes rows = row_block::encode(rows_in_buckets(to.keys, buckets, salt));
  artifact made = pack(wire::transfer_kind::repair, &to.document, rows, to, id);
  made.base = base;
  return made;
}

key_digest sum_up(const content& held, std::uint64_t salt) { return key_digest::of(held.keys, salt, sha256); }

std::vector<wire::digest> sums_of(const key_digest& rows, std::span<const std::uint32_t> groups) {
  if (groups.empty()) return {rows.groups().begin(), rows.groups().end()};
  std::vector<wire::digest> sums;
  for (const std::uint32_t group : groups) {
    const auto some = rows.buckets(group);
    sums.insert(sums.end(), some.begin(), some.end());
  }
  return sums;
}

expected<content, refusal> unpack(const wire::config_begin& what, std::span<const std::byte> bytes, const content* base,
                                  const unpacking& how) {
  std::vector<std::byte> raw;
  auto given = open_piece(what, bytes, raw);
  if (!given) return unexpected(given.error());
  return if_as_announced(unpack_by_kind(what, *std::move(given), base, how), what);
}

expected<content, refusal> unpack_chain(std::span<const piece> chain, const unpacking& how) {
  auto all = start_chain(chain.front(), how);
  if (!all) return unexpected(all.error());
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const wire::config_begin& what = chain[i].what;
    if (what.kind != wire::transfer_kind::delta || what.base != chain[i - 1].what.content.sum)
      return refused(refusal_code::base_mismatch, "it does not start where the one before ended");
    if (auto why = add_delta(*all, chain[i])) return unexpected(*std::move(why));
  }
  if (!all->changes.empty()) {
    auto keys = applied(std::move(all->keys), all->changes);
    if (!keys) return not_as_announced(fmt::format("its rows: {}", to_string(keys.error().what)));
    all->keys = *std::move(keys);
  }
  return if_as_announced(make_content(std::move(all->document), std::move(all->keys), how.salt), chain.back().what);
}

}  // namespace cellroute::sync
