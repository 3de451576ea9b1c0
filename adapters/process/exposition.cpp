#include "adapters/process/exposition.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "adapters/process/number_text.hpp"
#include "cellroute/base/escape.hpp"

namespace cellroute::process {
namespace {

double to_seconds(duration elapsed) { return static_cast<double>(elapsed.count()) / 1e9; }

std::string_view to_string(metric_type type) {
  switch (type) {
    case metric_type::counter:
      return "counter";
    case metric_type::gauge:
      return "gauge";
    case metric_type::histogram:
      return "histogram";
  }
  return {};
}

constexpr bool is_plain_in_label(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

/// A byte that belongs to no code point becomes U+FFFD: one bad name must not make the whole scrape unreadable.
void append_label_value(std::string& out, std::string_view value) {
  while (!value.empty()) {
    const auto* special = std::find_if_not(value.begin(), value.end(), is_plain_in_label);
    out.append(value.begin(), special);
    value.remove_prefix(static_cast<std::size_t>(special - value.begin()));
    if (value.empty()) return;
    const std::size_t length = utf8_size(value);
    if (length == 0) {
      out += "\uFFFD";
    } else if (value.front() == '\n') {
      out += "\\n";
    } else {
      if (value.front() == '\\' || value.front() == '"') out += '\\';
      out.append(value, 0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
}

}  // namespace

void append_metric_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    append_number(out, value);
  }
}

exposition& exposition::family(std::string_view name, metric_type type, std::string_view help) {
  assert(!help.empty());
  assert(name.ends_with("_total") == (type == metric_type::counter));
  name_ = name;
  type_ = type;
  help_ = help;
  announced_ = false;
  return *this;
}

exposition& exposition::sample(std::span<const label> labels, std::uint64_t value) {
  begin_sample({}, labels);
  append_number(out_, value);
  out_ += '\n';
  return *this;
}

exposition& exposition::sample(std::span<const label> labels, std::int64_t value) {
  begin_sample({}, labels);
  append_number(out_, value);
  out_ += '\n';
  return *this;
}

exposition& exposition::sample(std::span<const label> labels, double value) {
  begin_sample({}, labels);
  append_metric_number(out_, value);
  out_ += '\n';
  return *this;
}

exposition& exposition::sample(std::span<const label> labels, const latency_counts& value) {
  assert(type_ == metric_type::histogram);
  std::uint64_t count = 0;
  std::string bound;
  for (std::size_t i = 0; i < value.buckets.size(); ++i) {
    count += value.buckets[i];
    bound.clear();
    append_metric_number(
        bound, i < latency_bounds.size() ? to_seconds(latency_bounds[i]) : std::numeric_limits<double>::infinity());
    begin_sample("_bucket", labels, bound);
    append_number(out_, count);
    out_ += '\n';
  }
  begin_sample("_sum", labels);
  append_metric_number(out_, to_seconds(value.sum));
  out_ += '\n';
  begin_sample("_count", labels);
  append_number(out_, count);
  out_ += '\n';
  return *this;
}

void exposition::announce() {
  if (announced_) return;
  announced_ = true;
  ((out_ += "# HELP ") += name_) += ' ';
  ((out_ += help_) += "\n# TYPE ") += name_;
  ((out_ += ' ') += to_string(type_)) += '\n';
}

void exposition::begin_sample(std::string_view suffix, std::span<const label> labels, std::string_view bound) {
  announce();
  (out_ += name_) += suffix;
  char before = '{';
  const auto append_label = [&](std::string_view name, std::string_view value) {
    ((out_ += before) += name) += "=\"";
    append_label_value(out_, value);
    out_ += '"';
    before = ',';
  };
  for (const label& one : labels) append_label(one.name, one.value);
  if (!bound.empty()) append_label("le", bound);
  out_ += before == ',' ? "} " : " ";
}

}  // namespace cellroute::process
