#pragma once

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/certificates.hpp"

namespace cellroute::support {

struct free_context {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct free_session {
  void operator()(SSL* session) const { SSL_free(session); }
};

/// OpenSSL on its own, as the other end of a connection: it shares no line with the code under test. What it says goes
/// to the descriptor in fragments of a size that the test chooses; nothing here waits.
class tls_peer {
 public:
  static tls_peer client(int descriptor) { return tls_peer(descriptor, TLS_client_method(), false); }
  static tls_peer server(int descriptor) { return tls_peer(descriptor, TLS_server_method(), true); }

  [[nodiscard]] SSL_CTX* context() { return context_.get(); }
  [[nodiscard]] SSL* ssl() {
    if (ssl_ == nullptr) begin();
    return ssl_.get();
  }

  void trust(const std::string& ca_file) {
    REQUIRE(SSL_CTX_load_verify_locations(context(), ca_file.c_str(), nullptr) == 1);
    SSL_CTX_set_verify(context(), SSL_VERIFY_PEER, nullptr);
  }
  void show(const std::string& cert_file, const std::string& key_file) {
    REQUIRE(SSL_CTX_use_certificate_chain_file(context(), cert_file.c_str()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context(), key_file.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  void ask_for(const std::string& host) { REQUIRE(SSL_set_tlsext_host_name(ssl(), host.c_str()) == 1); }

  /// Goes on with the handshake; true when it is over on this side.
  bool shake_hands() { return went_well(SSL_do_handshake(ssl())); }
  bool write(std::string_view text) { return went_well(SSL_write(ssl(), text.data(), static_cast<int>(text.size()))); }
  /// All that has come, decrypted.
  std::string read() {
    std::string text;
    std::array<char, 16384> block;
    int got = 0;
    while ((got = SSL_read(ssl(), block.data(), static_cast<int>(block.size()))) > 0) {
      text.append(block.data(), static_cast<std::size_t>(got));
    }
    (void)went_well(got);
    return text;
  }
  /// Says that nothing follows.
  void end() { (void)SSL_shutdown(ssl()); }
  [[nodiscard]] bool saw_end() { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  /// The last thing that went wrong, in OpenSSL's words.
  [[nodiscard]] const std::string& error() const { return error_; }

  /// What OpenSSL wants to send, and what waits at the descriptor, at most so many bytes of either. Whether any moved.
  bool move(std::size_t bytes_max = std::numeric_limits<std::size_t>::max()) {
    const bool sent = move_out(bytes_max);
    return move_in(bytes_max) || sent;
  }
  bool move_out(std::size_t bytes_max = std::numeric_limits<std::size_t>::max()) {
    (void)ssl();
    take_pending();
    const std::size_t size_bytes = std::min(bytes_max, unsent_.size());
    const ssize_t sent = size_bytes == 0 ? 0 : ::send(descriptor_, unsent_.data(), size_bytes, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    unsent_.erase(0, static_cast<std::size_t>(sent));
    return true;
  }
  bool move_in(std::size_t bytes_max = std::numeric_limits<std::size_t>::max()) {
    std::array<char, 65536> block;
    const ssize_t got = ::recv(descriptor_, block.data(), std::min(bytes_max, block.size()), 0);
    if (got == 0) connection_ended_ = true;
    if (got <= 0) return false;
    BIO_write(SSL_get_rbio(ssl()), block.data(), static_cast<int>(got));
    return true;
  }
  /// The connection below has ended.
  [[nodiscard]] bool connection_ended() const { return connection_ended_; }
  [[nodiscard]] std::size_t unsent_bytes() {
    take_pending();
    return unsent_.size();
  }

 private:
  tls_peer(int descriptor, const SSL_METHOD* method, bool is_server)
      : descriptor_(descriptor), is_server_(is_server), context_(SSL_CTX_new(method)) {
    REQUIRE(context_ != nullptr);
  }
  void begin() {
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    is_server_ ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }
  void take_pending() {
    std::array<char, 65536> block;
    int got = 0;
    while ((got = BIO_read(SSL_get_wbio(ssl()), block.data(), static_cast<int>(block.size()))) > 0) {
      unsent_.append(block.data(), static_cast<std::size_t>(got));
    }
  }
  bool went_well(int returned) {
    if (returned == 1 || returned > 0) return true;
    if (SSL_get_error(ssl(), returned) == SSL_ERROR_SSL) {
      const char* const words = ERR_reason_error_string(ERR_peek_last_error());
      error_ = words == nullptr ? "unnamed" : words;
    }
    ERR_clear_error();
    return false;
  }

  int descriptor_;
  bool is_server_;
  std::unique_ptr<SSL_CTX, free_context> context_;
  std::unique_ptr<SSL, free_session> ssl_;
  std::string unsent_;
  std::string error_;
  bool connection_ended_ = false;
};

}  // namespace cellroute::support
