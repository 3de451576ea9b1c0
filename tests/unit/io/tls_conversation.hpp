#pragma once

// What the tests of TLS share: certificates, and a socket of ours beside a peer that is OpenSSL on its own. The reactor
// does not run: the test says which edges come.

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/io/clock.hpp"
#include "adapters/io/tls_session.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/socket_pair.hpp"
#include "tests/support/tls_peer.hpp"
#include "tests/unit/io/words.hpp"

namespace cellroute::io {

using support::certificate_folder;
using support::socket_pair;
using support::started;
using support::tls_peer;

inline constexpr std::size_t whole = 1'000'000;

/// All that can be read now: the text, and behind it what ended it.
inline std::string read_all(socket& from) {
  std::string text;
  std::array<char, 20'000> block;
  for (;;) {
    const io_result got = from.try_read(block);
    if (got.status != io_status::ok) return text + "|" + std::string(to_word(got.status));
    text.append(block.data(), got.size_bytes);
  }
}

/// The certificates of all tests here: made once, since each costs a key.
struct stocked_folder : certificate_folder {
  stocked_folder() {
    add("server", {.subject = "server", .alternative_names = "DNS:server.test,IP:127.0.0.1"});
    add("a", {.subject = "a", .alternative_names = "DNS:a.test,DNS:*.a.test", .is_rsa = true});
    add("b", {.subject = "b", .alternative_names = "DNS:b.test,DNS:x.a.test"});
    add("client",
        {.subject = "router-7", .alternative_names = "URI:spiffe://cells/router-7,DNS:r7.test,email:r@r.test"});
    add("old", {.subject = "old", .alternative_names = "DNS:server.test", .valid_from_s = -7200, .valid_until_s = -60});
    foreign.emplace("another authority");
    foreign->add("client", {.subject = "stranger"});
    foreign->add("server", {.subject = "server", .alternative_names = "DNS:server.test"});
  }
  [[nodiscard]] tls_certificate_files of(const std::string& name) const {
    return {{}, certificate_file(name), key_file(name)};
  }
  std::optional<certificate_folder> foreign;  ///< of an authority that nobody here believes
};

inline const stocked_folder& folder() {
  static const stocked_folder made;
  return made;
}

inline tls_context server_context(tls_server_options options = {}) {
  if (options.certificates.empty()) options.certificates.push_back(folder().of("server"));
  auto made = make_tls_server(options, read_wall_clock());
  REQUIRE(made.has_value());
  return *std::move(made);
}

inline tls_context client_context(tls_client_options options = {}) {
  if (options.ca_file.empty()) options.ca_file = folder().authority_file();
  auto made = make_tls_client(options, read_wall_clock());
  REQUIRE(made.has_value());
  return *std::move(made);
}

/// A socket of ours that is to become secure, and its peer.
struct conversation {
  /// A peer that is a server shows this certificate.
  explicit conversation(bool peer_is_client = true, const std::string& name = "server",
                        const certificate_folder& from = folder())
      : pair(r),
        peer(peer_is_client ? tls_peer::client(pair.peer_descriptor()) : tls_peer::server(pair.peer_descriptor())) {
    if (!peer_is_client) peer.show(from.certificate_file(name), from.key_file(name));
  }
  void accept(const tls_context& context, time_point deadline = time_point::max()) {
    ours.emplace(accept_tls(pair.ours, context, deadline));
  }
  void connect(const tls_context& context, tls_target target, time_point deadline = time_point::max()) {
    ours.emplace(connect_tls(pair.ours, context, target, deadline));
  }
  /// Lets bytes pass in fragments, each with an edge, until nothing moves any more.
  void run(std::size_t fragment_bytes = whole) {
    for (int quiet = 0; quiet < 3; ++quiet) {
      if (!peer_done) peer_done = peer.shake_hands();
      if (!peer.move(fragment_bytes)) continue;
      quiet = 0;
      pair.ours.on_events(EPOLLIN | EPOLLOUT);
    }
  }
  /// Both have shaken hands; what is left for a client to read of it, it has read.
  void settle() {
    run();
    REQUIRE(fault() == "none");
    REQUIRE(peer_done);
    (void)peer.read();
  }
  [[nodiscard]] std::string fault() const {
    return !ours->result ? "waits" : std::string(to_string(ours->result->fault));
  }
  [[nodiscard]] std::string details() const { return ours->result ? ours->result->details : ""; }

  reactor r;
  socket_pair pair;
  tls_peer peer;
  std::optional<started<tls_outcome>> ours;
  bool peer_done = false;
};

inline std::string written(socket& to, std::string_view text) {
  return std::string(to_word(to.try_write(text).status));
}

}  // namespace cellroute::io
