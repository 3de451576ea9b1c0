#pragma once

// Owners of what OpenSSL hands out. For sources alone: no public header here shows OpenSSL.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace cellroute::io::detail {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* owned) const {
    Free(owned);
  }
};

inline void free_certificates(STACK_OF(X509) * list) { sk_X509_pop_free(list, X509_free); }

inline void free_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }

using bio_handle = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using certificate_handle = std::unique_ptr<X509, freed_by<X509_free>>;
using certificates_handle = std::unique_ptr<STACK_OF(X509), freed_by<free_certificates>>;
using names_handle = std::unique_ptr<GENERAL_NAMES, freed_by<free_names>>;
using key_handle = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using context_handle = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;

}  // namespace cellroute::io::detail
