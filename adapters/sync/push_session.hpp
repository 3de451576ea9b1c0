#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/sync/artifact.hpp"
#include "adapters/sync/repair_talk.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::sync {

/// What is to be run, and the ways to it. One for all sessions.
struct publication {
  wire::targets target{};
  artifact_use::counted* snapshot = nullptr;                ///< null while it is made
  std::map<wire::digest, artifact_use::counted*> deltas{};  ///< by the content that they start from
  /// Contents that a delta may start from: where it is not there yet, it is being made.
  std::set<wire::digest> bases{};
  /// Of the target's rows; null: none is repaired. Outlives this.
  const key_digest* rows = nullptr;
  std::map<repair_need, artifact_use::counted*> repairs{};  ///< those that were asked for, and are made
};

struct push_settings {
  std::string cluster{};
  std::uint64_t salt = 0;
  std::uint32_t chunk_bytes = 32'768;
  std::uint32_t window = 4;
  duration hello_timeout = 5s;
  duration ping = 2s;
  int dead_after = 3;            ///< beats without an answer
  duration transfer_idle = 10s;  ///< without a `chunk_ack` while some is due
  duration ack_timeout = 60s;    ///< of a content that came in whole
  int attempts_max = 3;          ///< of one content, where it failed for what may pass
  duration retry_wait = 2s;      ///< before the second of them; twice as long before each further one
  /// Tables with fewer keys are sent as a whole to who has none of what deltas start from: the digests of their rows
  /// would be longer.
  std::uint64_t repair_keys_min = 50'000;
};

/// waiting_hello  connected; who it is is not known
/// in_sync        it runs the target, or there is none yet
/// behind         it does not run the target, and what it needs is not there yet, or it has all that it needs
/// sending        chunks go, within the credit
/// waiting_ack    all chunks went
/// rejected       it does not take the target; nothing is sent until there is another one
/// ended          nothing goes any more
enum class session_state : std::uint8_t { waiting_hello, in_sync, behind, sending, waiting_ack, rejected, ended };
[[nodiscard]] std::string_view to_string(session_state state);

/// A part of an artifact, to be sent as one binary message.
struct send_chunk {
  std::uint64_t transfer = 0;
  std::uint32_t seq = 0;
  std::uint32_t total = 0;
  std::uint64_t offset = 0;
  std::span<const std::byte> payload{};  ///< as long as `of` is held
  artifact_use of{};
};
using push_output = std::variant<wire::message, send_chunk>;

/// What the owner of a session should know.
struct router_facts {
  std::string router_id{};
  std::string boot_id{};
  std::string build{};
  std::vector<wire::label> labels{};
  std::optional<wire::content_id> running{};
  std::string source{};
  std::optional<wire::ack> last_refusal{};
  std::vector<wire::content_id> have{};
  std::optional<std::uint64_t>
      apply_ms{};  ///< how long it took to make current what it told of last; none: nothing yet
};

/// The control plane's side of one router that speaks `cellroute.v1`.
///
/// One transfer at a time, and none that is not wanted any more: a newer target waits only for a transfer that leads to
/// it by a delta. What was sent is believed once it is acknowledged, and never because it was sent.
///
/// Orders (beats with targets) go before chunks, and at most `window` chunks are on their way, so that an order never
/// waits behind more than those.
///
/// Time: passed in. Threads: one owner.
class push_session {
 public:
  push_session(const push_settings& settings, std::uint64_t number, time_point now);

  /// A message of the router's. Those that cannot come now end the session.
  void take(const wire::message& said, time_point now);
  /// Another target, or another way to it: whenever anything of `what` has changed, which outlives the session.
  void publish(const publication& what, time_point now);
  /// Time has passed.
  void tick(time_point now);
  /// Contents that this router refused before, and its last word on one, as its owner remembers. Before `hello`.
  void remember_refusals(std::vector<wire::digest> sums, std::optional<wire::ack> last) {
    refused_ = std::move(sums);
    router_.last_refusal = std::move(last);
  }
  [[nodiscard]] const std::vector<wire::digest>& refused() const { return refused_; }
  /// A further try for every content that was refused, by the router's memory, too, until there is another target.
  void forget_refusals();

  /// What to send next; nothing is said twice. Call again once it has gone to the network.
  [[nodiscard]] std::optional<push_output> next_output();
  [[nodiscard]] bool has_output() const;
  /// Says a last word and ends.
  void end(std::string code, std::string message);
  /// The same, for a router that is to come again, elsewhere or later: `after`, and then within `spread`.
  void goaway(std::string reason, duration after, duration spread);
  /// The same, for one that comes while too many do.
  void turn_away(duration after);
  /// Why it ended; empty while it has not.
  [[nodiscard]] const std::string& why() const { return why_; }

  [[nodiscard]] session_state state() const { return state_; }
  /// Whether two beats went by without a word from it: a further one or more, as `dead_after` says, and it is gone.
  [[nodiscard]] bool is_suspect(time_point now) const {
    constexpr int suspect_after = 2;
    const bool is_open = state_ != session_state::waiting_hello && state_ != session_state::ended;
    return is_open && now - heard_ >= suspect_after * settings_.ping;
  }
  /// Messages of kinds that this program does not know.
  [[nodiscard]] std::uint64_t unknown_messages() const { return unknown_messages_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const router_facts& router() const { return router_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }  ///< of contents
  /// Whether nothing but all of the target would help it on.
  [[nodiscard]] bool needs_all() const { return needs_all_; }
  /// What would, where that was found out; else null.
  [[nodiscard]] const repair_need* needs_repair() const { return talk_ ? talk_->found() : nullptr; }

 private:
  struct transfer {  // initialized by its maker: Clang takes no defaults here, inside the class whose member it is
    artifact_use what;
    std::uint64_t number;
    std::uint32_t chunks;
    std::uint32_t next;    ///< chunk to go
    std::uint32_t credit;  ///< chunks before this one may go
    std::uint32_t acked;
    bool is_confirmed;  ///< where an earlier session ended is known, if there was one
  };

  void on(const wire::hello& said, time_point now);
  void on(const wire::chunk_ack& said, time_point now);
  void on(const wire::ack& said, time_point now);
  void on(const wire::pong& said, time_point now);
  void on(const wire::repair_request& said, time_point now);
  void on(const wire::unknown_message&, time_point) { ++unknown_messages_; }
  template <class Other>
  void on(const Other&, time_point) {}

  void decide(time_point now);
  void set_out(time_point now);
  void compare(time_point now);
  void stop_comparing(time_point now);
  void begin(artifact_use::counted& what, time_point now);
  void give_up_transfer(std::string_view why);
  void beat(time_point now);
  void failed(const wire::ack& said, time_point now);
  void wait_if_it_may_pass(const wire::ack& said, time_point now);
  void refuse(const wire::digest& sum);
  void recall_refusal();
  void end_with(wire::message last, std::string why);
  void learn_running(const wire::content_id& content, time_point now);
  void note_held(const wire::content_id& content, std::size_t place);
  [[nodiscard]] bool has(const wire::digest& sum) const;
  [[nodiscard]] bool has_refused(const wire::digest& sum) const;
  [[nodiscard]] artifact_use::counted* find_delta() const;
  [[nodiscard]] bool may_compare() const;
  [[nodiscard]] bool is_at_target() const;

  const push_settings& settings_;
  std::uint64_t number_;
  session_state state_ = session_state::waiting_hello;
  const publication* published_ = nullptr;
  std::optional<wire::targets> told_;  ///< its target, the last time that it was looked at
  router_facts router_;
  wire::capabilities can_;
  std::optional<wire::resume_point> resume_;
  std::optional<transfer> transfer_;
  std::uint64_t transfer_count_ = 0;
  std::vector<wire::digest> refused_;                   ///< in this session or before, the oldest first
  std::vector<wire::quarantined_content> quarantined_;  ///< as `hello` said
  std::optional<wire::content_id> outdated_;            ///< refused for its number alone
  int attempts_ = 0;
  std::optional<time_point> retry_at_;  ///< nothing goes until then
  /// What it has is believed by its names; by the digests of its rows alone; not at all: it gets all of it.
  enum class trust : std::uint8_t { names, rows, nothing } trust_ = trust::names;
  std::unique_ptr<repair_talk> talk_;  // few have one
  bool needs_all_ = false;
  bool is_forced_ = false;  ///< what the router refused is offered to it again
  time_point heard_;
  time_point progress_;
  time_point next_beat_;
  std::uint64_t beats_ = 0;
  std::list<wire::message> orders_;  // a session that says nothing holds no memory for it
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t unknown_messages_ = 0;
  std::string why_;
};

}  // namespace cellroute::sync
