#include "adapters/wire/quarantine.hpp"

#include "cellroute/base/escape.hpp"

namespace cellroute::wire {

void add_quarantined(std::string& explanation, const quarantined_row& row) {
  explanation += "quarantined " + to_string(row.told) + "\n";
}

void add_quarantined_json(std::string& explanation, const quarantined_row& row) {
  if (explanation.ends_with('}')) explanation.pop_back();
  explanation += ",\"quarantined\":";
  append_json_string(explanation, to_string(row.told));
  explanation += '}';
}

}  // namespace cellroute::wire
