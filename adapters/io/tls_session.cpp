#include "adapters/io/tls_session.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "adapters/io/address.hpp"
#include "adapters/io/openssl_handles.hpp"

namespace cellroute::io {
namespace {

constexpr std::size_t record_bytes_max = 16384;  // RFC 8446 section 5.1

bool is_nothing_in_common(int reason) {
  switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return true;
    default:
      return false;
  }
}

tls_fault fault_of(int reason) {
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return tls_fault::certificate_refused;
  }
  if (reason > SSL_AD_REASON_OFFSET) return tls_fault::refused_by_peer;
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return tls_fault::closed;
  return is_nothing_in_common(reason) ? tls_fault::nothing_in_common : tls_fault::malformed;
}

std::string subject_of(X509* certificate) {
  const detail::bio_handle text(BIO_new(BIO_s_mem()));
  (void)X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

/// The one common name of a subject.
std::string common_name_of(X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string text(static_cast<const char*>(static_cast<const void*>(bytes)), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return text.find('\0') == std::string::npos ? text : std::string();
}

/// Adds a name, unless it has a byte in it that ends a text elsewhere.
void add_name(const ASN1_IA5STRING* name, std::vector<std::string>& to) {
  const char* const bytes = static_cast<const char*>(static_cast<const void*>(ASN1_STRING_get0_data(name)));
  std::string text(bytes, static_cast<std::size_t>(ASN1_STRING_length(name)));
  if (text.find('\0') == std::string::npos) to.push_back(std::move(text));
}

tls_identity identity_of(X509* certificate) {
  tls_identity made;
  made.subject = subject_of(certificate);
  made.common_name = common_name_of(certificate);
  const detail::names_handle names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) add_name(name->d.dNSName, made.dns_names);
    if (name->type == GEN_URI) add_name(name->d.uniformResourceIdentifier, made.uris);
    if (name->type == GEN_EMAIL) add_name(name->d.rfc822Name, made.emails);
  }
  return made;
}

std::string_view view_of(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

}  // namespace

/// What OpenSSL calls for bytes: the socket's plain calls.
struct tls_session::descriptor_bio {
  static tls_session& of(BIO* bio) { return *static_cast<tls_session*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    tls_session& s = of(bio);
    BIO_clear_retry_flags(bio);
    const io_result got = s.socket_.read_plain({into, static_cast<std::size_t>(size)});
    if (got.status == io_status::ok) return static_cast<int>(got.size_bytes);
    if (got.status == io_status::would_block) BIO_set_retry_read(bio);
    if (got.status == io_status::end) s.below_ended_ = true;
    return got.status == io_status::end ? 0 : -1;
  }
  static int write(BIO* bio, const char* bytes, int size) {
    tls_session& s = of(bio);
    BIO_clear_retry_flags(bio);
    const io_result sent = s.socket_.write_plain({bytes, static_cast<std::size_t>(size)}, s.more_follows_);
    if (sent.status == io_status::ok) return static_cast<int>(sent.size_bytes);
    if (sent.status == io_status::would_block) BIO_set_retry_write(bio);
    return -1;
  }
  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && of(bio).below_ended_ ? 1 : 0;
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cellroute socket");
      (void)BIO_meth_set_read(m, read);
      (void)BIO_meth_set_write(m, write);
      (void)BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

/// What OpenSSL calls for other things.
struct tls_session::hooks {
  static int on_new_session(SSL* ssl, SSL_SESSION* resumable) {
    auto* const session = static_cast<tls_session*>(SSL_get_app_data(ssl));
    if (session == nullptr || session->memory_ == nullptr) return 0;
    session->keep(resumable);
    return 1;  // it is ours now
  }
};

std::string_view to_string(tls_fault fault) {
  switch (fault) {
    case tls_fault::none:
      return "none";
    case tls_fault::timed_out:
      return "timed_out";
    case tls_fault::cancelled:
      return "cancelled";
    case tls_fault::closed:
      return "closed";
    case tls_fault::nothing_in_common:
      return "nothing_in_common";
    case tls_fault::certificate_refused:
      return "certificate_refused";
    case tls_fault::refused_by_peer:
      return "refused_by_peer";
    case tls_fault::malformed:
      return "malformed";
  }
  return {};
}

void tls_memory::forget() {
  SSL_SESSION_free(std::exchange(session_, nullptr));
  context_ = {};
  host_.clear();
}

void tls_session_releaser::operator()(tls_session* session) const { const std::unique_ptr<tls_session> ended(session); }

tls_session::tls_session(socket& below, const tls_context& context) : socket_(below), ssl_(SSL_new(context.native())) {
  BIO* const bio = BIO_new(descriptor_bio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  SSL_set_accept_state(ssl_);
}

tls_session::tls_session(socket& below, const tls_context& context, const tls_target& target)
    : tls_session(below, context) {
  SSL_set_connect_state(ssl_);
  const std::string host(target.host);
  if (parse_address(host, 0)) {
    (void)X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
  } else {
    (void)SSL_set_tlsext_host_name(ssl_, host.c_str());
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    (void)SSL_set1_host(ssl_, host.c_str());
  }
  memory_ = target.memory;
  if (memory_ == nullptr) return;
  if (memory_->context_ == context && memory_->host_ == host) {
    if (memory_->session_ != nullptr) (void)SSL_set_session(ssl_, memory_->session_);
  } else {
    memory_->forget();
    memory_->context_ = context;
    memory_->host_ = host;
  }
}

tls_session::~tls_session() {
  // OpenSSL takes a session whose end was not announced for one that must not be resumed; TLS does so no more.
  if (!failed_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN);
  SSL_free(ssl_);
}

void tls_session::keep(ssl_session_st* resumable) { SSL_SESSION_free(std::exchange(memory_->session_, resumable)); }

void remember_sessions(ssl_ctx_st* context) { SSL_CTX_sess_set_new_cb(context, tls_session::hooks::on_new_session); }

tls_session::progress tls_session::shake_hands() {
  if (failed_) return progress::failed;
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_);
  read_wants_write_ = write_wants_read_ = false;
  if (done == 1) {
    read_blocked_ = false;
    return progress::done;
  }
  switch (SSL_get_error(ssl_, done)) {
    case SSL_ERROR_WANT_READ:
      read_blocked_ = true;
      return progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return progress::wants_write;
    default:
      note_failure();
      return progress::failed;
  }
}

void tls_session::note_failure() {
  failed_ = true;
  if (outcome_.fault != tls_fault::none) return;
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  outcome_.fault = ERR_GET_LIB(code) == ERR_LIB_SSL ? fault_of(reason) : tls_fault::malformed;
  if (code == 0) outcome_.fault = tls_fault::closed;  // the connection broke below
  outcome_.details = code == 0 ? "the connection was reset" : std::string(view_of(ERR_reason_error_string(code)));
  const long verdict = SSL_get_verify_result(ssl_);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
    outcome_.details += ": " + std::string(view_of(X509_verify_cert_error_string(verdict)));
  }
  ERR_clear_error();
}

/// What a call of OpenSSL that moved nothing means for the socket.
io_result tls_session::settle(int returned, bool reading) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      (reading ? read_blocked_ : write_wants_read_) = true;
      return {io_status::would_block, 0};
    case SSL_ERROR_WANT_WRITE:
      if (reading) read_blocked_ = read_wants_write_ = true;
      return {io_status::would_block, 0};
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return {io_status::end, 0};
    default:
      note_failure();
      return {io_status::reset, 0};
  }
}

io_result tls_session::read(std::span<char> into) {
  if (failed_) return {io_status::reset, 0};
  if (ended_) return {io_status::end, 0};
  if (!can_read()) return {io_status::would_block, 0};
  std::size_t size_bytes = 0;
  while (size_bytes < into.size()) {  // a record is 16 KiB at most; whoever reads has more room
    std::size_t got = 0;
    ERR_clear_error();
    read_blocked_ = read_wants_write_ = false;
    const int done = SSL_read_ex(ssl_, into.data() + size_bytes, into.size() - size_bytes, &got);
    if (done != 1) {
      const io_result outcome = settle(done, true);
      if (size_bytes == 0) return outcome;
      break;  // told by the next call
    }
    size_bytes += got;
    write_wants_read_ = false;  // what it waited for may have come along
  }
  return {io_status::ok, size_bytes};
}

io_result tls_session::write(std::span<const char> bytes, bool more_follows) {
  if (failed_) return {io_status::reset, 0};
  if (!can_write()) return {io_status::would_block, 0};
  std::size_t size_bytes = 0;
  while (size_bytes < bytes.size()) {
    const std::span<const char> rest = bytes.subspan(size_bytes);
    std::size_t sent = 0;
    ERR_clear_error();
    write_wants_read_ = false;
    more_follows_ = more_follows || rest.size() > record_bytes_max;
    const int done = SSL_write_ex(ssl_, rest.data(), rest.size(), &sent);
    more_follows_ = false;
    if (done != 1) {
      const io_result outcome = settle(done, false);
      if (size_bytes == 0) return outcome;
      break;
    }
    size_bytes += sent;
  }
  return {io_status::ok, size_bytes};
}

bool tls_session::has_unread() {
  if (failed_ || ended_) return true;
  if (!can_read()) return false;
  char byte = 0;
  std::size_t got = 0;
  ERR_clear_error();
  read_blocked_ = read_wants_write_ = false;
  const int done = SSL_peek_ex(ssl_, &byte, 1, &got);
  return done == 1 || settle(done, true).status != io_status::would_block;
}

bool tls_session::send_end() {
  if (failed_ || end_sent_) return true;  // once more, and OpenSSL would read
  ERR_clear_error();
  const int done = SSL_shutdown(ssl_);
  end_sent_ = done >= 0 || SSL_get_error(ssl_, done) != SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return end_sent_;
}

bool tls_session::can_read() const {
  if (!read_blocked_ || failed_ || ended_) return true;
  return read_wants_write_ ? socket_.writable_ : socket_.readable_;
}

bool tls_session::can_write() const { return failed_ || (write_wants_read_ ? socket_.readable_ : socket_.writable_); }

std::string_view tls_session::version() const { return view_of(SSL_get_version(ssl_)); }
std::string_view tls_session::cipher() const { return view_of(SSL_get_cipher_name(ssl_)); }

std::string_view tls_session::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {static_cast<const char*>(static_cast<const void*>(name)), size};
}

std::string_view tls_session::server_name() const {
  return view_of(SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name));
}

bool tls_session::is_resumed() const { return SSL_session_reused(ssl_) == 1; }

const tls_identity* tls_session::peer() {
  if (peer_ != nullptr) return peer_.get();
  X509* const certificate = SSL_get0_peer_certificate(ssl_);
  const bool verified = SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl_) == X509_V_OK;
  if (certificate == nullptr || !verified) return nullptr;
  peer_ = std::make_unique<tls_identity>(identity_of(certificate));
  ERR_clear_error();
  return peer_.get();
}

namespace {

task<tls_outcome> shake_hands(socket& on, time_point deadline) {
  for (;;) {
    const tls_session::progress step = on.tls()->shake_hands();
    if (step == tls_session::progress::done) co_return tls_outcome{};
    if (step == tls_session::progress::failed) {
      tls_outcome failed = on.tls()->outcome();
      on.end_tls();
      co_return failed;
    }
    io_status waited{};
    if (step == tls_session::progress::wants_read) {
      waited = co_await on.readable(deadline);
    } else {
      waited = co_await on.writable(deadline);
    }
    if (waited == io_status::ok) continue;
    on.end_tls();
    tls_outcome ended;
    ended.fault = waited == io_status::timed_out ? tls_fault::timed_out : tls_fault::cancelled;
    ended.details = waited == io_status::timed_out ? "the handshake did not end in time" : "the handshake was given up";
    co_return ended;
  }
}

}  // namespace

task<tls_outcome> accept_tls(socket& on, const tls_context& context, time_point deadline) {
  on.begin_tls(std::make_unique<tls_session>(on, context));
  co_return co_await shake_hands(on, deadline);
}

task<tls_outcome> connect_tls(socket& on, const tls_context& context, tls_target target, time_point deadline) {
  on.begin_tls(std::make_unique<tls_session>(on, context, target));
  co_return co_await shake_hands(on, deadline);
}

}  // namespace cellroute::io
