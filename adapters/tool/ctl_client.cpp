#include "adapters/tool/ctl_client.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/token_file.hpp"

namespace cellroute::tool {
namespace {

constexpr time_t connect_seconds = 5;
constexpr time_t answer_seconds = 120;  // a million rows take seconds, and those before them, too
constexpr std::size_t piece_bytes = 65'536;
constexpr std::size_t refusal_bytes_max = std::size_t{1} << 20;

constexpr std::string_view socket_scheme = "unix:";

bool is_socket(std::string_view url) { return url.starts_with(socket_scheme); }

/// A client of a URL or of a socket in the file system, which has no name that a request could give.
httplib::Client client_of(const std::string& url) {
  if (!is_socket(url)) return httplib::Client(url);
  constexpr int no_port = 80;
  httplib::Client made(url.substr(socket_scheme.size()), no_port);
  made.set_address_family(AF_UNIX);
  made.set_default_headers({{"Host", "localhost"}});
  return made;
}

/// `http://HOST:PORT`, and nothing behind it; or `unix:PATH`.
bool is_url(std::string_view url) {
  if (is_socket(url)) return url.size() > socket_scheme.size();
  const bool is_secure = url.starts_with("https://");
  if (!is_secure && !url.starts_with("http://")) return false;
  const std::string_view rest = url.substr(is_secure ? 8 : 7);
  return !rest.empty() && rest.find_first_of("/?# \t\r\n@") == std::string_view::npos;
}

/// Why a file has nothing to believe; nothing where it has.
std::optional<std::string> why_no_certificates(const std::string& file) {
  const auto text = wire::read_file(file);
  if (!text) return fmt::format("--ca-file {}: {}", file, to_string(text.error()));
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), &X509_STORE_free);
  if (X509_STORE_load_file(store.get(), file.c_str()) == 1) return std::nullopt;
  ERR_clear_error();
  return fmt::format("--ca-file {}: holds no certificate in PEM", file);
}

}  // namespace

struct ctl_client::connection {
  connection(std::string to, const std::string& ca_file) : url(std::move(to)), client(client_of(url)) {
    client.set_connection_timeout(connect_seconds, 0);
    client.set_read_timeout(answer_seconds, 0);
    client.set_write_timeout(answer_seconds, 0);
    client.set_keep_alive(true);
    if (!ca_file.empty()) client.set_ca_cert_path(ca_file.c_str());
  }
  [[nodiscard]] no_reply no_answer(httplib::Error why) const {
    return {fmt::format("no answer from {}: {}", url, words_of(why)), !is_before_request(why)};
  }

 private:
  /// Nothing of the request has gone then.
  static bool is_before_request(httplib::Error why) {
    constexpr httplib::Error before[] = {httplib::Error::Connection, httplib::Error::ConnectionTimeout,
                                         httplib::Error::SSLConnection, httplib::Error::SSLLoadingCerts,
                                         httplib::Error::SSLServerVerification};
    return std::ranges::find(before, why) != std::end(before);
  }

  /// What happened, and what to do.
  [[nodiscard]] std::string words_of(httplib::Error why) const {
    switch (why) {
      case httplib::Error::Connection:
        if (is_socket(url)) return "nobody listens on that socket, or it is another user's";
        return "nobody takes a connection there, or the name is not known; is the control plane there, and is it "
               "--url?";
      case httplib::Error::ConnectionTimeout:
        return fmt::format("no connection within {} s; is the control plane there, and is it --url?", connect_seconds);
      case httplib::Error::SSLConnection:
        return "no TLS can be agreed on; if it speaks plain HTTP, --url begins with http://";
      case httplib::Error::SSLLoadingCerts:
        return "the certificates to believe cannot be read; is it --ca-file?";
      case httplib::Error::SSLServerVerification:
        return words_of_certificate();
      case httplib::Error::Write:
        return "the connection was cut while the request was sent";
      case httplib::Error::Read:
        return is_secure() ? "the connection was cut, or nothing came, before an answer was whole"
                           : "the connection was cut, or nothing came, before an answer was whole; if it speaks TLS, "
                             "--url begins with https://";
      default:
        return "the connection was given up";
    }
  }
  [[nodiscard]] std::string words_of_certificate() const {
    const long why = client.get_openssl_verify_result();
    if (why == X509_V_OK)
      return "its certificate is for another name; --url must say one that stands in the certificate";
    return fmt::format("its certificate is not believed: {}; name the authority's certificate with --ca-file",
                       X509_verify_cert_error_string(why));
  }
  [[nodiscard]] bool is_secure() const { return url.starts_with("https://"); }

 public:
  std::string url;
  httplib::Client client;
};

ctl_client::ctl_client(std::unique_ptr<connection> open) : connection_(std::move(open)) {}
ctl_client::ctl_client(ctl_client&& other) noexcept = default;
ctl_client::~ctl_client() = default;

expected<ctl_client, std::string> ctl_client::open(const std::string& url, const std::string& token_file,
                                                   const std::string& ca_file) {
  std::string plain = url;
  if (plain.ends_with('/') && !is_socket(plain)) plain.pop_back();
  if (!is_url(plain))
    return unexpected(
        fmt::format("--url must be like http://127.0.0.1:8081 or unix:control.sock, not {}", wire::quote(url)));
  if (!ca_file.empty() && plain.starts_with("https://")) {
    if (auto why = why_no_certificates(ca_file)) return unexpected(*std::move(why));
  }
  auto made = std::make_unique<connection>(plain, ca_file);
  if (!token_file.empty()) {
    auto token = wire::read_token_file(token_file);
    if (!token) return unexpected(std::move(token).error());
    made->client.set_bearer_token_auth(token->c_str());
  }
  return ctl_client(std::move(made));
}

namespace {

httplib::Request request_of(const api_request& what) {
  httplib::Request request;
  request.method = what.method;
  request.path = what.target;
  for (const auto& [name, value] : what.headers) request.set_header(name.c_str(), value);
  if (!what.type.empty()) request.set_header("Content-Type", what.type);
  return request;
}

/// Gives the body away in pieces, so that somebody hears of each.
void send_in_pieces(httplib::Request& request, const api_request& what) {
  request.content_length_ = what.body.size();
  request.content_provider_ = [&what](std::size_t at, std::size_t, httplib::DataSink& to) {
    const std::size_t size_bytes = std::min(piece_bytes, what.body.size() - at);
    const bool has_gone = to.write(what.body.data() + at, size_bytes);
    if (has_gone) what.hears->on_sent(at + size_bytes, what.body.size());
    return has_gone;
  };
}

}  // namespace

expected<api_reply, no_reply> ctl_client::ask(const api_request& what) {
  httplib::Request request = request_of(what);
  std::string body;
  std::uint64_t all_bytes = 0;
  if (what.hears != nullptr) {
    if (!what.body.empty()) send_in_pieces(request, what);
    request.response_handler = [&all_bytes](const httplib::Response& head) {
      all_bytes = head.get_header_value<std::uint64_t>("Content-Length");
      return true;
    };
    request.content_receiver = [&](const char* bytes, std::size_t size_bytes, std::uint64_t, std::uint64_t) {
      body.append(bytes, size_bytes);
      what.hears->on_received(body.size(), all_bytes);
      return true;
    };
  } else {
    request.body = what.body;
  }
  const httplib::Result done = connection_->client.send(request);
  if (!done) return unexpected(connection_->no_answer(done.error()));
  return api_reply{done->status, what.hears != nullptr ? std::move(body) : done->body};
}

expected<api_reply, no_reply> ctl_client::follow(const api_request& what, piece_listener& to) {
  httplib::Request request = request_of(what);
  api_reply reply;
  request.response_handler = [&reply](const httplib::Response& head) {
    reply.status = head.status;
    return true;
  };
  request.content_receiver = [&](const char* bytes, std::size_t size_bytes, std::uint64_t, std::uint64_t) {
    if (reply.status == 200) return to.on_piece({bytes, size_bytes});
    reply.body.append(bytes, size_bytes);
    return reply.body.size() < refusal_bytes_max;
  };
  const httplib::Result done = connection_->client.send(request);
  if (!done && reply.status == 0) return unexpected(connection_->no_answer(done.error()));
  return reply;
}

void ctl_client::stop() { connection_->client.stop(); }

}  // namespace cellroute::tool
