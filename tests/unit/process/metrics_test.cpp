// What a reactor counts with: plain numbers that another thread may read.
#include "adapters/process/metrics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace cellroute::process {
namespace {

TEST_CASE("metrics: a counter grows, a gauge goes both ways") {
  counter requests;
  requests.add();
  requests.add(41);
  CHECK(requests.value() == 42);

  gauge connections;
  connections.add(2);
  connections.add(-5);
  CHECK(connections.value() == -3);
  connections.set(9);
  CHECK(connections.value() == 9);
}

struct bucket_case {
  duration elapsed;
  std::size_t bucket;
};

const bucket_case bucket_cases[] = {
    {0ns, 0},  {5ms - 1ns, 0}, {5ms, 0},   {5ms + 1ns, 1},  {10ms, 1},  {10ms + 1ns, 2}, {25ms, 2},    {50ms, 3},
    {75ms, 4}, {100ms, 5},     {250ms, 6}, {500ms, 7},      {750ms, 8}, {1s, 9},         {1001ms, 10}, {2500ms, 10},
    {5s, 11},  {7500ms, 12},   {10s, 13},  {10s + 1ns, 14}, {24h, 14},  {-1s, 0},  // a clock that went back: counted,
                                                                                   // but it takes nothing from the sum
};

TEST_CASE("metrics: a duration lies in the bucket whose bound it does not exceed") {
  for (const bucket_case& row : bucket_cases) {
    CAPTURE(row.elapsed.count());
    latency_histogram histogram;
    histogram.record(row.elapsed);
    latency_counts expected;
    expected.buckets[row.bucket] = 1;
    expected.sum = std::max(row.elapsed, duration::zero());
    CHECK((histogram.value() == expected));
  }
}

TEST_CASE("metrics: histograms of two reactors add up") {
  latency_histogram one;
  latency_histogram two;
  one.record(1ms);
  one.record(30s);
  two.record(3ms);
  latency_counts sum = one.value();
  sum += two.value();
  CHECK(sum.buckets[0] == 2);
  CHECK(sum.buckets[14] == 1);
  CHECK(sum.sum == 30s + 4ms);
}

template <class Series>
std::map<std::uint64_t, std::uint64_t> contents(const series_table<Series>& table) {
  std::map<std::uint64_t, std::uint64_t> found;
  table.for_each([&](std::uint64_t labels, const Series& series) {
    CHECK(found.emplace(labels, static_cast<std::uint64_t>(series.value())).second);
  });
  return found;
}

TEST_CASE("series table: does what a map does, for labels of any pattern") {
  std::mt19937_64 random(42);
  for (const int shift : {0, 8, 32, 40, 56}) {
    CAPTURE(shift);
    series_table<counter> table(300);
    std::map<std::uint64_t, std::uint64_t> twin;
    for (int i = 0; i < 10'000; ++i) {
      const std::uint64_t labels = (random() % 200) << shift;
      table.at(labels).add();
      ++twin[labels];
    }
    CHECK((contents(table) == twin));
  }
}

TEST_CASE("series table: when full, what was not seen before shares one series") {
  series_table<counter> table(3);
  for (const std::uint64_t labels : {7u, 8u, 9u, 10u, 11u, 7u, 10u}) table.at(labels).add();
  const std::map<std::uint64_t, std::uint64_t> expected = {
      {7, 2}, {8, 1}, {9, 1}, {series_table<counter>::overflow_labels, 3}};
  CHECK((contents(table) == expected));
}

TEST_CASE("series table: no overflow is shown before there was one") {
  series_table<gauge> table(1);
  CHECK(contents(table).empty());
  table.at(1).add(1);
  CHECK(contents(table).size() == 1);
  table.at(2).add(1);
  table.at(2).add(-1);  // back at 0, but it was used
  CHECK(contents(table).size() == 2);
}

TEST_CASE("series table: the overflow's own labels are never a series") {
  series_table<counter> table(3);
  table.at(series_table<counter>::overflow_labels).add();
  table.at(1).add();
  const std::map<std::uint64_t, std::uint64_t> expected = {{1, 1}, {series_table<counter>::overflow_labels, 1}};
  CHECK((contents(table) == expected));
}

TEST_CASE("series table: a series stays where it is") {
  series_table<counter> table(1000);
  counter& first = table.at(1);
  for (std::uint64_t labels = 2; labels < 900; ++labels) table.at(labels).add();
  CHECK(&table.at(1) == &first);
}

TEST_CASE("series table: a scrape may read while its owner counts") {
  series_table<counter> table(500);
  std::atomic<bool> done{false};
  std::thread owner([&] {
    for (std::uint64_t round = 0; round < 20; ++round) {
      for (std::uint64_t labels = 1; labels <= 600; ++labels) table.at(labels).add();
    }
    done = true;
  });
  std::size_t most = 0;
  while (!done) {
    std::uint64_t sum = 0;
    std::size_t series = 0;
    table.for_each([&](std::uint64_t, const counter& count) { sum += count.value(), ++series; });
    CHECK(sum <= 20 * 600);
    CHECK(series >= most);
    most = series;
  }
  owner.join();
  std::uint64_t sum = 0;
  table.for_each([&](std::uint64_t, const counter& count) { sum += count.value(); });
  CHECK(sum == 20 * 600);
}

}  // namespace
}  // namespace cellroute::process
