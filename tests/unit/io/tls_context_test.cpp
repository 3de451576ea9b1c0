// What is said of TLS options and files that cannot be used; each is tried in turn beside all that is good.
#include "adapters/io/tls_context.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/certificates.hpp"
#include "tests/unit/io/tls_conversation.hpp"

namespace cellroute::io {
namespace {

void write_text(const std::string& file, std::string_view text) { std::ofstream(file) << text; }

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A folder with all kinds of files, good and bad.
struct mixed_folder : certificate_folder {
  mixed_folder() {
    add("good", {.subject = "good", .alternative_names = "DNS:good.test,DNS:www.good.test"});
    add("other", {.subject = "other", .is_rsa = true});
    add("old", {.valid_from_s = -7200, .valid_until_s = -60});
    add("future", {.valid_from_s = 600, .valid_until_s = 7200});
    support::write_key(file("encrypted.key"), support::make_certificate({}), "secret");
    support::write_key(file("open.key"), support::make_certificate({}));
    REQUIRE(::chmod(file("open.key").c_str(), 0644) == 0);
    support::write_key(file("writable.key"), support::make_certificate({}));
    REQUIRE(::chmod(file("writable.key").c_str(), 0620) == 0);
    write_text(file("shared.pem"), text_of(certificate_file("good")));
    REQUIRE(::chmod(file("shared.pem").c_str(), 0666) == 0);
    write_text(file("empty.pem"), "");
    const std::string good = text_of(certificate_file("good"));
    write_text(file("damaged.pem"), good + good.substr(0, 80) + "!" + good.substr(81));
    write_text(file("large.pem"), std::string(pem_file_bytes_max + 1, '\n'));
    REQUIRE(::mkfifo(file("pipe.pem").c_str(), 0600) == 0);
  }
  [[nodiscard]] tls_server_options good_server() const {
    tls_server_options options;
    options.certificates.push_back({{}, certificate_file("good"), key_file("good")});
    return options;
  }
};

/// All that is wrong, a line a mistake, with the folder's name taken out.
std::string said(const tls_mistakes& mistakes, const certificate_folder& folder) {
  std::string lines;
  for (const tls_mistake& m : mistakes) {
    std::string what = m.what;
    const std::string where = folder.file("");
    for (std::size_t at = what.find(where); at != std::string::npos; at = what.find(where))
      what.erase(at, where.size());
    lines += m.field + ": " + what + "\n";
  }
  return lines;
}

TEST_CASE("tls context: files that cannot be used are refused by name, with the reason and what to do") {
  struct file_case {
    std::string_view says;
    std::string cert_file;
    std::string key_file;
    std::string_view expected;  ///< begins each line, in order; nothing else is said
  };
  const std::vector<file_case> cases = {
      {"all is well", "good.pem", "good.key", ""},
      {"no certificate", "none.pem", "good.key",
       "certificates[0].cert_file: none.pem: cannot be read: No such file or directory; check the name\n"},
      {"no key", "good.pem", "none.key",
       "certificates[0].key_file: none.key: cannot be read: No such file or directory; check the name\n"},
      {"neither: both are told", "none.pem", "none.key",
       "certificates[0].cert_file: none.pem: cannot be read: No such file or directory; check the name\n"
       "certificates[0].key_file: none.key: cannot be read: No such file or directory; check the name\n"},
      {"a folder", "", "good.key", "certificates[0].cert_file: : is not a file; name one\n"},
      {"a pipe that nobody writes", "pipe.pem", "good.key",
       "certificates[0].cert_file: pipe.pem: is not a file; name one\n"},
      {"an empty file", "empty.pem", "good.key",
       "certificates[0].cert_file: empty.pem: holds no certificate in PEM form; it begins with "
       "-----BEGIN CERTIFICATE-----\n"},
      {"a key where a certificate belongs", "good.key", "good.key",
       "certificates[0].cert_file: good.key: holds no certificate in PEM form"},
      {"a certificate where a key belongs, closed to others", "good.pem", "empty.key",
       "certificates[0].key_file: empty.key: holds no private key in PEM form"},
      {"a damaged chain", "damaged.pem", "good.key",
       "certificates[0].cert_file: damaged.pem: certificate 2 in it is damaged"},
      {"far too large", "large.pem", "good.key", "certificates[0].cert_file: large.pem: is larger than 4194304 bytes"},
      {"the key of another one", "good.pem", "old.key",
       "certificates[0].key_file: old.key: is not the key of the certificate in good.pem; name the two that belong "
       "together\n"},
      {"the key of another kind", "good.pem", "other.key",
       "certificates[0].key_file: other.key: is not the key of the certificate in good.pem"},
      {"expired", "old.pem", "old.key", "certificates[0].cert_file: old.pem: the certificate has expired at "},
      {"not yet valid", "future.pem", "future.key",
       "certificates[0].cert_file: future.pem: the certificate is valid from "},
      {"a key that everybody may read", "good.pem", "open.key",
       "certificates[0].key_file: open.key: holds a private key and has the mode 0644, which lets others at it; run "
       "chmod 0600 open.key\n"},
      {"a key that its group may write", "good.pem", "writable.key",
       "certificates[0].key_file: writable.key: holds a private key and has the mode 0620, which lets others at it"},
      {"a certificate that everybody may write", "shared.pem", "good.key",
       "certificates[0].cert_file: shared.pem: has the mode 0666, which lets everybody change it; run chmod o-w "
       "shared.pem\n"},
      {"an encrypted key", "good.pem", "encrypted.key",
       "certificates[0].key_file: encrypted.key: the key is encrypted; store it without a passphrase"},
  };
  const mixed_folder folder;
  write_text(folder.file("empty.key"), text_of(folder.certificate_file("good")));
  REQUIRE(::chmod(folder.file("empty.key").c_str(), 0600) == 0);
  for (const file_case& row : cases) {
    CAPTURE(row.says);
    tls_server_options options;
    options.certificates.push_back({{}, folder.file(row.cert_file), folder.file(row.key_file)});
    const auto made = make_tls_server(options, read_wall_clock());
    CHECK(made.has_value() == row.expected.empty());
    if (!made) {
      CAPTURE(said(made.error(), folder));
      CHECK(said(made.error(), folder).starts_with(row.expected));
    }
    // A client's own certificate is held to the same.
    tls_client_options client;
    client.cert_file = folder.file(row.cert_file);
    client.key_file = folder.file(row.key_file);
    CHECK(make_tls_client(client, read_wall_clock()).has_value() == row.expected.empty());
  }
}

TEST_CASE("tls context: a key that the group may read is fine, one of another user is not") {
  const mixed_folder folder;
  REQUIRE(::chmod(folder.key_file("good").c_str(), 0640) == 0);
  CHECK(make_tls_server(folder.good_server(), read_wall_clock()).has_value());
  if (::geteuid() != 0) return;
  REQUIRE(::chown(folder.key_file("good").c_str(), 65534, 65534) == 0);
  const auto made = make_tls_server(folder.good_server(), read_wall_clock());
  REQUIRE_FALSE(made.has_value());
  CHECK(said(made.error(), folder) ==
        "certificates[0].key_file: good.key: holds a private key and belongs to the user 65534; give it to root or to "
        "the user 0 with chown\n");
}

TEST_CASE("tls context: options that contradict each other") {
  const mixed_folder folder;
  struct option_case {
    std::string_view says;
    client_auth clients;
    std::string client_ca_file;
    std::string_view expected;
  };
  const std::vector<option_case> cases = {
      {"clients are not asked", client_auth::off, "", ""},
      {"clients may show one", client_auth::optional, "ca.pem", ""},
      {"clients must show one", client_auth::required, "ca.pem", ""},
      {"nobody could have signed it", client_auth::required, "",
       "client_auth.ca_file: is missing; name the file of those who sign the clients' certificates\n"},
      {"an authority for nothing", client_auth::off, "ca.pem",
       "client_auth.ca_file: has no effect while client_auth.mode is off; set the mode, or remove it\n"},
      {"an authority that is not there", client_auth::optional, "none.pem",
       "client_auth.ca_file: none.pem: cannot be read: No such file or directory; check the name\n"},
      {"an authority without a certificate", client_auth::optional, "empty.pem",
       "client_auth.ca_file: empty.pem: holds no certificate in PEM form; it begins with -----BEGIN "
       "CERTIFICATE-----\n"},
  };
  for (const option_case& row : cases) {
    CAPTURE(row.says);
    tls_server_options options = folder.good_server();
    options.clients = row.clients;
    if (!row.client_ca_file.empty()) options.client_ca_file = folder.file(row.client_ca_file);
    const auto made = make_tls_server(options, read_wall_clock());
    CHECK((made ? "" : said(made.error(), folder)) == row.expected);
  }
  const auto none = make_tls_server({}, read_wall_clock());
  REQUIRE_FALSE(none.has_value());
  CHECK(said(none.error(), folder) == "certificates: must have at least one item\n");
}

TEST_CASE("tls context: a client's options") {
  const mixed_folder folder;
  CHECK(make_tls_client({}, read_wall_clock()).has_value());
  tls_client_options options;
  options.ca_file = folder.authority_file();
  CHECK(make_tls_client(options, read_wall_clock()).has_value());
  options.ca_file = folder.file("none.pem");
  options.cert_file = folder.certificate_file("good");
  const auto made = make_tls_client(options, read_wall_clock());
  REQUIRE_FALSE(made.has_value());
  CHECK(said(made.error(), folder) ==
        "key_file: is missing; a certificate and its key are named together\n"
        "ca_file: none.pem: cannot be read: No such file or directory; check the name\n");
}

TEST_CASE("tls context: mistakes of several certificates are told at once, each with its place") {
  const mixed_folder folder;
  tls_server_options options = folder.good_server();
  options.certificates.push_back({{}, folder.certificate_file("old"), folder.key_file("old")});
  options.certificates.push_back({{}, folder.certificate_file("good"), folder.file("none.key")});
  const auto made = make_tls_server(options, read_wall_clock());
  REQUIRE_FALSE(made.has_value());
  REQUIRE(made.error().size() == 2);
  CHECK(made.error()[0].field == "certificates[1].cert_file");
  CHECK(made.error()[1].field == "certificates[2].key_file");
}

TEST_CASE("tls context: a key that is too weak is refused, wherever it stands") {
  certificate_folder folder;
  folder.add("good", {});
  support::certificate weak;
  {
    weak = support::make_certificate({});
    weak.key.reset(EVP_RSA_gen(512));
    REQUIRE(weak.key != nullptr);
    X509_set_pubkey(weak.x509.get(), weak.key.get());
    REQUIRE(X509_sign(weak.x509.get(), weak.key.get(), EVP_sha256()) > 0);
  }
  support::write_certificates(folder.certificate_file("weak"), {&weak});
  support::write_key(folder.key_file("weak"), weak);
  const tls_certificate_files good{{}, folder.certificate_file("good"), folder.key_file("good")};
  const tls_certificate_files bad{{}, folder.certificate_file("weak"), folder.key_file("weak")};
  for (const bool first : {true, false}) {
    tls_server_options options;
    options.certificates = first ? std::vector{bad, good} : std::vector{good, bad};
    const auto made = make_tls_server(options, read_wall_clock());
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error()[0].field == (first ? "certificates[0].cert_file" : "certificates[1].cert_file"));
    CHECK(made.error()[0].what.find("weak.pem: cannot be used: ee key too small") != std::string::npos);
  }
}

TEST_CASE("tls context: knows its certificates, and the names that they are for") {
  const mixed_folder folder;
  tls_server_options options = folder.good_server();
  options.certificates.push_back({{"*.own.test"}, folder.certificate_file("good"), folder.key_file("good")});
  const auto made = make_tls_server(options, read_wall_clock());
  REQUIRE(made.has_value());
  CHECK(made->is_server());
  REQUIRE(made->certificates().size() == 2);
  CHECK(made->certificates()[0].file == folder.certificate_file("good"));
  CHECK(made->certificates()[0].names == std::vector<std::string>{"good.test", "www.good.test"});
  CHECK(made->certificates()[1].names == std::vector<std::string>{"*.own.test"});
  const duration left = made->certificates()[0].not_after - read_wall_clock();
  CHECK(left > 3500s);
  CHECK(left < 3700s);
}

TEST_CASE("tls context: tells when a file that it was made of is another one") {
  struct change_case {
    std::string_view says;
    void (*change)(certificate_folder&);
    bool expected;
  };
  const change_case cases[] = {
      {"nothing", [](certificate_folder&) {}, false},
      {"a renewed certificate", [](certificate_folder& f) { f.add("good", {}); }, true},
      {"a key renamed over the old one",
       [](certificate_folder& f) { std::filesystem::rename(f.key_file("other"), f.key_file("good")); }, true},
      {"a file that is gone", [](certificate_folder& f) { std::filesystem::remove(f.certificate_file("good")); }, true},
      {"the clients' authorities",
       [](certificate_folder& f) { support::write_certificates(f.authority_file(), {&f.authority(), &f.authority()}); },
       true},
      {"a file that it has not read", [](certificate_folder& f) { f.add("other", {}); }, false},
  };
  for (const change_case& row : cases) {
    CAPTURE(row.says);
    mixed_folder folder;
    tls_server_options options = folder.good_server();
    options.clients = client_auth::optional;
    options.client_ca_file = folder.authority_file();
    const auto made = make_tls_server(options, read_wall_clock());
    REQUIRE(made.has_value());
    row.change(folder);
    CHECK(made->have_files_changed() == row.expected);
  }
  CHECK_FALSE(tls_context().have_files_changed());
}

}  // namespace
}  // namespace cellroute::io
