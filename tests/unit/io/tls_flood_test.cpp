// Much, both ways at once, with the kernel's own edges.
#include "adapters/io/tls_session.hpp"

#include <doctest/doctest.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/unit/io/tls_conversation.hpp"

namespace cellroute::io {
namespace {

/// A byte of a stream that never repeats itself at a power of two.
char byte_at(std::size_t place, unsigned seed) { return static_cast<char>((place * 2654435761u + seed) >> 11); }

struct flood {
  std::size_t sent_bytes = 0;
  std::size_t got_bytes = 0;
  std::size_t wrong_bytes = 0;
};

task<void> send_flood(socket& to, std::size_t total_bytes, unsigned seed, flood& counted) {
  std::vector<char> block(50'000);
  while (counted.sent_bytes < total_bytes) {
    const std::size_t size_bytes = std::min(block.size(), total_bytes - counted.sent_bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) block[i] = byte_at(counted.sent_bytes + i, seed);
    std::size_t done_bytes = 0;
    while (done_bytes < size_bytes) {
      const io_result sent = to.try_write({block.data() + done_bytes, size_bytes - done_bytes});
      if (sent.status != io_status::ok && sent.status != io_status::would_block) co_return;
      done_bytes += sent.size_bytes;
      if (sent.status == io_status::would_block) (void)co_await to.writable();
    }
    counted.sent_bytes += size_bytes;
  }
  to.shutdown_send();
}

task<void> take_flood(socket& from, unsigned seed, flood& counted, io_status& ended_by) {
  std::vector<char> block(40'000);
  for (;;) {
    const io_result got = from.try_read(block);
    for (std::size_t i = 0; i < got.size_bytes; ++i) {
      if (block[i] != byte_at(counted.got_bytes + i, seed)) ++counted.wrong_bytes;
    }
    counted.got_bytes += got.size_bytes;
    if (got.status == io_status::would_block) {
      (void)co_await from.readable();
    } else if (got.status != io_status::ok) {
      ended_by = got.status;
      co_return;
    }
  }
}

task<void> carry_flood(socket& s, unsigned ours, unsigned theirs, std::size_t total_bytes, flood& counted,
                       io_status& ended_by) {
  co_await join(send_flood(s, total_bytes, ours, counted), take_flood(s, theirs, counted, ended_by));
}

task<void> flood_both(socket& server, socket& client, std::size_t total_bytes, std::array<flood, 2>& counted,
                      std::array<io_status, 2>& ended_by, reactor& r) {
  co_await join(carry_flood(server, 1, 2, total_bytes, counted[0], ended_by[0]),
                carry_flood(client, 2, 1, total_bytes, counted[1], ended_by[1]));
  r.stop();
}

task<void> secure_both(socket& server, const tls_context& ours, socket& client, const tls_context& theirs) {
  const auto accept = [](socket& on, const tls_context& context) -> task<void> {
    const tls_outcome outcome = co_await accept_tls(on, context, time_point::max());
    CHECK(outcome.details == "");
  };
  const auto connect = [](socket& on, const tls_context& context) -> task<void> {
    const tls_target target{"server.test"};
    const tls_outcome outcome = co_await connect_tls(on, context, target, time_point::max());
    CHECK(outcome.details == "");
  };
  co_await join(accept(server, ours), connect(client, theirs));
}

TEST_CASE("tls: ten megabytes both ways at once, with the kernel's own edges, narrow and wide") {
  for (const bool narrow : {false, true}) {
    for (const tls_version version : {tls_version::tls_1_2, tls_version::tls_1_3}) {
      CAPTURE(narrow);
      const std::size_t total_bytes = narrow ? 1'000'000 : 10'000'000;
      tls_server_options options;
      options.version_min = version;
      const tls_context ours = server_context(options);
      const tls_context theirs = client_context();
      reactor r;
      socket_pair pair(r);
      if (narrow) pair.make_narrow();
      socket client(r);
      REQUIRE(client.open(::dup(pair.peer_descriptor())) == 0);
      std::array<flood, 2> counted;
      std::array<io_status, 2> ended_by{};
      const auto all = [&]() -> task<void> {
        co_await secure_both(pair.ours, ours, client, theirs);
        co_await flood_both(pair.ours, client, total_bytes, counted, ended_by, r);
      };
      r.spawn(all());
      r.run();
      for (const std::size_t side : {0u, 1u}) {
        CHECK(counted[side].sent_bytes == total_bytes);
        CHECK(counted[side].got_bytes == total_bytes);
        CHECK(counted[side].wrong_bytes == 0);
        CHECK(to_word(ended_by[side]) == "end");
      }
    }
  }
}

/// One reactor's connections, one after the other, all under contexts that others use meanwhile.
int shake_many(const tls_context& ours, const tls_context& theirs, int count) {
  reactor r;
  int secured = 0;
  const auto all = [](reactor& on, const tls_context& server, const tls_context& client, int how_many,
                      int& done) -> task<void> {
    for (int i = 0; i < how_many; ++i) {
      socket_pair pair(on);
      socket other(on);
      if (other.open(::dup(pair.peer_descriptor())) != 0) break;
      co_await secure_both(pair.ours, server, other, client);
      if (pair.ours.is_secure() && pair.ours.tls()->server_name() == "server.test") ++done;
    }
    on.stop();
  };
  r.spawn(all(r, ours, theirs, count, secured));
  r.run();
  return secured;
}

TEST_CASE("tls: one context serves several reactors at once, and is exchanged meanwhile") {
  tls_server_options options;
  options.certificates = {folder().of("a"), folder().of("server")};
  tls_context ours = server_context(options);
  tls_context theirs = client_context();
  std::array<int, 3> secured{};
  {
    std::vector<std::jthread> threads;
    for (int& count : secured) {
      // Each has its own handle, as each listener has.
      threads.emplace_back([&count, server = ours, client = theirs] { count = shake_many(server, client, 10); });
    }
    ours = {};
    theirs = {};
  }
  for (const int count : secured) CHECK(count == 10);
}

}  // namespace
}  // namespace cellroute::io
