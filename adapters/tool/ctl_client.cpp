#include "adapters/tool/ctl_client.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "adapters/wire/configuration.hpp"

namespace cellroute::tool {
namespace {

constexpr time_t connect_seconds = 5;
constexpr time_t answer_seconds = 120;  // a million rows take seconds, and those before them, too
constexpr std::size_t token_bytes_max = 4096;
constexpr std::size_t piece_bytes = 65'536;
constexpr std::size_t refusal_bytes_max = std::size_t{1} << 20;

/// `http://HOST:PORT`, and nothing behind it.
bool is_url(std::string_view url) {
  const bool is_secure = url.starts_with("https://");
  if (!is_secure && !url.starts_with("http://")) return false;
  const std::string_view rest = url.substr(is_secure ? 8 : 7);
  return !rest.empty() && rest.find_first_of("/?# \t\r\n@") == std::string_view::npos;
}

expected<std::string, std::string> read_token(const std::string& file) {
  const auto text = wire::read_file(file, token_bytes_max);
  if (!text) return unexpected(fmt::format("{}: {}", file, to_string(text.error())));
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = text->find_first_not_of(space);
  if (begin == std::string::npos) return unexpected(file + ": is empty; it must hold the token");
  std::string token = text->substr(begin, text->find_last_not_of(space) + 1 - begin);
  if (token.find_first_of(space) != std::string::npos)
    return unexpected(file + ": must hold one word, the token, and nothing else");
  return token;
}

}  // namespace

struct ctl_client::connection {
  connection(std::string to, const std::string& ca_file) : url(std::move(to)), client(url) {
    client.set_connection_timeout(connect_seconds, 0);
    client.set_read_timeout(answer_seconds, 0);
    client.set_write_timeout(answer_seconds, 0);
    client.set_keep_alive(true);
    if (!ca_file.empty()) client.set_ca_cert_path(ca_file.c_str());
  }
  [[nodiscard]] std::string no_answer(httplib::Error why) const {
    return fmt::format("no answer from {}: {}; is the control plane there, and is it --url?", url,
                       httplib::to_string(why));
  }
  std::string url;
  httplib::Client client;
};

ctl_client::ctl_client(std::unique_ptr<connection> open) : connection_(std::move(open)) {}
ctl_client::ctl_client(ctl_client&& other) noexcept = default;
ctl_client::~ctl_client() = default;

expected<ctl_client, std::string> ctl_client::open(const std::string& url, const std::string& token_file,
                                                   const std::string& ca_file) {
  std::string plain = url;
  if (plain.ends_with('/')) plain.pop_back();
  if (!is_url(plain))
    return unexpected(fmt::format("--url must be like http://127.0.0.1:8081, not {}", wire::quote(url)));
  auto made = std::make_unique<connection>(plain, ca_file);
  if (!token_file.empty()) {
    auto token = read_token(token_file);
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

expected<api_reply, std::string> ctl_client::ask(const api_request& what) {
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

expected<api_reply, std::string> ctl_client::follow(const api_request& what, piece_listener& to) {
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
