#include "adapters/tool/tool.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "adapters/tool/ctl_client.hpp"
#include "adapters/tool/ctl_console.hpp"
#include "adapters/tool/ctl_words.hpp"
#include "adapters/tool/verbs.hpp"

namespace cellroute::tool {
namespace {

void add_check(CLI::App& parent, const std::string& name, request& asked) {
  CLI::App* verb = parent.add_subcommand(name, "Read a configuration and report every mistake in it");
  verb->add_option("file,-c,--config", asked.file, "The configuration; without it, what CONFIG_PATH names");
  verb->add_flag("--print", asked.print, "Print what would run, every default included");
  verb->add_flag("--json", asked.as_json, "Print JSON");
  verb->footer("Examples:\n  cellroute check router.yaml\n  cellroute check router.yaml --print --json");
}

constexpr std::string_view help_hint = "; --help says what there is\n";

std::string unknown_flag(const std::string& flag) {
  return "unknown flag: " + flag.substr(0, flag.find('=')) + std::string(help_hint);
}

/// What is wrong with the first word, if anything.
std::optional<std::string> find_bad_start(const CLI::App& app, std::span<const std::string> arguments) {
  constexpr std::string_view later[] = {"diff", "import", "export", "schema", "spec"};
  constexpr std::string_view flags[] = {"-h", "--help", "-V", "--version"};
  if (arguments.empty()) return std::nullopt;
  const std::string& first = arguments.front();
  if (first.starts_with('-')) {
    if (std::ranges::find(flags, first) != std::end(flags)) return std::nullopt;
    return unknown_flag(first);
  }
  if (std::ranges::find(later, first) != std::end(later)) {
    return first + " is not supported yet; there are check, compile, explain, capacity, ctl and version, and --help\n";
  }
  if (first == "config" && arguments.size() > 1 && !arguments[1].starts_with('-') && arguments[1] != "validate") {
    return "no command is named config " + arguments[1] + "; there is config validate, another name of check\n";
  }
  for (const CLI::App* verb : app.get_subcommands(nullptr)) {
    if (verb->get_name() == first) return std::nullopt;
  }
  return "no command is named " + first +
         "; there are check, compile, explain, capacity, ctl and version, and --help\n";
}

/// What no option and no argument took, as the person would say it: the library turns their order round.
std::string what_is_left(const std::vector<std::string>& left) {
  const auto flag = std::ranges::find_if(left, [](const std::string& word) { return word.starts_with('-'); });
  if (flag != left.end()) return unknown_flag(*flag);
  return "one argument too many: " + (left.empty() ? "" : left.front()) + std::string(help_hint);
}

/// What is wrong where a command of several words ends too early, if that is so.
std::optional<std::string> find_bad_end(const CLI::App& app) {
  const CLI::App* at = &app;
  std::string name;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
  if (at == &app || at->get_require_subcommand_min() == 0) return std::nullopt;
  const std::vector<std::string> left = app.remaining(true);
  if (std::ranges::any_of(left, [](const std::string& word) { return word.starts_with('-'); }))
    return what_is_left(left);
  std::string there_are;
  for (const CLI::App* verb : at->get_subcommands(nullptr)) there_are += verb->get_name() + ", ";
  const std::string said =
      left.empty() ? name + " needs a command" : "no command is named " + name + " " + left.front();
  return said + "; there are " + there_are + "and --help\n";
}

outcome run_words(std::span<const std::string> arguments, const surroundings& around) {
  request asked;
  CLI::App app{
      "Reads, checks and explains cellroute's configuration, which needs nothing that runs; and, with ctl, asks a "
      "control plane.",
      "cellroute"};
  app.require_subcommand(1);
  app.set_version_flag("-V,--version", "cellroute " + around.version + " (" + around.commit + ")");
  app.footer(
      "Examples:\n"
      "  cellroute check router.yaml\n"
      "  cellroute explain acme --config router.yaml\n"
      "Exit codes: 0 done, 1 the configuration is invalid, 2 wrong usage or no configuration");

  add_check(app, "check", asked);
  CLI::App* explain_verb = app.add_subcommand("explain", "Say where a routing key leads, and why");
  explain_verb->add_option("key", asked.key, "The routing key, as a client sends it")->required();
  explain_verb->add_option("-c,--config", asked.file, "The configuration; without it, what CONFIG_PATH names");
  explain_verb->add_flag("--json", asked.as_json, "Print JSON");
  explain_verb->footer(
      "Examples:\n  cellroute explain acme --config router.yaml\n  cellroute explain acme -c router.yaml --json");
  CLI::App* compile_verb = app.add_subcommand("compile", "Make a table of key files, which a router opens at once");
  compile_verb->add_option("files", asked.key_files, "Files of routing keys: .tsv, .csv, .jsonl")->required();
  compile_verb->add_option("-o,--output", asked.output_file, "The table's file, like keys.ctab")->required();
  compile_verb->add_flag("--json", asked.as_json, "Print JSON");
  compile_verb->footer(
      "Examples:\n  cellroute compile keys.tsv -o keys.ctab\n  cellroute compile eu.csv us.csv -o keys.ctab");
  CLI::App* capacity_verb = app.add_subcommand("capacity", "Say how many keys the loss of cells touches");
  capacity_verb->add_option("file,-c,--config", asked.file, "A configuration, whose shards are meant");
  capacity_verb->add_option("--cells", asked.cells, "Or a shard on paper: its cells");
  capacity_verb->add_option("--size", asked.size, "and how many of them each key may reach");
  capacity_verb->add_option("--lost", asked.lost, "How many cells are lost; 1 unless given");
  capacity_verb->add_option("--keys", asked.keys, "How many keys there are, to be told of keys, too");
  capacity_verb->add_flag("--json", asked.as_json, "Print JSON");
  capacity_verb->footer(
      "Examples:\n  cellroute capacity --cells 8 --size 2 --lost 1 --keys 1000000\n  cellroute capacity router.yaml");
  CLI::App* version_verb = app.add_subcommand("version", "Print the version and the commit it was built from");
  version_verb->add_flag("--json", asked.as_json, "Print JSON");
  CLI::App* config_verb = app.add_subcommand("config", "Another name: `config validate` is `check`");
  config_verb->require_subcommand(1);
  add_check(*config_verb, "validate", asked);
  ctl_request told;
  add_ctl(app, told);

  // Told here, because the library would only say that a command is missing.
  if (const auto refused = find_bad_start(app, arguments)) return {exit_usage, "", *refused};
  // The seam to a library that throws: for help and version, too.
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ExtrasError&) {
    return {exit_usage, "", what_is_left(app.remaining(true))};
  } catch (const CLI::ParseError& e) {
    const bool lacks_word = e.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
    if (const auto refused = lacks_word ? find_bad_end(app) : std::nullopt) return {exit_usage, "", *refused};
    std::ostringstream output, errors;
    const int exit_code = app.exit(e, output, errors) == 0 ? 0 : exit_usage;
    return {exit_code, output.str(), errors.str()};
  }
  if (app.got_subcommand("explain")) return explain(asked, around);
  if (app.got_subcommand("compile")) return compile(asked);
  if (app.got_subcommand("capacity")) return capacity(asked, around);
  if (app.got_subcommand("ctl")) {
    auto way = ctl_client::open(told.url, told.token_file, told.ca_file);
    if (!way) return {exit_usage, "", way.error() + "\n"};
    process_console console(*way, around, told.verb == ctl_verb::watch);
    return control(told, *way, console);
  }
  if (app.got_subcommand("version")) return print_version(asked, around);
  return check(asked, around);
}

}  // namespace

outcome run(std::span<const std::string> arguments, const surroundings& around) {
  outcome done = run_words(arguments, around);
  const bool tells_program =
      !arguments.empty() && arguments.front() == "ctl" && std::ranges::find(arguments, "--json") != arguments.end();
  return tells_program ? with_problem(std::move(done)) : done;
}

}  // namespace cellroute::tool
