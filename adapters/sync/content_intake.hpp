#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/wire/chunk_frame.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

/// Delivery of contents from a control plane to its routers, as machines of both ends: events go in, what is to be done
/// comes out. They know no socket, no file, no thread and no clock, so that a simulation runs the very same code.
namespace cellroute::sync {

/// A content whose bytes are all there, as they travelled: to be unpacked, checked and built, away from requests.
struct check_content {
  wire::config_begin what{};
  std::vector<std::byte> bytes{};
};
/// A content that was checked becomes the one that requests see, and is written down for the next start.
struct activate_content {
  wire::content_id content{};
};
/// What is to run runs already: nothing changes, but its number may.
struct content_unchanged {
  wire::content_id content{};
};
/// A content that is not needed any more, as a base or to go back to.
struct drop_content {
  wire::content_id content{};
};
/// The rows of a content that is held are to be summed up, away from requests: the digests of all groups, or those of
/// the buckets of some.
struct sum_up_rows {
  wire::content_id base{};
  wire::repair asked{};
};
/// A content is not taken; what ran keeps running.
struct content_refused {
  wire::content_id content{};
  std::string label{};  ///< the operator's own name of it, or its number
  std::string error{};
};
/// Something else that an operator should see: an event of the log.
struct tell {
  std::string event{};
  std::string message{};
};
using intake_action = std::variant<wire::message, check_content, activate_content, content_unchanged, drop_content,
                                   sum_up_rows, content_refused, tell>;

/// Why a content is refused.
struct refusal {
  wire::refusal_code code = wire::refusal_code::internal;
  std::string error{};  ///< for people
};

/// What a router may hold and take.
struct intake_limits {
  wire::capabilities can;
  std::size_t held_max = 3;          ///< the running content, and others that need not come again; 3 or more
  std::size_t quarantined_max = 16;  ///< the oldest is forgotten
};

/// What a router knows when it starts.
struct intake_memory {
  std::vector<wire::content_id> held{};  ///< the running one first
  std::vector<wire::quarantined_content> quarantined{};
};

/// The router's side of contents: what is received, checked, held and run.
///
/// Two things that each may come first make a content run: it was checked, and the targets name it. Numbers order
/// contents, digests tell them apart: a content that is here already is never sent again, whatever its number.
///
/// A content that was refused for what it is stays refused, in every session. What may pass (a base that is not here,
/// no memory, a damaged transfer) is told and forgotten.
///
/// Time: none. Threads: one owner.
class content_intake {
 public:
  explicit content_intake(intake_limits limits, intake_memory memory = {});

  /// A session begins: what its `hello` says of contents.
  void introduce(wire::hello& said) const;
  /// The control plane has answered it; acks carry this number.
  void session_opened(std::uint64_t session) {
    session_ = session;
    ordered_.reset();
    owes_word_ = false;
  }
  /// It ended. Chunks that came stay here, for a session that goes on with them.
  void session_closed();

  void take(const wire::ping& said);
  void take(const wire::config_begin& said);
  void take(const wire::config_abort& said);
  /// False where it is no chunk that can come now: the session has lost its order, and must end.
  [[nodiscard]] bool take(const wire::chunk& said);
  /// A question for the rows of what runs here. False where it asks for groups that there are not.
  [[nodiscard]] bool take(const wire::repair& said);
  /// What `sum_up_rows` came to; no digests where the content is not here any more.
  void summed_up(const sum_up_rows& what, std::vector<wire::digest> sums);

  /// A content that came in another way than by chunks, whole and checked, is to run, whatever the targets say: until a
  /// session has targets again. One that was running when the process crashed is refused: its checks cannot see that.
  void run(const wire::content_id& content, std::uint64_t keys);
  /// A content that came in such a way, and is not to run after all.
  void let_go(const wire::content_id& content);
  /// What is held of a content is damaged: it is not here any more, though requests still see it, and has to come
  /// again.
  void forget(const wire::digest& sum);
  /// What runs does harm: `to`, which ran before and is at hand, held here or not, takes its place, and it is refused
  /// from then on, in every session. False, and nothing happens: it does not run, or another is about to.
  [[nodiscard]] bool go_back(const wire::digest& from, const wire::content_id& to, refusal why);

  /// What `check_content` came to: how many keys it has.
  void checked(const wire::content_id& content, std::uint64_t keys);
  void checked(const wire::content_id& content, refusal why);
  /// What `activate_content` came to. `durable`: a restart finds it. `took`: from the action to the first request that
  /// could see it.
  void activated(const wire::content_id& content, bool durable, duration took = duration(0));
  void activated(const wire::content_id& content, refusal why);

  /// What is to be done, in this order; each once.
  [[nodiscard]] std::vector<intake_action> take_actions() { return std::exchange(actions_, {}); }

  /// The content that requests see.
  [[nodiscard]] std::optional<wire::content_id> running() const;
  [[nodiscard]] const std::vector<wire::content_id>& held() const { return held_; }
  [[nodiscard]] const std::optional<wire::targets>& target() const { return target_; }
  /// The contents that stay refused, the latest last: to be written down for the next start.
  [[nodiscard]] const std::vector<wire::quarantined_content>& quarantined() const { return quarantined_; }
  /// What is being checked; null: nothing. And how many checks were asked for.
  [[nodiscard]] const wire::config_begin* checking() const { return checking_ ? &*checking_ : nullptr; }
  [[nodiscard]] std::uint64_t checks() const { return checks_; }
  /// Whether what runs is what should run, as far as this router was told.
  [[nodiscard]] bool is_on_target() const;

 private:
  struct incoming {  // initialized by its maker: Clang takes no defaults here, inside the class whose member it is
    wire::config_begin what;
    std::vector<std::byte> bytes;
    std::uint32_t next;
  };

  [[nodiscard]] std::optional<refusal> why_not(const wire::config_begin& said) const;
  [[nodiscard]] bool holds(const wire::digest& sum) const;
  [[nodiscard]] const wire::content_id* wanted() const;
  [[nodiscard]] const wire::quarantined_content* find_quarantined(const wire::digest& sum) const;
  void receive(const wire::config_begin& said);
  void check(incoming whole);
  void refuse(const wire::content_id& content, refusal why);
  void refuse(const wire::config_begin& what, refusal why);
  void reject(const wire::content_id& content, std::uint64_t transfer, refusal why);
  void refuse_order(const wire::targets& told);
  void supersede(const wire::config_begin& what);
  void tell_prepared(const wire::content_id& content);
  void leave();
  void hold(const wire::content_id& content);
  void settle();
  void acknowledge(wire::ack said);
  void send(wire::message m) { actions_.emplace_back(std::move(m)); }

  intake_limits limits_;
  std::uint64_t session_ = 0;  ///< 0: there is none
  std::optional<wire::targets> target_;
  std::optional<wire::content_id> ordered_;  ///< by `run`
  bool owes_word_ = false;                   ///< of `ordered_`: what became of it
  std::vector<wire::content_id> held_;       ///< the running one first, where there is one
  bool is_running_ = false;
  std::vector<wire::quarantined_content> quarantined_;
  std::optional<incoming> receiving_;
  std::optional<wire::config_begin> checking_;
  std::uint64_t checks_ = 0;
  std::optional<incoming> waiting_;  ///< whole, while another is checked; the latest wins
  std::optional<sum_up_rows> summing_up_;
  std::optional<wire::content_id> activating_;
  struct departure {  // initialized by its maker, as above
    wire::content_id content;
    refusal why;
  };
  std::optional<departure> leaving_;       ///< runs until `activating_` does
  std::uint64_t acked_rev_ = 0;            ///< of the targets
  std::optional<wire::targets> disputed_;  ///< told of once, not with each beat
  std::optional<wire::targets> outdated_;  ///< the same, in this session
  // Of the content that was checked last: what its ack tells.
  std::uint64_t transfer_ = 0;
  std::uint64_t keys_ = 0;
  std::vector<intake_action> actions_;
};

}  // namespace cellroute::sync
