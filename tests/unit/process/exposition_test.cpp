// Metrics as Prometheus reads them.
#include "adapters/process/exposition.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

namespace cellroute::process {
namespace {

TEST_CASE("exposition: HELP and TYPE stand once, before a family's first sample") {
  std::string text;
  exposition page(text);
  page.family("a_total", metric_type::counter, "All a.")
      .sample({{"x", "1"}, {"y", "2"}}, std::uint64_t{3})
      .sample({{"x", "2"}, {"y", "2"}}, std::uint64_t{4});
  page.family("b", metric_type::gauge, "Now b.").sample({}, std::int64_t{-5});
  CHECK(text ==
        "# HELP a_total All a.\n"
        "# TYPE a_total counter\n"
        "a_total{x=\"1\",y=\"2\"} 3\n"
        "a_total{x=\"2\",y=\"2\"} 4\n"
        "# HELP b Now b.\n"
        "# TYPE b gauge\n"
        "b -5\n");
}

TEST_CASE("exposition: a family without samples leaves no trace") {
  std::string text;
  exposition page(text);
  page.family("a_total", metric_type::counter, "All a.");
  page.family("b", metric_type::gauge, "Now b.");
  CHECK(text.empty());
}

TEST_CASE("exposition: buckets of a histogram are cumulative and end with +Inf, which is the count") {
  std::string text;
  latency_histogram histogram;
  histogram.record(1ms);
  histogram.record(2ms);
  histogram.record(400ms);
  histogram.record(11s);
  exposition page(text);
  page.family("a_seconds", metric_type::histogram, "How long a took.").sample({{"x", "1"}}, histogram.value());
  CHECK(text ==
        "# HELP a_seconds How long a took.\n"
        "# TYPE a_seconds histogram\n"
        "a_seconds_bucket{x=\"1\",le=\"0.005\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.01\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.025\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.05\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.075\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.1\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.25\"} 2\n"
        "a_seconds_bucket{x=\"1\",le=\"0.5\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"0.75\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"1\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"2.5\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"5\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"7.5\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"10\"} 3\n"
        "a_seconds_bucket{x=\"1\",le=\"+Inf\"} 4\n"
        "a_seconds_sum{x=\"1\"} 11.403\n"
        "a_seconds_count{x=\"1\"} 4\n");
}

struct label_case {
  std::string_view says;
  std::string_view value;
  std::string_view expected;
};

const label_case label_cases[] = {
    {"plain", "tier1", "tier1"},
    {"empty", "", ""},
    {"a quote would end the value", R"(FOO")", R"(FOO\")"},
    {"a backslash would start an escape", R"(a\)", R"(a\\)"},
    {"a line feed would end the sample", "a\nb", R"(a\nb)"},
    {"a forged sample stays a value", "x\"} 1\nforged_total{a=\"", R"(x\"} 1\nforged_total{a=\")"},
    {"other controls are allowed by the format", "a\tb", "a\tb"},
    {"UTF-8 stays", "straße", "straße"},
    {"what is no UTF-8 must not spoil the scrape", "a\xFF\xE2\x82z", "a\uFFFD\uFFFD\uFFFDz"},
};

TEST_CASE("exposition: label values are escaped") {
  for (const label_case& row : label_cases) {
    CAPTURE(row.says);
    std::string text;
    exposition page(text);
    page.family("a", metric_type::gauge, "A.").sample({{"x", row.value}}, std::uint64_t{1});
    CHECK(text == "# HELP a A.\n# TYPE a gauge\na{x=\"" + std::string(row.expected) + "\"} 1\n");
  }
}

struct number_case {
  double value;
  std::string_view expected;
};

const number_case number_cases[] = {
    {0, "0"},
    {1, "1"},
    {-1, "-1"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1767528000.123, "1767528000.123"},
    {1e300, "1e+300"},
    {std::numeric_limits<double>::infinity(), "+Inf"},
    {-std::numeric_limits<double>::infinity(), "-Inf"},
    {std::numeric_limits<double>::quiet_NaN(), "NaN"},
};

TEST_CASE("exposition: numbers are the shortest text that gives the same double") {
  for (const number_case& row : number_cases) {
    std::string text;
    append_metric_number(text, row.value);
    CHECK(text == row.expected);
  }
}

}  // namespace
}  // namespace cellroute::process
