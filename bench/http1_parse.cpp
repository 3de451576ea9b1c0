// What does a head cost, from the first byte looked at to the last byte written for the next hop?
//
// Unit: ns a head. The request is a browser's, of 415 bytes and 8 fields; the response has 149 bytes. `plain_search`
// and `fast_search` stand beside each other as the ratio of the one loop that matters most.

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <string_view>
#include <variant>

#include "adapters/http1/bytes.hpp"
#include "adapters/http1/chunked_decoder.hpp"
#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/head_writer.hpp"
#include "adapters/http1/request_head.hpp"
#include "adapters/http1/response_head.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

constexpr std::string_view request =
    "GET /v1/accounts/4711/orders?limit=50&cursor=eyJpZCI6MTIzNDU2fQ HTTP/1.1\r\n"
    "Host: api.example.test\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "X-Routing-Key: customer-0004711\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n"
    "Server: cell\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Length: 1024\r\n"
    "\r\n";

void scan_request(benchmark::State& state) {
  for (auto _ : state) {
    head_scanner scanner{head_limits{}, true};
    benchmark::DoNotOptimize(scanner.scan(request));
  }
}
BENCHMARK(scan_request);

void parse_request(benchmark::State& state) {
  std::array<field, 16> storage;
  request_head head;
  for (auto _ : state) benchmark::DoNotOptimize(parse_request_head(request, head_limits{}, storage, head));
}
BENCHMARK(parse_request);

void scan_and_parse_request(benchmark::State& state) {
  std::array<field, 16> storage;
  request_head head;
  for (auto _ : state) {
    head_scanner scanner{head_limits{}, true};
    const head_outcome outcome = scanner.scan(request);
    const auto& end = std::get<head_end>(outcome);
    benchmark::DoNotOptimize(
        parse_request_head(request.substr(end.begin, end.size_bytes), head_limits{}, storage, head));
  }
  state.counters["bytes"] = request.size();
}
BENCHMARK(scan_and_parse_request);

void scan_and_parse_response(benchmark::State& state) {
  std::array<field, 16> storage;
  response_head head;
  for (auto _ : state) {
    head_scanner scanner{head_limits{}, false};
    const head_outcome outcome = scanner.scan(response);
    const auto& end = std::get<head_end>(outcome);
    benchmark::DoNotOptimize(
        parse_response_head(response.substr(end.begin, end.size_bytes), false, {}, head_limits{}, storage, head));
  }
  state.counters["bytes"] = response.size();
}
BENCHMARK(scan_and_parse_response);

void write_request(benchmark::State& state) {
  std::array<field, 16> storage;
  request_head head;
  if (!parse_request_head(request, head_limits{}, storage, head)) return state.SkipWithError("refused");
  const field added[] = {{"X-Cell-Key", "customer-0004711"},
                         {"X-Cell-Placement", "tier1"},
                         {"X-Forwarded-For", "127.0.0.1"},
                         {"X-Forwarded-Proto", "http"},
                         {"X-Request-Id", "0123456789abcdef0123456789abcdef"}};
  outgoing_request next = outgoing(head.view);
  next.added = added;
  std::array<char, 4096> out;
  for (auto _ : state) benchmark::DoNotOptimize(write_request_head(out, next));
}
BENCHMARK(write_request);

template <class Search>
void find_control(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'a');
  for (auto _ : state) benchmark::DoNotOptimize(Search::find_control(text.data(), text.data() + text.size()));
}
BENCHMARK(find_control<plain_search>)->Arg(16)->Arg(80)->Arg(419);
BENCHMARK(find_control<fast_search>)->Arg(16)->Arg(80)->Arg(419);

void decode_chunks(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::string input;
  while (input.size() < 65536) {
    std::array<char, chunk_prefix_bytes_max> room;
    const std::size_t prefix = write_chunk_prefix(room, size);
    input.append(room.end() - static_cast<std::ptrdiff_t>(prefix), room.end());
    input.append(std::string(size, 'x')).append(chunk_suffix);
  }
  std::string io;
  for (auto _ : state) {
    io = input;
    chunked_decoder decoder;
    benchmark::DoNotOptimize(decoder.decode_in_place(io));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
}
BENCHMARK(decode_chunks)->Arg(64)->Arg(1024)->Arg(16384);

}  // namespace

BENCHMARK_MAIN();
