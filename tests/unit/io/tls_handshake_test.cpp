// Who is believed, what is agreed on, and how a handshake fails.
#include "adapters/io/tls_session.hpp"

#include <doctest/doctest.h>

#include <unistd.h>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/io/tls_conversation.hpp"

namespace cellroute::io {
namespace {

TEST_CASE("tls: a handshake has a deadline; afterwards the socket is as before") {
  for (const bool we_accept : {true, false}) {
    CAPTURE(we_accept);
    conversation c(we_accept);
    const time_point now = c.r.now();
    const tls_context context = we_accept ? server_context() : client_context();
    we_accept ? c.accept(context, now + 5s) : c.connect(context, {"server.test"}, now + 5s);
    (void)c.peer.shake_hands();
    c.peer.move_out(5);
    c.pair.becomes_readable();
    c.r.wheel().sweep(now + 4s);
    CHECK(c.fault() == "waits");
    c.r.wheel().sweep(now + 5s + timer_wheel::tick);
    CHECK(c.fault() == "timed_out");
    CHECK_FALSE(c.pair.ours.is_secure());
  }
}

TEST_CASE("tls: a handshake that is cancelled, or whose peer leaves, ends") {
  conversation cancelled;
  cancelled.accept(server_context());
  cancelled.pair.ours.cancel();
  CHECK(cancelled.fault() == "cancelled");
  conversation left;
  left.accept(server_context());
  left.pair.close_peer();
  left.pair.breaks();
  CHECK(left.fault() == "closed");
}

TEST_CASE("tls: what is no TLS is refused") {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n\r\n", "\x80\x2e\x01\x00\x02", "SSH-2.0-x\r\n"}) {
    CAPTURE(text);
    conversation c;
    c.accept(server_context());
    c.pair.peer_writes(text);
    c.pair.peer_ends();
    c.pair.peer_hangs_up();
    CHECK((c.fault() == "malformed" || c.fault() == "nothing_in_common" || c.fault() == "closed"));
    CHECK_FALSE(c.details().empty());
  }
}

TEST_CASE("tls: whom a client believes") {
  struct belief_case {
    std::string_view says;
    std::string server;
    std::string host;
    bool foreign;
    bool verify;
    std::string_view fault;
    std::string_view details;
  };
  const std::vector<belief_case> cases = {
      {"the right one", "server", "server.test", false, true, "none", ""},
      {"whatever the case of its name", "server", "SERVER.test", false, true, "none", ""},
      {"by its address", "server", "127.0.0.1", false, true, "none", ""},
      {"by a wildcard", "a", "www.a.test", false, true, "none", ""},
      {"another host", "server", "other.test", false, true, "certificate_refused",
       "certificate verify failed: hostname mismatch"},
      {"another address", "server", "127.0.0.2", false, true, "certificate_refused",
       "certificate verify failed: IP address mismatch"},
      {"a wildcard does not cover two labels", "a", "x.y.a.test", false, true, "certificate_refused",
       "certificate verify failed: hostname mismatch"},
      {"one that has expired", "old", "server.test", false, true, "certificate_refused",
       "certificate verify failed: certificate has expired"},
      {"one of an authority that we do not know", "server", "server.test", true, true, "certificate_refused",
       "certificate verify failed: unable to get local issuer certificate"},
      {"anybody, where the operator says so", "server", "server.test", true, false, "none", ""},
  };
  for (const belief_case& row : cases) {
    CAPTURE(row.says);
    conversation c(false, row.server, row.foreign ? *folder().foreign : folder());
    tls_client_options options;
    options.verify = row.verify;
    const tls_context context = client_context(options);
    c.connect(context, {row.host});
    c.run();
    CHECK(c.fault() == row.fault);
    CHECK(c.details() == row.details);
    if (row.fault != "none") {
      CHECK_FALSE(c.pair.ours.is_secure());
      CHECK_FALSE(c.peer.error().empty());  // it was told
    } else {
      REQUIRE(c.pair.ours.is_secure());
      CHECK((c.pair.ours.tls()->peer() != nullptr) == row.verify);
    }
  }
}

TEST_CASE("tls: which certificate a server shows") {
  struct choice_case {
    std::string_view says;
    std::string host;
    std::string_view subject;
  };
  const choice_case cases[] = {
      {"nobody was asked for: the first", "", "CN = server"},
      {"a name that no other has: the first", "unknown.test", "CN = server"},
      {"its name", "a.test", "CN = a"},
      {"the same in capitals", "A.TEST", "CN = a"},
      {"a name under a wildcard that two have: the first of them", "www.a.test", "CN = a"},
      {"a whole name before a wildcard, wherever it stands", "x.a.test", "CN = b"},
      {"a name that the operator gave", "given.test", "CN = b"},
      {"then those of the certificate do not count", "b.test", "CN = server"},
  };
  tls_server_options options;
  options.certificates = {folder().of("server"), folder().of("a"), folder().of("b")};
  options.certificates[2].names = {"given.test", "x.a.test", "*.a.test"};
  const tls_context context = server_context(options);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const choice_case& row : cases) {
      CAPTURE(row.says);
      CAPTURE(version);
      conversation c;
      SSL_CTX_set_max_proto_version(c.peer.context(), version);
      c.peer.trust(folder().authority_file());
      if (!row.host.empty()) c.peer.ask_for(row.host);
      c.accept(context);
      c.settle();
      std::array<char, 256> subject{};
      X509_NAME* const name = X509_get_subject_name(SSL_get0_peer_certificate(c.peer.ssl()));
      X509_NAME_oneline(name, subject.data(), static_cast<int>(subject.size()));
      CHECK(std::string("/CN=") + std::string(row.subject.substr(5)) == subject.data());
    }
  }
}

TEST_CASE("tls: which clients a server takes, and what it knows of them") {
  struct client_case {
    std::string_view says;
    client_auth mode;
    std::string_view shown;
    std::string_view fault;
    std::string_view identity;
  };
  const client_case cases[] = {
      {"nobody is asked", client_auth::off, "", "none", ""},
      {"what is shown unasked is not looked at", client_auth::off, "client", "none", ""},
      {"asked, and none is shown", client_auth::optional, "", "none", ""},
      {"asked, and a good one is shown", client_auth::optional, "client", "none",
       "CN=router-7 spiffe://cells/router-7 r7.test r@r.test"},
      {"asked, and a stranger's is shown", client_auth::optional, "foreign", "certificate_refused", ""},
      {"asked, and one that has expired is shown", client_auth::optional, "old", "certificate_refused", ""},
      {"required, and none is shown", client_auth::required, "", "certificate_refused", ""},
      {"required, and a good one is shown", client_auth::required, "client", "none",
       "CN=router-7 spiffe://cells/router-7 r7.test r@r.test"},
      {"required, and a stranger's is shown", client_auth::required, "foreign", "certificate_refused", ""},
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const client_case& row : cases) {
      CAPTURE(row.says);
      CAPTURE(version);
      tls_server_options options;
      options.clients = row.mode;
      if (row.mode != client_auth::off) options.client_ca_file = folder().authority_file();
      const tls_context context = server_context(options);
      conversation c;
      SSL_CTX_set_max_proto_version(c.peer.context(), version);
      const certificate_folder& from = row.shown == "foreign" ? *folder().foreign : folder();
      const std::string name = row.shown == "foreign" ? "client" : std::string(row.shown);
      if (!name.empty()) c.peer.show(from.certificate_file(name), from.key_file(name));
      c.accept(context);
      c.run();
      CHECK(c.fault() == row.fault);
      if (row.fault != "none") {
        (void)c.peer.read();
        CHECK_FALSE(c.peer.error().empty());  // the alert has come
        continue;
      }
      const tls_identity* const peer = c.pair.ours.tls()->peer();
      REQUIRE((peer != nullptr) == !row.identity.empty());
      if (peer == nullptr) continue;
      REQUIRE(peer->uris.size() + peer->dns_names.size() + peer->emails.size() == 3);
      CHECK(peer->subject + " " + peer->uris[0] + " " + peer->dns_names[0] + " " + peer->emails[0] == row.identity);
    }
  }
}

TEST_CASE("tls: a client that the server refuses behind its back is told why when it reads (TLS 1.3)") {
  conversation c(false);
  c.peer.trust(folder().authority_file());
  SSL_CTX_set_verify(c.peer.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const tls_context context = client_context();
  c.connect(context, {"server.test"});
  c.run();
  CHECK(c.fault() == "none");  // its own handshake was over
  CHECK(read_all(c.pair.ours) == "|reset");
  CHECK(c.pair.ours.tls()->outcome().fault == tls_fault::refused_by_peer);
  CHECK(c.pair.ours.tls()->outcome().details == "tlsv13 alert certificate required");
}

TEST_CASE("tls: a client shows its own certificate") {
  conversation c(false);
  c.peer.trust(folder().authority_file());
  SSL_CTX_set_verify(c.peer.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  tls_client_options options;
  options.cert_file = folder().certificate_file("client");
  options.key_file = folder().key_file("client");
  const tls_context context = client_context(options);
  c.connect(context, {"server.test"});
  c.run();
  CHECK(c.fault() == "none");
  CHECK(c.peer_done);
  CHECK(SSL_get_verify_result(c.peer.ssl()) == X509_V_OK);
}

TEST_CASE("tls: which versions and protocols are spoken") {
  struct protocol_case {
    std::string_view says;
    tls_version ours_min;
    int peer_max;
    std::vector<std::string> ours;
    std::string peers;  // as ALPN has them
    std::string_view fault;
    std::string_view agreed;
  };
  const std::vector<protocol_case> cases = {
      {"TLS 1.1 is too old", tls_version::tls_1_2, TLS1_1_VERSION, {}, "", "nothing_in_common", ""},
      {"TLS 1.2 is spoken", tls_version::tls_1_2, TLS1_2_VERSION, {}, "", "none", ""},
      {"unless the operator wants 1.3", tls_version::tls_1_3, TLS1_2_VERSION, {}, "", "nothing_in_common", ""},
      {"TLS 1.3", tls_version::tls_1_3, TLS1_3_VERSION, {}, "", "none", ""},
      {"no protocol is named", tls_version::tls_1_2, TLS1_3_VERSION, {"http/1.1"}, "", "none", ""},
      {"ours is named", tls_version::tls_1_2, TLS1_3_VERSION, {"http/1.1"}, "\x02h2\x08http/1.1", "none", "http/1.1"},
      {"our order counts",
       tls_version::tls_1_2,
       TLS1_3_VERSION,
       {"http/1.1", "h2"},
       "\x02h2\x08http/1.1",
       "none",
       "http/1.1"},
      {"another one is named (RFC 7301 section 3.2)",
       tls_version::tls_1_2,
       TLS1_3_VERSION,
       {"http/1.1"},
       "\x02h2",
       "nothing_in_common",
       ""},
      {"we have none", tls_version::tls_1_2, TLS1_3_VERSION, {}, "\x02h2", "none", ""},
  };
  for (const protocol_case& row : cases) {
    CAPTURE(row.says);
    tls_server_options options;
    options.version_min = row.ours_min;
    options.protocols = row.ours;
    const tls_context context = server_context(options);
    conversation c;
    SSL_CTX_set_security_level(c.peer.context(), 0);
    SSL_CTX_set_min_proto_version(c.peer.context(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(c.peer.context(), row.peer_max);
    const auto* const offered = static_cast<const unsigned char*>(static_cast<const void*>(row.peers.data()));
    SSL_CTX_set_alpn_protos(c.peer.context(), offered, static_cast<unsigned>(row.peers.size()));
    c.accept(context);
    c.run();
    CHECK(c.fault() == row.fault);
    if (row.fault == "none") CHECK(c.pair.ours.tls()->protocol() == row.agreed);
  }
}

TEST_CASE("tls: a client names its protocols") {
  conversation c(false);
  const auto choose = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned int,
                         void*) {
    *size = in[0];
    *out = in + 1;
    return SSL_TLSEXT_ERR_OK;
  };
  SSL_CTX_set_alpn_select_cb(c.peer.context(), choose, nullptr);
  tls_client_options options;
  options.protocols = {"http/1.1"};
  const tls_context context = client_context(options);
  c.connect(context, {"server.test"});
  c.run();
  CHECK(c.fault() == "none");
  CHECK(c.pair.ours.tls()->protocol() == "http/1.1");
}

TEST_CASE("tls: a session is resumed with the same host under the same context, and with nobody else") {
  const tls_context context = server_context();
  const tls_context ours = client_context();
  const tls_context renewed = client_context();
  tls_memory memory;
  struct resumption_case {
    std::string_view says;
    const tls_context* by;
    std::string_view host;
    bool expected;
  };
  const resumption_case cases[] = {
      {"the first time", &ours, "server.test", false},
      {"the second time", &ours, "server.test", true},
      {"again", &ours, "server.test", true},
      {"another host", &ours, "127.0.0.1", false},
      {"the host of before was forgotten", &ours, "server.test", false},
      {"other authorities are believed now", &renewed, "server.test", false},
  };
  for (const resumption_case& row : cases) {
    CAPTURE(row.says);
    // Both ends are ours here: each resumes what the other remembers.
    reactor r;
    socket_pair pair(r);
    socket server(r);
    REQUIRE(server.open(::dup(pair.peer_descriptor())) == 0);
    const started<tls_outcome> accepts(accept_tls(server, context, time_point::max()));
    const started<tls_outcome> connects(connect_tls(pair.ours, *row.by, {row.host, &memory}, time_point::max()));
    for (int turn = 0; turn < 6; ++turn) {
      server.on_events(EPOLLIN | EPOLLOUT);
      pair.ours.on_events(EPOLLIN | EPOLLOUT);
    }
    REQUIRE(accepts.result.has_value());
    REQUIRE(connects.result.has_value());
    CHECK(connects.result->details == "");
    CHECK(pair.ours.tls()->is_resumed() == row.expected);
    CHECK(server.tls()->is_resumed() == row.expected);
    CHECK_FALSE(pair.ours.has_news());  // tickets are not for us
  }
}

TEST_CASE("tls: where clients show certificates nothing is resumed: each connection is verified anew") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    tls_server_options options;
    options.clients = client_auth::required;
    options.client_ca_file = folder().authority_file();
    const tls_context context = server_context(options);
    conversation c;
    SSL_CTX_set_max_proto_version(c.peer.context(), version);
    c.peer.show(folder().certificate_file("client"), folder().key_file("client"));
    c.accept(context);
    c.settle();
    CHECK(SSL_SESSION_has_ticket(SSL_get0_session(c.peer.ssl())) == 0);
    CHECK(SSL_SESSION_is_resumable(SSL_get0_session(c.peer.ssl())) == 0);
  }
}

TEST_CASE("tls: a reload between two connections: the second gets the new certificate, the first goes on") {
  certificate_folder own;
  own.add("server", {.subject = "before"});
  tls_server_options options;
  options.certificates.push_back({{}, own.certificate_file("server"), own.key_file("server")});
  tls_context context = server_context(options);
  conversation first;
  first.accept(context);
  first.settle();
  CHECK_FALSE(context.have_files_changed());
  own.add("server", {.subject = "after"});
  CHECK(context.have_files_changed());
  context = server_context(options);
  CHECK_FALSE(context.have_files_changed());
  conversation second;
  second.accept(context);
  second.settle();
  const auto subject = [](tls_peer& of) {
    std::array<char, 64> text{};
    X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(of.ssl())), text.data(), 64);
    return std::string(text.data());
  };
  CHECK(subject(first.peer) == "/CN=before");
  CHECK(subject(second.peer) == "/CN=after");
  context = {};
  for (conversation* c : {&first, &second}) {
    CHECK(c->peer.write("still here"));
    c->run();
    CHECK(read_all(c->pair.ours) == "still here|would_block");
  }
}

TEST_CASE("tls: the words for faults") {
  CHECK(to_string(tls_fault::none) == "none");
  CHECK(to_string(tls_fault::timed_out) == "timed_out");
  CHECK(to_string(tls_fault::cancelled) == "cancelled");
  CHECK(to_string(tls_fault::closed) == "closed");
  CHECK(to_string(tls_fault::nothing_in_common) == "nothing_in_common");
  CHECK(to_string(tls_fault::certificate_refused) == "certificate_refused");
  CHECK(to_string(tls_fault::refused_by_peer) == "refused_by_peer");
  CHECK(to_string(tls_fault::malformed) == "malformed");
}

}  // namespace
}  // namespace cellroute::io
