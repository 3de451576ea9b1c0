#pragma once

#include <string>
#include <string_view>

#include "adapters/wire/section.hpp"
#include "adapters/wire/tls_settings.hpp"

/// The `tls` blocks, once for all who have one; used as those of `schema.hpp`: `v.map("tls", settings)`.
///
/// What the files hold is for whoever opens them to say; here is what can be said without.
namespace cellroute::wire {

inline constexpr named<tls_version> tls_version_names[] = {{"1.2", tls_version::v1_2}, {"1.3", tls_version::v1_3}};
inline constexpr named<client_auth_mode> client_auth_mode_names[] = {
    {"off", client_auth_mode::off}, {"optional", client_auth_mode::optional}, {"required", client_auth_mode::required}};

/// A host name, or one that begins with `*.` for any one label; in small letters then.
[[nodiscard]] parsed<std::string> parse_host_pattern(std::string_view text);
/// The host name that a certificate must have, or an address.
[[nodiscard]] parsed<std::string> parse_server_name(std::string_view text);

/// Tells what each field alone does not show: names that two certificates have, an authority that nobody asks.
void check_together(section& at, const listener_tls_settings& tls);
void check_together(section& at, const link_tls_settings& tls);

void describe(auto& v, tls_certificate_settings& certificate) {
  v.list("names", certificate.names, parse_host_pattern);
  v.text("cert_file", certificate.cert_file);
  v.text("key_file", certificate.key_file);
  v.require("cert_file", "cert_file: certs/example.pem");
  v.require("key_file", "key_file: certs/example.key");
}

void describe(auto& v, client_auth_settings& clients) {
  v.choice("mode", clients.mode, client_auth_mode_names);
  v.text_if("ca_file", clients.ca_file);
  v.require("mode", "mode: required");
  if (clients.mode != client_auth_mode::off) v.require("ca_file", "ca_file: certs/clients.pem");
}

void describe(auto& v, listener_tls_settings& tls) {
  v.choice("min_version", tls.version_min, tls_version_names);
  v.maps("certificates", tls.certificates);
  v.map("client_auth", tls.client_auth);
  v.require("certificates", "certificates: [{cert_file: certs/example.pem, key_file: certs/example.key}]");
  v.later({"early_data"});
  if constexpr (requires { check_together(v, tls); }) check_together(v, tls);
}

void describe(auto& v, link_tls_settings& tls) {
  v.text_if("ca_file", tls.ca_file);
  v.text_if("cert_file", tls.cert_file);
  v.text_if("key_file", tls.key_file);
  if constexpr (requires { check_together(v, tls); }) {
    v.parse("server_name", tls.server_name, parse_server_name);
    check_together(v, tls);
  } else {
    v.text_if("server_name", tls.server_name);
  }
}

}  // namespace cellroute::wire
