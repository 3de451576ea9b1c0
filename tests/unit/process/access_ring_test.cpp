// The way of a record from a reactor to the log writer: nothing is changed, nothing waits, what is lost is counted.
#include "adapters/process/access_ring.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "adapters/process/access_log.hpp"

namespace cellroute::process {
namespace {

/// A record in which every field differs from every other.
struct full_record {
  std::array<std::string, 21> texts;
  access_record record;

  explicit full_record(std::size_t seed) {
    std::size_t next = 0;
    for (const auto text : {&access_record::request_id,   &access_record::method,       &access_record::path,
                            &access_record::query,        &access_record::routing_key,  &access_record::placement_key,
                            &access_record::route_reason, &access_record::upstream_url, &access_record::failover_reason,
                            &access_record::cell,         &access_record::endpoint,     &access_record::key_source,
                            &access_record::route,        &access_record::listener,     &access_record::protocol,
                            &access_record::host,         &access_record::client_ip,    &access_record::user_agent,
                            &access_record::referer,      &access_record::proxy_error,  &access_record::sampled}) {
      texts[next] = std::to_string(seed) + std::string(next + seed % 7, static_cast<char>('a' + next));
      record.*text = texts[next];
      ++next;
    }
    record.timestamp = wall_time(duration(1'767'528'000'123'456'789 + seed));
    record.status_code = static_cast<std::uint16_t>(100 + seed % 500);
    record.elapsed = duration(seed + 1);
    record.attempts = static_cast<std::uint32_t>(seed + 2);
    record.generation = seed + 3;
    record.bytes_in = seed + 4;
    record.peer = {{static_cast<std::uint8_t>(seed), 2, 3, 4}, static_cast<std::uint16_t>(seed + 8), seed % 2 == 0};
    record.is_secure = seed % 3 == 0;
    record.is_key_hashed = seed % 5 == 0;
    record.bytes_out = seed + 5;
    if (seed % 2 == 0) record.upstream_elapsed = duration(seed + 6);
    if (seed % 3 == 0) record.ttfb = duration(seed);
    if (seed % 5 == 0) record.queue = duration(seed + 7);
  }
};

/// All that a record says, for comparison.
std::string said(const access_record& record) {
  std::string text;
  for (const access_preset preset : {access_preset::standard, access_preset::otel}) {
    std::vector<std::string> every;
    for (const access_field& field : access_fields(preset)) every.emplace_back(field.name);
    append_access_line(text, record, access_layout(preset, every));
  }
  return text + std::to_string(record.timestamp.time_since_epoch().count()) + ' ' +
         std::to_string(record.elapsed.count()) + ' ' + std::to_string(record.upstream_elapsed.value_or(-2ns).count()) +
         ' ' + std::to_string(record.ttfb.value_or(-2ns).count()) + ' ' +
         std::to_string(record.queue.value_or(-2ns).count());
}

TEST_CASE("access ring: a record comes out as it went in") {
  access_ring ring;
  CHECK_FALSE(ring.front());
  for (std::size_t seed = 0; seed < 30; ++seed) {
    const full_record in(seed);
    REQUIRE(ring.push(in.record));
    const auto out = ring.front();
    REQUIRE(out);
    CHECK(said(*out) == said(in.record));
    ring.pop();
    CHECK_FALSE(ring.front());
  }
  CHECK(ring.pushed() == 30);
  CHECK(ring.dropped() == 0);
}

TEST_CASE("access ring: records keep their order around the end, many times over") {
  access_ring ring(64 * 1024);
  std::size_t in = 0;
  std::size_t out = 0;
  while (out < 5000) {
    for (std::size_t burst = in % 97 + 1; burst > 0; --burst) {
      if (!ring.push(full_record(in).record)) break;
      ++in;
    }
    for (std::size_t burst = out % 89 + 1; burst > 0; --burst) {
      const auto record = ring.front();
      if (!record) break;
      const full_record expected(out++);
      if (said(*record) != said(expected.record)) FAIL("record " << out - 1 << " came out changed");
      ring.pop();
    }
  }
  CHECK(ring.pushed() == in);
}

TEST_CASE("access ring: a full ring refuses and counts, and takes again once there is room") {
  access_ring ring(64 * 1024);
  const full_record record(1);
  std::uint64_t taken = 0;
  while (ring.push(record.record)) ++taken;
  CHECK(taken > 64 * 1024 / 1000);
  CHECK(ring.dropped() == 1);
  CHECK_FALSE(ring.push(record.record));
  CHECK(ring.dropped() == 2);
  CHECK(ring.pushed() == taken);

  REQUIRE(ring.front());
  ring.pop();
  CHECK(ring.push(record.record));
  CHECK_FALSE(ring.push(record.record));
  std::uint64_t left = 0;
  for (; ring.front(); ring.pop()) ++left;
  CHECK(left == taken);
}

TEST_CASE("access ring: the smallest has room for the longest record, at every place") {
  access_ring ring(0);
  CHECK(ring.capacity_bytes() == 64 * 1024);
  const std::string longest(100'000, 'x');
  access_record record;
  for (const auto text : {&access_record::request_id,   &access_record::method,       &access_record::path,
                          &access_record::query,        &access_record::routing_key,  &access_record::placement_key,
                          &access_record::route_reason, &access_record::upstream_url, &access_record::failover_reason,
                          &access_record::cell,         &access_record::endpoint,     &access_record::key_source,
                          &access_record::route,        &access_record::listener,     &access_record::protocol,
                          &access_record::host,         &access_record::client_ip,    &access_record::user_agent,
                          &access_record::referer,      &access_record::proxy_error}) {
    record.*text = longest;
  }
  const full_record small(0);
  for (int i = 0; i < 1000; ++i) {
    for (const access_record& next : {record, small.record}) {
      if (!ring.push(next)) FAIL("no room in an empty ring, round " << i);
      REQUIRE(ring.front());
      ring.pop();
    }
  }
}

struct cut_case {
  std::string_view says;
  std::string text;
  std::string expected;
};

TEST_CASE("access ring: a text over its bound is cut and says so") {
  const std::string x1021(1021, 'x');
  const cut_case cases[] = {
      {"at the bound nothing is cut", x1021 + "yyy", x1021 + "yyy"},
      {"one byte over", x1021 + "yyyy", x1021 + "…"},
      {"far over", std::string(1'000'000, 'x'), x1021 + "…"},
      {"not within a code point of two bytes", std::string(1020, 'x') + "äääää", std::string(1020, 'x') + "…"},
      {"not within one of four", std::string(1018, 'x') + "😀😀😀", std::string(1018, 'x') + "…"},
      {"right behind one", std::string(1017, 'x') + "😀😀😀", std::string(1017, 'x') + "😀…"},
      {"bytes that are no text are cut anywhere near", std::string(2000, '\x80'), std::string(1018, '\x80') + "…"},
  };
  for (const cut_case& row : cases) {
    CAPTURE(row.says);
    access_ring ring;
    access_record record;
    record.user_agent = row.text;
    record.proxy_error = "after";
    REQUIRE(ring.push(record));
    const auto out = ring.front();
    REQUIRE(out);
    CHECK(out->user_agent == row.expected);
    CHECK(out->proxy_error == "after");
  }
}

TEST_CASE("access ring: a path has a longer bound") {
  access_ring ring;
  const std::string path(8193, 'p');
  access_record record;
  record.path = std::string_view(path).substr(0, 8192);
  REQUIRE(ring.push(record));
  record.path = path;
  REQUIRE(ring.push(record));
  CHECK(ring.front()->path == std::string_view(path).substr(0, 8192));
  ring.pop();
  CHECK(ring.front()->path == path.substr(0, 8189) + "…");
}

TEST_CASE("access ring: one thread pushes while another takes") {
  access_ring ring(64 * 1024);
  constexpr std::size_t records = 5000;
  std::thread producer([&] {
    for (std::size_t seed = 0; seed < records; ++seed) {
      const full_record record(seed);
      while (!ring.push(record.record)) std::this_thread::yield();
    }
  });
  for (std::size_t seed = 0; seed < records;) {
    const auto record = ring.front();
    if (!record) {
      std::this_thread::yield();
      continue;
    }
    const full_record expected(seed++);
    if (said(*record) != said(expected.record)) FAIL_CHECK("record " << seed - 1 << " came out changed");
    ring.pop();
  }
  producer.join();
  CHECK(ring.pushed() == records);
  CHECK_FALSE(ring.front());
}

}  // namespace
}  // namespace cellroute::process
