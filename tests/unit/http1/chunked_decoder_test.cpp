#include "adapters/http1/chunked_decoder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "adapters/http1/head_writer.hpp"
#include "tests/unit/http1/five_ways.hpp"
#include "tests/unit/http1/read_heads.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

struct chunk_case {
  std::string_view says;
  std::string input;
  std::string expected;  ///< the content in brackets, then the trailers; or the reason of the refusal
};

struct decoded {
  std::string content;
  std::string words;  // as in `chunk_case`
  std::size_t consumed_bytes = 0;
};

decoded decode(const way& arrives) {
  chunked_decoder decoder;
  decoded result;
  std::size_t begin = 0;
  chunked_decoder::progress last;
  for (const std::size_t end : arrives.ends) {
    exact_bytes piece{std::string_view{arrives.input}.substr(begin, end - begin)};
    begin = end;
    last = decoder.decode_in_place({piece.data(), piece.size()});
    REQUIRE(last.produced <= last.consumed);
    REQUIRE(last.consumed <= piece.size());
    result.content += piece.view().substr(0, last.produced);
    result.consumed_bytes += last.consumed;
    if (last.state != chunked_decoder::status::need_more) break;
    REQUIRE(last.consumed == piece.size());
  }
  switch (last.state) {
    case chunked_decoder::status::need_more:
      result.words = "[" + result.content + "] wait";
      break;
    case chunked_decoder::status::error:
      result.words = to_string(decoder.error());
      break;
    case chunked_decoder::status::done: {
      std::vector<field> storage(trailer_fields_max);
      const auto trailers = parse_trailers(decoder.trailers(), storage);
      REQUIRE(trailers);
      result.words = "[" + result.content + "]";
      if (!trailers->empty()) result.words += " " + passed_on(*trailers);
      // Written back and read again, it is the same.
      if (arrives.says != "at once") break;
      std::string again;
      if (!result.content.empty()) {
        std::array<char, chunk_prefix_bytes_max> room;
        const std::size_t size = write_chunk_prefix(room, result.content.size());
        again.append(room.end() - size, room.end());
        again.append(result.content).append(chunk_suffix);
      }
      std::string end(last_chunk_size_bound(*trailers), '\0');
      end.resize(write_last_chunk(end, *trailers));
      again += end;
      CHECK(decode({"written back", again, {again.size()}}).words == result.words);
      break;
    }
  }
  return result;
}

void check_chunks(std::span<const chunk_case> rows) {
  for (const chunk_case& row : rows) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      if (row.expected.ends_with("wait") && arrives.says.starts_with("with")) continue;
      CAPTURE(arrives.says);
      const decoded result = decode(arrives);
      CHECK(result.words == row.expected);
      if (row.expected.starts_with("[")) CHECK(result.consumed_bytes == row.input.size());
    }
  }
}

std::string chunk(std::string_view line) { return std::string{line} + "\r\nhello\r\n0\r\n\r\n"; }
std::string hello_and_trailers(std::string_view lines) { return "5\r\nhello\r\n0\r\n" + std::string{lines} + "\r\n"; }

}  // namespace

TEST_CASE("http1 chunks: sizes (RFC 9112 section 7.1)") {
  const chunk_case cases[] = {
      {"one chunk", chunk("5"), "[hello]"},
      {"several", "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "[hello world]"},
      {"none", "0\r\n\r\n", "[]"},
      {"upper case", "A\r\nhelloworld\r\n0\r\n\r\n", "[helloworld]"},
      {"lower case", "a\r\nhelloworld\r\n0\r\n\r\n", "[helloworld]"},
      {"leading zeros", "00000000000000000005\r\nhello\r\n000\r\n\r\n", "[hello]"},
      {"data may hold anything", "4\r\n\r\n0\r\r\n0\r\n\r\n", "[\r\n0\r]"},
      {"the largest size", "7fffffffffffffff\r\nhello", "[hello] wait"},
      {"half a size", "5", "[] wait"},
      {"half of the data", "5\r\nhel", "[hel] wait"},
      {"all but the end", "5\r\nhello\r\n0\r\n\r", "[hello] wait"},

      {"one larger is negative for some", "8000000000000000\r\nhello", "chunk size too large"},
      {"2^64 + 5 is 5 for some", "10000000000000005\r\nhello\r\n0\r\n\r\n", "chunk size too large"},
      {"a prefix", chunk("0x5"), "malformed chunk size"},
      {"a minus", chunk("-5"), "malformed chunk size"},
      {"a plus", chunk("+5"), "malformed chunk size"},
      {"an underscore", chunk("0_5"), "malformed chunk size"},
      {"a fraction", chunk("5.0"), "malformed chunk size"},
      {"no hexadecimal digit", chunk("g"), "malformed chunk size"},
      {"quotes", chunk("\"5\""), "malformed chunk size"},
      {"white space before", chunk(" 5"), "malformed chunk size"},
      {"white space behind", chunk("5 "), "malformed chunk size"},
      {"white space between", chunk("5 5"), "malformed chunk size"},
      {"a NUL behind", std::string{"5\0\r\nhello\r\n0\r\n\r\n", 17}, "malformed chunk size"},
      {"no size", "\r\nhello\r\n0\r\n\r\n", "malformed chunk size"},
      {"no size but an extension", chunk(";a"), "malformed chunk size"},
  };
  check_chunks(cases);
}

TEST_CASE("http1 chunks: line ends") {
  const chunk_case cases[] = {
      {"a bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "malformed chunk size"},
      {"a bare CR behind the size", "5\rhello\r\n0\r\n\r\n", "chunk line does not end in CR LF"},
      {"a bare LF behind the data", "5\r\nhello\n0\r\n\r\n", "chunk data does not end in CR LF"},
      {"a bare CR behind the data", "5\r\nhello\r0\r\n\r\n", "chunk data does not end in CR LF"},
      {"CR CR behind the data", "5\r\nhello\r\r0\r\n\r\n", "chunk data does not end in CR LF"},
      {"nothing behind the data", "5\r\nhello0\r\n\r\n", "chunk data does not end in CR LF"},
      {"more data than its size", "4\r\nhello\r\n0\r\n\r\n", "chunk data does not end in CR LF"},
      {"less data than its size", "6\r\nhello\r\n0\r\n\r\n", "chunk data does not end in CR LF"},
      {"a bare LF behind the last size", "0\n\r\n", "malformed chunk size"},
      {"a bare LF at the end", "0\r\n\n", "malformed trailer"},
      {"a bare CR at the end", "0\r\n\rx", "malformed trailer"},
  };
  check_chunks(cases);
}

TEST_CASE("http1 chunks: extensions are dropped, and must be well formed (RFC 9112 section 7.1.1)") {
  const chunk_case cases[] = {
      {"a name", chunk("5;a"), "[hello]"},
      {"a value", chunk("5;a=b"), "[hello]"},
      {"several", chunk("5;a=b;c;d=e"), "[hello]"},
      {"white space around", chunk("5 \t; a = b ; c"), "[hello]"},
      {"quotes", chunk("5;a=\"b;=, \t\xff\""), "[hello]"},
      {"an escaped quote", chunk("5;a=\"\\\"\";c"), "[hello]"},
      {"on the last chunk", "0;a=b\r\n\r\n", "[]"},
      {"the longest line", chunk("5;" + std::string(4094, 'a')), "[hello]"},

      {"one byte longer", chunk("5;" + std::string(4095, 'a')), "chunk line too long"},
      {"no name", chunk("5;"), "malformed chunk extension"},
      {"no name between", chunk("5;;a"), "malformed chunk extension"},
      {"no name but a value", chunk("5;=b"), "malformed chunk extension"},
      {"no value", chunk("5;a="), "malformed chunk extension"},
      {"no token", chunk("5;a(b"), "malformed chunk extension"},
      {"two words", chunk("5;a b"), "malformed chunk extension"},
      {"two values", chunk("5;a=b c"), "malformed chunk extension"},
      {"white space at the end", chunk("5;a "), "malformed chunk extension"},
      {"a quote that is not closed", chunk("5;a=\"b"), "malformed chunk extension"},
      {"text behind a quote", chunk("5;a=\"b\"c"), "malformed chunk extension"},
      {"a bare LF ends it for some", "5;a\nhello\r\n0\r\n\r\n", "malformed chunk extension"},
      {"a bare LF in quotes", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", "malformed chunk extension"},
      {"an escaped CR in quotes", "5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n", "malformed chunk extension"},
      {"a bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n", "chunk line does not end in CR LF"},
      {"a NUL", std::string{"5;a\0\r\nhello\r\n0\r\n\r\n", 19}, "malformed chunk extension"},
  };
  check_chunks(cases);
}

TEST_CASE("http1 chunks: framing must not cost more than content") {
  std::string tiny;
  for (int i = 0; i < 30000; ++i) tiny += "1\r\nx\r\n";
  std::string signed_chunks;
  for (int i = 0; i < 300; ++i)
    signed_chunks += "80;sig=" + std::string(100, 'f') + "\r\n" + std::string(128, 'x') + "\r\n";
  std::string bloated;
  for (int i = 0; i < 20; ++i) bloated += "1;a=" + std::string(1000, 'b') + "\r\nx\r\n";
  CHECK(decode(at_once(tiny + "0\r\n\r\n")).content.size() == 30000);
  CHECK(decode(at_once(signed_chunks + "0\r\n\r\n")).content.size() == 300 * 128);
  CHECK(decode(at_once(bloated + "0\r\n\r\n")).words == "more chunk framing than content");
}

TEST_CASE("http1 trailers: which go along (RFC 9110 section 6.5.1)") {
  const chunk_case cases[] = {
      {"one", hello_and_trailers("X-Sum: 1\r\n"), "[hello] X-Sum=1;"},
      {"several", hello_and_trailers("grpc-status: 0\r\ngrpc-message:\r\n"), "[hello] grpc-status=0;grpc-message=;"},
      {"white space around a value", hello_and_trailers("X-Sum: \t 1 \r\n"), "[hello] X-Sum=1;"},
      {"behind no content", "0\r\nX-Sum: 1\r\n\r\n", "[] X-Sum=1;"},
      {"not framing", hello_and_trailers("Content-Length: 50\r\nTransfer-Encoding: chunked\r\nA: b\r\n"),
       "[hello] A=b;"},
      {"not the host", hello_and_trailers("Host: b.test\r\nA: b\r\n"), "[hello] A=b;"},
      {"not the routing key, or what we say of it", hello_and_trailers("X-Routing-Key: a\r\nX-Cell-Key: a\r\nA: b\r\n"),
       "[hello] A=b;"},
      {"not from where it came", hello_and_trailers("X-Forwarded-For: 1\r\nX-Request-Id: 2\r\nA: b\r\n"),
       "[hello] A=b;"},
      {"not credentials", hello_and_trailers("authorization: x\r\nCookie: y\r\nSet-Cookie: z\r\nA: b\r\n"),
       "[hello] A=b;"},
      {"not how to read the content", hello_and_trailers("Content-Type: x\r\nContent-Encoding: gzip\r\nA: b\r\n"),
       "[hello] A=b;"},
      {"not the connection", hello_and_trailers("Connection: close\r\nUpgrade: x\r\nTE: y\r\nA: b\r\n"),
       "[hello] A=b;"},

      {"a space before the colon", hello_and_trailers("A : b\r\n"), "malformed trailer"},
      {"no name", hello_and_trailers(": b\r\n"), "malformed trailer"},
      {"no colon", hello_and_trailers("A\r\n"), "malformed trailer"},
      {"folded", hello_and_trailers("A: b\r\n c\r\n"), "malformed trailer"},
      {"a bare LF", hello_and_trailers("A: b\nB: c\r\n"), "malformed trailer"},
      {"a bare CR", hello_and_trailers("A: b\rB: c\r\n"), "malformed trailer"},
      {"a control byte", hello_and_trailers("A: \x01\r\n"), "malformed trailer"},
      {"a NUL", hello_and_trailers(std::string_view{"A: \0\r\n", 6}), "malformed trailer"},
  };
  check_chunks(cases);
}

TEST_CASE("http1 trailers: limits, and one past each") {
  const auto lines = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "A: b\r\n";
    return text;
  };
  const std::string longest = "A:" + std::string(trailers_bytes_max - 4, 'b');
  const chunk_case cases[] = {
      {"one field too many", hello_and_trailers(lines(65)), "trailers too long"},
      {"one byte too long", hello_and_trailers(longest + "b\r\n"), "trailers too long"},
  };
  check_chunks(cases);
  CHECK(decode(at_once(hello_and_trailers(lines(64)))).words.starts_with("[hello] A=b;"));
  // Not written back: the writer's space behind the colon would make it one byte too long.
  const std::string whole = hello_and_trailers(longest + "\r\n");
  const std::string words = decode({"in one piece", whole, {whole.size()}}).words;
  CHECK(words == "[hello] A=" + longest.substr(2) + ";");
}

TEST_CASE("http1 trailers: the parser by itself refuses what no decoder hands out") {
  std::array<field, 2> storage;
  CHECK(parse_trailers("", storage)->empty());
  CHECK(parse_trailers("A: b\r\nB: c\r\n\r\n", storage)->size() == 2);
  CHECK_FALSE(parse_trailers("A: b\r\n", storage));
  CHECK_FALSE(parse_trailers("A: b\r\nB: c\r\nC: d\r\n\r\n", storage));
}

TEST_CASE("http1 chunks: content of many sizes, cut at random, comes out whole") {
  const unsigned seed = 4711;
  std::mt19937 random{seed};
  CAPTURE(seed);
  for (int round = 0; round < 200; ++round) {
    std::string content;
    std::string input;
    for (std::size_t chunks = random() % 20; chunks > 0; --chunks) {
      std::string data(1 + random() % 300, '\0');
      for (char& c : data) c = static_cast<char>(random());
      std::array<char, 40> room;
      const std::size_t size = write_chunk_prefix(room, data.size());
      input.append(room.end() - size, room.end());
      input.append(data).append(chunk_suffix);
      content += data;
    }
    input += last_chunk;
    way arrives{"cut at random", input, {}};
    for (std::size_t end = 0; end < input.size();) {
      end = std::min<std::size_t>(input.size(), end + 1 + random() % 100);
      arrives.ends.push_back(end);
    }
    const decoded result = decode(arrives);
    REQUIRE(result.content == content);
    REQUIRE(result.consumed_bytes == input.size());
  }
}

TEST_CASE("http1 chunks: a decoder starts anew after reset") {
  chunked_decoder decoder;
  std::string bad = "x";
  CHECK(decoder.decode_in_place(bad).state == chunked_decoder::status::error);
  CHECK(decoder.decode_in_place(bad).consumed == 0);
  decoder.reset();
  std::string good = "1\r\na\r\n0\r\n\r\n";
  CHECK((decoder.decode_in_place(good) == chunked_decoder::progress{11, 1, chunked_decoder::status::done}));
  CHECK((decoder.decode_in_place(good) == chunked_decoder::progress{0, 0, chunked_decoder::status::done}));
  CHECK(decoder.trailers().empty());
}
