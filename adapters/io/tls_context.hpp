#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/io/tls_files.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

struct ssl_ctx_st;

namespace cellroute::io {

enum class tls_version : std::uint8_t { tls_1_2, tls_1_3 };

/// Whether a server asks its clients for a certificate. `optional`: one that is shown must be good.
enum class client_auth : std::uint8_t { off, optional, required };

struct tls_certificate_files {
  std::vector<std::string> names{};  ///< hosts, as for `fit_host`; none: those that the certificate has
  std::string cert_file{};           ///< PEM: the certificate, then those between it and its authority
  std::string key_file{};            ///< PEM, without a passphrase, closed to others
};

struct tls_server_options {
  std::vector<tls_certificate_files> certificates{};  ///< the first also serves hosts that no other has
  client_auth clients = client_auth::off;
  std::string client_ca_file{};  ///< PEM: who may have signed a client's certificate
  tls_version version_min = tls_version::tls_1_2;
  std::vector<std::string> protocols{};  ///< of ALPN, the preferred one first; none: whatever a client names
};

struct tls_client_options {
  std::string ca_file{};    ///< PEM: who may have signed a server's certificate; empty: the authorities of this system
  std::string cert_file{};  ///< our own certificate; empty: none
  std::string key_file{};
  tls_version version_min = tls_version::tls_1_2;
  std::vector<std::string> protocols{};
  bool verify = true;  ///< false: whoever answers is believed
};

/// One thing that is wrong with TLS options or the files that they name.
struct tls_mistake {
  std::string field;  ///< where in the options, in the words of a configuration: `certificates[1].key_file`
  std::string what;   ///< the file, what is wrong with it, and what to do
  friend bool operator==(const tls_mistake&, const tls_mistake&) = default;
};
using tls_mistakes = std::vector<tls_mistake>;

struct tls_certificate_facts {
  std::string file;
  std::vector<std::string> names;
  wall_time not_after;
};

/// What the TLS connections of a listener, or those to one kind of peer, have in common: certificates, whom to believe,
/// which versions. Immutable; a reload makes another one, and each connection keeps the one that it began with.
///
/// A handle: copies share, and OpenSSL counts them. Threads: any.
class tls_context {
 public:
  tls_context() = default;
  tls_context(const tls_context& other);
  tls_context(tls_context&& other) noexcept : native_(std::exchange(other.native_, nullptr)) {}
  tls_context& operator=(tls_context other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~tls_context();

  [[nodiscard]] explicit operator bool() const { return native_ != nullptr; }
  [[nodiscard]] bool is_server() const;
  /// Its own certificates.
  [[nodiscard]] const std::vector<tls_certificate_facts>& certificates() const;
  /// Whether a file that it was made of is another one now, or gone. Cost: a call of the system a file.
  [[nodiscard]] bool have_files_changed() const;

  /// OpenSSL's own; lent.
  [[nodiscard]] ssl_ctx_st* native() const { return native_; }
  friend bool operator==(const tls_context&, const tls_context&) = default;  ///< the same one, not an equal one

 private:
  friend expected<tls_context, tls_mistakes> make_tls_server(const tls_server_options&, wall_time);
  friend expected<tls_context, tls_mistakes> make_tls_client(const tls_client_options&, wall_time);
  explicit tls_context(ssl_ctx_st* native) : native_(native) {}
  ssl_ctx_st* native_ = nullptr;
};

/// Reads the files and checks all of it: nothing is used that is missing, unreadable, damaged, mismatched, expired or
/// not yet valid, or too weak.
///
/// TLS 1.2 and 1.3; of 1.2 only what has forward secrecy and authenticated encryption; no renegotiation, no
/// compression, no early data. Sessions are resumed by tickets whose keys live as long as the context; where clients
/// show certificates nothing is resumed, so that each connection is verified anew.
///
/// Errors: every mistake.
[[nodiscard]] expected<tls_context, tls_mistakes> make_tls_server(const tls_server_options& options, wall_time now);
/// The same for the other side.
[[nodiscard]] expected<tls_context, tls_mistakes> make_tls_client(const tls_client_options& options, wall_time now);

}  // namespace cellroute::io
