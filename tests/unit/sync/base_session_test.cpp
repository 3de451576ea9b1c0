#include "adapters/sync/base_session.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::sync {
namespace {

struct base_control {
  base_settings settings;
  base_use::counted published;  // before the session, which uses it
  time_point now{1h};
  base_session session{settings, now};

  std::string said() {
    std::string all;
    while (auto out = session.next_output(now)) {
      const auto* own = std::get_if<std::string>(&*out);
      all += (all.empty() ? "" : ", ") + (own != nullptr ? *own : std::get<base_use>(*out)->text);
    }
    return all;
  }
  std::string publish(std::uint64_t version, std::string why_not = "") {
    published.what = {version, "content " + std::to_string(version), std::move(why_not)};
    session.publish(published, now);
    return said();
  }
  std::string take(wire::base_message m) {
    session.take(m, now);
    return said();
  }
  std::string applied(wire::base_version version) { return take(wire::base_ack{std::move(version)}); }
  std::string rejected(wire::base_version version, std::string why) {
    return take(wire::base_ack{std::move(version), false, std::move(why)});
  }
  std::string wait(duration by) {
    now += by;
    session.tick(now);
    return said();
  }
  std::string_view state() const { return to_string(session.state()); }
};

constexpr std::string_view beat = R"({"type":"ping"})";

TEST_CASE("base session: the newest content goes at once, and the next when it is acknowledged: the latest of them") {
  base_control c;
  CHECK(c.publish(0).empty());  // nothing is published yet
  CHECK(c.publish(1) == "content 1");
  CHECK(c.state() == "waiting_ack");
  CHECK(c.publish(2).empty());
  CHECK(c.publish(3).empty());
  CHECK(c.applied(std::uint64_t{1}) == "content 3");
  CHECK(c.session.acked() == 1);
  CHECK(c.applied(std::uint64_t{3}).empty());
  CHECK(c.state() == "in_sync");
  CHECK(c.publish(3).empty());  // not twice
}

TEST_CASE("base session: what is no news any more is not sent, and what follows it is") {
  base_control c;
  c.published.what = {1, "content 1", ""};
  c.session.publish(c.published, c.now);
  CHECK(c.session.has_output());
  CHECK(c.publish(0).empty());
  CHECK(c.publish(2) == "content 2");
}

TEST_CASE("base session: a refused content is not sent again; the next one is") {
  base_control c;
  (void)c.publish(1);
  CHECK(c.rejected(std::uint64_t{1}, "no placement tier9").empty());
  CHECK(c.state() == "rejected");
  CHECK(c.session.last_refusal() == "no placement tier9");
  CHECK(c.publish(1).empty());
  CHECK(c.publish(2) == "content 2");
}

TEST_CASE("base session: an answer counts by its version, in whatever way that is written") {
  base_control c;
  (void)c.publish(7);
  CHECK(c.applied(std::uint64_t{6}).empty());  // a late one
  CHECK(c.state() == "waiting_ack");
  (void)c.applied(std::string("7"));
  CHECK(c.state() == "in_sync");
  (void)c.publish(8);
  (void)c.applied(std::string());  // a router that leaves it out
  CHECK(c.session.acked() == 8);
  CHECK(c.applied(std::uint64_t{8}).empty());
}

TEST_CASE("base session: a router that acknowledges nothing is sent the next content after a time") {
  base_control c;
  (void)c.publish(1);
  CHECK(c.publish(2).empty());
  CHECK(c.wait(10s - 1ns) == beat);
  CHECK(c.wait(1ns) == "content 2");
  CHECK(c.session.acked() == 0);
}

TEST_CASE("base session: beats go, and who answered one once has to go on") {
  base_control c;
  CHECK(c.wait(5s - 1ns).empty());
  CHECK(c.wait(1ns) == beat);
  CHECK(c.wait(1h) == beat);
  CHECK(c.state() == "in_sync");
  (void)c.take(wire::base_pong{});
  CHECK(c.wait(15s - 1ns) == beat);
  CHECK(c.wait(1ns).empty());
  CHECK(c.state() == "ended");
  CHECK(c.session.why() == "it answers no beat");
  CHECK(c.publish(1).empty());
}

TEST_CASE("base session: what does not go into three maps is not sent, and the session ends with the reason") {
  base_control c;
  (void)c.publish(1);
  (void)c.applied(std::uint64_t{1});
  CHECK(c.publish(2, "placement tier1 has two endpoints").empty());
  CHECK(c.state() == "ended");
  CHECK(c.session.why() == "placement tier1 has two endpoints");
}

}  // namespace
}  // namespace cellroute::sync
