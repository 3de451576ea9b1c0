#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/sync/push_session.hpp"
#include "adapters/sync/router_link.hpp"

namespace cellroute::sync {

/// A digest for tests, known by one letter.
inline wire::digest sum_of(char name) {
  wire::digest d{};
  d.front() = static_cast<std::byte>(name);
  return d;
}
inline wire::content_id content_of(std::uint64_t version, char name, std::uint64_t epoch = 1) {
  return {epoch, version, sum_of(name)};
}
inline const wire::content_id a1 = content_of(1, 'a');
inline const wire::content_id b2 = content_of(2, 'b');
inline const wire::content_id c3 = content_of(3, 'c');

inline std::string name_of(const wire::digest& sum) { return std::string(1, static_cast<char>(sum.front())); }
inline std::string name_of(const wire::content_id& c) { return std::to_string(c.version) + name_of(c.sum); }

inline std::string groups_of(const std::vector<std::uint32_t>& groups) {
  std::string text;
  for (const std::uint32_t group : groups) text += " " + std::to_string(group);
  return text;
}

/// What a machine does, in a few words a piece: rows of tests compare these.
struct in_words {
  std::string operator()(const wire::hello& m) const {
    std::string text = "hello";
    for (const wire::content_id& c : m.have) text += " " + name_of(c);
    if (m.resume) text += " resume " + name_of(m.resume->artifact) + "@" + std::to_string(m.resume->next);
    for (const auto& q : m.quarantined) text += " without " + name_of(q.sum);
    return text;
  }
  std::string operator()(const wire::hello_ack& m) const { return "hello_ack " + std::to_string(m.session); }
  std::string operator()(const wire::config_begin& m) const {
    const std::string_view kinds[] = {"snapshot", "delta", "repair"};
    return "begin " + std::string(kinds[static_cast<std::size_t>(m.kind)]) + " " + name_of(m.content) +
           (m.force ? " by force" : "");
  }
  std::string operator()(const wire::config_abort&) const { return "abort"; }
  std::string operator()(const wire::chunk_ack& m) const { return "next " + std::to_string(m.next); }
  std::string operator()(const wire::ack& m) const {
    const std::string_view statuses[] = {"applied", "prepared", "rejected", "superseded"};
    return std::string(statuses[static_cast<std::size_t>(m.status)]) + " " + name_of(m.content) +
           (m.noop ? " noop" : "") + (m.durable ? " durable" : "") + (m.code.empty() ? "" : " " + m.code);
  }
  std::string operator()(const wire::ping& m) const {
    return "ping" + (m.target ? " " + name_of(m.target->run) : std::string());
  }
  std::string operator()(const wire::pong& m) const {
    return "pong" + (m.running ? " " + name_of(*m.running) : std::string());
  }
  std::string operator()(const wire::repair_request& m) const {
    return "repair_req" + (m.base ? " " + name_of(*m.base) : std::string()) + groups_of(m.groups) + " " +
           std::to_string(m.sums.size()) + " digests";
  }
  std::string operator()(const wire::repair& m) const { return "repair " + name_of(m.content) + groups_of(m.groups); }
  std::string operator()(const wire::goaway&) const { return "goaway"; }
  std::string operator()(const wire::session_error& m) const { return "error " + m.code; }
  std::string operator()(const wire::unknown_message&) const { return "?"; }
  std::string operator()(const wire::message& m) const { return std::visit(*this, m); }
  std::string operator()(const send_chunk& c) const { return "chunk " + std::to_string(c.seq); }
  std::string operator()(const check_content& c) const { return "check " + name_of(c.what.content); }
  std::string operator()(const activate_content& a) const { return "activate " + name_of(a.content); }
  std::string operator()(const content_unchanged& c) const { return "unchanged " + name_of(c.content); }
  std::string operator()(const sum_up_rows& s) const { return "sum up " + name_of(s.base) + groups_of(s.asked.groups); }
  std::string operator()(const drop_content& d) const { return "drop " + name_of(d.content); }
  std::string operator()(const tell& t) const { return "tell " + t.event; }
  std::string operator()(const open_connection& o) const { return "open " + std::to_string(o.address); }
  std::string operator()(const close_connection&) const { return "close"; }
  std::string operator()(const send_text& t) const { return t.text; }
  std::string operator()(const content_refused& c) const { return "refuse " + c.label; }
  std::string operator()(const check_base_content& c) const { return "check " + wire::to_string(c.what.version); }
};

template <class Actions>
std::string words_of(const Actions& actions) {
  std::string text;
  for (const auto& one : actions) text += (text.empty() ? "" : ", ") + std::visit(in_words(), one);
  return text;
}

}  // namespace cellroute::sync
