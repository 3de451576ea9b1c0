#include "adapters/io/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "adapters/io/host_pattern.hpp"
#include "adapters/io/tls_material.hpp"
#include "adapters/io/tls_session.hpp"

namespace cellroute::io {
namespace {

using detail::context_handle;
using detail::tls_findings;
using detail::tls_material;

constexpr const char* ciphers_of_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr long session_seconds = 3600;

/// What belongs to an SSL_CTX of ours, and goes with it.
struct context_data {
  bool is_server = false;
  std::vector<tls_material> certificates;
  std::vector<tls_certificate_facts> facts;
  std::vector<file_mark> marks;
  std::string protocols;  // as ALPN has them: each behind its length
};

void free_data(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
  const std::unique_ptr<context_data> ended(static_cast<context_data*>(data));
}

int data_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_data);
  return index;
}

const context_data& data_of(SSL_CTX* context) {
  return *static_cast<const context_data*>(SSL_CTX_get_ex_data(context, data_index()));
}

/// The certificate for a host, where one fits better than the first.
const tls_material* find_certificate(const context_data& data, std::string_view host) {
  const tls_material* best = nullptr;
  host_fit best_fit = host_fit::none;
  for (const tls_material& m : data.certificates) {
    for (const std::string& name : m.facts.names) {
      const host_fit fit = fit_host(name, host);
      if (fit <= best_fit) continue;
      best = &m;
      best_fit = fit;
    }
  }
  return best;
}

int choose_certificate(SSL* session, void* argument) {
  const auto& data = *static_cast<const context_data*>(argument);
  const char* const host = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  const tls_material* const chosen = host == nullptr ? nullptr : find_certificate(data, host);
  if (chosen == nullptr || chosen == data.certificates.data()) return 1;
  SSL_certs_clear(session);  // the first one's key may be of another kind, and would stay beside it
  return SSL_use_cert_and_key(session, chosen->certificate.get(), chosen->key.get(), chosen->chain.get(), 1);
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void* argument) {
  const std::string& ours = static_cast<const context_data*>(argument)->protocols;
  const auto* const first = static_cast<const unsigned char*>(static_cast<const void*>(ours.data()));
  unsigned char* chosen = nullptr;
  const int outcome =
      SSL_select_next_proto(&chosen, out_size, first, static_cast<unsigned>(ours.size()), offered, offered_size);
  *out = chosen;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& name : protocols) {
    if (name.empty() || name.size() > 255) continue;
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

/// A context with what both sides have in common; null where OpenSSL itself cannot work.
context_handle make_context(const SSL_METHOD* side, tls_version version_min, tls_findings& findings) {
  ERR_clear_error();
  context_handle made(SSL_CTX_new(side));
  const int lowest = version_min == tls_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (made == nullptr || SSL_CTX_set_min_proto_version(made.get(), lowest) != 1 ||
      SSL_CTX_set_cipher_list(made.get(), ciphers_of_1_2) != 1) {
    findings.add(
        "", fmt::format("OpenSSL cannot be set up ({}); look at this system's openssl.cnf", detail::openssl_reason()));
    return {};
  }
  SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(made.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(made.get(), 1);  // a record with one call instead of two
  SSL_CTX_set_timeout(made.get(), session_seconds);
  return made;
}

void use_certificate(SSL_CTX* context, const tls_material& m, const std::string& field, tls_findings& findings) {
  ERR_clear_error();
  if (SSL_CTX_use_cert_and_key(context, m.certificate.get(), m.key.get(), m.chain.get(), 1) == 1) return;
  findings.add(field, fmt::format("{}: cannot be used: {}; get a certificate that is stronger or of another kind",
                                  m.facts.file, detail::openssl_reason()));
}

/// Makes the certificates of a file those that are believed. Their names, for a server to tell its clients.
void trust(SSL_CTX* context, const std::string& file, const std::string& field, bool tell, tls_findings& findings) {
  const detail::certificates_handle authorities = detail::load_certificates(file, field, findings);
  if (authorities == nullptr) return;
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (int i = 0; i < sk_X509_num(authorities.get()); ++i) {
    X509* const authority = sk_X509_value(authorities.get(), i);
    if (X509_STORE_add_cert(store, authority) != 1 || (tell && SSL_CTX_add_client_CA(context, authority) != 1)) {
      findings.add(field, fmt::format("{}: certificate {} in it cannot be used ({}); replace it", file, i + 1,
                                      detail::openssl_reason()));
    }
  }
}

void ask_clients(SSL_CTX* context, const tls_server_options& options, tls_findings& findings) {
  if (options.clients == client_auth::off) {
    if (!options.client_ca_file.empty()) {
      findings.add("client_auth.ca_file", "has no effect while client_auth.mode is off; set the mode, or remove it");
    }
    return;
  }
  if (options.client_ca_file.empty()) {
    findings.add("client_auth.ca_file", "is missing; name the file of those who sign the clients' certificates");
    return;
  }
  trust(context, options.client_ca_file, "client_auth.ca_file", true, findings);
  SSL_CTX_set_verify(context,
                     SSL_VERIFY_PEER | (options.clients == client_auth::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  // A ticket would speak for its client after the certificate has ended.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  (void)SSL_CTX_set_num_tickets(context, 0);
}

/// Hands the data over to the context.
void attach(SSL_CTX* context, std::unique_ptr<context_data> data, tls_findings& findings) {
  for (const tls_material& m : data->certificates) data->facts.push_back(m.facts);
  data->marks = std::move(findings.marks);
  if (SSL_CTX_set_ex_data(context, data_index(), data.get()) == 1) (void)data.release();
}

}  // namespace

tls_context::tls_context(const tls_context& other) : native_(other.native_) {
  if (native_ != nullptr) (void)SSL_CTX_up_ref(native_);
}

tls_context::~tls_context() { SSL_CTX_free(native_); }

bool tls_context::is_server() const { return native_ != nullptr && data_of(native_).is_server; }

const std::vector<tls_certificate_facts>& tls_context::certificates() const { return data_of(native_).facts; }

bool tls_context::have_files_changed() const {
  return native_ != nullptr &&
         std::ranges::any_of(data_of(native_).marks, [](const file_mark& mark) { return mark_of(mark.file) != mark; });
}

expected<tls_context, tls_mistakes> make_tls_server(const tls_server_options& options, wall_time now) {
  tls_findings findings;
  auto data = std::make_unique<context_data>();
  data->is_server = true;
  data->protocols = wire_form(options.protocols);
  if (options.certificates.empty()) findings.add("certificates", "must have at least one item");
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    const std::string at = fmt::format("certificates[{}].", i);
    data->certificates.push_back(detail::load_material(options.certificates[i], at, now, findings));
  }
  context_handle made = make_context(TLS_server_method(), options.version_min, findings);
  if (made != nullptr) ask_clients(made.get(), options, findings);
  if (!findings.mistakes.empty()) return unexpected(std::move(findings.mistakes));

  use_certificate(made.get(), data->certificates[0], "certificates[0].cert_file", findings);
  for (std::size_t i = 1; i < data->certificates.size(); ++i) {
    // Tried on a context that goes at once: a session gets these by its host.
    const context_handle trial = make_context(TLS_server_method(), options.version_min, findings);
    if (trial == nullptr) break;
    use_certificate(trial.get(), data->certificates[i], fmt::format("certificates[{}].cert_file", i), findings);
  }
  if (!findings.mistakes.empty()) return unexpected(std::move(findings.mistakes));
  static constexpr unsigned char sessions_of[] = "cellroute";
  (void)SSL_CTX_set_session_id_context(made.get(), sessions_of, sizeof sessions_of - 1);
  SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);  // tickets hold all that is remembered
  SSL_CTX_set_cert_cb(made.get(), choose_certificate, data.get());
  if (!data->protocols.empty()) SSL_CTX_set_alpn_select_cb(made.get(), choose_protocol, data.get());
  attach(made.get(), std::move(data), findings);
  return tls_context(made.release());
}

expected<tls_context, tls_mistakes> make_tls_client(const tls_client_options& options, wall_time now) {
  tls_findings findings;
  auto data = std::make_unique<context_data>();
  data->protocols = wire_form(options.protocols);
  context_handle made = make_context(TLS_client_method(), options.version_min, findings);
  if (options.cert_file.empty() != options.key_file.empty()) {
    findings.add(options.cert_file.empty() ? "cert_file" : "key_file",
                 "is missing; a certificate and its key are named together");
  } else if (!options.cert_file.empty()) {
    const tls_certificate_files own{{}, options.cert_file, options.key_file};
    data->certificates.push_back(detail::load_material(own, "", now, findings));
  }
  if (made != nullptr && !options.ca_file.empty()) trust(made.get(), options.ca_file, "ca_file", false, findings);
  if (!findings.mistakes.empty()) return unexpected(std::move(findings.mistakes));

  if (!data->certificates.empty()) use_certificate(made.get(), data->certificates[0], "cert_file", findings);
  if (options.ca_file.empty()) (void)SSL_CTX_set_default_verify_paths(made.get());
  SSL_CTX_set_verify(made.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const auto* const first = static_cast<const unsigned char*>(static_cast<const void*>(data->protocols.data()));
  if (!data->protocols.empty() &&
      SSL_CTX_set_alpn_protos(made.get(), first, static_cast<unsigned>(data->protocols.size())) != 0) {
    findings.add("", "OpenSSL takes no protocols; give fewer");
  }
  SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  remember_sessions(made.get());
  if (!findings.mistakes.empty()) return unexpected(std::move(findings.mistakes));
  attach(made.get(), std::move(data), findings);
  return tls_context(made.release());
}

}  // namespace cellroute::io
