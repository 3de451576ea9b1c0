// Every field of the configuration's schema changes something that somebody outside of the router can see.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/field_names.hpp"
#include "adapters/wire/print.hpp"
#include "tests/system/fields/field_case.hpp"
#include "tests/system/fields/field_run.hpp"

namespace cellroute::system_test {
namespace {

/// A row at one place, and what came of it.
struct field_trial {
  std::string path;
  const field_case* row = nullptr;
  std::string seen[2];
};

std::vector<field_trial> all_trials() {
  std::vector<field_trial> trials;
  for (const auto rows : {fleet_field_cases(), policy_field_cases(), listener_field_cases(), local_field_cases(),
                          field_cases_of_root()}) {
    for (const field_case& row : rows) {
      if (row.path.starts_with("policy.")) {
        const std::string field(row.path.substr(7));
        trials.push_back({"defaults." + field, &row, {}});
        trials.push_back({"placements.*." + field, &row, {}});
      } else {
        trials.push_back({std::string(row.path), &row, {}});
      }
    }
  }
  return trials;
}

/// The base with the field, which is all that differs between the two runs of a row.
wire::node configuration_of(const field_trial& trial, std::string_view value) {
  wire::node tree = base_configuration();
  if (!trial.row->around.empty()) lay_over(tree, read_piece(trial.row->around));
  std::optional<wire::node> parsed;
  if (!value.empty()) parsed = read_piece("value: " + std::string(value)).children.front();
  set_field(tree, trial.path, parsed);
  return tree;
}

/// What the reader says of a configuration with one value; a port is a port.
std::string refusal_of(const field_trial& trial, std::string_view value) {
  std::string text = wire::write_yaml(configuration_of(trial, value));
  for (std::size_t at = text.find('$'), port = 1; at != std::string::npos; at = text.find('$'), ++port) {
    text.replace(at, text.find_first_of("\"\n", at) - at, std::to_string(port));
  }
  const auto read = wire::read_configuration(text, "row.yaml");
  return read ? "accepted" : wire::to_string(read.error().front());
}

void run_value(field_trial& trial, int which) {
  const field_case& row = *trial.row;
  const std::string_view value = which == 0 ? row.before : row.after;
  if (row.observe == nullptr) {
    trial.seen[which] = refusal_of(trial, value);
    return;
  }
  try {  // a failed assertion of a thread is told, and ends the row
    field_run run(configuration_of(trial, value));
    trial.seen[which] = row.observe(run);
  } catch (...) {
    trial.seen[which] = "nothing: the run failed";
  }
}

void run_all(std::vector<field_trial>& trials) {
  constexpr int at_once = 8;  // most of them wait for a time to pass
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < at_once; ++i) {
    threads.emplace_back([&] {
      for (std::size_t k = next++; k < 2 * trials.size(); k = next++) run_value(trials[k / 2], static_cast<int>(k % 2));
    });
  }
  for (std::thread& t : threads) t.join();
}

TEST_CASE("fields: each of the schema has two values that are told apart from outside") {
  std::vector<field_trial> trials = all_trials();
  run_all(trials);
  for (const field_trial& trial : trials) {
    const field_case& row = *trial.row;
    CAPTURE(trial.path);
    if (row.observe == nullptr) {
      CHECK(trial.seen[0] == "accepted");
      CHECK_MESSAGE(trial.seen[1].find(row.seen_after) != std::string::npos, trial.seen[1]);
      CHECK_FALSE(row.seen_after.empty());
      continue;
    }
    CHECK(trial.seen[0] == row.seen_before);
    CHECK(trial.seen[1] == row.seen_after);
    CHECK(row.seen_before != row.seen_after);
  }
  MESSAGE(trials.size() << " fields tried with two values each");
}

/// What the reader asks for beyond the list when it reads the documents of the rows: a field that only a certain value
/// of another one brings.
void add_conditional(std::map<std::string, wire::field_kind>& fields, const std::vector<field_trial>& trials) {
  for (const field_trial& trial : trials) {
    for (const std::string_view value : {trial.row->before, trial.row->after}) {
      for (const auto& [path, kind] : wire::field_names_in(configuration_of(trial, value))) {
        // Names that the operator chose stand behind the same places in the list.
        std::string general;
        for (std::size_t begin = 0, end = 0; begin < path.size(); begin = end + 1) {
          end = std::min(path.find('.', begin), path.size());
          std::string step = path.substr(begin, end - begin);
          if (const std::size_t index = step.find('['); index != std::string::npos)
            step.replace(index, step.npos, "[]");
          const std::string before = general.empty() ? "" : general + ".";
          const bool is_chosen = !fields.contains(before + step) && wire::has_fields_below(fields, before + "*");
          general = before + (is_chosen ? "*" : step);
        }
        fields.emplace(general, kind);
      }
    }
  }
}

TEST_CASE("fields: none of the schema is without a row, and no row without a field") {
  const std::vector<field_trial> trials = all_trials();
  std::map<std::string, wire::field_kind> fields = wire::field_names();
  CHECK(fields.size() > 60);
  add_conditional(fields, trials);
  std::set<std::string> tried;
  for (const field_trial& trial : trials) {
    CAPTURE(trial.path);
    CHECK_MESSAGE(tried.insert(trial.path).second, "has two rows");
    const auto field = fields.find(trial.path);
    if (field == fields.end()) {
      // A value in the place of a map: `acme: tier1` is short for `acme: {placement: tier1}`.
      CHECK_MESSAGE(wire::has_fields_below(fields, trial.path), "is no field of the schema; remove its row");
      continue;
    }
    const bool is_fixed = field->second == wire::field_kind::fixed;
    CHECK_MESSAGE(is_fixed == (trial.row->observe == nullptr),
                  "has one value only and a row that observes, or several and a row that does not");
  }
  for (const auto& [path, kind] : fields) {
    if (wire::has_fields_below(fields, path)) continue;  // only the fields in it do something
    if (path.starts_with("process.privileges.") && ::getuid() != 0) {
      skip(path + " needs root");
      continue;
    }
    CHECK_MESSAGE(tried.contains(path), path << " has no row in tests/system/fields; add one");
  }
}

}  // namespace
}  // namespace cellroute::system_test
