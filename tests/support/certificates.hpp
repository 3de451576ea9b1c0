#pragma once

// Certificates made while a test runs, so that none is stored, and none expires.

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::support {

struct free_key {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct free_certificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using owned_key = std::unique_ptr<EVP_PKEY, free_key>;
using owned_certificate = std::unique_ptr<X509, free_certificate>;

/// What a certificate says.
struct certificate_words {
  std::string subject = "somebody";    ///< the common name
  std::string alternative_names = "";  ///< as openssl.cnf has them: `DNS:a.test,URI:spiffe://x/y`
  long valid_from_s = -3600;           ///< from now
  long valid_until_s = 3600;
  bool is_authority = false;
  bool is_rsa = false;  ///< 2048 bits; otherwise P-256
};

/// A certificate and its key.
struct certificate {
  owned_certificate x509;
  owned_key key;
};

namespace detail {

inline void add_extension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  REQUIRE(extension != nullptr);
  REQUIRE(X509_add_ext(to, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

inline void name(X509* certificate, const std::string& subject) {
  const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(subject.data()));
  REQUIRE(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, bytes,
                                     static_cast<int>(subject.size()), -1, 0) == 1);
}

/// A file that is closed again at the end.
struct written_file {
  std::FILE* file;
  explicit written_file(const std::string& path) : file(std::fopen(path.c_str(), "w")) { REQUIRE(file != nullptr); }
  written_file(const written_file&) = delete;
  written_file& operator=(const written_file&) = delete;
  ~written_file() { (void)std::fclose(file); }
};

}  // namespace detail

/// Makes one that `issuer` signs; null: it signs itself.
[[nodiscard]] inline certificate make_certificate(const certificate_words& words, const certificate* issuer = nullptr) {
  static long serial = 1;
  certificate made;
  made.key.reset(words.is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  made.x509.reset(X509_new());
  X509* const x = made.x509.get();
  REQUIRE(made.key != nullptr);
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), words.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(x), words.valid_until_s);
  detail::name(x, words.subject);
  X509* const signer = issuer == nullptr ? x : issuer->x509.get();
  X509_set_issuer_name(x, X509_get_subject_name(signer));
  X509_set_pubkey(x, made.key.get());
  if (words.is_authority) {
    detail::add_extension(x, signer, NID_basic_constraints, "critical,CA:TRUE");
    detail::add_extension(x, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  if (!words.alternative_names.empty()) {
    detail::add_extension(x, signer, NID_subject_alt_name, words.alternative_names);
  }
  REQUIRE(X509_sign(x, issuer == nullptr ? made.key.get() : issuer->key.get(), EVP_sha256()) > 0);
  return made;
}

/// Writes certificates behind each other; returns the path.
inline std::string write_certificates(const std::string& path, std::initializer_list<const certificate*> chain) {
  const detail::written_file out(path);
  for (const certificate* c : chain) REQUIRE(PEM_write_X509(out.file, c->x509.get()) == 1);
  return path;
}

/// Writes a key, closed to others; returns the path.
inline std::string write_key(const std::string& path, const certificate& of, const char* passphrase = nullptr) {
  {
    const detail::written_file out(path);
    const auto* const word = static_cast<const unsigned char*>(static_cast<const void*>(passphrase));
    REQUIRE(PEM_write_PKCS8PrivateKey(out.file, of.key.get(), passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
                                      nullptr, 0, nullptr, const_cast<unsigned char*>(word)) == 1);
  }
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  return path;
}

/// An authority, and what it has signed, as files in a folder that goes with it.
class certificate_folder {
 public:
  explicit certificate_folder(const std::string& authority = "test authority")
      : authority_(make_certificate({.subject = authority, .is_authority = true})) {
    write_certificates(authority_file(), {&authority_});
  }

  /// Signs a certificate and writes it as NAME.pem and NAME.key.
  void add(const std::string& name, const certificate_words& words) {
    const certificate made = make_certificate(words, &authority_);
    write_certificates(certificate_file(name), {&made});
    write_key(key_file(name), made);
  }
  [[nodiscard]] std::string authority_file() const { return folder_.file("ca.pem"); }
  [[nodiscard]] std::string certificate_file(const std::string& name) const { return folder_.file(name + ".pem"); }
  [[nodiscard]] std::string key_file(const std::string& name) const { return folder_.file(name + ".key"); }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }
  [[nodiscard]] const certificate& authority() const { return authority_; }

 private:
  scratch_folder folder_;
  certificate authority_;
};

}  // namespace cellroute::support
