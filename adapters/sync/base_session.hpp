#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "adapters/sync/use_of.hpp"
#include "adapters/wire/base_messages.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::sync {

/// A content as one text of the base protocol. One for all sessions.
struct base_publication {
  std::uint64_t version = 0;  ///< 0: there is none yet
  std::string text{};
  /// Why there is no such text: what is to be said does not go into three maps.
  std::string why_not{};
};
using base_use = use_of<base_publication>;

struct base_settings {
  duration ping = 5s;
  int dead_after = 3;          ///< beats without an answer, of who has ever answered one
  duration ack_timeout = 10s;  ///< after it the next content goes all the same
};

/// in_sync      it acknowledged the newest content, or there is none yet
/// waiting_ack  a content was sent
/// rejected     it refused the newest content; it is not sent again
/// ended        nothing goes any more
enum class base_state : std::uint8_t { in_sync, waiting_ack, rejected, ended };
[[nodiscard]] std::string_view to_string(base_state state);

/// The control plane's side of one router that speaks the base protocol.
///
/// A content goes at once when the session opens, and each newer one when the one before is acknowledged: of those that
/// came meanwhile only the latest. Who is it is not known; there are routers that answer no beat, and some that
/// acknowledge nothing.
///
/// Time: passed in. Threads: one owner.
class base_session {
 public:
  base_session(const base_settings& settings, time_point now)
      : settings_(settings), heard_(now), next_beat_(now + settings.ping) {}

  void take(const wire::base_message& said, time_point now);
  /// Another content. `what` outlives the session, or the next call, and every use of it.
  void publish(base_use::counted& what, time_point now);
  void tick(time_point now);

  /// A text of its own, or that of the publication, which is there as long as its use is held.
  using output = std::variant<std::string, base_use>;
  [[nodiscard]] std::optional<output> next_output(time_point now);
  [[nodiscard]] bool has_output() const { return !own_.empty() || wants_content_; }

  /// Ends without a further word: the base protocol has none.
  void end(std::string why);

  [[nodiscard]] base_state state() const { return state_; }
  /// Why it ended.
  [[nodiscard]] const std::string& why() const { return why_; }
  /// The newest version that it acknowledged; 0 where none.
  [[nodiscard]] std::uint64_t acked() const { return acked_; }
  /// The newest version that was sent to it; 0 where none.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] const std::string& last_refusal() const { return last_refusal_; }

 private:
  void decide();

  const base_settings& settings_;
  base_state state_ = base_state::in_sync;
  base_use::counted* published_ = nullptr;
  bool wants_content_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::string last_refusal_;
  bool answers_beats_ = false;
  time_point heard_;
  time_point sent_at_{};
  time_point next_beat_;
  std::list<std::string> own_;  // a session that says nothing holds no memory for it
  std::string why_;
};

}  // namespace cellroute::sync
