#include "adapters/proxy/content_watch.hpp"

#include <doctest/doctest.h>

#include <string>

namespace cellroute::proxy {
namespace {

/// A minute of requests at a time, or less.
struct watched {
  content_watch watch;
  request_counts total;
  time_point now{std::chrono::hours(5)};

  void pass(std::uint64_t requests, std::uint64_t of_them_5xx, duration time = 1s) {
    total.finished += requests;
    total.own_5xx += of_them_5xx;
    now += time;
    watch.count(total, now);
  }
  std::string harm(double percent = 50) { return watch.take_harm(percent, now).value_or(""); }
};

TEST_CASE("content watch: far more failures than before, and more than may be, are harm: told once") {
  watched w;
  w.pass(1'000, 10);
  w.watch.began(w.now);
  w.pass(499, 499);
  CHECK(w.harm() == "");  // too few to say
  w.pass(1, 1);
  CHECK(w.harm() == "500 of 500 requests were answered 5xx by this router since it is in use, 10 of 1000 before");
  CHECK(w.harm() == "");
}

TEST_CASE("content watch: what fails for a reason of its own is no harm of what came last") {
  const struct {
    const char* what;
    std::uint64_t before, before_5xx, since, since_5xx;
    double percent;
    bool is_harm;
  } rows[] = {
      {"all is well", 1'000, 0, 1'000, 0, 50, false},
      {"as many as the setting allows", 1'000, 0, 1'000, 500, 50, false},
      {"one more", 1'000, 0, 1'000, 501, 50, true},
      {"a lower setting", 1'000, 0, 1'000, 101, 10, true},
      {"ten times as many as before", 1'000, 60, 1'000, 600, 50, false},
      {"more than ten times", 1'000, 59, 1'000, 600, 50, true},
      {"it failed before, too", 1'000, 900, 1'000, 1'000, 50, false},
      {"too few before to say", 499, 0, 1'000, 1'000, 50, false},
      {"just enough before", 500, 0, 1'000, 1'000, 50, true},
      {"nobody asked before", 0, 0, 1'000, 1'000, 50, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    watched w;
    w.pass(row.before, row.before_5xx);
    w.watch.began(w.now);
    w.pass(row.since, row.since_5xx);
    CHECK(w.harm(row.percent).empty() != row.is_harm);
  }
}

TEST_CASE("content watch: what has served for a minute is not watched any more") {
  watched w;
  w.pass(1'000, 0);
  CHECK(w.harm() == "");  // nothing has come
  w.watch.began(w.now);
  w.pass(1'000, 0, 60s);
  CHECK(w.harm() == "");
  w.pass(9'000, 9'000);
  CHECK(w.harm() == "");
  w.watch.began(w.now);
  w.watch.ended();
  w.pass(9'000, 9'000);
  CHECK(w.harm() == "");
}

TEST_CASE("content watch: what is usual is what the last minute or two came to") {
  watched w;
  w.pass(1'000, 1'000, 1h);  // long ago
  w.pass(1'000, 0, 60s);
  w.pass(1'000, 0, 60s);
  w.watch.began(w.now);
  w.pass(1'000, 1'000);
  CHECK(w.harm() == "1000 of 1000 requests were answered 5xx by this router since it is in use, 0 of 1000 before");
}

TEST_CASE("content watch: of changes that come quickly none hides the harm of another") {
  watched w;
  w.pass(1'000, 0);
  w.watch.began(w.now);
  w.pass(300, 300);  // too few to say
  w.watch.began(w.now);
  w.pass(300, 300);
  w.watch.began(w.now);
  w.pass(600, 600);
  CHECK(w.harm() == "600 of 600 requests were answered 5xx by this router since it is in use, 0 of 1000 before");
}

TEST_CASE("content watch: what the first one came to is usual for the next, however soon that comes") {
  watched w;
  w.watch.began(w.now);  // nobody asked before it
  w.pass(600, 0);
  w.watch.began(w.now);
  w.pass(600, 600);
  CHECK(w.harm() == "600 of 600 requests were answered 5xx by this router since it is in use, 0 of 600 before");
}

TEST_CASE("content watch: what was gone back to is not watched, and the harm before it is not usual") {
  watched w;
  w.pass(1'000, 0);
  w.watch.began(w.now);
  w.pass(1'000, 1'000);
  CHECK(w.harm() != "");
  w.watch.went_back(w.now);
  w.pass(100, 100);
  CHECK(w.harm() == "");
  w.watch.began(w.now);
  w.pass(1'000, 1'000);
  CHECK(w.harm() == "1000 of 1000 requests were answered 5xx by this router since it is in use, 0 of 1000 before");
}

}  // namespace
}  // namespace cellroute::proxy
