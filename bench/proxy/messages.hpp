#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "bench/proxy/net.hpp"

/// What the generator is told, what it sends, and what it reads in an answer.
namespace cellroute::bench {

/// One line of `--record`: when the request was due, by the steady clock, and how long it took.
struct timed_answer {
  std::int64_t due_ns = 0;
  std::int64_t latency_ns = 0;
};

/// The generator's command line.
struct options {
  std::uint16_t port = 0;
  std::string keys_file;
  std::size_t connections = 64;
  double seconds = 1;
  double warm_up_seconds = 0.2;
  double drain_seconds = 5;
  std::uint64_t requests = 0;  ///< 0: by time
  double rate = 0;             ///< 0: closed loop
  std::string method = "GET";
  std::uint64_t body_bytes = 0;
  bool close = false;
  bool direct = false;
  bool verify = false;
  std::vector<std::size_t> idle;
  std::vector<std::string> cpu_of;
  std::string record;
};

/// The keys of a file with lines `key<TAB>cell`, kept as one text: a million of them is a normal input.
class key_list {
 public:
  struct entry {
    std::string_view key;
    std::string_view cell;
  };

  explicit key_list(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    text_.assign(std::istreambuf_iterator<char>(in), {});
    std::string_view rest = text_;
    while (!rest.empty()) {
      std::string_view line = take_until(rest, "\n");
      const std::string_view key = take_until(line, "\t");
      if (!key.empty()) entries_.push_back({key, line});
    }
    if (entries_.empty()) die("no keys in " + file);
  }

  /// The same order in every run (xorshift64, seed fixed), so that peers see the same keys.
  [[nodiscard]] const entry& next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return entries_[state_ % entries_.size()];
  }

 private:
  std::string text_;
  std::vector<entry> entries_;
  std::uint64_t state_ = 0x9e3779b97f4a7c15U;
};

/// Makes request heads of about 419 bytes with eight fields: what a browser or a client library sends.
class request_writer {
 public:
  explicit request_writer(const options& with) {
    const bool posts = with.method != "GET";
    const std::string target = !posts && with.body_bytes > 0 ? "/bytes/" + std::to_string(with.body_bytes)
                                                             : "/api/v1/orders/4711/items?page=2&sort=created_at";
    before_key_ = with.method + " " + target +
                  " HTTP/1.1\r\nHost: api.shop.example\r\n"
                  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0\r\n"
                  "Accept: application/json, text/plain;q=0.9, */*;q=0.5\r\n"
                  "Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n"
                  "Cookie: session=Zx81k2Lm93QpTt\r\nX-Routing-Key: ";
    after_key_ = "\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    if (posts) after_key_ += "Content-Length: " + std::to_string(with.body_bytes) + "\r\n";
    if (with.close) after_key_ += "Connection: close\r\n";
    after_key_ += "\r\n";
  }

  /// The view is valid until the next call.
  [[nodiscard]] std::string_view write(std::string_view key) {
    head_.assign(before_key_).append(key).append(after_key_);
    return head_;
  }

 private:
  std::string before_key_;
  std::string after_key_;
  std::string head_;
};

/// What the bench looks at in the head of an answer.
struct answer_head {
  bool ok = false;  ///< 200 with a Content-Length
  bool close = false;
  std::uint64_t body_bytes = 0;
  std::string_view routed_to;
  std::string_view cell;
};

[[nodiscard]] inline answer_head read_head(std::string_view head) {
  answer_head answer;
  const bool is_200 = take_until(head, "\r\n").starts_with("HTTP/1.1 200");
  while (!head.empty()) {
    std::string_view value = take_until(head, "\r\n");
    const std::string_view name = take_until(value, ":");
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (is_same_name(name, "content-length")) {
      const auto size_bytes = to_number(value);
      answer.ok = is_200 && size_bytes;
      answer.body_bytes = size_bytes.value_or(0);
    } else if (is_same_name(name, "connection")) {
      answer.close = is_same_name(value, "close");
    } else if (is_same_name(name, "x-routed-to")) {
      answer.routed_to = value;
    } else if (is_same_name(name, "x-cell")) {
      answer.cell = value;
    }
  }
  return answer;
}

}  // namespace cellroute::bench
