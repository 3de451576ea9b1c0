#pragma once

// Certificates and keys as they come from files. For sources alone: shows OpenSSL.

#include <optional>
#include <string>
#include <vector>

#include "adapters/io/openssl_handles.hpp"
#include "adapters/io/tls_context.hpp"

namespace cellroute::io::detail {

/// A certificate with all that speaks for it.
struct tls_material {
  certificate_handle certificate;
  certificates_handle chain;
  key_handle key;
  tls_certificate_facts facts;
};

/// Collects what is wrong, and the marks of all files that were looked at.
struct tls_findings {
  tls_mistakes mistakes;
  std::vector<file_mark> marks;

  void add(std::string field, std::string what) { mistakes.push_back({std::move(field), std::move(what)}); }
};

/// Reads a certificate and its key; `at` begins the names of the fields. Errors: mistakes are added, and what is
/// returned must not be used then.
[[nodiscard]] tls_material load_material(const tls_certificate_files& files, const std::string& at, wall_time now,
                                         tls_findings& findings);

/// Reads all certificates of a file. Errors: as `load_material`; the list is null then.
[[nodiscard]] certificates_handle load_certificates(const std::string& file, const std::string& field,
                                                    tls_findings& findings);

/// An instant of a certificate; empty where it makes no sense.
[[nodiscard]] std::optional<wall_time> instant_of(const ASN1_TIME* at);

/// Why OpenSSL refused its last call, for people; empties its list of errors.
[[nodiscard]] std::string openssl_reason();

}  // namespace cellroute::io::detail
