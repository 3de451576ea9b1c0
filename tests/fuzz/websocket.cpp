// WebSocket frames: however they were cut, the same is told; every text is UTF-8, no message is over its limit; and
// what was told can be written and is told again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/websocket/message_writer.hpp"
#include "adapters/websocket/session.hpp"
#include "cellroute/base/escape.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

class no_masks final : public mask_source {
 public:
  mask_key next_mask() override { return {}; }
};

bool is_utf8(std::string_view text) {
  while (!text.empty() && utf8_size(text) > 0) text.remove_prefix(utf8_size(text));
  return text.empty();
}

struct told {
  opcode code = opcode::continuation;
  std::string payload;  // of a close frame as it was sent
  friend bool operator==(const told&, const told&) = default;
};

struct reading {
  std::vector<told> events;
  std::variant<session_state, protocol_error> end = session_state::open;
  friend bool operator==(const reading&, const reading&) = default;
};

void add(reading& all, const read_event& event) {
  if (const auto* whole = std::get_if<message>(&event)) {
    const bool is_text = whole->kind == message_kind::text;
    require(!is_text || is_utf8(whole->payload));
    all.events.push_back({is_text ? opcode::text : opcode::binary, std::string(whole->payload)});
  } else if (const auto* asked = std::get_if<ping>(&event)) {
    all.events.push_back({opcode::ping, std::string(asked->payload)});
  } else if (const auto* answered = std::get_if<pong>(&event)) {
    all.events.push_back({opcode::pong, std::string(answered->payload)});
  } else if (const auto* closed = std::get_if<close>(&event)) {
    require(is_utf8(closed->reason));
    all.events.push_back({opcode::close, std::string(control_payload(closed->code, closed->reason).view())});
    all.end = session_state::closed;
  } else if (const auto* refused = std::get_if<protocol_error>(&event)) {
    all.end = *refused;
  }
}

// `steps` gives the sizes of the pieces, over and over; none stands for one piece.
reading read(session& one, std::string_view input, std::string_view steps, std::size_t message_bytes_max) {
  reading all;
  for (std::size_t begin = 0, turn = 0; begin < input.size();) {
    const std::size_t wanted =
        steps.empty() ? input.size() : static_cast<unsigned char>(steps[turn++ % steps.size()]) + 1u;
    std::vector<char> piece(input.begin() + static_cast<std::ptrdiff_t>(begin),
                            input.begin() + static_cast<std::ptrdiff_t>(std::min(input.size(), begin + wanted)));
    begin += piece.size();
    std::span<char> left = piece;
    for (;;) {
      const read_event event = one.receive(left);
      if (std::holds_alternative<need_more>(event)) break;
      add(all, event);
    }
    require(left.empty());
  }
  for (const told& event : all.events) {
    require(event.payload.size() <= (is_control(event.code) ? control_bytes_max : message_bytes_max));
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t choices = 4;  // role and limit, and how the input is cut
  if (size < choices) return 0;
  const bool is_server = (data[0] & 1) != 0;
  const reader_limits limits{.message_bytes_max = std::size_t{1} << (data[0] >> 1 & 15)};
  const std::string steps(data + 1, data + choices);
  const std::string input(data + choices, data + size);

  no_masks masks;
  const message_writer writer = is_server ? message_writer{} : message_writer{masks};
  session one{writer, limits};
  const reading whole = read(one, input, {}, limits.message_bytes_max);
  for (const std::string_view cuts : {std::string_view(steps), std::string_view("\0", 1)}) {
    session other{writer, limits};
    require(read(other, input, cuts, limits.message_bytes_max) == whole);
    require(other.state() == one.state() && other.owes() == one.owes() && other.peer_code() == one.peer_code());
  }

  // What the peer is owed is in order for the peer.
  std::string owed;
  one.append_owed(owed);
  require(!one.owes());
  message_writer peers_writer = is_server ? message_writer{masks} : message_writer{};
  session peer{peers_writer};
  const reading answered = read(peer, owed, {}, control_bytes_max);
  require(!std::holds_alternative<protocol_error>(answered.end) && answered.events.size() <= 2);
  require((peer.state() == session_state::closed) == (one.state() != session_state::open));

  // Written again, each message in one frame, it is told again.
  std::string again;
  for (const told& event : whole.events) peers_writer.append_frame(again, event.code, event.payload);
  session second{writer, limits};
  require(read(second, again, steps, limits.message_bytes_max).events == whole.events);
  return 0;
}
