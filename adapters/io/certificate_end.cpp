#include "adapters/io/certificate_end.hpp"

#include <openssl/x509.h>

#include <algorithm>

#include "adapters/io/tls_material.hpp"

namespace cellroute::io {

std::optional<wall_time> certificate_end(const std::string& file) {
  detail::tls_findings ignored;
  const detail::certificates_handle all = detail::load_certificates(file, "", ignored);
  std::optional<wall_time> first;
  for (int i = 0; all != nullptr && i < sk_X509_num(all.get()); ++i) {
    const auto end = detail::instant_of(X509_get0_notAfter(sk_X509_value(all.get(), i)));
    if (end) first = first ? std::min(*first, *end) : *end;
  }
  return first;
}

}  // namespace cellroute::io
