#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/sync/backoff.hpp"
#include "adapters/sync/content_intake.hpp"
#include "adapters/wire/base_messages.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::sync {

struct link_settings {
  std::size_t addresses = 1;  ///< control planes to try, in turns
  duration connect_timeout = 5s;
  duration hello_timeout = 5s;
  duration ping = 2s;  ///< until the control plane says its own
  duration base_ping = 5s;
  int dead_after = 3;                 ///< beats that did not come
  backoff_policy wait{};              ///< between tries, at a control plane that speaks `cellroute.v1`
  backoff_policy base_wait{1s, 60s};  ///< and at one that speaks the base protocol
  /// At least, after 401 or 403, and where another process has our id: nothing that we do mends it.
  duration unauthorized_wait = 30s;
  duration stable_after = 60s;   ///< of a session: the next wait is a first one again
  duration check_timeout = 30s;  ///< of a content: then it is refused, whatever comes of it later
  duration asked_max = 1h;       ///< however long a control plane asks to stay away
  /// Contents of the base protocol that wait for their answers. Who sends more at once is told to begin again.
  std::size_t base_turns_max = 1'000;
  /// Who starts a control plane of the base protocol anew may start counting anew: a session may begin with a lower
  /// version than the one that runs.
  bool accept_version_reset = true;
};

/// Who says hello.
struct router_identity {
  std::string router_id{};
  std::string boot_id{};
  std::string build{};
  std::vector<wire::label> labels{};
  std::string source{};  ///< of what runs: file, push, state
};

/// idle         no connection; the next try comes when the wait is over
/// connecting   a connection is being made, up to the answer of the handshake
/// negotiating  hello was said
/// live         the session is open
/// live_base    a session of the base protocol, which has no hello
enum class link_state : std::uint8_t { idle, connecting, negotiating, live, live_base };
[[nodiscard]] std::string_view to_string(link_state state);

/// Why there is no connection.
enum class open_failure : std::uint8_t { unreachable, unauthorized, busy };
inline constexpr std::size_t open_failure_count = 3;
[[nodiscard]] std::string_view to_string(open_failure why);

struct open_connection {
  std::size_t address = 0;  ///< which of them
};
struct close_connection {};
/// A message of the base protocol.
struct send_text {
  std::string text;
};
/// A content of the base protocol: its text is to be read, checked and built, away from requests.
struct check_base_content {
  wire::base_content what;
  std::string text;
  std::uint64_t number = 0;  ///< for `base_checked`
};
using link_action =
    std::variant<open_connection, close_connection, wire::message, send_text, check_content, check_base_content,
                 activate_content, content_unchanged, drop_content, sum_up_rows, content_refused, tell>;

/// The router's connection to its control plane: opens it, says hello, answers beats, and opens it again.
///
/// It sends nothing of its own accord but hello: all that is periodic comes from the control plane, so that thousands
/// of routers cost it no more than it gives them. A connection on which no beat comes is dead, whatever the network
/// says.
///
/// Time: passed in. Threads: one owner.
class router_link {
 public:
  router_link(link_settings settings, router_identity who, intake_limits limits, intake_memory memory,
              std::uint64_t seed);

  /// Time has passed. The first call opens.
  void tick(time_point now);
  /// Checks that are under way have their time from here on, or from the next `tick`: called often, it costs nothing.
  void notice_checks(time_point now);
  /// What `open_connection` came to. `is_native`: the control plane chose `cellroute.v1`; else it speaks the base
  /// protocol.
  void opened(bool is_native, time_point now);
  void failed(open_failure why, duration retry_after, time_point now);
  /// The connection has ended, whoever ended it.
  void closed(time_point now);
  void take_text(std::string_view text, time_point now);
  void take_binary(std::span<const std::byte> bytes, time_point now);

  // As of `content_intake`.
  void checked(const wire::content_id& content, std::uint64_t keys) { intake_.checked(content, keys); }
  void checked(const wire::content_id& content, refusal why) { intake_.checked(content, std::move(why)); }
  void activated(const wire::content_id& content, bool durable, duration took = duration(0));
  void activated(const wire::content_id& content, refusal why) { intake_.activated(content, std::move(why)); }

  void summed_up(const sum_up_rows& what, std::vector<wire::digest> sums) { intake_.summed_up(what, std::move(sums)); }

  /// What `check_base_content` came to: the digest of what it holds, and how many keys. Until then no other is asked
  /// for; where its session has ended meanwhile, it is let go.
  ///
  /// `number` is that of the question: what comes behind its time is let go.
  void base_checked(std::uint64_t number, const wire::digest& sum, std::uint64_t keys);
  void base_checked(std::uint64_t number, refusal why);

  /// What is held of this content is damaged. Once the control plane has heard of that, by the answer to its next beat,
  /// it is asked for all of the content again: in a new session, whose hello says nothing of it.
  void damaged(const wire::digest& sum, time_point now);
  /// As of `content_intake`. The control plane hears of it where it speaks `cellroute.v1`; of the base protocol each
  /// content has had its one answer.
  [[nodiscard]] bool go_back(const wire::digest& from, const wire::content_id& to, refusal why) {
    return intake_.go_back(from, to, std::move(why));
  }

  /// What the next answers to beats report. `latency` counts from the start of the process: an answer has what came
  /// since the one before.
  void report(const wire::pong& status) { status_ = status; }

  /// What is to be done, in this order; each once.
  [[nodiscard]] std::vector<link_action> take_actions();
  /// When `tick` has something to do next.
  [[nodiscard]] time_point next_tick() const;

  [[nodiscard]] link_state state() const { return state_; }
  [[nodiscard]] const content_intake& contents() const { return intake_; }
  /// When the control plane last said what should run, and it did run, or came to run by that: the age of this is how
  /// stale we may be.
  [[nodiscard]] std::optional<time_point> confirmed_at() const { return confirmed_at_; }
  /// Of the control plane's digests, as this session said it.
  [[nodiscard]] std::uint64_t salt() const { return salt_; }
  [[nodiscard]] std::uint64_t unknown_messages() const { return unknown_messages_; }

 private:
  void on(const wire::hello_ack& said, time_point now);
  void on(const wire::ping& said, time_point now);
  void on(const wire::config_begin& said, time_point) { intake_.take(said); }
  void on(const wire::config_abort& said, time_point) { intake_.take(said); }
  void on(const wire::repair& said, time_point now);
  void on(const wire::goaway& said, time_point now);
  void on(const wire::session_error& said, time_point now);
  void on(const wire::unknown_message&, time_point) { ++unknown_messages_; }
  template <class Other>
  void on(const Other&, time_point) {  // of the other direction, or not asked for
    ++unknown_messages_;
  }

  void take_base(std::string_view text, time_point now);
  void on_base(const wire::base_content& said, std::string_view text, time_point now);
  [[nodiscard]] std::string why_not_base(std::uint64_t version);
  void check_next_base();
  [[nodiscard]] bool takes_base_result(std::uint64_t number);
  void end_late_checks(time_point now);
  void answer_base(bool is_applied, std::string error);
  void say_base(const wire::base_content& of, bool is_applied, std::string error);
  void confirm();
  void ask_again(time_point now);
  [[nodiscard]] bool is_damage_held();
  [[nodiscard]] duration asked(std::uint64_t milliseconds) const;
  void break_off(std::string event, std::string why, time_point now, duration at_least = duration(0));
  void wait(duration at_least, time_point now);
  void pull();

  link_settings settings_;
  router_identity who_;
  content_intake intake_;
  random_numbers rng_;
  backoff wait_;
  wire::pong status_;
  std::vector<wire::latency_bucket> latency_told_;  ///< as reported, by the last answer to a beat
  link_state state_ = link_state::idle;
  std::size_t address_ = 0;
  time_point due_ = time_point::min();  ///< of the next try, or of the end of what is waited for
  time_point live_since_{};
  duration beat_{};
  std::optional<wire::digest> told_;  ///< what should run, as this session last said
  time_point told_at_{};              ///< when it last did
  std::optional<time_point> confirmed_at_;
  std::optional<wire::digest> damaged_;  ///< the control plane is about to hear of it
  std::uint64_t salt_ = 0;
  std::uint64_t unknown_messages_ = 0;
  // Of a base session.
  struct base_work {  // initialized by its maker: Clang takes no defaults here, inside the class whose member it is
    wire::base_content what;
    std::optional<wire::digest> sum;  ///< once it was checked
  };
  struct base_turn {
    wire::base_content what;
    std::string text;
    std::string why_not;  ///< empty: it is to be checked
  };
  std::optional<base_work> base_;              ///< is being checked, or about to run
  std::deque<base_turn> base_turns_;           ///< came meanwhile: of these one at most is to be checked, the latest
  bool is_base_checking_ = false;              ///< `base_`, or what a session before asked for
  std::uint64_t base_number_ = 0;              ///< of the check that was asked for last
  std::optional<std::uint64_t> base_version_;  ///< the highest that this session took
  /// Of the checks that are under way; nothing where there is none, or `tick` has not seen it yet.
  struct watched {  // initialized by its maker: Clang takes no defaults here, inside the class whose member it is
    std::uint64_t number;
    time_point due;
  };
  std::optional<watched> watched_check_;
  std::optional<watched> watched_base_check_;
  std::vector<link_action> actions_;
};

}  // namespace cellroute::sync
