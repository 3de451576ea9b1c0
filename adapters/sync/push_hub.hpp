#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/sync/base_session.hpp"
#include "adapters/sync/hello_gate.hpp"
#include "adapters/sync/push_session.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::sync {

struct hub_settings {
  push_settings push;
  base_settings base;
  std::size_t sessions_max = 10'000;
  std::size_t records_max = 20'000;  ///< of routers that were ever here; those that left first are forgotten first
  std::uint32_t hellos_per_second = 2'000;  ///< 0: any number; the others are told to come again
  duration session_age = 6h;  ///< give or take a fifth; then a router is sent away to come again; 0: never
  std::uint64_t seed = 1;     ///< of these ages, so that those that came together do not go together
};

/// A router by its id, while it is here and after.
struct router_record {
  router_facts facts{};
  session_state state = session_state::ended;
  std::uint64_t session = 0;  ///< 0: it is not here
  time_point seen{};          ///< last
  time_point known_since{};
  std::optional<time_point> confirmed{};  ///< when it said last that it runs what is published; none: it never did
  /// Its process' last answer to a beat, long lists in it cut; none: there was none yet.
  std::optional<wire::pong> status{};
  time_point status_at{};  ///< when that came
  std::vector<wire::digest> refused{};
  /// Processes with this id that were here before the one that is: they do not push it out again. The oldest first.
  std::vector<std::string> older_boots{};
  bool needs_all = false;              ///< nothing but all of what is published would help it on
  std::optional<repair_need> needs{};  ///< this would
};

/// joined     a router has said hello
/// left       its session is over
/// applied    it runs a content that it did not run before
/// refused    it does not take one
/// duplicate  another process has come with its id; the newer one is kept
/// corrupted  what it makes of all of a content is not that content: a mistake in a program, or in its memory
/// damaged    its look at its own rows has found that they are not what it was sent any more
/// conflict   it runs another content under the number of what is published: another control plane gave it that
enum class hub_event_kind : std::uint8_t { joined, left, applied, refused, duplicate, corrupted, damaged, conflict };
[[nodiscard]] std::string_view to_string(hub_event_kind kind);

struct hub_event {
  hub_event_kind kind = hub_event_kind::joined;
  std::string router_id{};  ///< empty in a session of the base protocol, which does not tell
  std::optional<wire::content_id> content{};
  std::string why{};
  std::uint64_t session = 0;
  std::string code{};  ///< of a refusal, as the router said it; empty in the base protocol, which has none
};

/// All sessions of a control plane, and what it knows of its routers.
///
/// What is published is one for all; each session takes of it what its router needs, at that router's pace. One that
/// reads nothing costs the others nothing: it has at most a window of chunks, one beat and a few words waiting.
///
/// Time: passed in. Threads: one owner.
class push_hub {
 public:
  explicit push_hub(hub_settings settings)
      : settings_(std::move(settings)), gate_(settings_.hellos_per_second), rng_(settings_.seed) {}
  push_hub(const push_hub&) = delete;
  push_hub& operator=(const push_hub&) = delete;

  /// A connection has come. Nothing: there are `sessions_max` already.
  [[nodiscard]] std::optional<std::uint64_t> open(bool is_native, time_point now);
  /// Its connection is gone.
  void closed(std::uint64_t session, time_point now);
  void take_text(std::uint64_t session, std::string_view text, time_point now);

  /// What is to be run from now on, or further ways to it. Artifacts that it names stay until `is_used` says that none
  /// sends them.
  void publish(publication what, time_point now);
  /// The same for the base protocol, of which there is none until then.
  void publish_base(base_publication what, time_point now);
  /// Sends all routers away, to come again `after`, and then within `spread`; those of the base protocol just lose
  /// their connection.
  void goaway(const std::string& reason, duration after, duration spread);
  /// One router, the same. False: it is not here.
  [[nodiscard]] bool dismiss(const std::string& router_id, const std::string& reason, duration after, duration spread);
  /// Forgets what a router has refused: it is offered what is published once more. False: it is not here.
  [[nodiscard]] bool resync(const std::string& router_id, time_point now);
  /// Whether anybody would take that.
  [[nodiscard]] bool has_base_sessions() const { return base_sessions_ > 0; }

  void tick(time_point now);

  /// Whether a router has come to need another way to what is published (`router_record::needs`), since this was asked.
  [[nodiscard]] bool take_needs() { return std::exchange(has_needs_, false); }

  /// Sessions that have something to send or have ended; each once.
  [[nodiscard]] std::vector<std::uint64_t> take_ready() { return std::exchange(ready_, {}); }
  using output = std::variant<wire::message, send_chunk, std::string, base_use>;
  /// What a session sends next. Call again once it has gone.
  [[nodiscard]] std::optional<output> next_output(std::uint64_t session, time_point now);
  /// Whether its connection is to be closed, once its last words have gone.
  [[nodiscard]] bool has_ended(std::uint64_t session) const;
  /// Why; empty where it has not ended, or is not known any more.
  [[nodiscard]] std::string_view why_ended(std::uint64_t session) const;
  /// A session of the base protocol, or null.
  [[nodiscard]] const base_session* base(std::uint64_t session) const;

  [[nodiscard]] std::vector<hub_event> take_events() { return std::exchange(events_, {}); }
  [[nodiscard]] const std::map<std::string, router_record>& routers() const { return routers_; }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
  /// Hellos that came too many.
  [[nodiscard]] std::uint64_t turned_away() const { return turned_away_; }
  /// Whether a router that is here has not answered beats, and is about to count as gone.
  [[nodiscard]] bool is_suspect(const router_record& router, time_point now) const;
  /// Messages of kinds that this program does not know: of newer routers.
  [[nodiscard]] std::uint64_t unknown_messages() const { return unknown_messages_; }

 private:
  struct session {
    std::variant<push_session, base_session> machine;
    std::string router_id{};  ///< empty until it is known
    bool is_ready = false;
    time_point ends_at = time_point::max();
  };

  void take_native(std::uint64_t number, session& of, const wire::message& said, time_point now);
  [[nodiscard]] bool admit(push_session& machine, const wire::hello& said, std::uint64_t number, time_point now);
  void join(std::uint64_t number, session& of, const wire::hello& said, time_point now);
  [[nodiscard]] time_point end_of_session(time_point now);
  void note(session& of, const push_session& machine, time_point now);
  void keep_status(const std::string& router_id, std::uint64_t number, const wire::pong& told, time_point now);
  void confirm(const std::string& router_id, std::uint64_t number, time_point now);
  [[nodiscard]] bool is_conflict(const wire::content_id& running) const;
  void take_base(std::uint64_t number, base_session& machine, std::string_view text, time_point now);
  void look(std::uint64_t number, session& of);
  [[nodiscard]] session* session_of(const std::string& router_id);
  void forget_some();

  hub_settings settings_;
  publication published_;
  std::list<base_use::counted> base_{1};  ///< the newest, and before it those that are still being sent
  bool is_published_ = false;
  std::uint64_t numbers_ = 0;
  std::size_t base_sessions_ = 0;
  std::unordered_map<std::uint64_t, session> sessions_;
  std::map<std::string, router_record> routers_;
  hello_gate gate_;
  random_numbers rng_;
  std::uint64_t turned_away_ = 0;
  std::uint64_t unknown_messages_ = 0;
  bool has_needs_ = false;
  std::vector<std::uint64_t> ready_;
  std::vector<hub_event> events_;
};

}  // namespace cellroute::sync
