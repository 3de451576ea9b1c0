// Runs the scripts of tests/spec: what happens over time, in the words of the documents. A block is commands, a line
// `----` and what cellroute said; a blank line ends it. With CELLROUTE_REWRITE=1 the answers are written anew, and the
// diff is what gets reviewed.
//
// Commands, one a line, `#` starts a comment:
//   table generation=N [version=V] [unknown=reject]   what follows, two spaces in, is its spec; it is checked, compiled
//   and published
//     cell NAME: HOST:PORT[*WEIGHT] ...
//     placement NAME -> CELL, shared|dedicated
//     default NAME
//     assign KEY -> NAME
//   route key=KEY         the decision          explain key=KEY       the same for a person
//   pick cell=NAME xN     N endpoints in turn   retry cell=NAME not=ID   the endpoint of a further attempt
//   reader NAME           a reactor that reads from now on
//   read NAME             which generation it sees
//   collect               how many old snapshots are still borrowed
//   diff                  what the last published table changed
//   delta KEY=N KEY= ...  changes to a key table of its own: another outcome, or none any more
//   find KEY ...          what that key table has for them

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/cellroute.hpp"

using namespace cellroute;

namespace {

using words = std::vector<std::string>;

words words_of(const std::string& line) {
  std::istringstream in(line.substr(0, line.find(" #")));
  return {std::istream_iterator<std::string>(in), {}};
}

/// The value of `name=value` among the words of a command.
std::string value_of(const words& command, std::string_view name) {
  for (const std::string& word : command) {
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=')
      return word.substr(name.size() + 1);
  }
  return {};
}

endpoint endpoint_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t star = text.find('*', colon);
  endpoint e;
  e.host = text.substr(0, colon);
  e.port = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
  if (star != std::string::npos) e.weight = static_cast<std::uint32_t>(std::stoul(text.substr(star + 1)));
  return e;
}

/// Adds one line of a table's block to its spec; false if it cannot be read.
bool add_to_spec(table_spec& spec, const words& line) {
  const auto without = [](std::string text, char last) {
    if (text.ends_with(last)) text.pop_back();
    return text;
  };
  if (line.size() >= 2 && line[0] == "cell") {
    cell c{cell_id(without(line[1], ':')), {}};
    for (std::size_t i = 2; i < line.size(); ++i) c.endpoints.push_back(endpoint_of(line[i]));
    spec.cells.push_back(std::move(c));
  } else if (line.size() == 5 && line[0] == "placement" && line[2] == "->") {
    placement p;
    p.id = placement_id(line[1]);
    p.cell = cell_id(without(line[3], ','));
    p.kind = line[4] == "dedicated" ? placement_kind::dedicated : placement_kind::shared;
    spec.placements.push_back(std::move(p));
  } else if (line.size() == 2 && line[0] == "default") {
    spec.default_placement = placement_id(line[1]);
  } else if (line.size() == 4 && line[0] == "assign" && line[2] == "->") {
    spec.assignments.push_back({line[1], placement_id(line[3])});
  } else {
    return false;
  }
  return true;
}

/// What a script acts on: the exchange of tables, its readers and the balancers of the current table's cells.
class world {
 public:
  /// Does one command with the lines of its block, and says what came of it.
  std::string run(const words& command, const std::vector<words>& block) {
    const std::string& verb = command[0];
    if (verb == "table") return publish(command, block);
    if (verb == "delta") return change(command);
    if (verb == "find") return find(command);
    if (!source_) return "nothing is published\n";
    if (verb == "route") return route(value_of(command, "key"));
    if (verb == "explain") return explain(value_of(command, "key"));
    if (verb == "pick") return pick(value_of(command, "cell"), std::stoul(command.back().substr(1)));
    if (verb == "retry") return retry(value_of(command, "cell"), value_of(command, "not"));
    if (verb == "reader" && command.size() == 2) return add_reader(command[1]);
    if (verb == "read" && command.size() == 2) return read(command[1]);
    if (verb == "collect") return std::to_string(source_->collect()) + " old snapshots are borrowed\n";
    if (verb == "diff") return changes_;
    return "unknown command " + verb + "\n";
  }

 private:
  std::string publish(const words& command, const std::vector<words>& block) {
    table_spec spec;
    spec.version = value_of(command, "version");
    if (value_of(command, "unknown") == "reject") spec.on_unknown = unknown_key_policy::reject;
    for (const words& line : block) {
      if (!add_to_spec(spec, line)) return "cannot read " + line[0] + "\n";
    }
    const std::uint64_t generation = std::stoull(value_of(command, "generation"));
    auto table = routing_table::compile(spec, generation_number(generation), 1);
    if (!table) {
      std::string out = "refused\n";
      for (const violation& each : table.error()) out += "  " + each.path + ": " + each.what + "\n";
      return out;
    }
    std::string changes = source_ ? told(diff(current(), *table)) : "";
    if (!source_) {
      source_ = std::make_unique<published<routing_table>>(snapshot<routing_table>{generation, *std::move(table)});
      main_ = std::make_unique<reader<routing_table>>(*source_);
    } else if (const auto done = source_->publish({generation, *std::move(table)}); !done) {
      return "refused: " + std::string(to_string(done.error())) + "\n";
    }
    changes_ = std::move(changes);
    for (const cell& c : current().cells()) {
      std::vector<std::uint32_t> weights;
      for (const endpoint& e : c.endpoints) weights.push_back(e.weight);
      balancers_[c.id.value].rebuild(weights);
    }
    return "published " + std::to_string(generation) + "\n";
  }

  std::string change(const words& command) {
    std::vector<key_change> changes;
    for (std::size_t i = 1; i < command.size(); ++i) {
      const std::size_t mark = command[i].find('=');
      const std::string number = mark == std::string::npos ? "" : command[i].substr(mark + 1);
      changes.push_back({std::string_view(command[i]).substr(0, mark), std::nullopt});
      if (!number.empty()) changes.back().outcome = static_cast<std::uint16_t>(std::stoul(number));
    }
    auto merged = keys_.merged(changes);
    if (!merged) return "refused: " + std::string(to_string(merged.error().what)) + "\n";
    keys_ = *std::move(merged);
    return std::to_string(keys_.size()) + " keys\n";
  }

  std::string find(const words& command) {
    std::string out;
    for (std::size_t i = 1; i < command.size(); ++i) {
      const auto outcome = keys_.find(command[i]);
      out += (i > 1 ? " " : "") + command[i] + "=" + (outcome ? std::to_string(*outcome) : "");
    }
    return out + "\n";
  }

  static std::string told(const table_diff& found) {
    std::ostringstream out;
    out << "moved=" << found.moved << " added=" << found.added << " removed=" << found.removed << "\n";
    const auto name = [](const std::string& placement) { return placement.empty() ? "none" : placement; };
    for (const auto& each : found.changes)
      out << "  " << name(each.from) << " -> " << name(each.to) << ": " << each.keys << "\n";
    for (const auto& each : found.examples) {
      out << "  " << each.key << ": " << name(each.from) << " -> " << name(each.to) << "\n";
    }
    return out.str();
  }

  std::string route(const std::string& key) {
    const auto made = current().route(key);
    if (!made) return std::string(to_string(made.error())) + "\n";
    std::ostringstream out;
    out << "placement=" << routed_to(*made, current().fleet()) << " cell=" << current().cells()[made->cell].id.value
        << " reason=" << route_reason(*made) << " generation=" << made->generation.value << "\n";
    return out.str();
  }

  std::string explain(const std::string& key) {
    const auto made = current().route(key);
    if (!made) return std::string(to_string(made.error())) + "\n";
    std::string out;
    write_explanation(out, *made, current().fleet(), current().version());
    return out;
  }

  const cell* find_cell(const std::string& name) {
    for (const cell& c : current().cells()) {
      if (c.id.value == name) return &c;
    }
    return nullptr;
  }

  std::string pick(const std::string& name, std::size_t count) {
    const cell* c = find_cell(name);
    if (c == nullptr) return "no such cell\n";
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      if (const auto picked = balancers_[name].pick()) out += (i > 0 ? " " : "") + c->endpoints[*picked].id;
    }
    return out + "\n";
  }

  std::string retry(const std::string& name, const std::string& excluded) {
    const cell* c = find_cell(name);
    if (c == nullptr) return "no such cell\n";
    std::size_t index = 0;
    while (index < c->endpoints.size() && c->endpoints[index].id != excluded) ++index;
    const auto picked = balancers_[name].pick_other_than(index);
    return (picked ? c->endpoints[*picked].id : "no other endpoint") + "\n";
  }

  std::string add_reader(const std::string& name) {
    readers_[name] = std::make_unique<reader<routing_table>>(*source_);
    return read(name);
  }

  std::string read(const std::string& name) {
    return name + " sees " + std::to_string(readers_.at(name)->current().generation) + "\n";
  }

  const routing_table& current() { return main_->current().value; }

  std::unique_ptr<published<routing_table>> source_;  // outlives the readers
  std::unique_ptr<reader<routing_table>> main_;
  std::map<std::string, std::unique_ptr<reader<routing_table>>> readers_;
  std::map<std::string, round_robin> balancers_;
  std::string changes_;
  key_table keys_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The script with the answers that the world gives today. What was written below `----` is left out, but comments and
/// blank lines stay.
std::string replay(const std::string& script) {
  world acted_on;
  std::string out;
  std::string answers;
  bool is_answer = false;
  const std::vector<std::string> lines = lines_of(script);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line == "----") {
      is_answer = true;
      out += "----\n" + std::exchange(answers, "");
      continue;
    }
    if (line.empty()) is_answer = false;
    if (is_answer) continue;
    out += line + "\n";
    const words command = words_of(line);
    if (command.empty() || command[0].starts_with('#')) continue;
    std::vector<words> block;
    while (i + 1 < lines.size() && lines[i + 1].starts_with("  ")) {
      out += lines[++i] + "\n";
      block.push_back(words_of(lines[i]));
    }
    answers += acted_on.run(command, block);
  }
  // Commands that no `----` follows were answered too: what is told about them differs from that.
  if (!answers.empty()) out += "----\n" + answers;
  return out;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("golden scripts: no command goes without its answer") {
  CHECK(replay("route key=a\n----\nnothing\n") == "route key=a\n----\nnothing is published\n");
  CHECK(replay("route key=a\n") == "route key=a\n----\nnothing is published\n");
  CHECK(replay("route key=a\n----\n\nroute key=b\n") ==
        "route key=a\n----\nnothing is published\n\nroute key=b\n----\nnothing is published\n");
}

TEST_CASE("golden scripts: every script gets the answers that it tells") {
  const bool is_rewrite = std::getenv("CELLROUTE_REWRITE") != nullptr;
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CELLROUTE_SPEC_DIR)) {
    if (entry.path().extension() != ".txt") continue;
    ++seen;
    const std::string told = read_file(entry.path());
    const std::string answered = replay(told);
    if (is_rewrite) std::ofstream(entry.path(), std::ios::binary) << answered;
    CAPTURE(entry.path().filename().string());
    if (is_rewrite) continue;
    const std::vector<std::string> expected = lines_of(told);
    const std::vector<std::string> actual = lines_of(answered);
    for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
      REQUIRE((i < expected.size() ? expected[i] : "") == (i < actual.size() ? actual[i] : ""));
    }
    CHECK(told.find("\n----\n") != std::string::npos);  // a script that asks for nothing tests nothing
  }
  CHECK(seen > 0);
}
