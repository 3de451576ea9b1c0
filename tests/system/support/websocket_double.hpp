#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/system/support/connection.hpp"

namespace cellroute::system_test {

/// An end of WebSocket, a client's or a server's, written from RFC 6455 alone: it shares no mistake with what it is
/// held against. It checks what it is sent, and remembers the first thing that is wrong.
class websocket_double : public connection {
 public:
  struct frame {
    int opcode = 0;
    std::string payload;
  };

  explicit websocket_double(std::uint16_t port, int receive_buffer_bytes = 0)
      : connection(connect_to(port, receive_buffer_bytes)) {}
  /// A server's end of a connection that was accepted.
  explicit websocket_double(descriptor accepted) : connection(std::move(accepted)), is_server_(true) {}

  /// Reads the request to switch and answers it. Returns what was asked.
  message_head answer(std::string_view subprotocol = {}) {
    message_head asked = read_head().value_or(message_head{});
    std::string text =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_of(asked.value("Sec-WebSocket-Key")) + "\r\n";
    if (!subprotocol.empty()) text += "Sec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n";
    send(text + "\r\n");
    return asked;
  }

  /// Asks to switch. Returns what was answered; its head is empty where the connection ended.
  message_head open(std::string_view path, std::string_view subprotocol = {}, std::string_view fields = {}) {
    std::string asked = "GET " + std::string(path) +
                        " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    if (!subprotocol.empty()) asked += "Sec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n";
    send(asked + std::string(fields) + "\r\n");
    message_head answer = read_head().value_or(message_head{});
    // The example of RFC 6455 section 1.3, key and answer.
    if (answer.status() == 101 && answer.value("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
      wrong_ = "another Sec-WebSocket-Accept";
    return answer;
  }

  /// The next whole frame; nothing when the connection ended, or nothing came in time.
  [[nodiscard]] std::optional<frame> read_frame(steady::duration limit = patience) {
    const steady::time_point until = steady::now() + limit;
    for (;;) {
      if (auto whole = take_frame()) return whole;
      if (!wrong_.empty() || steady::now() >= until || !fill_frame(until - steady::now())) return std::nullopt;
    }
  }
  /// The next text; pings of the protocol are answered. Nothing at a close frame, which `close_code` tells.
  [[nodiscard]] std::optional<std::string> read_text(steady::duration limit = patience) {
    while (auto f = read_frame(limit)) {
      if (f->opcode == 1) return std::move(f->payload);
      if (f->opcode == 9) send_frame(10, f->payload);
      if (f->opcode != 8) continue;
      if (f->payload.size() >= 2)
        close_code_ = static_cast<unsigned char>(f->payload[0]) << 8 | static_cast<unsigned char>(f->payload[1]);
      close_reason_ = f->payload.substr(std::min<std::size_t>(2, f->payload.size()));
      send_frame(8, f->payload.substr(0, 2));
      break;
    }
    return std::nullopt;
  }

  bool send_text(std::string_view text) { return send_frame(1, text); }
  bool send_frame(int opcode, std::string_view payload) {
    constexpr std::array<unsigned char, 4> mask{0x12, 0x34, 0x56, 0x78};
    std::string bytes(1, static_cast<char>(0x80 | opcode));
    const std::size_t size = payload.size();
    const unsigned mask_bit = is_server_ ? 0 : 0x80;
    if (size < 126) {
      bytes += static_cast<char>(mask_bit | size);
    } else {
      const int length_bytes = size < 65536 ? 2 : 8;
      bytes += static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
      for (int i = length_bytes - 1; i >= 0; --i) bytes += static_cast<char>(size >> (8 * i) & 0xff);
    }
    if (is_server_) return send(bytes + std::string(payload));
    for (const unsigned char m : mask) bytes += static_cast<char>(m);
    for (std::size_t i = 0; i < size; ++i)
      bytes += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ mask[i % mask.size()]);
    return send(bytes);
  }

  [[nodiscard]] int close_code() const { return close_code_; }
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }
  /// Empty: nothing.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  bool fill_frame(steady::duration limit) {
    if (!fill(limit)) return false;
    pending_ += read_some();
    return true;
  }

  std::optional<frame> take_frame() {
    if (!unread().empty()) pending_ += read_some();
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(pending_[i]); };
    if (pending_.size() < 2) return std::nullopt;
    if ((byte(0) & 0x70) != 0 || (byte(0) & 0x80) == 0) wrong_ = "reserved bits, or a message in parts";
    const bool has_mask = (byte(1) & 0x80) != 0;
    if (has_mask != is_server_) wrong_ = has_mask ? "a server's frame with a mask" : "a client's frame without a mask";
    const unsigned short_size = byte(1) & 0x7f;
    const std::size_t behind_size = short_size < 126 ? 2 : short_size == 126 ? 4 : 10;
    const std::size_t head = behind_size + (has_mask ? 4 : 0);
    if (pending_.size() < head) return std::nullopt;
    std::uint64_t size = short_size < 126 ? short_size : 0;
    for (std::size_t i = 2; i < behind_size; ++i) size = size << 8 | byte(i);
    if (pending_.size() - head < size) return std::nullopt;
    frame whole{byte(0) & 0x0f, pending_.substr(head, size)};
    for (std::size_t i = 0; has_mask && i < size; ++i) {
      whole.payload[i] = static_cast<char>(static_cast<unsigned char>(whole.payload[i]) ^ byte(behind_size + i % 4));
    }
    pending_.erase(0, head + size);
    return whole;
  }

  /// Source: RFC 6455 section 4.2.2.
  static std::string accept_of(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_sha1(), nullptr);
    std::array<unsigned char, 64> base64{};
    const int length = EVP_EncodeBlock(base64.data(), sum.data(), static_cast<int>(size));
    return {base64.begin(), base64.begin() + length};
  }

  bool is_server_ = false;
  std::string pending_;
  std::string wrong_;
  std::string close_reason_;
  int close_code_ = 0;
};

}  // namespace cellroute::system_test
