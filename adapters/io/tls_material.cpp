#include "adapters/io/tls_material.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <optional>
#include <string_view>

namespace cellroute::io::detail {
namespace {

/// Never asks a terminal for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

bio_handle reader_of(const std::string& text) {
  return bio_handle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string calendar_text(wall_time at) {
  const time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(at));
  tm parts{};
  (void)::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min);
}

std::optional<std::string> text_of(const ASN1_IA5STRING* text) {
  const std::string_view bytes(static_cast<const char*>(static_cast<const void*>(ASN1_STRING_get0_data(text))),
                               static_cast<std::size_t>(ASN1_STRING_length(text)));
  if (bytes.find('\0') != std::string_view::npos) return std::nullopt;
  return std::string(bytes);
}

std::vector<std::string> host_names_of(X509* certificate) {
  std::vector<std::string> found;
  const names_handle names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    if (auto text = text_of(name->d.dNSName)) found.push_back(*std::move(text));
  }
  return found;
}

/// Says when it counts, if that is not now.
void check_time(X509* certificate, const std::string& file, const std::string& field, wall_time now, tls_material& into,
                tls_findings& findings) {
  const std::optional<wall_time> begin = instant_of(X509_get0_notBefore(certificate));
  const std::optional<wall_time> end = instant_of(X509_get0_notAfter(certificate));
  if (!begin || !end) {
    findings.add(field, fmt::format("{}: says no time for which the certificate is valid; get another one", file));
    return;
  }
  into.facts.not_after = *end;
  if (now < *begin) {
    findings.add(field, fmt::format("{}: the certificate is valid from {} only; check the clock, or wait", file,
                                    calendar_text(*begin)));
  } else if (now > *end) {
    findings.add(field, fmt::format("{}: the certificate has expired at {}; renew it", file, calendar_text(*end)));
  }
}

key_handle load_key(const std::string& file, const std::string& field, tls_findings& findings) {
  expected<marked_text, std::string> read = read_marked_file(file, file_secrecy::secret);
  if (!read) {
    findings.marks.push_back(mark_of(file));
    findings.add(field, read.error());
    return {};
  }
  findings.marks.push_back(read->mark);
  const bool is_encrypted = read->text.find("ENCRYPTED") != std::string::npos;
  ERR_clear_error();
  key_handle key(PEM_read_bio_PrivateKey(reader_of(read->text).get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(read->text.data(), read->text.size());
  if (key == nullptr && is_encrypted) {
    findings.add(field, fmt::format("{}: the key is encrypted; store it without a passphrase, closed to others "
                                    "(openssl pkey -in {} -out FILE)",
                                    file, file));
  } else if (key == nullptr) {
    findings.add(field, fmt::format("{}: holds no private key in PEM form ({}); it begins with "
                                    "-----BEGIN PRIVATE KEY-----",
                                    file, openssl_reason()));
  }
  ERR_clear_error();
  return key;
}

}  // namespace

std::optional<wall_time> instant_of(const ASN1_TIME* at) {
  tm parts{};
  if (at == nullptr || ASN1_TIME_to_tm(at, &parts) != 1) return std::nullopt;
  constexpr time_t last = 9'000'000'000;  // the year 2255: what a clock of nanoseconds can hold
  const time_t seconds = std::min(::timegm(&parts), last);
  return wall_time(std::chrono::seconds(seconds));
}

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : code == 0 ? "no reason given" : fmt::format("error {:x}", code);
  ERR_clear_error();
  return text;
}

certificates_handle load_certificates(const std::string& file, const std::string& field, tls_findings& findings) {
  const expected<marked_text, std::string> read = read_marked_file(file, file_secrecy::open);
  if (!read) {
    findings.marks.push_back(mark_of(file));
    findings.add(field, read.error());
    return {};
  }
  findings.marks.push_back(read->mark);
  certificates_handle list(sk_X509_new_null());
  const bio_handle reader = reader_of(read->text);
  ERR_clear_error();
  for (;;) {
    certificate_handle next(PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr));
    if (next == nullptr) break;
    sk_X509_push(list.get(), next.release());
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const int count = sk_X509_num(list.get());
  if (at_end && count > 0) {
    ERR_clear_error();
    return list;
  }
  findings.add(field, count == 0 && at_end ? fmt::format("{}: holds no certificate in PEM form; it begins with "
                                                         "-----BEGIN CERTIFICATE-----",
                                                         file)
                                           : fmt::format("{}: certificate {} in it is damaged ({}); replace the file",
                                                         file, count + 1, openssl_reason()));
  ERR_clear_error();
  return {};
}

tls_material load_material(const tls_certificate_files& files, const std::string& at, wall_time now,
                           tls_findings& findings) {
  tls_material made;
  const std::string cert_field = at + "cert_file";
  const std::string key_field = at + "key_file";
  made.facts.file = files.cert_file;
  made.chain = load_certificates(files.cert_file, cert_field, findings);
  made.key = load_key(files.key_file, key_field, findings);
  if (made.chain == nullptr) return made;
  made.certificate.reset(sk_X509_shift(made.chain.get()));
  check_time(made.certificate.get(), files.cert_file, cert_field, now, made, findings);
  made.facts.names = files.names.empty() ? host_names_of(made.certificate.get()) : files.names;
  if (made.key != nullptr && X509_check_private_key(made.certificate.get(), made.key.get()) != 1) {
    findings.add(key_field,
                 fmt::format("{}: is not the key of the certificate in {}; name the two that belong together",
                             files.key_file, files.cert_file));
  }
  ERR_clear_error();
  return made;
}

}  // namespace cellroute::io::detail
