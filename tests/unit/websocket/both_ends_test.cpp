// Both ends against each other: whatever is sent, in whatever frames, and however it is cut, comes out as it was.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/websocket/session.hpp"
#include "cellroute/base/random.hpp"
#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

constexpr reader_limits wide_limits{.message_bytes_max = 200'000};

class random_masks final : public mask_source {
 public:
  explicit random_masks(random_numbers& random) : random_(&random) {}
  mask_key next_mask() override {
    const std::uint64_t number = (*random_)();
    mask_key key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return key;
  }

 private:
  random_numbers* random_;
};

// Sizes around those at which a head gets longer are as frequent as others.
std::size_t any_size(random_numbers& random) {
  constexpr std::size_t bounds[] = {0, 1, 8, 125, 126, 4096, 65535, 65536, 150'000};
  const std::size_t bound = bounds[random.below(std::size(bounds))];
  return random.below(2) == 0 ? bound : random.below(bound + 1);
}

std::string any_text(std::size_t size, random_numbers& random) {
  constexpr std::string_view characters[] = {"a", "\xc2\xb5", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  std::string text;
  while (text.size() < size) {
    const std::string_view next = characters[random.below(std::size(characters))];
    text += text.size() + next.size() <= size ? next : "a";
  }
  return text;
}

std::string any_bytes(std::size_t size, random_numbers& random) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// One message in frames of any sizes with control frames between them. Returns what its reader has to tell.
std::string append_in_frames(std::string& out, message_writer& writer, random_numbers& random) {
  const bool is_text = random.below(2) == 0;
  const std::size_t size = any_size(random);
  const std::string payload = is_text ? any_text(size, random) : any_bytes(size, random);
  std::string told;
  std::string_view left = payload;
  opcode code = is_text ? opcode::text : opcode::binary;
  for (bool is_last = false; !is_last; code = opcode::continuation) {
    is_last = random.below(3) > 0;
    const std::string_view piece = is_last ? left : left.substr(0, random.below(left.size() + 1));
    left.remove_prefix(piece.size());
    writer.append_frame(out, code, piece, is_last);
    if (is_last || random.below(3) > 0) continue;
    const std::string control = any_bytes(random.below(control_bytes_max + 1), random);
    const bool is_ping = random.below(2) == 0;
    writer.append_control(out, is_ping ? opcode::ping : opcode::pong, control_payload(control));
    told += (is_ping ? "ping[" : "pong[") + control + "] ";
  }
  return told + (is_text ? "text[" : "binary[") + payload + "] ";
}

// In pieces of random sizes, each in a block of its own.
std::string read_in_pieces(role self, std::string_view input, random_numbers& random) {
  message_reader reader{self, wide_limits};
  std::string told;
  const std::size_t most = 1 + any_size(random);
  while (!input.empty()) {
    exact_bytes piece{input.substr(0, 1 + random.below(most))};
    input.remove_prefix(piece.view().size());
    std::span<char> left = piece.span();
    for (read_event event = reader.next(left); !std::holds_alternative<need_more>(event); event = reader.next(left)) {
      told += in_words(event);
    }
  }
  return told;
}

/// An end with what is on the way to it.
struct link_end {
  session one;
  std::string arrives;
  std::string told;
};

// What one end wrote arrives in part at the other, and what came before is read.
void carry(link_end& from, link_end& to, random_numbers& random) {
  if (random.below(2) == 0) from.one.append_owed(to.arrives);
  const std::size_t size = random.below(to.arrives.size() + 1);
  exact_bytes piece{std::string_view(to.arrives).substr(0, size)};
  to.arrives.erase(0, size);
  std::span<char> left = piece.span();
  for (read_event event = to.one.receive(left); !std::holds_alternative<need_more>(event);
       event = to.one.receive(left)) {
    to.told += in_words(event);
  }
}

}  // namespace

TEST_CASE("websocket ends: messages of many sizes in any frames, cut at random, come out whole") {
  constexpr std::uint64_t seed = 6455;
  CAPTURE(seed);
  random_numbers random{seed};
  random_masks masks{random};
  for (int round = 0; round < 100; ++round) {
    CAPTURE(round);
    for (const role receiver : {role::client, role::server}) {
      message_writer writer = receiver == role::server ? message_writer{masks} : message_writer{};
      std::string sent;
      std::string expected;
      for (std::size_t messages = 1 + random.below(5); messages > 0; --messages) {
        expected += append_in_frames(sent, writer, random);
      }
      const bool is_same = read_in_pieces(receiver, sent, random) == expected;
      REQUIRE(is_same);
    }
  }
}

TEST_CASE("websocket ends: whoever closes first, and whenever, both ends close cleanly") {
  constexpr std::uint64_t seed = 4711;
  CAPTURE(seed);
  random_numbers random{seed};
  random_masks masks{random};
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    link_end client{session{message_writer{masks}}, "", ""};
    link_end server{session{message_writer{}}, "", ""};
    const auto act = [&random](link_end& self, link_end& other) {
      const std::uint64_t choice = random.below(20);
      if (choice < 5) (void)self.one.append_message(other.arrives, message_kind::text, "Hello");
      if (choice == 5) (void)self.one.append_ping(other.arrives, control_payload("ping"));
      if (choice == 6) self.one.begin_close(close_code::normal);
    };
    int steps = 0;
    while ((!client.one.is_clean() || !server.one.is_clean()) && ++steps < 10'000) {
      act(client, server);
      act(server, client);
      carry(client, server, random);
      carry(server, client, random);
    }
    REQUIRE(client.one.is_clean());
    REQUIRE(server.one.is_clean());
    CHECK(server.one.must_disconnect());
    CHECK_FALSE(client.one.must_disconnect());
    CHECK(client.one.peer_code() == close_code::normal);
    CHECK(server.one.peer_code() == close_code::normal);
    CHECK(client.told.ends_with("close 1000[] "));
    CHECK(server.told.ends_with("close 1000[] "));
  }
}
