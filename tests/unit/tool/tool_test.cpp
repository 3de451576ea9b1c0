#include "adapters/tool/tool.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/node.hpp"

namespace cellroute::tool {
namespace {

const surroundings around{"1.2.3", "abcdef", std::nullopt, {}};
const std::string full = "examples/config/full.yaml";
const std::string broken = "tests/unit/wire/cases/key_source_without_name.yaml";

outcome run_words(std::vector<std::string> words, const surroundings& where = around) { return run(words, where); }

struct verb_case {
  std::string_view says;
  std::vector<std::string> words;
  int exit_code;
  std::string_view output;  // how each begins
  std::string_view errors;
};

const verb_case verb_cases[] = {
    {"a valid file",
     {"check", full},
     0,
     "examples/config/full.yaml: valid; 4 keys, 4 placements, 4 cells, 5 endpoints\n",
     ""},
    {"the reference's name for it", {"config", "validate", full}, 0, "examples/config/full.yaml: valid; 4 keys", ""},
    {"the file as a flag", {"check", "-c", full}, 0, "examples/config/full.yaml: valid", ""},
    {"what would run",
     {"check", full, "--print"},
     0,
     "apiVersion: cellroute/v1\nversion: \"2026-01-04.1\"\nkey:\n",
     ""},
    {"what would run, as JSON",
     {"check", full, "--print", "--json"},
     0,
     "{\n  \"apiVersion\": \"cellroute/v1\",\n",
     ""},
    {"the counts, as JSON",
     {"check", full, "--json"},
     0,
     "{\n  \"valid\": true,\n  \"version\": \"2026-01-04.1\",\n  \"keys\": 4,\n",
     ""},
    {"mistakes go to standard error",
     {"check", broken},
     1,
     "",
     "tests/unit/wire/cases/key_source_without_name.yaml:1:26: key.sources[0].header.name: is missing"},
    {"and as JSON to standard output, too",
     {"check", broken, "--json"},
     1,
     "{\n  \"valid\": false,\n  \"mistakes\": [\n    {\n      \"file\": "
     "\"tests/unit/wire/cases/key_source_without_name.yaml\",\n      \"line\": 1,\n      \"column\": 26,\n",
     "tests/unit/wire/cases/key_source_without_name.yaml:1:26: "},
    {"no such file",
     {"check", "nowhere.yaml"},
     2,
     "",
     "nowhere.yaml: no such file; name one with --config or CONFIG_PATH\n"},
    {"the same, as JSON",
     {"check", "nowhere.yaml", "--json"},
     2,
     "{\n  \"valid\": false,\n  \"mistakes\": [\n    {\n      \"file\": \"nowhere.yaml\",\n",
     "nowhere.yaml: no such file"},
    {"a folder", {"check", "tests"}, 1, "", "tests: cannot be read; check that it is a file and may be read\n"},
    {"a file without a name", {"check", ""}, 2, "", "the file's name is empty; name a file\n"},
    {"the same, as a flag", {"explain", "acme", "-c", ""}, 2, "", "the file's name is empty; name a file\n"},
    {"no file named", {"check"}, 2, "", "no configuration; name a file, or set CONFIG_PATH\n"},

    {"a key in the table",
     {"explain", "acme", "--config", full},
     0,
     "key         acme\nsource      header X-Routing-Key\nrule        table\nplacement   tier1, shared\nreason      "
     "tier\ncell        tier1\n"
     "endpoint    127.0.0.1:9001 weight 3\nendpoint    127.0.0.1:9011 weight 1\nversion     2026-01-04.1\n",
     ""},
    {"a key of its own",
     {"explain", "visa", "-c", full},
     0,
     "key         visa\nsource      header X-Routing-Key\nrule        table\nplacement   visa, dedicated\nreason      "
     "dedicated\n",
     ""},
    {"a key of nobody",
     {"explain", "-c", full, "nobody"},
     0,
     "key         nobody\nsource      header X-Routing-Key\nrule        default\nplacement   tier3, shared\nreason     "
     " default\n",
     ""},
    {"as JSON",
     {"explain", "acme", "-c", full, "--json"},
     0,
     "{\n  \"key\": \"acme\",\n  \"source\": \"header\",\n  \"source_name\": \"X-Routing-Key\",\n",
     ""},
    {"a list is no key",
     {"explain", "a,b", "-c", full},
     0,
     "not routed: the routing key is a list; one value is meant\nanswered    400\n",
     ""},
    {"the longest key", {"explain", std::string(256, 'x'), "-c", full}, 0, "key         xxx", ""},
    {"one byte past it", {"explain", std::string(257, 'x'), "-c", full, "--json"}, 0, "{\n  \"key\": \"xxx", ""},
    {"an unknown key where those are refused",
     {"explain", "x", "-c", "tests/unit/tool/reject.yaml"},
     0,
     "not routed: no placement is assigned to this routing key\nanswered    404\n",
     ""},
    {"the same, as JSON",
     {"explain", "x", "--json", "-c", "tests/unit/tool/reject.yaml"},
     0,
     "{\n  \"key\": \"x\",\n  \"status\": 404,\n  \"error\": {\n    \"code\": \"routing_key_unknown\",\n    "
     "\"message\": "
     "\"no placement is assigned to this routing key\"\n  }\n}\n",
     ""},
    {"space around a key is no part of it", {"explain", " acme\t", "-c", full}, 0, "key         acme\n", ""},
    {"nothing is no key",
     {"explain", "", "-c", full},
     0,
     "not routed: the routing key is empty\nanswered    400\n",
     ""},
    {"what no header holds",
     {"explain", "a\x01", "-c", full},
     0,
     "not routed: a control character cannot stand in a header\nanswered    400\n",
     ""},
    {"a header of its own",
     {"explain", "acme", "-c", "tests/unit/tool/reject.yaml"},
     0,
     "key         acme\nsource      header X-Tenant\n",
     ""},
    {"by an invalid configuration",
     {"explain", "acme", "-c", broken},
     1,
     "",
     "tests/unit/wire/cases/key_source_without_name.yaml:1:26: "},
    {"no key", {"explain", "-c", full}, 2, "", "key is required\n"},

    {"a shard on paper",
     {"capacity", "--cells", "8", "--size", "2", "--lost", "3", "--keys", "1000"},
     0,
     "8 cells, 2 of them for each key: 28 combinations\nwhen 3 cells are lost, of all keys\n"
     "  no cell is left    10.7143 %, 107 keys\n  the first is lost  37.5 %, 375 keys\n"
     "  any is lost        64.2857 %, 643 keys\n"
     "two keys share\n  0 cells  53.5714 %\n  1 cell   42.8571 %\n  2 cells  3.57143 %\n",
     ""},
    {"the same, as JSON",
     {"capacity", "--cells", "8", "--size", "2", "--json"},
     0,
     "{\n  \"cells\": 8,\n  \"size\": 2,\n  \"combinations\": 28,\n  \"lost\": 1,\n  \"share_of_keys\": {\n    "
     "\"all\": 0",
     ""},
    {"the shards of a configuration",
     {"capacity", "tests/unit/tool/shards.yaml"},
     0,
     "pool\n3 cells, 2 of them for each key: 3 combinations\nwhen 1 cell is lost, of all keys\n"
     "  no cell is left    0 %\n",
     ""},
    {"the same, as JSON",
     {"capacity", "-c", "tests/unit/tool/shards.yaml", "--json", "--lost", "2"},
     0,
     "{\n  \"shards\": [\n    {\n      \"placement\": \"pool\",\n      \"cells\": 3,\n",
     ""},
    {"more lost than there are",
     {"capacity", "tests/unit/tool/shards.yaml", "--lost", "3"},
     2,
     "",
     "--lost is 3, and there are 2 cells\n"},
    {"a configuration without a shard",
     {"capacity", full},
     2,
     "",
     "examples/config/full.yaml: no placement is a shard; ask with --cells and --size\n"},
    {"more cells for a key than there are",
     {"capacity", "--cells", "8", "--size", "9"},
     2,
     "",
     "--size must be from 1 to 8\n"},
    {"cells alone", {"capacity", "--cells", "8"}, 2, "", "--size must be from 1 to 8\n"},
    {"a file and cells",
     {"capacity", full, "--cells", "8", "--size", "2"},
     2,
     "",
     "name a file, or --cells and --size; not both\n"},
    {"neither", {"capacity"}, 2, "", "no configuration; name a file, or set CONFIG_PATH\n"},
    {"a number that is none", {"capacity", "--cells", "x"}, 2, "", "Could not convert: --cells = x\n"},

    {"version", {"version"}, 0, "cellroute 1.2.3 (abcdef)\n", ""},
    {"version, as a flag", {"-V"}, 0, "cellroute 1.2.3 (abcdef)\n", ""},
    {"version, as JSON", {"version", "--json"}, 0, "{\n  \"version\": \"1.2.3\",\n  \"commit\": \"abcdef\"\n}\n", ""},
    {"help", {"--help"}, 0, "Reads, checks and explains cellroute's configuration,", ""},
    {"help of a verb", {"check", "-h"}, 0, "Read a configuration and report every mistake in it\n", ""},
    {"nothing", {}, 2, "", "A subcommand is required\n"},
    {"a verb that nobody knows",
     {"chekc", full},
     2,
     "",
     "no command is named chekc; there are check, compile, explain, capacity, ctl and version, and --help\n"},
    {"a flag that nobody knows",
     {"check", full, "--pretty"},
     2,
     "",
     "unknown flag: --pretty; --help says what there is\n"},
    {"the same, before any command", {"--bogus"}, 2, "", "unknown flag: --bogus; --help says what there is\n"},
    {"a flag of the router, with its value",
     {"check", full, "--port", "1"},
     2,
     "",
     "unknown flag: --port; --help says what there is\n"},
    {"the same, as one word", {"--port=1", "check"}, 2, "", "unknown flag: --port; --help says what there is\n"},
    {"one file too many",
     {"check", full, full},
     2,
     "",
     "one argument too many: examples/config/full.yaml; --help says what there is\n"},
    {"a verb that comes later",
     {"diff", full, full},
     2,
     "",
     "diff is not supported yet; there are check, compile, explain, capacity, ctl and version, and --help\n"},
    {"half of a verb",
     {"config", "validat", full},
     2,
     "",
     "no command is named config validat; there is config validate, another name of check\n"},
    {"one with a verb of its own", {"spec", "generate"}, 2, "", "spec is not supported yet; there are "},
    {"no control plane there",
     {"ctl", "status", "--url", "http://127.0.0.1:1"},
     5,
     "",
     "no answer from http://127.0.0.1:1: "},
    {"no verb of ctl", {"ctl", "foo"}, 2, "", "no command is named ctl foo; there are status, routers, "},
    {"none behind an option", {"ctl", "--url", "http://x", "foo"}, 2, "", "no command is named ctl foo; there are "},
    {"none of keys",
     {"ctl", "keys", "foo"},
     2,
     "",
     "no command is named ctl keys foo; there are list, set, rm, import, "},
    {"too few words",
     {"ctl", "keys"},
     2,
     "",
     "ctl keys needs a command; there are list, set, rm, import, export, and "},
    {"a flag of nobody", {"ctl", "--foo"}, 2, "", "unknown flag: --foo"},
    {"no key", {"ctl", "where", ""}, 2, "", "key: is empty; name one\n"},
    {"no key to set", {"ctl", "keys", "set", "", "a"}, 2, "", "key: is empty; name one\n"},
    {"no placement", {"ctl", "keys", "set", "k", ""}, 2, "", "placement: is empty; name one\n"},
    {"no key to remove", {"ctl", "keys", "rm", ""}, 2, "", "key: is empty; name one\n"},
    {"no version", {"ctl", "rollback", "-1"}, 2, "", "version: must be the number of a version, like 41, not \"-1\"\n"},
    {"no versions",
     {"ctl", "diff", "one", "two"},
     2,
     "",
     "version: must be the number of a version, like 41, not \"one\"\n"},
    {"usage for a program",
     {"ctl", "diff", "1", "two", "--json"},
     2,
     "{\"type\":\"about:blank\",\"title\":\"Wrong usage\",\"code\":\"usage\",\"detail\":\"other: must be the number of "
     "a "
     "version",
     "other: must be the number of a version, like 41, not \"two\"\n"},
    {"no token file, for a program",
     {"ctl", "status", "--json", "--token-file", "/nowhere"},
     2,
     "{\"type\":\"about:blank\",\"title\":\"Wrong usage\",\"code\":\"usage\",\"detail\":\"/nowhere: no such file\"}\n",
     "/nowhere: no such file\n"},
};

TEST_CASE("tool: what each command prints, and its exit code") {
  for (const verb_case& row : verb_cases) {
    CAPTURE(row.says);
    const outcome done = run_words(row.words);
    CHECK(done.exit_code == row.exit_code);
    CHECK(done.output.substr(0, row.output.size()) == row.output);
    CHECK(done.errors.substr(0, row.errors.size()) == row.errors);
    CHECK(done.output.empty() == row.output.empty());
    CHECK(done.errors.empty() == row.errors.empty());
  }
}

TEST_CASE("tool: every help has examples") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"check", "--help"},
                                                {"explain", "--help"},
                                                {"compile", "--help"},
                                                {"capacity", "--help"},
                                                {"config", "validate", "--help"}}) {
    CHECK(run_words(words).output.find("Examples:\n  cellroute ") != std::string::npos);
  }
}

TEST_CASE("tool: CONFIG_PATH names the configuration where no flag does") {
  const surroundings with_path{"1", "c", full, {}};
  CHECK(run_words({"check"}, with_path).output.starts_with("examples/config/full.yaml: valid"));
  CHECK(run_words({"explain", "acme"}, with_path).output.starts_with("key         acme\n"));
  CHECK(run_words({"check", broken}, with_path).exit_code == 1);
}

TEST_CASE("tool: warnings do not make a configuration invalid") {
  const outcome done = run_words({"check", "tests/unit/tool/doubtful.yaml"});
  CHECK(done.exit_code == 0);
  CHECK(done.errors ==
        "warning: tests/unit/tool/doubtful.yaml:3:19: routing.keys.inline.a%2Cb: no request reaches a key with a "
        "comma: a "
        "header with a list is answered 400\n");
  CHECK(run_words({"check", "tests/unit/tool/doubtful.yaml", "--json"})
            .output.find("\"path\": \"routing.keys.inline.a%2Cb\"") != std::string::npos);
}

TEST_CASE("tool: JSON is JSON, whatever it is about") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"check", full, "--json"},
                                                {"check", broken, "--json"},
                                                {"check", full, "--print", "--json"},
                                                {"explain", "acme", "-c", full, "--json"},
                                                {"explain", "a,\"b", "-c", full, "--json"},
                                                {"capacity", "--cells", "9", "--size", "3", "--json"},
                                                {"capacity", "tests/unit/tool/shards.yaml", "--json"},
                                                {"version", "--json"}}) {
    CAPTURE(words.front());
    CHECK(wire::read_json(run_words(words).output, "printed.json").has_value());
  }
}

}  // namespace
}  // namespace cellroute::tool
