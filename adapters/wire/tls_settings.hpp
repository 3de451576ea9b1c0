#pragma once

#include <string>
#include <vector>

namespace cellroute::wire {

enum class tls_version { v1_2, v1_3 };

/// Whether clients are asked for a certificate. `optional`: one that is shown must be good.
enum class client_auth_mode { off, optional, required };

/// Files are as written: whoever opens them starts at the folder of the configuration.
struct tls_certificate_settings {
  std::vector<std::string> names;  ///< hosts, `*.` for any one label; none: those that the certificate has
  std::string cert_file;
  std::string key_file;
  friend bool operator==(const tls_certificate_settings&, const tls_certificate_settings&) = default;
};

struct client_auth_settings {
  client_auth_mode mode = client_auth_mode::off;
  std::string ca_file;
  friend bool operator==(const client_auth_settings&, const client_auth_settings&) = default;
};

/// A listener's `tls`.
struct listener_tls_settings {
  tls_version version_min = tls_version::v1_2;
  std::vector<tls_certificate_settings> certificates;  ///< the first also serves hosts that no other has
  client_auth_settings client_auth;
  friend bool operator==(const listener_tls_settings&, const listener_tls_settings&) = default;
};

/// The `tls` of a link that this process makes itself.
struct link_tls_settings {
  std::string ca_file;    ///< empty: the authorities of the system
  std::string cert_file;  ///< our own; empty: none
  std::string key_file;
  std::string server_name;  ///< that the certificate must have; empty: the host of the address
  friend bool operator==(const link_tls_settings&, const link_tls_settings&) = default;
};

}  // namespace cellroute::wire
