#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "adapters/process/metrics.hpp"

namespace cellroute::process {

enum class metric_type { counter, gauge, histogram };

struct label {
  std::string_view name;
  std::string_view value;  ///< any bytes: escaped where written
};

/// Writes metrics as Prometheus text, version 0.0.4.
///
/// A family's HELP and TYPE are written before its first sample, so a family without samples leaves no trace. Names and
/// help texts come from our code and are checked by `assert`; label values may come from anywhere.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
class exposition {
 public:
  explicit exposition(std::string& out) : out_(out) {}

  /// All samples of a family follow its `family` call. Only counters end in `_total`.
  exposition& family(std::string_view name, metric_type type, std::string_view help);

  exposition& sample(std::span<const label> labels, std::uint64_t value);
  exposition& sample(std::span<const label> labels, std::int64_t value);
  exposition& sample(std::span<const label> labels, double value);
  exposition& sample(std::span<const label> labels, const latency_counts& value);

  template <class Value>
  exposition& sample(std::initializer_list<label> labels, const Value& value) {
    return sample(std::span<const label>(labels.begin(), labels.size()), value);
  }

 private:
  void begin_sample(std::string_view suffix, std::span<const label> labels, std::string_view bound = {});
  void announce();

  std::string& out_;
  std::string_view name_;
  std::string_view help_;
  metric_type type_ = metric_type::counter;
  bool announced_ = false;
};

/// Appends a number as Prometheus reads it: shortest text that gives the same double, `+Inf`, `-Inf`, `NaN`.
void append_metric_number(std::string& out, double value);

}  // namespace cellroute::process
