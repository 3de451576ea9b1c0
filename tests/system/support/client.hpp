#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/system/support/connection.hpp"

namespace cellroute::system_test {

/// A head for tests: method and target, a Host, then `fields`, each with its line end.
[[nodiscard]] inline std::string request(std::string_view method_and_target, std::string_view fields = {}) {
  return std::string(method_and_target) + " HTTP/1.1\r\nHost: shop.example\r\n" + std::string(fields) + "\r\n";
}

inline constexpr std::string_view acme = "X-Routing-Key: acme\r\n";

/// A request that is sure to be routed.
[[nodiscard]] inline std::string keyed(std::string_view method_and_target, std::string_view fields = {}) {
  return request(method_and_target, std::string(acme) + std::string(fields));
}

class client : public connection {
 public:
  explicit client(std::uint16_t port, int receive_buffer_bytes = 0)
      : connection(connect_to(port, receive_buffer_bytes)) {}

  /// Sends a request and reads its answer, interim answers left out.
  [[nodiscard]] message ask(std::string_view bytes) {
    send(bytes);
    return read_answer(bytes.substr(0, 5) == "HEAD ");
  }
  [[nodiscard]] message read_answer(bool to_head_request = false) {
    message m;
    do {
      std::optional<message_head> head = read_head();
      if (!head) return m;
      m.head = *std::move(head);
    } while (m.status() / 100 == 1 && m.status() != 101);
    if (to_head_request || m.status() == 101 || m.status() == 204 || m.status() == 304) {
      m.complete = true;
    } else {
      read_content(m);
    }
    return m;
  }
};

/// One request on a connection of its own.
[[nodiscard]] inline message ask(std::uint16_t port, std::string_view bytes) { return client(port).ask(bytes); }

}  // namespace cellroute::system_test
