#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/io/socket.hpp"
#include "adapters/io/tls_context.hpp"

struct ssl_st;
struct ssl_session_st;

namespace cellroute::io {

/// Why there is no secure connection.
enum class tls_fault : std::uint8_t {
  none,
  timed_out,
  cancelled,
  closed,               ///< the peer ended or reset
  nothing_in_common,    ///< no version, cipher or protocol that both have
  certificate_refused,  ///< we do not believe the peer's certificate, or it showed none
  refused_by_peer,      ///< it told us so: what it did not like is in the details
  malformed,            ///< the peer broke the protocol, or speaks another one
};
[[nodiscard]] std::string_view to_string(tls_fault fault);

struct tls_outcome {
  tls_fault fault = tls_fault::none;
  std::string details{};  ///< for people; OpenSSL's words
};

/// Who a peer is, by a certificate that was verified.
struct tls_identity {
  std::string subject;      ///< as RFC 2253 writes it
  std::string common_name;  ///< of the subject; empty where it has none, or several
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;  ///< SPIFFE's, for one
  std::vector<std::string> emails;
};

/// What a client keeps of its last session with one peer, for a shorter handshake next time. It is offered again only
/// to the same host, under the same context: who changes whom he believes, asks again.
///
/// Threads: one reactor's. Outlives the sockets that it is lent to.
class tls_memory {
 public:
  tls_memory() = default;
  tls_memory(const tls_memory&) = delete;
  tls_memory& operator=(const tls_memory&) = delete;
  ~tls_memory() { forget(); }
  void forget();

 private:
  friend class tls_session;
  tls_context context_;
  std::string host_;
  ssl_session_st* session_ = nullptr;
};

/// To whom a client connects.
struct tls_target {
  std::string_view host;  ///< must be in the server's certificate: a name, which is told the server, or an address
  tls_memory* memory = nullptr;  ///< none: nothing is resumed
};

/// TLS on the descriptor of a socket: OpenSSL reads and writes through the socket's own plain calls, so readiness stays
/// what it is, and no byte is copied once more.
///
/// Why a BIO of our own below OpenSSL: its own writes raise SIGPIPE, know no MSG_MORE, and ask the kernel once more
/// after each short read.
///
/// Threads: the socket's.
class tls_session {
 public:
  tls_session(socket& below, const tls_context& context);                            ///< the server's side
  tls_session(socket& below, const tls_context& context, const tls_target& target);  ///< the client's
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;
  ~tls_session();

  enum class progress : std::uint8_t { done, wants_read, wants_write, failed };
  [[nodiscard]] progress shake_hands();

  /// As the socket's calls. `end` is one that the peer has announced: a connection that just ends was cut (RFC 8446
  /// section 6.1), which is `reset`.
  [[nodiscard]] io_result read(std::span<char> into);
  /// After `would_block` the same bytes have to be offered again, more may follow them.
  [[nodiscard]] io_result write(std::span<const char> bytes, bool more_follows);
  /// Whether bytes or an end of what the peer sends can be read now.
  [[nodiscard]] bool has_unread();
  /// Announces our end. False: it has to wait until the socket is writable.
  [[nodiscard]] bool send_end();

  /// Whether the next `read`, or `write`, may go on, as far as is known without a call.
  [[nodiscard]] bool can_read() const;
  [[nodiscard]] bool can_write() const;
  [[nodiscard]] bool write_wants_read() const { return write_wants_read_; }

  /// Why it failed, in the handshake or later; a server may refuse a client's certificate after the client's handshake.
  [[nodiscard]] const tls_outcome& outcome() const { return outcome_; }

  [[nodiscard]] std::string_view version() const;      ///< `TLSv1.3`
  [[nodiscard]] std::string_view cipher() const;       ///< OpenSSL's name
  [[nodiscard]] std::string_view protocol() const;     ///< as ALPN agreed; empty: none
  [[nodiscard]] std::string_view server_name() const;  ///< that the client asked for; empty: none
  [[nodiscard]] bool is_resumed() const;
  /// Who the peer is; null where it showed no certificate, or nobody verified it. Holds as long as the session.
  [[nodiscard]] const tls_identity* peer();

 private:
  struct descriptor_bio;
  struct hooks;
  friend void remember_sessions(ssl_ctx_st*);

  [[nodiscard]] io_result settle(int returned, bool reading);
  void note_failure();
  void keep(ssl_session_st* resumable);

  socket& socket_;
  ssl_st* ssl_ = nullptr;
  tls_memory* memory_ = nullptr;
  std::unique_ptr<tls_identity> peer_;
  tls_outcome outcome_;
  bool read_blocked_ = false;      // the last read found no whole record
  bool read_wants_write_ = false;  // it has to send something first; OpenSSL 3.0 leaves that to the next write
  bool write_wants_read_ = false;
  bool more_follows_ = false;
  bool failed_ = false;
  bool ended_ = false;        // the peer has announced its end
  bool below_ended_ = false;  // the connection has ended
  bool end_sent_ = false;
};

/// Secures a connection that was accepted: afterwards the socket's calls carry what is inside. The descriptor is as it
/// was where this fails, but for an alert that went out; it is fit for closing then.
///
/// Errors: every fault. Cost: a handshake keeps its reactor for 0.3 ms (P-256) to 2 ms (RSA 2048).
[[nodiscard]] task<tls_outcome> accept_tls(socket& on, const tls_context& context, time_point deadline);
/// The same for a connection that was made.
[[nodiscard]] task<tls_outcome> connect_tls(socket& on, const tls_context& context, tls_target target,
                                            time_point deadline);

/// Has a client's context hand what can be resumed to the memory of its session.
void remember_sessions(ssl_ctx_st* context);

}  // namespace cellroute::io
