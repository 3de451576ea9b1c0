#include "adapters/websocket/session.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

std::string_view to_string(session_state state) {
  switch (state) {
    case session_state::open:
      return "open";
    case session_state::closing:
      return "closing";
    case session_state::closed:
      return "closed";
    case session_state::failed:
      return "failed";
  }
  return {};
}

/// One end, told what happens in words, and the frames that it wrote.
class end {
 public:
  explicit end(role self) : self_(self), session_(self == role::client ? message_writer{masks_} : message_writer{}) {}

  /// Does one thing and returns what it led to.
  void act(std::string_view step) {
    if (step == "text") did_send_ = session_.append_message(out_, message_kind::text, "t");
    if (step == "binary") did_send_ = session_.append_message(out_, message_kind::binary, "b");
    if (step == "ping") did_send_ = session_.append_ping(out_, control_payload("p"));
    if (step == "head") did_send_ = session_.make_head(message_kind::binary, 1).has_value();
    if (step == "close") session_.begin_close(close_code::normal, "done");
    if (step == "close again") session_.begin_close(close_code::going_away, "again");
    if (step == "write") session_.append_owed(out_);
    if (step == "get text") receive({0x81, "T"});
    if (step == "get ping") receive({0x89, "P"});
    if (step == "get another ping") receive({0x89, "Q"});
    if (step == "get pong") receive({0x8a, "R"});
    if (step == "get close") receive({0x88, hex("0f a0") + "why"});
    if (step == "get bare close") receive({0x88, ""});
    if (step == "get garbage") receive({0xff, ""});
  }

  /// What was told, `>` what was written since; then the state, and whether the connection is to be ended.
  std::string words() {
    std::string text = std::exchange(told_, "");
    if (!did_send_) text += "refused ";
    did_send_ = true;
    std::string sent = std::exchange(out_, "");
    message_reader reader{self_ == role::client ? role::server : role::client};
    std::span<char> left = sent;
    std::string written;
    for (read_event event = reader.next(left); !std::holds_alternative<need_more>(event); event = reader.next(left)) {
      written += in_words(event);
    }
    if (!written.empty()) text += "> " + written;
    text += to_string(session_.state());
    if (session_.owes()) text += ", owes";
    if (session_.is_clean()) text += ", clean";
    if (session_.must_disconnect()) text += ", disconnect";
    return text;
  }

  [[nodiscard]] close_code peer_code() const { return session_.peer_code(); }
  [[nodiscard]] bool may_send() const { return session_.may_send(); }

 private:
  void receive(const frame& sent) {
    std::string input = sent_to(self_, {sent});
    std::span<char> left = input;
    told_ += in_words(session_.receive(left));
    if (!told_.empty() && !told_.ends_with(' ')) told_ += ' ';
  }

  role self_;
  same_mask masks_;
  session session_;
  std::string out_;
  std::string told_;
  bool did_send_ = true;
};

struct step {
  std::string_view does;
  std::string_view expected;          ///< at a server
  std::string_view at_a_client = "";  ///< where it differs
};

struct session_case {
  std::string_view says;
  std::vector<step> steps;
};

void check_sessions(std::span<const session_case> rows) {
  for (const session_case& row : rows) {
    CAPTURE(row.says);
    for (const role self : {role::server, role::client}) {
      CAPTURE((self == role::client ? "a client" : "a server"));
      end one{self};
      for (const step& each : row.steps) {
        CAPTURE(each.does);
        one.act(each.does);
        CHECK(one.words() == (self == role::client && !each.at_a_client.empty() ? each.at_a_client : each.expected));
      }
    }
  }
}

}  // namespace

TEST_CASE("websocket session: messages and pings while it is open (RFC 6455 sections 5.5.2, 5.5.3 and 6.1)") {
  const session_case cases[] = {
      {"messages go both ways",
       {{"text", "> text[t] open"}, {"binary", "> binary[b] open"}, {"get text", "text[T] open"}}},
      {"a ping is answered with its payload", {{"get ping", "ping[P] open, owes"}, {"write", "> pong[P] open"}}},
      {"once", {{"get ping", "ping[P] open, owes"}, {"write", "> pong[P] open"}, {"write", "open"}}},
      {"of two, the last one",
       {{"get ping", "ping[P] open, owes"}, {"get another ping", "ping[Q] open, owes"}, {"write", "> pong[Q] open"}}},
      {"each, if there was room in between",
       {{"get ping", "ping[P] open, owes"},
        {"write", "> pong[P] open"},
        {"get another ping", "ping[Q] open, owes"},
        {"write", "> pong[Q] open"}}},
      {"a message may go before the answer",
       {{"get ping", "ping[P] open, owes"}, {"text", "> text[t] open, owes"}, {"write", "> pong[P] open"}}},
      {"our own ping, and its answer", {{"ping", "> ping[p] open"}, {"get pong", "pong[R] open"}}},
      {"a pong that nobody asked for is not answered", {{"get pong", "pong[R] open"}, {"write", "open"}}},
  };
  check_sessions(cases);
}

TEST_CASE("websocket session: the peer closes (RFC 6455 sections 5.5.1, 7.1.1 and 7.1.5)") {
  const session_case cases[] = {
      {"its code goes back",
       {{"get close", "close 4000[why] closed, owes"},
        {"write", "> close 4000[] closed, clean, disconnect", "> close 4000[] closed, clean"}}},
      {"none, if it said none",
       {{"get bare close", "close 1005[] closed, owes"},
        {"write", "> close 1005[] closed, clean, disconnect", "> close 1005[] closed, clean"}}},
      {"nothing is sent behind",
       {{"get close", "close 4000[why] closed, owes"},
        {"text", "refused closed, owes"},
        {"ping", "refused closed, owes"},
        {"head", "refused closed, owes"},
        {"write", "> close 4000[] closed, clean, disconnect", "> close 4000[] closed, clean"},
        {"binary", "refused closed, clean, disconnect", "refused closed, clean"},
        {"write", "closed, clean, disconnect", "closed, clean"}}},
      {"nothing is read behind",
       {{"get close", "close 4000[why] closed, owes"},
        {"get text", "closed, owes"},
        {"get garbage", "closed, owes"},
        {"get close", "closed, owes"},
        {"write", "> close 4000[] closed, clean, disconnect", "> close 4000[] closed, clean"},
        {"get ping", "closed, clean, disconnect", "closed, clean"}}},
      {"a ping before it needs no answer any more",
       {{"get ping", "ping[P] open, owes"},
        {"get close", "close 4000[why] closed, owes"},
        {"write", "> close 4000[] closed, clean, disconnect", "> close 4000[] closed, clean"}}},
      {"ours would come too late",
       {{"get close", "close 4000[why] closed, owes"},
        {"close", "closed, owes"},
        {"write", "> close 4000[] closed, clean, disconnect", "> close 4000[] closed, clean"}}},
  };
  check_sessions(cases);
}

TEST_CASE("websocket session: we close (RFC 6455 sections 5.5.1 and 7.1.2)") {
  const session_case cases[] = {
      {"the peer answers",
       {{"close", "closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"get close", "close 4000[why] closed, clean, disconnect", "close 4000[why] closed, clean"},
        {"write", "closed, clean, disconnect", "closed, clean"}}},
      {"only once",
       {{"close", "closing, owes"},
        {"close again", "closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"close again", "closing"},
        {"write", "closing"}}},
      {"nothing is sent behind, not even before it was written",
       {{"close", "closing, owes"},
        {"text", "refused closing, owes"},
        {"ping", "refused closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"binary", "refused closing"},
        {"head", "refused closing"}}},
      {"what the peer sent before it knew is still told",
       {{"close", "closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"get text", "text[T] closing"},
        {"get pong", "pong[R] closing"},
        {"get bare close", "close 1005[] closed, clean, disconnect", "close 1005[] closed, clean"}}},
      {"a ping before our close is answered before it",
       {{"get ping", "ping[P] open, owes"},
        {"close", "closing, owes"},
        {"write", "> pong[P] close 1000[done] closing"}}},
      {"a ping behind it is not: the peer would drop the answer",
       {{"close", "closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"get ping", "ping[P] closing"},
        {"write", "closing"}}},
      {"both at once: each sends its own",
       {{"close", "closing, owes"},
        {"get close", "close 4000[why] closed, owes"},
        {"write", "> close 1000[done] closed, clean, disconnect", "> close 1000[done] closed, clean"}}},
  };
  check_sessions(cases);
}

TEST_CASE("websocket session: the peer breaks the protocol (RFC 6455 sections 7.1.7 and 7.4.1)") {
  const session_case cases[] = {
      {"it is told why, and the connection is ended from both ends",
       {{"get garbage", "1002 reserved bit set failed, owes"},
        {"write", "> close 1002[reserved bit set] failed, disconnect"}}},
      {"nothing is read behind, not even its close frame",
       {{"get garbage", "1002 reserved bit set failed, owes"},
        {"get text", "failed, owes"},
        {"get close", "failed, owes"},
        {"write", "> close 1002[reserved bit set] failed, disconnect"},
        {"get close", "failed, disconnect"}}},
      {"nothing else is sent",
       {{"get ping", "ping[P] open, owes"},
        {"get garbage", "1002 reserved bit set failed, owes"},
        {"text", "refused failed, owes"},
        {"close", "failed, owes"},
        {"write", "> close 1002[reserved bit set] failed, disconnect"},
        {"ping", "refused failed, disconnect"},
        {"write", "failed, disconnect"}}},
      {"behind our close frame it is not told again",
       {{"close", "closing, owes"},
        {"write", "> close 1000[done] closing"},
        {"get garbage", "1002 reserved bit set failed, disconnect"},
        {"write", "failed, disconnect"}}},
  };
  check_sessions(cases);
}

TEST_CASE("websocket session: why the peer closed (RFC 6455 section 7.1.5)") {
  end none{role::server};
  CHECK(none.peer_code() == close_code::abnormal);
  none.act("get garbage");
  CHECK(none.peer_code() == close_code::abnormal);
  end bare{role::server};
  bare.act("get bare close");
  CHECK(bare.peer_code() == close_code::no_status);
  end one{role::server};
  CHECK(one.may_send());
  one.act("get close");
  CHECK(number_of(one.peer_code()) == 4000);
  CHECK_FALSE(one.may_send());
}

TEST_CASE("websocket session: each mistake of a peer is told with its code") {
  struct {
    std::string_view says;
    frame sent;
    std::string_view expected;
  } const cases[] = {
      {"a broken rule", {0x83, ""}, "close 1002[reserved opcode] "},
      {"a text that is none", {0x81, "\xff"}, "close 1007[text is not UTF-8] "},
      {"a close code that must not be sent", {0x88, hex("03 ed")}, "close 1002[close code must not be sent] "},
      {"too much", {0x82, std::string(11, 'x')}, "close 1009[message too big] "},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    session one{message_writer{}, {.message_bytes_max = 10}};
    std::string input = sent_to(role::server, {row.sent});
    std::span<char> left = input;
    CHECK(std::holds_alternative<protocol_error>(one.receive(left)));
    std::string out;
    one.append_owed(out);
    message_reader peer{role::client};
    left = out;
    CHECK(in_words(peer.next(left)) == row.expected);
  }
}

TEST_CASE("websocket session: a flood of pings costs one answer") {
  session one{message_writer{}};
  for (int i = 0; i < 10000; ++i) {
    std::string input = sent_to(role::server, {{0x89, std::to_string(i)}});
    std::span<char> left = input;
    CHECK(std::holds_alternative<ping>(one.receive(left)));
  }
  std::string out;
  one.append_owed(out);
  CHECK(out == sent_to(role::client, {{0x8a, "9999"}}));
}
