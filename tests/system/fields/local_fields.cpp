// The local sections but for listeners and HTTP: process, decision, log, metrics, admin, reload, guard.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/system/fields/field_case.hpp"
#include "tests/system/fields/field_run.hpp"

namespace cellroute::system_test {
namespace {

/// Each worker has a socket of its own that listens.
std::string sockets_that_listen(field_run& run) {
  char local[16];
  std::snprintf(local, sizeof local, ":%04X", run.web());
  std::ifstream table("/proc/net/tcp");
  int count = 0;
  for (std::string line; std::getline(table, line);) {
    const std::size_t at = line.find(local);
    count += at != std::string::npos && line.substr(at + 5, 13) == " 00000000:000" && line.find(" 0A ") != line.npos;
  }
  return std::to_string(count);
}

std::string ends_within_look(field_run& run) {
  run.process().signal(SIGTERM);
  return run.process().wait_exit(look) ? "ended" : "running";
}

std::string ends_with_a_request(field_run& run) {
  client c = run.connect();
  c.send(keyed("GET /silent"));
  (void)eventually([&] { return run.first_cell().requests().size() == 1; });
  return ends_within_look(run);
}

std::string output_has(field_run& run, std::string_view text, std::string_view target = "/") {
  (void)run.get(target, "X-Request-Id: seen\r\n");
  run.process().signal(SIGTERM);
  (void)run.process().wait_exit();
  return run.process().whole_output().find(text) != std::string::npos ? "yes" : "no";
}

std::string is_logged(field_run& run) { return output_has(run, "\"request_id\":\"seen\"", "/later"); }

/// The number behind a name in what the system tells of the process.
std::string status_of_process(field_run& run, std::string_view name) {
  const std::string text = read_text("/proc/" + std::to_string(run.process().pid()) + "/status");
  const std::size_t at = text.find("\n" + std::string(name) + ":\t") + name.size() + 3;
  return text.substr(at, text.find_first_of("\t\n", at) - at);
}

std::string after_an_edit(field_run& run) {
  run.edit("routing: {keys: {inline: {more: tier1}}}");
  return run.applied_within_look();
}

/// What is the matter with the control plane, or with a file that is needed for it.
std::string why_no_control_plane(field_run& run) {
  const std::string line = run.process().wait_line("control_plane_unreachable", look).value_or("nothing is told");
  for (const char* const file : {"token_file", "ca_file", "cert_file", "key_file"}) {
    if (line.find(std::string("control_plane.") + file) != std::string::npos) return file;
  }
  if (line.find("Connection refused") != std::string::npos) return "refused";
  return line.find("it answers 200") != std::string::npos ? "no upgrade" : line;
}

/// Whether the router has looked for its control plane so often within a few looks.
std::string has_tried(field_run& run, int times) {
  const auto tries = [&run] {
    const std::string text = run.process().output();
    int found = 0;
    for (std::size_t at = 0; (at = text.find("control_plane_unreachable", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  return eventually([&] { return tries() >= times; }, 3 * look) ? "often" : "seldom";
}

std::string ring_in_hello(field_run& run) {
  const std::string said = run.hello();
  const std::size_t at = said.find("\"ring\":\"");
  return at == std::string::npos ? said : said.substr(at + 8, said.find('"', at + 8) - at - 8);
}

/// What becomes of a push behind which every request fails.
std::string after_a_dead_end(field_run& run) {
  constexpr int requests = 520;  // as many as it takes to be judged
  for (int i = 0; i < requests; ++i) {
    if (run.get().status() != 200) return "an error";
  }
  if (run.push_a_dead_end().find("applied") == std::string::npos) return "a refusal";
  for (int i = 0; i < requests; ++i) {
    if (run.get().status() != 502) return "no error";
  }
  return run.process().wait_line("revert_impossible", look) ? "told" : "nothing";
}

/// What is said to a control plane that begins anew with a lower version than what runs.
std::string after_a_lower_version(field_run& run) {
  for (const int version : {2, 1}) {
    const std::string said = run.push_a_dead_end(version);
    if (said.find("applied") == std::string::npos) return version == 1 ? "rejected" : "a refusal";
  }
  return "applied";
}

constexpr std::string_view plain_control_plane = "control_plane: {urls: [\"ws://127.0.0.1:$closed\"]}";
constexpr std::string_view secure_control_plane = "control_plane: {urls: [\"wss://127.0.0.1:$closed\"]}";

std::string after_a_refusal(field_run& run) {
  run.edit("routing: {keys: {inline: {more: nowhere}}}");
  if (!run.process().wait_line("config_rejected")) return "not refused";
  run.edit("routing: {keys: {inline: {more: tier1}}}");
  return run.applied_within_look();
}

std::string reload_of(field_run& run, std::string_view yaml) {
  run.edit(yaml);
  return run.reload();
}

constexpr std::string_view nothing_by_chance = "log: {access: {sampling: {ratio: 0}}}";
constexpr std::string_view nobody_watches = "reload: {watch: false, poll: off}";
// Percentages count from there on.
constexpr std::string_view a_thousand_keys =
    "{reload: {watch: false, poll: off}, routing: {keys: {files: [thousand.tsv]}}}";

const field_case local_cases[] = {
    {"process.workers", "1", "2", sockets_that_listen, "1", "2"},
    {"process.drain.unready_for", "0s", "20s", ends_within_look, "ended", "running"},
    {"process.drain.timeout", "50ms", "20s", ends_with_a_request, "ended", "running"},

    {"process.max_config_age", "off", "1s",
     [](field_run& run) {
       const bool is_stale =
           eventually([&run] { return run.admin("GET /ready").content.find("stale") != std::string::npos; }, 2 * look);
       return std::string(is_stale ? "stale" : "ready");
     },
     "ready", "stale", plain_control_plane},
    {"process.state_dir", "off", "state",
     [](field_run& run) { return std::string(run.process().wait_line("\"keys_kept\"", look) ? "kept" : "nothing"); },
     "nothing", "kept", "routing: {keys: {files: [keys.tsv]}}"},

    {"decision.headers", "always", "never",
     [](field_run& run) { return std::string(run.get().head.has("X-Routed-To") ? "shown" : "hidden"); }, "shown",
     "hidden"},
    {"decision.route_decision", "false", "true",
     [](field_run& run) { return std::string(run.get().head.has("X-Route-Decision") ? "shown" : "hidden"); }, "hidden",
     "shown"},
    {"decision.log", "true", "false", [](field_run& run) { return run.access_field("placement_key"); }, "tier1", ""},

    {"log.level", "info", "error", [](field_run& run) { return output_has(run, "config_applied"); }, "yes", "no"},
    {"log.access.output", "stdout", "off", [](field_run& run) { return output_has(run, "\"request_id\":\"seen\""); },
     "yes", "no"},
    {"log.access.preset", "default", "m1", [](field_run& run) { return run.access_field("listener"); }, "web",
     "<none>"},
    {"log.access.fields", "default", "[request_id, query]", [](field_run& run) { return run.access_field("method"); },
     "GET", "<none>"},
    {"log.access.sampling.ratio", "1.0", "0", is_logged, "yes", "no"},
    {"log.access.sampling.always.status", "[404]", "[404, 2xx]", is_logged, "no", "yes", nothing_by_chance},
    {"log.access.sampling.always.slower_than", "off", "100ms", is_logged, "no", "yes", nothing_by_chance},
    {"log.access.sampling.always.keys", "[visa]", "[visa, acme]", is_logged, "no", "yes", nothing_by_chance},
    {"log.access.routing_key", "plain", "off", [](field_run& run) { return run.access_field("routing_key"); }, "acme",
     ""},

    {"metrics.path", "/metrics", "/m",
     [](field_run& run) { return std::to_string(run.admin("GET /metrics").status()); }, "200", "404"},
    {"metrics.compat", "[]", "[gateway]",
     [](field_run& run) {
       const bool is_there = run.admin("GET /metrics").content.find("gateway_rps") != std::string::npos;
       return std::string(is_there ? "there" : "absent");
     },
     "absent", "there"},
    {"admin.address", "\"127.0.0.1:$admin\"", "\"127.0.0.2:$admin\"",
     [](field_run& run) { return field_run::host_that_listens(run.admin_port()); }, "127.0.0.1", "127.0.0.2"},

    {"reload.watch", "true", "false", after_an_edit, "applied", "not yet", "reload: {poll: off, debounce: 0s}"},
    {"reload.poll", "100ms", "off", after_an_edit, "applied", "not yet", "reload: {watch: false}"},
    {"reload.debounce", "0s", "20s", after_an_edit, "applied", "not yet", "reload: {poll: off}"},
    {"reload.backoff_on_error", "0s", "20s", after_a_refusal, "applied", "not yet",
     "reload: {poll: off, debounce: 0s}"},

    {"guard.max_moved_percent", "off", "1",
     [](field_run& run) { return reload_of(run, "routing: {keys: {files: [moved.tsv]}}"); }, "applied", "refused",
     a_thousand_keys},
    {"guard.max_removed_percent", "off", "1",
     [](field_run& run) { return reload_of(run, "routing: {keys: {files: [keys.tsv]}}"); }, "applied", "refused",
     a_thousand_keys},
    {"control_plane.urls", "[\"ws://127.0.0.1:$closed\"]", "[\"ws://127.0.0.1:$one\"]", why_no_control_plane, "refused",
     "no upgrade"},
    {"control_plane.token_file", "", "no-such-file", why_no_control_plane, "refused", "token_file",
     plain_control_plane},
    {"control_plane.ca_file", "", "no-such-file", why_no_control_plane, "refused", "ca_file", secure_control_plane},
    {"control_plane.cert_file", "", "no-such-file", why_no_control_plane, "refused", "key_file", secure_control_plane},
    {"control_plane.key_file", "", "no-such-file", why_no_control_plane, "refused", "cert_file", secure_control_plane},
    {"control_plane.ring", "canary", "rest", ring_in_hello, "canary", "rest", plain_control_plane},
    {"control_plane.accept_version_reset", "true", "false", after_a_lower_version, "applied", "rejected",
     plain_control_plane},
    {"control_plane.revert_on_5xx_percent", "50", "off", after_a_dead_end, "told", "nothing", plain_control_plane},
    {"control_plane.backoff.min", "1ms", "1h", [](field_run& run) { return has_tried(run, 4); }, "often", "seldom",
     "control_plane: {urls: [\"ws://127.0.0.1:$closed\"], backoff: {max: 2h}}"},
    // Waits that double are seconds after ten tries.
    {"control_plane.backoff.max", "1ms", "1h", [](field_run& run) { return has_tried(run, 30); }, "often", "seldom",
     "control_plane: {urls: [\"ws://127.0.0.1:$closed\"], backoff: {min: 1ms}}"},
    {"guard.min_keys", "0", "2", [](field_run& run) { return reload_of(run, "routing: {keys: {inline: {acme: }}}"); },
     "applied", "refused", nobody_watches},
};

constexpr std::string_view becomes_nobody = "process: {privileges: {user: nobody, group: nogroup}}";

/// Only root can become somebody else. The numbers are those of Debian.
const field_case cases_of_root[] = {
    {"process.privileges.user", "nobody", "daemon", [](field_run& run) { return status_of_process(run, "Uid"); },
     "65534", "1", becomes_nobody},
    {"process.privileges.group", "nogroup", "daemon", [](field_run& run) { return status_of_process(run, "Gid"); },
     "65534", "1", becomes_nobody},
};

}  // namespace

std::span<const field_case> local_field_cases() { return local_cases; }
std::span<const field_case> field_cases_of_root() {
  return ::getuid() == 0 ? std::span<const field_case>(cases_of_root) : std::span<const field_case>();
}

}  // namespace cellroute::system_test
