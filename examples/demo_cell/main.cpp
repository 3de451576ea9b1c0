// A cell for the demo and the system tests: it answers with who it is and what it saw.
//
//   GET  /health            {"status":"healthy","cell":NAME}
//   any  /slow?ms=N         the echo, N milliseconds late
//   any  /status/NNN        the echo, with that status
//   GET  /stream?n=N&ms=M   N pieces of 8 bytes, M milliseconds apart
//   GET  /bytes?n=N         N bytes of content
//   POST /upload            counts a streamed body: {"cell":NAME,"bytes":N,"crc32":"..."}
//   any  anything else      the echo: cell, timestamp, method, path, query, headers, message
#include <httplib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr std::string_view usage =
    "usage: demo-cell [--name NAME] [--port N]\n"
    "  --name NAME   who this cell says it is (environment: CELL_NAME; default: cell)\n"
    "  --port N      port on 127.0.0.1; 0 takes a free one (environment: PORT; default: 9001)\n";

/// CRC-32 as in zip and Ethernet (reflected 0x04C11DB7).
class crc32 {
 public:
  void add(const char* data, std::size_t size_bytes) {
    for (std::size_t i = 0; i < size_bytes; ++i) {
      state_ = table[(state_ ^ static_cast<std::uint8_t>(data[i])) & 0xFF] ^ (state_ >> 8);
    }
  }
  [[nodiscard]] std::uint32_t value() const { return ~state_; }

 private:
  static constexpr std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      std::uint32_t row = i;
      for (int bit = 0; bit < 8; ++bit) row = (row >> 1) ^ ((row & 1) != 0 ? 0xEDB88320U : 0U);
      made[i] = row;
    }
    return made;
  }();
  std::uint32_t state_ = ~0U;
};

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      json += escape.data();
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ", static_cast<int>(ms));
  return text.data();
}

std::string headers_json(const httplib::Headers& headers) {
  std::string json;
  for (auto at = headers.begin(); at != headers.end();) {
    const auto end = headers.upper_bound(at->first);  // fields of one name stand together; their values are joined
    std::string value = at->second;
    const std::string& name = at->first;
    while (++at != end) value += ", " + at->second;
    json += (json.empty() ? "" : ",") + json_string(name) + ":" + json_string(value);
  }
  return "{" + json + "}";
}

std::string echo(const std::string& cell, const httplib::Request& request) {
  const std::string& target = request.target;  // as it came, byte for byte
  const std::size_t path_end = std::min(target.find('?'), target.size());
  return "{\"cell\":" + json_string(cell) + ",\"timestamp\":" + json_string(timestamp()) +
         ",\"method\":" + json_string(request.method) + ",\"path\":" + json_string(target.substr(0, path_end)) +
         ",\"query\":" + json_string(target.substr(std::min(path_end + 1, target.size()))) +
         ",\"headers\":" + headers_json(request.headers) + ",\"message\":" + json_string("Hello from cell " + cell) +
         "}\n";
}

std::size_t number(const httplib::Request& request, const char* name, std::size_t otherwise) {
  if (!request.has_param(name)) return otherwise;
  return std::strtoull(request.get_param_value(name).c_str(), nullptr, 10);
}

void wait_ms(std::size_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void answer_stream(const httplib::Request& request, httplib::Response& response) {
  const std::size_t pieces = number(request, "n", 10);
  const std::size_t pause_ms = number(request, "ms", 100);
  response.set_chunked_content_provider(
      "text/plain", [pieces, pause_ms, sent = std::size_t{0}](std::size_t, httplib::DataSink& sink) mutable {
        if (sent == pieces) {
          sink.done();
          return true;
        }
        if (sent != 0) wait_ms(pause_ms);
        std::array<char, 16> piece{};
        const int size = std::snprintf(piece.data(), piece.size(), "%07zu\n", ++sent % 10'000'000);
        return sink.write(piece.data(), static_cast<std::size_t>(size));
      });
}

void answer_bytes(const httplib::Request& request, httplib::Response& response) {
  static const std::string block(std::size_t{64} * 1024, 'x');
  response.set_content_provider(number(request, "n", 0), "application/octet-stream",
                                [](std::size_t, std::size_t left, httplib::DataSink& sink) {
                                  return sink.write(block.data(), std::min(left, block.size()));
                                });
}

void answer_upload(const std::string& cell, httplib::Response& response, const httplib::ContentReader& read) {
  crc32 sum;
  std::size_t size_bytes = 0;
  const bool whole = read([&](const char* data, std::size_t piece_bytes) {
    sum.add(data, piece_bytes);
    size_bytes += piece_bytes;
    return true;
  });
  if (!whole) return;  // the sender left
  std::array<char, 16> hex{};
  std::snprintf(hex.data(), hex.size(), "%08x", sum.value());
  response.set_content("{\"cell\":" + json_string(cell) + ",\"bytes\":" + std::to_string(size_bytes) +
                           ",\"crc32\":" + json_string(hex.data()) + "}\n",
                       "application/json");
}

void add_routes(httplib::Server& server, const std::string& cell) {
  const auto answer_echo = [&cell](const httplib::Request& request, httplib::Response& response) {
    if (request.path == "/slow") wait_ms(number(request, "ms", 1000));
    const std::string status_path = "/status/";
    if (request.path.rfind(status_path, 0) == 0) {
      response.status = std::atoi(request.path.c_str() + status_path.size());
    }
    if (response.status < 200 || response.status > 599) response.status = 200;
    response.set_content(echo(cell, request), "application/json");
  };
  server.set_default_headers({{"X-Cell-Name", cell}});
  // cpp-httplib waits for content that nobody announced, until its time limit: such requests are answered before that.
  server.set_pre_routing_handler([&cell, answer_echo](const httplib::Request& request, httplib::Response& response) {
    const bool reads_content = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (!reads_content || request.has_header("Content-Length") || request.has_header("Transfer-Encoding")) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    if (request.method == "POST" && request.path == "/upload") {
      const httplib::ContentReader nothing([](const auto&) { return true; },
                                           [](const auto&, const auto&) { return true; });
      answer_upload(cell, response, nothing);
    } else {
      answer_echo(request, response);
    }
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get("/health", [&cell](const httplib::Request&, httplib::Response& response) {
    response.set_content("{\"status\":\"healthy\",\"cell\":" + json_string(cell) + "}\n", "application/json");
  });
  server.Get("/stream", answer_stream);
  server.Get("/bytes", answer_bytes);
  server.Post("/upload", [&cell](const httplib::Request&, httplib::Response& response,
                                 const httplib::ContentReader& read) { answer_upload(cell, response, read); });
  const std::string anything = R"([\s\S]*)";
  server.Get(anything, answer_echo).Post(anything, answer_echo).Put(anything, answer_echo);
  server.Patch(anything, answer_echo).Delete(anything, answer_echo).Options(anything, answer_echo);
}

std::string from_environment(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

}  // namespace

int main(int argc, char** argv) {
  std::string cell = from_environment("CELL_NAME", "cell");
  std::string port = from_environment("PORT", "9001");
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--help" || flag == "-h") {
      std::fputs(usage.data(), stdout);
      return 0;
    }
    if (flag == "--name" && has_value) {
      cell = argv[++i];
    } else if (flag == "--port" && has_value) {
      port = argv[++i];
    } else {
      std::fputs(usage.data(), stderr);
      return 2;
    }
  }

  httplib::Server server;
  add_routes(server, cell);
  // A thread serves a connection from its first byte to its last, so idle ones of a router's pool hold a thread each.
  server.new_task_queue = [] { return new httplib::ThreadPool(64); };  // allow: new: cpp-httplib takes ownership so
  server.set_keep_alive_max_count(1'000'000'000);
  server.set_keep_alive_timeout(120);
  server.set_tcp_nodelay(true);

  const int wanted = std::atoi(port.c_str());
  const char* host = "127.0.0.1";
  const int bound = wanted == 0 ? server.bind_to_any_port(host) : (server.bind_to_port(host, wanted) ? wanted : -1);
  if (bound < 0) {
    std::fprintf(stderr, "demo-cell %s: cannot listen on %s:%s\n", cell.c_str(), host, port.c_str());
    return 1;
  }
  std::printf("demo-cell %s listening on %s:%d\n", cell.c_str(), host, bound);
  std::fflush(stdout);
  return server.listen_after_bind() ? 0 : 1;
}
