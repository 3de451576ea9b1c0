#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/table/key_digest.hpp"

/// What a control plane and its routers say to each other in `cellroute.v1`, as values.
///
/// Each message is one text of JSON with its `type`; contents travel beside them, as chunks (`chunk_frame.hpp`).
/// Members and types that this version does not know are left out and counted, so that the other end may be newer.
namespace cellroute::wire {

/// 32 bytes, SHA-256 where they cross a machine's border; 64 hexadecimal digits in a message.
using digest = digest_bytes;

/// Which content: its order is that of (epoch, version), its identity the digest.
struct content_id {
  std::uint64_t epoch = 0;    ///< an incarnation of the store: grows when an older store takes over
  std::uint64_t version = 0;  ///< the generation of the control plane; below 2^53, which JSON can carry anywhere
  digest sum{};

  friend bool operator==(const content_id&, const content_id&) = default;
  /// Whether it comes after another, by its number alone.
  [[nodiscard]] bool is_newer_than(const content_id& other) const {
    return std::pair(epoch, version) > std::pair(other.epoch, other.version);
  }
};

/// What every router should run. The same bytes for all of them.
struct targets {
  std::uint64_t epoch = 0;
  std::uint64_t rev = 0;  ///< grows with every change; an older one is never taken
  content_id run{};
  friend bool operator==(const targets&, const targets&) = default;
};

/// What a router can take.
struct capabilities {
  std::uint32_t chunk_bytes = 32'768;
  std::uint32_t window = 4;  ///< chunks beyond the last `chunk_ack`
  std::uint64_t content_bytes_max = 0;
  std::uint64_t keys_max = 0;
  std::vector<std::string> compressions{};
  bool repair = false;  ///< it says where its rows differ, when it is asked
  friend bool operator==(const capabilities&, const capabilities&) = default;
};

/// A transfer that ended early: what is there already need not come again.
struct resume_point {
  digest artifact{};
  std::uint32_t next = 0;  ///< the first chunk that is missing
  friend bool operator==(const resume_point&, const resume_point&) = default;
};

/// A content that a router does not take again.
struct quarantined_content {
  digest sum{};
  std::string code{};
  friend bool operator==(const quarantined_content&, const quarantined_content&) = default;
};

/// The version of the protocol: another one breaks with what was.
constexpr std::uint32_t sync_proto = 1;

using label = std::pair<std::string, std::string>;

/// Router: who it is and what it has. The first message.
struct hello {
  static constexpr std::string_view type = "hello";
  std::uint32_t proto = sync_proto;
  std::string router_id{};
  std::string boot_id{};  ///< another one at each start
  std::string build{};
  std::vector<label> labels{};
  std::vector<content_id> have{};  ///< contents that it holds, the running one first
  std::string source{};            ///< of the running one: file, push, state
  capabilities can{};
  std::optional<resume_point> resume{};
  std::vector<quarantined_content> quarantined{};
  friend bool operator==(const hello&, const hello&) = default;
};

/// Control plane: the session is open.
struct hello_ack {
  static constexpr std::string_view type = "hello_ack";
  std::uint64_t session = 0;
  std::string cluster{};
  std::uint64_t epoch = 0;
  std::uint32_t proto = sync_proto;
  std::uint32_t chunk_bytes = 0;
  std::uint32_t window = 0;
  std::uint32_t ping_ms = 0;
  std::uint64_t salt = 0;  ///< of the digests' buckets
  friend bool operator==(const hello_ack&, const hello_ack&) = default;
};

enum class transfer_kind : std::uint8_t { snapshot, delta, repair };

/// Control plane: chunks of a content follow.
struct config_begin {
  static constexpr std::string_view type = "config_begin";
  std::uint64_t transfer = 0;
  transfer_kind kind = transfer_kind::snapshot;
  std::optional<digest> base{};  ///< of the content that a delta or a repair starts from
  content_id content{};          ///< what it becomes
  std::string label{};           ///< the operator's own name of that version
  digest artifact{};             ///< of the bytes as they travel
  std::uint64_t bytes = 0;       ///< as they travel
  std::uint64_t raw_bytes = 0;
  std::uint64_t keys = 0;
  std::uint32_t chunks = 0;
  std::string compression{};  ///< `none` or `zstd`
  bool force = false;         ///< an operator wants it tried, though it was refused before
  friend bool operator==(const config_begin&, const config_begin&) = default;
};

/// Control plane: the rest of a transfer does not come.
struct config_abort {
  static constexpr std::string_view type = "config_abort";
  std::uint64_t transfer = 0;
  std::string reason{};
  friend bool operator==(const config_abort&, const config_abort&) = default;
};

/// Router: it has every chunk before `next`.
struct chunk_ack {
  static constexpr std::string_view type = "chunk_ack";
  std::uint64_t transfer = 0;
  std::uint32_t next = 0;
  friend bool operator==(const chunk_ack&, const chunk_ack&) = default;
};

/// applied     it runs
/// prepared    it is here, whole and checked, and runs once the targets name it
/// rejected    it is not taken: `code` and `error` say why
/// superseded  the rest of it was not waited for
enum class ack_status : std::uint8_t { applied, prepared, rejected, superseded };

/// Router: what became of a content.
struct ack {
  static constexpr std::string_view type = "ack";
  ack_status status = ack_status::applied;
  content_id content{};
  std::uint64_t session = 0;
  std::uint64_t transfer = 0;  ///< 0: of none, it had the content already
  bool durable = false;        ///< a restart finds it
  bool noop = false;           ///< it ran it before
  std::uint64_t apply_ms = 0;
  std::uint64_t keys = 0;
  std::string code{};   ///< of a refusal: `refusal_code`
  std::string error{};  ///< of a refusal, for people
  friend bool operator==(const ack&, const ack&) = default;
};

/// Control plane: the beat. It carries the whole of what is to be run, each time.
struct ping {
  static constexpr std::string_view type = "ping";
  std::uint64_t seq = 0;
  std::optional<targets> target{};  ///< none is published yet
  friend bool operator==(const ping&, const ping&) = default;
};

/// What went wrong with requests since the process began.
struct request_errors {
  std::uint64_t router5xx = 0;  ///< answers of 500 and above that the router made itself
  std::uint64_t connect = 0;    ///< attempts that reached no endpoint: its name, its port, its certificate
  std::uint64_t timeout = 0;    ///< attempts that reached one, which did not answer, or stopped, for too long
  std::uint64_t no_route = 0;   ///< requests whose key leads nowhere: answered 404
  friend bool operator==(const request_errors&, const request_errors&) = default;
};

/// How many requests took at most so long, and longer than the next lower bound.
struct latency_bucket {
  std::optional<std::uint64_t> le_ms{};  ///< none: beyond all bounds
  std::uint64_t count = 0;
  friend bool operator==(const latency_bucket&, const latency_bucket&) = default;
};

/// What a router's look at its own rows came to.
struct scrub_result {
  bool ok = true;        ///< false: what runs is not what came, until another content runs
  std::uint64_t at = 0;  ///< in seconds since 1970: the last look
  friend bool operator==(const scrub_result&, const scrub_result&) = default;
};

/// Router: the answer to a beat. Numbers count from the start of its process.
struct pong {
  static constexpr std::string_view type = "pong";
  std::uint64_t seq = 0;
  std::optional<content_id> running{};
  std::string source{};
  std::uint64_t uptime_s = 0;
  std::uint64_t boots = 0;
  std::uint64_t requests = 0;
  request_errors errors{};
  std::vector<content_id> prepared{};    ///< held, checked and not running
  std::uint64_t default_route_hits = 0;  ///< requests whose key no row and no rule has
  std::uint64_t mem_bytes = 0;
  std::uint64_t rejected = 0;   ///< pushes that were refused
  std::uint64_t lkg_age_s = 0;  ///< since what runs was kept; 0 where nothing is, too
  /// Of the requests since the answer before; buckets in which there are any, in rising order.
  std::vector<latency_bucket> latency{};
  std::optional<scrub_result> scrub{};  ///< none: nothing was looked at yet
  std::uint64_t clock_ms = 0;           ///< its wall clock, in milliseconds since 1970; 0: it does not say
  friend bool operator==(const pong&, const pong&) = default;
};

/// Router: what rows it has, in digests. First those of all groups, then those of the buckets of each group that was
/// asked for.
struct repair_request {
  static constexpr std::string_view type = "repair_req";
  content_id content{};                 ///< what it should have
  std::optional<digest> base{};         ///< of the content that has these rows; none: it has none that could be mended
  std::vector<std::uint32_t> groups{};  ///< whose buckets follow; none in the first answer
  std::vector<digest> sums{};
  friend bool operator==(const repair_request&, const repair_request&) = default;
};

/// Control plane: a question for digests of the rows that the router has. First for those of all groups, then for those
/// of the buckets in the groups that differ.
struct repair {
  static constexpr std::string_view type = "repair";
  content_id content{};                 ///< what it should have
  std::vector<std::uint32_t> groups{};  ///< that differ, ascending; none in the first question
  friend bool operator==(const repair&, const repair&) = default;
};

/// Control plane: come again elsewhere, or later.
struct goaway {
  static constexpr std::string_view type = "goaway";
  std::string reason{};
  std::uint64_t after_ms = 0;
  std::uint64_t spread_ms = 0;
  friend bool operator==(const goaway&, const goaway&) = default;
};

/// Either: something is wrong with the session itself.
struct session_error {
  static constexpr std::string_view type = "error";
  std::string code{};
  std::string message{};
  bool fatal = false;
  std::uint64_t retry_after_ms = 0;
  friend bool operator==(const session_error&, const session_error&) = default;
};

/// A type that this version does not know. It is counted, and changes nothing.
struct unknown_message {
  std::string type{};
  friend bool operator==(const unknown_message&, const unknown_message&) = default;
};

using message = std::variant<hello, hello_ack, config_begin, config_abort, chunk_ack, ack, ping, pong, repair_request,
                             repair, goaway, session_error, unknown_message>;

/// Of the text of one message; beyond it is refused before it is read.
inline constexpr std::size_t message_bytes_max = std::size_t{1} << 20;

/// Why a text is no message: where, and what is wrong.
struct message_error {
  std::string path{};  ///< `ack.content.version`; empty where the text as a whole is meant
  std::string what{};
};
[[nodiscard]] std::string to_string(const message_error& error);

/// One line of JSON. Range: not an `unknown_message`, which nobody sends.
[[nodiscard]] std::string write_message(const message& m);

/// Reads the text of a message.
/// Errors: what is no JSON; a member that is missing, stands twice, or has another type or range.
[[nodiscard]] expected<message, message_error> read_message(std::string_view text);

/// Why a router refuses a content.
enum class refusal_code : std::uint8_t {
  base_mismatch,    ///< it does not hold what a delta starts from
  digest_mismatch,  ///< what came out is not what was announced
  crc,
  too_large,
  too_many_keys,
  unsupported,  ///< a compression or a kind that it cannot read
  schema,
  reference,
  endpoint,
  guard_moved,
  guard_removed,
  stale_epoch,
  stale_version,
  conflict,  ///< another content under the same number
  no_memory,
  crash_loop,
  timeout,
  internal,
  local_guard,  ///< it ran, and requests came to harm: the router went back to what ran before
};
inline constexpr std::size_t refusal_code_count = 19;
[[nodiscard]] std::string_view to_string(refusal_code code);
/// Whether the content itself is what is wrong, so that it would be refused again.
[[nodiscard]] bool is_lasting(refusal_code code);
/// Nothing where a newer router has a code that this version does not know.
[[nodiscard]] std::optional<refusal_code> parse_refusal_code(std::string_view text);

/// 64 hexadecimal digits.
[[nodiscard]] std::string to_hex(const digest& d);
/// The first 8 of them, for people.
[[nodiscard]] std::string to_short_hex(const digest& d);
[[nodiscard]] std::optional<digest> parse_digest(std::string_view text);

}  // namespace cellroute::wire
