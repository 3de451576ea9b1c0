#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "adapters/control/push_server.hpp"
#include "adapters/control/wakeup.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/websocket/session.hpp"

namespace cellroute::control {

/// One session's connection: a local of the coroutine that serves it. While nothing happens it holds no buffer.
class push_connection {
 public:
  push_connection(push_server& owner, edge::exchange& x, push_session_facts facts);
  push_connection(const push_connection&) = delete;
  push_connection& operator=(const push_connection&) = delete;
  ~push_connection();

  /// Until either side has ended it.
  [[nodiscard]] io::task<void> run() { return io::join(read_all(), write_all()); }
  /// There may be something to send.
  void wake() { something_.wake(); }
  /// What opened the session does so no more: it ends after what is being sent.
  void revoke();
  /// Empty: nobody did.
  [[nodiscard]] std::string_view why_revoked() const { return revoked_; }

  [[nodiscard]] const push_session_facts& facts() const { return facts_; }

 private:
  io::task<void> read_all();
  io::task<void> write_all();
  /// False: the session reads no further.
  [[nodiscard]] bool take(std::span<char> bytes);
  [[nodiscard]] io::task<bool> write_next(sync::push_hub::output next);
  [[nodiscard]] io::task<bool> write_chunk(const sync::send_chunk& chunk);
  [[nodiscard]] io::task<bool> write_long_text(std::string_view text);
  [[nodiscard]] io::task<bool> write_text(std::string_view text);
  /// False: it did not go out.
  [[nodiscard]] io::task<bool> write(std::string_view bytes, bool more_follows);

  push_server& owner_;
  edge::exchange& x_;
  push_session_facts facts_;
  websocket::session socket_;
  wakeup something_;
  std::string out_;  ///< of what is written from here; empty between two messages
  std::string_view revoked_;
  bool is_read_to_end_ = false;
};

}  // namespace cellroute::control
