#include "adapters/tool/ctl_words.hpp"

#include "adapters/wire/node.hpp"

namespace cellroute::tool {
namespace {

CLI::App& add_verb(CLI::App& parent, ctl_request& asked, ctl_verb verb, const std::string& name,
                   const std::string& says) {
  CLI::App* const made = parent.add_subcommand(name, says);
  made->fallthrough();  // `--url` and its like may stand behind a verb
  made->parse_complete_callback([&asked, verb] { asked.verb = verb; });
  return *made;
}

const CLI::Validator& is_some_text() {
  static const CLI::Validator made(
      [](const std::string& text) { return text.empty() ? std::string("is empty; name one") : std::string(); }, "");
  return made;
}

const CLI::Validator& is_version() {
  static const CLI::Validator made(
      [](const std::string& text) {
        const bool is_number = !text.empty() && text.size() <= 16 && text.front() != '0' &&
                               text.find_first_not_of("0123456789") == std::string::npos;
        return is_number ? std::string() : "must be the number of a version, like 41, not " + wire::quote(text);
      },
      "");
  return made;
}

/// What all verbs have that change something.
void add_change(CLI::App& verb, ctl_request& asked) {
  verb.add_option("-m,--message", asked.message, "Why, for the history; at most 1000 bytes");
  verb.add_flag("--dry-run", asked.is_dry_run, "Change nothing; say what would change");
}

/// What they have that guards are asked of.
void add_override(CLI::App& verb, ctl_request& asked) {
  verb.add_option("--override", asked.guard, "Guards that do not count this once, with commas between")->join(',');
}

void add_guarded_change(CLI::App& verb, ctl_request& asked) {
  add_change(verb, asked);
  add_override(verb, asked);
}

void add_keys(CLI::App& ctl, ctl_request& asked) {
  CLI::App* const keys = ctl.add_subcommand("keys", "Routing keys: list, set, rm, import, export");
  keys->require_subcommand(1);
  keys->fallthrough();
  CLI::App& list = add_verb(*keys, asked, ctl_verb::keys_list, "list", "List keys and where they lead");
  list.add_option("--prefix", asked.prefix, "Only keys that begin so");
  list.add_option("--limit", asked.limit, "At most so many; 20 unless given")->check(CLI::Range(1, 10'000));
  CLI::App& set = add_verb(*keys, asked, ctl_verb::keys_set, "set", "Lead a key to a placement");
  set.add_option("key", asked.key, "The routing key")->required()->check(is_some_text());
  set.add_option("placement", asked.placement, "The placement")->required()->check(is_some_text());
  add_guarded_change(set, asked);
  CLI::App& remove = add_verb(*keys, asked, ctl_verb::keys_remove, "rm", "Take a key's row away");
  remove.add_option("key", asked.key, "The routing key")->required()->check(is_some_text());
  add_guarded_change(remove, asked);
  CLI::App& take = add_verb(*keys, asked, ctl_verb::keys_import, "import", "Lead the keys of a file to where it says");
  take.add_option("file", asked.file, "Rows: .csv, .tsv, .jsonl or .json; - is lines of JSON that come in")->required();
  take.add_flag("--replace", asked.replaces, "Take all other rows away");
  add_guarded_change(take, asked);
  CLI::App& give = add_verb(*keys, asked, ctl_verb::keys_export, "export", "Print all rows as lines of JSON");
  give.add_option("-o,--output", asked.output_file, "Into this file, in place of what it holds");
}

void add_endpoints(CLI::App& ctl, ctl_request& asked) {
  CLI::App* const endpoints = ctl.add_subcommand("endpoints", "Endpoints of placements: drain, undrain");
  endpoints->require_subcommand(1);
  endpoints->fallthrough();
  const auto add = [&](ctl_verb verb, const std::string& name, const std::string& says) {
    CLI::App& made = add_verb(*endpoints, asked, verb, name, says);
    made.add_option("placement", asked.placement, "The placement")->required()->check(is_some_text());
    made.add_option("endpoint", asked.endpoint, "Its id; host:port where none was written")
        ->required()
        ->check(is_some_text());
    add_guarded_change(made, asked);
  };
  add(ctl_verb::endpoints_drain, "drain", "Send no new requests there; its weight is kept for after that");
  add(ctl_verb::endpoints_undrain, "undrain", "Send requests there again, by its weight of before");
}

}  // namespace

void add_ctl(CLI::App& app, ctl_request& asked) {
  CLI::App* const ctl = app.add_subcommand("ctl", "Ask a running control plane, or tell it what to publish");
  ctl->require_subcommand(1);
  ctl->add_option("--url", asked.url,
                  "The control plane; http://127.0.0.1:8081 unless given; unix:PATH: its break-glass socket")
      ->envname("CELLROUTE_CONTROL_URL");
  ctl->add_option("--token-file", asked.token_file, "A file with the token")->envname("CELLROUTE_TOKEN_FILE");
  ctl->add_option("--ca-file", asked.ca_file, "Whom to believe that it is the control plane, for https")
      ->envname("CELLROUTE_CA_FILE");
  ctl->add_flag("--json", asked.as_json, "Print JSON");
  ctl->footer(
      "Examples:\n"
      "  cellroute ctl status\n"
      "  cellroute ctl push fleet.yaml --dry-run\n"
      "  cellroute ctl keys set acme cell-2 -m 'moved for load'\n"
      "  cellroute ctl where acme\n"
      "  cellroute ctl rollback 41\n"
      "Exit codes: 0 done, 1 the configuration is invalid, 2 wrong usage, 4 refused, 5 no answer");
  (void)add_verb(*ctl, asked, ctl_verb::status, "status", "What is published, and who runs it");
  (void)add_verb(*ctl, asked, ctl_verb::routers, "routers", "All routers, what they run, what they refused");
  CLI::App& watch = add_verb(*ctl, asked, ctl_verb::watch, "watch", "Tell what happens as it happens, until ended");
  watch.footer("It goes on where it was cut. With --json each event is a line of JSON. SIGINT ends it, with 0.");
  CLI::App& retry = add_verb(*ctl, asked, ctl_verb::retry, "retry", "Have the followed file read again");
  add_override(retry, asked);
  CLI::App& resync =
      add_verb(*ctl, asked, ctl_verb::resync, "resync", "Offer a router what it refused, or has damaged, once more");
  resync.add_option("router", asked.router, "Its id, as `routers` tells it")->required()->check(is_some_text());
  CLI::App& push = add_verb(*ctl, asked, ctl_verb::push, "push", "Publish a configuration, in place of all of it");
  push.add_option("file", asked.file, "The configuration, YAML or JSON; - is what comes in")->required();
  add_guarded_change(push, asked);
  CLI::App& diff = add_verb(*ctl, asked, ctl_verb::diff, "diff", "What differs between two versions");
  diff.add_option("version", asked.version, "The older one")->required()->check(is_version());
  diff.add_option("other", asked.other_version, "The newer one; without it, what is published")->check(is_version());
  CLI::App& rollback = add_verb(*ctl, asked, ctl_verb::rollback, "rollback", "Publish what a version was once more");
  rollback.add_option("version", asked.version, "That version")->required()->check(is_version());
  add_change(rollback, asked);
  CLI::App& history = add_verb(*ctl, asked, ctl_verb::history, "history", "The versions, the newest first");
  history.add_option("--limit", asked.limit, "At most so many; 20 unless given")->check(CLI::Range(1, 10'000));
  CLI::App& where = add_verb(*ctl, asked, ctl_verb::where, "where", "Where a key leads, why, and where it led before");
  where.add_option("key", asked.key, "The routing key")->required()->check(is_some_text());
  CLI::App& backup = add_verb(*ctl, asked, ctl_verb::backup, "backup", "Copy the store into a file");
  backup.add_option("-o,--output", asked.output_file, "The file, which must not be there yet")->required();
  backup.footer("cellroute-control --restore FILE --store sqlite:NEW makes a store of it.");
  add_keys(*ctl, asked);
  add_endpoints(*ctl, asked);
}

}  // namespace cellroute::tool
