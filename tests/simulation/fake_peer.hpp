#pragma once

// Both ends of the seam without a protocol: a client that is an object, and cells that are objects. What forwarding
// does between them is written down in a transcript; what it must never do is written down as a violation.

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/io/task.hpp"
#include "cellroute/match/request_view.hpp"
#include "tests/simulation/manual_time.hpp"

namespace cellroute::simulation {

/// A request as one connection carried it, and what came back on that connection.
struct carried_request {
  std::string request;  ///< its name
  std::string content;
  std::string answer_content;
  bool answered = false;  ///< at least a byte of an answer had come
};

/// What both ends write into.
struct transcript {
  std::vector<std::string> lines;
  std::vector<std::string> violations;
  std::vector<carried_request> carried;  ///< in the order in which the connections were released
  bool shows_fields = false;             ///< heads with their fields

  void say(std::string line) { lines.push_back(std::move(line)); }
  void blame(std::string what) { violations.push_back(std::move(what)); }
};

/// Content on its way from a peer to forwarding.
///
/// Lends each piece in a block of its own with free bytes around it, and spoils the block when the loan is over, so
/// that a view kept too long is seen.
class content_queue {
 public:
  struct part {
    std::string text;
    bool end = false;
    edge::stream_fault fault = edge::stream_fault::none;
  };
  void push(part p) { parts_.push_back(std::move(p)); }
  [[nodiscard]] bool is_empty() const { return parts_.empty(); }
  [[nodiscard]] bool has_ended() const { return ended_; }
  /// What follows is content of another kind: a tunnel's.
  void begin_again() { ended_ = false; }

  [[nodiscard]] edge::body_piece take() {
    give_back();
    edge::body_piece piece;
    if (ended_) piece.end = true;
    if (ended_ || parts_.empty()) return piece;
    const part p = std::move(parts_.front());
    parts_.pop_front();
    lent_.assign(free_bytes, '<');
    lent_ += p.text;
    lent_.append(free_bytes, '>');
    piece.data = lent_.data() + free_bytes;
    piece.size_bytes = p.text.size();
    piece.headroom_bytes = piece.tailroom_bytes = free_bytes;
    piece.end = ended_ = p.end;
    piece.fault = p.fault;
    return piece;
  }
  void give_back() { std::ranges::fill(lent_, '!'); }

 private:
  static constexpr std::size_t free_bytes = 32;
  std::deque<part> parts_;
  std::string lent_;
  bool ended_ = false;
};

inline std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

/// `"text" end`, with a space before; empty where there is nothing to tell.
inline std::string content_text(const edge::body_piece& piece) {
  std::string text;
  if (piece.size_bytes != 0) text += " " + quoted({piece.data, piece.size_bytes});
  if (piece.end) text += " end";
  return text;
}

inline std::string fields_text(std::span<const field> fields, std::span<const field> added) {
  std::string text;
  for (const std::span<const field> list : {fields, added}) {
    for (const field& f : list) {
      if (!f.skip) text += "\n  " + std::string(f.name) + ": " + std::string(f.value);
    }
  }
  return text;
}

inline std::string_view value_of(std::span<const field> fields, std::string_view name) {
  for (const field& f : fields) {
    if (f.name == name) return f.value;
  }
  return {};
}

/// Reading, of which a peer has one direction; both ends share how it waits.
class readable_side {
 public:
  explicit readable_side(manual_time& time) : wait_(time) {}

  content_queue content;

  void set_trailers(std::vector<std::pair<std::string, std::string>> fields) {
    trailer_texts_ = std::move(fields);
    trailers_.clear();
    for (const auto& [name, value] : trailer_texts_) trailers_.push_back({name, value, field_name::other, false});
  }
  /// Known once the content has ended.
  [[nodiscard]] std::span<field> trailers() {
    return content.has_ended() ? std::span<field>(trailers_) : std::span<field>();
  }

  void deliver(content_queue::part p) {
    content.push(std::move(p));
    wait_.wake();
  }
  /// Reads that wait, and later ones, end so. What came before is still read after `closed`, but not after `cancelled`.
  void end_with(edge::stream_fault fault) {
    end_ = fault;
    wait_.wake();
  }
  [[nodiscard]] bool is_cancelled() const { return end_ == edge::stream_fault::cancelled; }
  [[nodiscard]] bool is_waiting() const { return wait_.is_waiting(); }

  io::task<edge::body_piece> read(time_point deadline) {
    edge::body_piece failed;
    for (;;) {
      if (!is_cancelled() && (!content.is_empty() || content.has_ended())) co_return content.take();
      failed.fault = end_;
      if (failed.fault != edge::stream_fault::none) co_return failed;
      const bool woken = co_await wait_.until(deadline);
      if (!woken) {
        failed.fault = edge::stream_fault::timed_out;
        co_return failed;
      }
    }
  }

 private:
  wait_point wait_;
  edge::stream_fault end_ = edge::stream_fault::none;
  std::vector<std::pair<std::string, std::string>> trailer_texts_;
  std::vector<field> trailers_;
};

/// Writing: passes while the peer reads, waits while it does not.
class writable_side {
 public:
  explicit writable_side(manual_time& time) : wait_(time) {}

  void stop() { open_ = false; }
  void go_on() {
    open_ = true;
    wait_.wake();
  }
  void end_with(edge::stream_fault fault) {
    end_ = fault;
    wait_.wake();
  }
  [[nodiscard]] bool is_waiting() const { return wait_.is_waiting(); }

  io::task<edge::stream_fault> pass(time_point deadline) {
    for (;;) {
      if (end_ != edge::stream_fault::none) co_return end_;
      if (open_) co_return edge::stream_fault::none;
      const bool woken = co_await wait_.until(deadline);
      if (!woken) co_return edge::stream_fault::timed_out;
    }
  }

 private:
  wait_point wait_;
  bool open_ = true;
  edge::stream_fault end_ = edge::stream_fault::none;
};

/// What a client asks for.
struct client_request {
  std::string name;  ///< `r1`; sent as X-Request-Id, so that log records can be told apart
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> fields;
  body_size body;
  std::string content;  ///< that comes with the head
  bool content_ends = true;
  std::vector<std::pair<std::string, std::string>> trailers;
  bool content_breaks = false;  ///< its framing is broken, and that came with the head
  bool expects_continue = false;
  std::string upgrade;
  std::string peer = "192.0.2.7";
  std::uint16_t refused_status = 0;
  bool takes_pipes = false;  ///< its connection carries content as it is
};

/// One client with one request: the downstream end of the seam.
class fake_client final : public edge::exchange {
 public:
  fake_client(manual_time& time, transcript& out, client_request what);

  // What the client does.
  void sends(std::string text, bool end) {
    sent_content_ += text;
    sent_end_ = end;
    from_.deliver({std::move(text), end, edge::stream_fault::none});
  }
  void breaks_content() { from_.deliver({"", false, edge::stream_fault::malformed}); }
  void stops_reading() { to_.stop(); }
  void reads_on() { to_.go_on(); }
  /// The watcher is told, and reads and sends end; a protocol may have it in either order.
  void leaves(bool reads_end_first = false);

  // What became of it.
  [[nodiscard]] const std::string& name() const { return what_.name; }
  [[nodiscard]] const client_request& what() const { return what_; }
  [[nodiscard]] const std::string& sent_content() const { return sent_content_; }
  [[nodiscard]] bool has_sent_end() const { return sent_end_; }
  [[nodiscard]] bool is_tunnel() const { return tunnel_; }
  [[nodiscard]] std::size_t heads() const { return heads_; }
  [[nodiscard]] bool has_whole_answer() const { return answer_ended_; }
  [[nodiscard]] bool is_cut() const { return aborted_; }
  [[nodiscard]] bool is_left() const { return left_; }
  [[nodiscard]] const std::string& answer_content() const { return answer_content_; }
  /// Whether its content may come in pipes, as forwarding has said last.
  [[nodiscard]] bool are_pipes_welcome() const { return pipes_welcome_; }
  /// The answer was a cell's, and not the router's own.
  [[nodiscard]] bool is_answered_by_cell() const { return by_cell_; }

  // The seam.
  edge::body_piece first_body() override { return from_.content.take(); }
  io::task<edge::body_piece> read_body(time_point deadline) override {
    if (from_.is_waiting()) out_.blame(name() + ": two reads at once");
    return from_.read(deadline);
  }
  void stop_reading() override {
    if (!from_.is_cancelled()) out_.say(name() + ": its content is not wanted");
    from_.end_with(edge::stream_fault::cancelled);
  }
  std::span<field> trailers() override { return from_.trailers(); }
  bool settle_body() override {
    while (!from_.content.is_empty()) (void)from_.content.take();
    return from_.content.has_ended();
  }
  io::task<edge::stream_fault> send_interim(const edge::outgoing_response& head, time_point deadline) override;
  io::task<edge::stream_fault> send_head(const edge::outgoing_response& head, edge::body_piece first,
                                         std::span<const field> trailers, time_point deadline) override;
  io::task<edge::stream_fault> send_body(edge::body_piece piece, std::span<const field> trailers,
                                         time_point deadline) override;
  bool takes_pipes() const override { return what_.takes_pipes; }
  void welcome_pipes(bool welcome) override { pipes_welcome_ = welcome; }
  void become_tunnel() override {
    out_.say(name() + ": a tunnel now");
    tunnel_ = true;
    sent_end_ = false;
    from_.content.begin_again();
  }
  bool has_left() const override { return left_; }
  void watch_leaving(edge::leaving_watcher* watcher) override { watcher_ = watcher; }
  void abort() override {
    if (!aborted_) out_.say(name() + ": cut");
    aborted_ = true;
  }

 private:
  void check_send(std::string_view what);

  transcript& out_;
  client_request what_;
  std::vector<field> fields_;
  readable_side from_;
  writable_side to_;
  edge::leaving_watcher* watcher_ = nullptr;
  std::size_t heads_ = 0;
  std::string sent_content_;
  std::string answer_content_;
  bool sent_end_ = false;
  bool by_cell_ = false;
  bool pipes_welcome_ = false;
  bool tunnel_ = false;
  bool answer_ended_ = false;
  bool aborted_ = false;
  bool left_ = false;
};

/// What a cell says first.
struct cell_answer {
  std::uint16_t status = 200;
  std::vector<std::pair<std::string, std::string>> fields;
  body_size body{true, {}};
  std::string content;  ///< that comes with the head
  bool content_ends = true;
  std::vector<std::pair<std::string, std::string>> trailers;
  bool breaks = false;  ///< the content breaks its framing at once
  bool closes = false;
};

/// One connection to a cell, request after request: the upstream end of the seam.
class fake_connection final : public edge::upstream_stream {
 public:
  fake_connection(manual_time& time, transcript& out, std::string name);

  // What the cell does.
  void accepts() { connect_ended(edge::stream_fault::none); }
  void refuses() { connect_ended(edge::stream_fault::closed); }
  void starts_answer() { answered_ = true; }
  void answers(cell_answer answer);
  void sends(std::string text, bool end) {
    answer_content_ += text;
    answer_end_sent_ = end;
    from_->deliver({std::move(text), end, edge::stream_fault::none});
  }
  void breaks() { fail(edge::stream_fault::malformed); }
  /// Ends the connection in the middle.
  void resets() { fail(edge::stream_fault::closed); }
  void stops_reading() { to_->stop(); }
  void reads_on() { to_->go_on(); }
  /// Takes no more, with an error for who writes, but still answers.
  void refuses_content() { to_->end_with(edge::stream_fault::closed); }

  // What became of it.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_lent() const { return lent_; }
  [[nodiscard]] bool is_idle() const { return idle_; }
  [[nodiscard]] bool is_connecting() const { return connecting_.is_waiting(); }
  [[nodiscard]] bool has_request() const { return has_request_; }
  [[nodiscard]] const std::string& request_name() const { return request_name_; }
  [[nodiscard]] const std::string& request_content() const { return request_content_; }
  [[nodiscard]] bool asks_upgrade() const { return asks_upgrade_; }
  /// A final head was given; content may follow until its end.
  [[nodiscard]] bool has_given_head() const { return given_head_; }
  [[nodiscard]] bool has_sent_end() const { return answer_end_sent_; }
  [[nodiscard]] bool has_failed() const { return failed_ != edge::stream_fault::none; }

  /// What `connect` finds: unset waits for `accepts` or `refuses`.
  std::optional<edge::stream_fault> connect_outcome;
  bool carries_pipes = false;  ///< content as it is
  bool pipes_welcome = false;  ///< its content may come in pipes, as forwarding has said last

  void lend();

  // The seam.
  bool is_reused() const override { return served_ != 0; }
  io::task<edge::stream_fault> connect(time_point deadline) override;
  io::task<edge::stream_fault> send_head(const edge::outgoing_request& head, edge::body_piece first,
                                         std::span<const field> trailers, time_point deadline) override;
  io::task<edge::stream_fault> send_body(edge::body_piece piece, std::span<const field> trailers,
                                         time_point deadline) override;
  io::task<edge::answer_head> read_head(time_point deadline) override;
  void expect_answer_by(time_point deadline) override { head_waits_.move_deadline(deadline); }
  edge::body_piece first_body() override { return from_->content.take(); }
  io::task<edge::body_piece> read_body(time_point deadline) override {
    if (from_->is_waiting()) out_.blame(name_ + ": two reads at once");
    return from_->read(deadline);
  }
  std::span<field> trailers() override { return from_->trailers(); }
  bool takes_pipes() const override { return carries_pipes; }
  void welcome_pipes(bool welcome) override { pipes_welcome = welcome; }
  bool has_answered() const override { return answered_; }
  bool closes_after_answer() const override { return closes_; }
  void become_tunnel() override {
    tunnel_ = true;
    from_->content.begin_again();
  }
  void cancel() override;
  void release() override;

 private:
  void connect_ended(edge::stream_fault fault) {
    connect_outcome = fault;
    connecting_.wake();
  }
  void fail(edge::stream_fault fault);

  manual_time& time_;
  transcript& out_;
  std::string name_;
  wait_point connecting_;
  wait_point head_waits_;
  std::optional<readable_side> from_;
  std::optional<writable_side> to_;
  std::deque<cell_answer> heads_;
  cell_answer spoken_;  // the head that was handed out last: views lead into it
  std::vector<field> spoken_fields_;
  response_view view_;
  std::string request_name_;
  std::string request_content_;
  std::string answer_content_;
  bool asks_upgrade_ = false;
  bool given_head_ = false;
  bool answer_end_sent_ = false;
  edge::stream_fault failed_ = edge::stream_fault::none;
  std::size_t served_ = 0;
  bool lent_ = false;
  bool idle_ = false;
  bool has_request_ = false;
  bool request_ended_ = false;
  bool answered_ = false;
  bool final_head_ = false;
  bool closes_ = false;
  bool tunnel_ = false;
};

}  // namespace cellroute::simulation
