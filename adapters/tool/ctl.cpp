#include "adapters/tool/ctl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "adapters/tool/ctl_file.hpp"
#include "adapters/tool/ctl_rows.hpp"
#include "adapters/tool/ctl_text.hpp"
#include "adapters/tool/ctl_watch.hpp"
#include "adapters/tool/progress.hpp"
#include "adapters/tool/verbs.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/node.hpp"

namespace cellroute::tool {
namespace {

constexpr std::size_t page_max = 10'000;
constexpr std::size_t file_bytes_max = std::size_t{256} << 20;  // what the API takes

outcome failure_of(int exit_code, std::string why) { return {exit_code, "", std::move(why) + "\n"}; }

/// What answers is something else, or something stands between.
outcome strange_answer(int status) {
  return failure_of(exit_refused,
                    fmt::format("what answered ({}) does not speak as a control plane does; is it --url?", status));
}

/// A title and a code of a problem document, by the exit code.
struct failure_words {
  int exit_code;
  std::string_view title;
  std::string_view code;
};

constexpr failure_words words_of_failures[] = {
    {exit_invalid, "Invalid", "invalid"},
    {exit_usage, "Wrong usage", "usage"},
    {exit_refused, "Refused", "refused"},
    {exit_no_answer, "No answer", "no_answer"},
};

/// One command on its way.
class command final : private transfer_listener {
 public:
  command(const ctl_request& asked, api_transport& way, ctl_console& console)
      : asked_(asked), way_(way), console_(console), progress_(console.now()) {}

  outcome run() {
    switch (asked_.verb) {
      case ctl_verb::status:
        return status();
      case ctl_verb::routers:
        return routers();
      case ctl_verb::push:
        return push();
      case ctl_verb::diff:
        return diff();
      case ctl_verb::rollback:
        return rollback();
      case ctl_verb::history:
        return history();
      case ctl_verb::where:
        return where();
      case ctl_verb::keys_list:
        return keys_list();
      case ctl_verb::keys_set:
        return keys_set();
      case ctl_verb::keys_remove:
        return change({"DELETE", "/v1/keys/" + escape_segment(asked_.key)}, "");
      case ctl_verb::endpoints_drain:
        return drain(true);
      case ctl_verb::endpoints_undrain:
        return drain(false);
      case ctl_verb::keys_import:
        return keys_import();
      case ctl_verb::keys_export:
        return save("/v1/keys:export");
      case ctl_verb::backup:
        return save("/v1/backup");
      case ctl_verb::watch:
        break;  // goes on for long, and elsewhere
      case ctl_verb::retry:
        return retry();
      case ctl_verb::resync:
        return resync();
    }
    return {};
  }

 private:
  /// A good answer and its tree; or what is told instead.
  struct read_answer {
    api_reply reply{};
    wire::node tree{};
    std::optional<outcome> instead{};
    bool may_be_done = false;  ///< it was cut off, and what was asked for may have happened
  };

  read_answer get(const std::string& target) { return read({"GET", target}, ""); }

  read_answer read(const api_request& what, std::string_view file) {
    read_answer made;
    auto reply = ask_long(what);
    if (!reply) {
      made.instead = failure_of(exit_no_answer, reply.error().why);
      made.may_be_done = reply.error().may_have_arrived;
      return made;
    }
    made.reply = *std::move(reply);
    if (made.reply.status < 200 || made.reply.status >= 300) {
      made.instead = refusal_of(made.reply, file);
      return made;
    }
    auto tree = wire::read_json(made.reply.body, "answer");
    if (tree) {
      made.tree = *std::move(tree);
    } else {
      made.instead = strange_answer(made.reply.status);
    }
    return made;
  }

  /// What is current, told by what is a control plane.
  read_answer info() {
    read_answer found = get("/v1/info");
    if (!found.instead && text_at(found.tree, "epoch").empty()) found.instead = strange_answer(found.reply.status);
    return found;
  }

  /// The tag of what is current now; empty where nothing is published.
  expected<std::string, outcome> current_tag() {
    const read_answer now = info();
    if (now.instead) return unexpected(*now.instead);
    const std::string version = text_at(now.tree, "version");
    if (version == "0" || version.empty()) return std::string();
    return "\"" + text_at(now.tree, "epoch") + "." + version + "\"";
  }

  /// Sends a change, against what is current now, and tells the version that it made.
  outcome change(api_request what, std::string_view file) {
    const auto tag = current_tag();
    if (!tag) return tag.error();
    what.headers.emplace_back(tag->empty() ? "If-None-Match" : "If-Match", tag->empty() ? "*" : *tag);
    const auto add = [&what](std::string_view name, const std::string& value) {
      const char before = what.target.find('?') == std::string::npos ? '?' : '&';
      if (!value.empty()) what.target += fmt::format("{}{}={}", before, name, escape_segment(value));
    };
    add("dry_run", asked_.is_dry_run ? "true" : "");
    add("message", asked_.message);
    add("override", asked_.guard);
    add("mode", asked_.replaces ? "replace" : "");
    read_answer done = read(what, file);
    if (done.instead) {
      if (done.may_be_done && !asked_.is_dry_run)
        done.instead->errors += "it may be done all the same: `cellroute ctl history` shows it then\n";
      return *std::move(done.instead);
    }
    if (asked_.as_json) return json(done);
    if (asked_.is_dry_run) return {0, "nothing is changed; this would be:\n" + radius_text(done.tree), ""};
    const std::string version = text_at(done.tree, "version");
    std::string told = fmt::format("version {}: {}; {} added, {} moved, {} removed", version,
                                   plural(text_at(done.tree, "keys"), "key"), text_at(done.tree, "added"),
                                   text_at(done.tree, "moved"), text_at(done.tree, "removed"));
    if ("\"" + text_at(done.tree, "epoch") + "." + version + "\"" == *tag) told = "nothing changed: version " + version;
    const std::string left_out = text_at(done.tree, "quarantined");
    if (!left_out.empty()) told += fmt::format("; {} left out", plural(left_out, "row"));
    return {0, told + "\n", ""};
  }

  static outcome json(const read_answer& of) {
    return {0, of.reply.body + (of.reply.body.ends_with('\n') ? "" : "\n"), ""};
  }

  outcome status() {
    const read_answer now = info();
    if (now.instead) return *now.instead;
    const read_answer drift = get("/v1/fleet/drift");
    if (drift.instead) return *drift.instead;
    if (asked_.as_json) {
      return {0, fmt::format("{{\"info\":{},\"drift\":{}}}\n", now.reply.body, drift.reply.body), ""};
    }
    std::string out = fmt::format("control plane  {} (cluster {})\n", plain(text_at(now.tree, "build")),
                                  plain(text_at(now.tree, "cluster")));
    const std::string version = text_at(now.tree, "version");
    const std::string label = plain(text_at(now.tree, "label"));
    out += version == "0" ? "published      nothing yet\n"
                          : fmt::format("published      version {}{} of epoch {}, {}\n", version,
                                        label.empty() ? "" : " (" + label + ")", text_at(now.tree, "epoch"),
                                        plural(text_at(now.tree, "keys"), "key"));
    out += fmt::format("changes come   {}\n",
                       text_at(now.tree, "follows_file") == "true" ? "from the file that it follows" : "by the API");
    out += fmt::format("routers        {} connected, {} on target, {} refused it\n", text_at(drift.tree, "connected"),
                       text_at(drift.tree, "on_target"), text_at(drift.tree, "refused"));
    out += ages_text(drift.tree);
    for (const wire::node& each : items_of(now.tree, "mistakes"))
      out += "not published  " + plain_advice(each.text) + '\n';
    return {0, out, ""};
  }

  /// What is between the brackets of the one list of an answer, as it came.
  static std::string_view list_in(std::string_view body) {
    const std::size_t begin = body.find('[');
    const std::size_t end = body.rfind(']');
    return begin == std::string_view::npos || end == std::string_view::npos || end < begin
               ? std::string_view()
               : body.substr(begin + 1, end - begin - 1);
  }

  outcome routers() {
    rows all{{"ROUTER", "STATE", "VERSION", "ON TARGET", "PEER", "LAST REFUSAL"}};
    std::string cursor;
    std::string listed;
    do {
      const read_answer page = get(fmt::format("/v1/routers?limit={}{}", asked_.as_json ? page_max : 1'000,
                                               cursor.empty() ? "" : "&cursor=" + cursor));
      if (page.instead) return *page.instead;
      cursor = text_at(page.tree, "next");
      if (asked_.as_json) {
        const std::string_view some = list_in(page.reply.body);
        listed += fmt::format("{}{}", listed.empty() || some.empty() ? "" : ",", some);
        continue;
      }
      for (const wire::node& r : items_of(page.tree, "routers")) {
        const std::string id = text_at(r, "router_id");
        const std::string version = text_at(r, {"running", "version"});
        const std::string since = text_at(r, "away_since");
        const bool is_damaged = text_at(r, {"status", "scrub", "ok"}) == "false";
        all.push_back({id.empty() ? "(base)" : id,
                       text_at(r, "state") + (since.empty() ? "" : " since " + since) + (is_damaged ? ", damaged" : ""),
                       version.empty() ? "-" : version,
                       // Who is away counts for nobody: `status` counts those that are connected.
                       !since.empty()                      ? "-"
                       : text_at(r, "on_target") == "true" ? "yes"
                                                           : "no",
                       text_at(r, "peer"), text_at(r, "last_refusal")});
      }
    } while (!cursor.empty());
    if (asked_.as_json) return {0, "{\"routers\":[" + listed + "]}\n", ""};
    return {0, all.size() > 1 ? table_of(all, console_.columns()) : "no router was ever here\n", ""};
  }

  /// Has the followed file read again.
  outcome retry() {
    const std::string query = asked_.guard.empty() ? "" : "?override=" + escape_segment(asked_.guard);
    const read_answer done = read({"POST", "/v1/watch:retry" + query}, "");
    if (done.instead) return *done.instead;
    if (asked_.as_json) return json(done);
    return {0, "the file is read again; `cellroute ctl status` says what came of it\n", ""};
  }

  /// Has a router take what is published, also where it refused that before.
  outcome resync() {
    const read_answer done = read({"POST", "/v1/routers/" + escape_segment(asked_.router) + ":resync"}, "");
    if (done.instead) return *done.instead;
    if (asked_.as_json) return json(done);
    return {0, "it is offered once more; `cellroute ctl routers` says what came of it\n", ""};
  }

  outcome push() {
    auto text = content_of(asked_.file);
    if (!text) return failure_of(exit_usage, std::move(text).error());
    api_request what{"PUT", "/v1/config"};
    what.body = *std::move(text);
    what.type = asked_.file.ends_with(".json") ? "application/json" : "application/yaml";
    return change(std::move(what), asked_.file);
  }

  outcome diff() {
    std::string other;
    if (asked_.other_version) {
      other = std::to_string(*asked_.other_version);
    } else {
      const read_answer now = info();
      if (now.instead) return *now.instead;
      other = text_at(now.tree, "version");
    }
    const read_answer found = get(fmt::format("/v1/versions/{}/diff/{}", asked_.version, other));
    if (found.instead) return *found.instead;
    if (asked_.as_json) return json(found);
    return {0, fmt::format("version {} -> {}\n", asked_.version, other) + radius_text(found.tree), ""};
  }

  outcome rollback() { return change({"POST", fmt::format("/v1/versions/{}:rollback", asked_.version)}, ""); }

  outcome history() {
    const read_answer found = get(fmt::format("/v1/versions?limit={}", asked_.limit));
    if (found.instead) return *found.instead;
    if (asked_.as_json) return json(found);
    rows all{{"VERSION", "AT", "BY", "KEYS", "ADDED", "MOVED", "REMOVED", "ROUTERS", "LABEL", "MESSAGE"}};
    for (const wire::node& v : items_of(found.tree, "versions")) {
      std::string message = text_at(v, "message");
      const std::string back_to = text_at(v, "rollback_of");
      if (!back_to.empty()) message = fmt::format("back to {}{}{}", back_to, message.empty() ? "" : ": ", message);
      all.push_back({text_at(v, "version"), text_at(v, "at"), text_at(v, "author"), text_at(v, "keys"),
                     text_at(v, "added"), text_at(v, "moved"), text_at(v, "removed"), text_at(v, "routers"),
                     text_at(v, "label"), message});
    }
    std::string out = all.size() > 1 ? table_of(all) : "nothing was published yet\n";
    if (found.tree.find("next") != nullptr) out += "there are more: --limit\n";
    return {0, out, ""};
  }

  outcome where() {
    const std::string path = "/v1/keys/" + escape_segment(asked_.key);
    auto reply = way_.ask({"GET", path});
    if (!reply) return failure_of(exit_no_answer, reply.error().why);
    const auto tree = wire::read_json(reply->body, "answer");
    const wire::node* const resolved = tree ? tree->find("resolved") : nullptr;
    if (resolved == nullptr) return refusal_of(*reply, "");
    const read_answer past = get(fmt::format("{}/history?limit={}", path, asked_.limit));
    // A store that cannot be read keeps back where it led before, not where it leads.
    const bool is_past_known = !past.instead;
    if (!is_past_known && past.reply.status < 500) return *past.instead;
    const std::string why_not = is_past_known ? "" : "where it led before cannot be told: " + past.instead->errors;
    if (asked_.as_json) {
      const std::string_view history = is_past_known ? std::string_view(past.reply.body) : "null";
      return {0, fmt::format("{{\"key\":{},\"history\":{}}}\n", reply->body, history), why_not};
    }
    std::string out;
    if (resolved->find("unreachable") != nullptr) {
      out =
          fmt::format("{} -> no request reaches it: {}\n", plain(asked_.key), plain(text_at(*resolved, "unreachable")));
    } else if (resolved->find("elsewhere") != nullptr) {
      out = fmt::format("{} -> elsewhere: {}\n", plain(asked_.key), plain(text_at(*resolved, "elsewhere")));
    } else if (resolved->kind == wire::node_kind::map) {
      out = fmt::format("{} -> placement {}, cell {} ({})\n", plain(asked_.key), plain(text_at(*resolved, "placement")),
                        plain(text_at(*resolved, "cell")), plain(text_at(*resolved, "reason")));
    } else {
      out = plain(asked_.key) + " -> nowhere\n";
    }
    if (reply->status == 404) out += "it has no row of its own\n";
    rows all{{"VERSION", "AT", "BY", "FROM", "TO"}};
    const auto named = [](const std::string& name) { return name.empty() ? std::string("-") : name; };
    for (const wire::node& e : items_of(past.tree, "history")) {
      all.push_back({text_at(e, "version"), text_at(e, "at"), text_at(e, "author"), named(text_at(e, "from")),
                     named(text_at(e, "to"))});
    }
    if (all.size() > 1) out += table_of(all);
    return {0, out, why_not};
  }

  outcome keys_list() {
    const std::string prefix = asked_.prefix.empty() ? "" : "&prefix=" + escape_segment(asked_.prefix);
    const read_answer found = get(fmt::format("/v1/keys?limit={}{}", asked_.limit, prefix));
    if (found.instead) return *found.instead;
    if (asked_.as_json) return json(found);
    rows all{{"KEY", "PLACEMENT"}};
    for (const wire::node& k : items_of(found.tree, "keys"))
      all.push_back({text_at(k, "key"), text_at(k, "placement")});
    std::string out = all.size() > 1 ? table_of(all) : "no key of that kind has a row\n";
    if (found.tree.find("next") != nullptr) out += "there are more: --limit, or `keys export` for all\n";
    return {0, out, ""};
  }

  /// An endpoint takes no new requests from now on, or does so again.
  outcome drain(bool wants) {
    api_request what{"PATCH", fmt::format("/v1/placements/{}/endpoints/{}", escape_segment(asked_.placement),
                                          escape_segment(asked_.endpoint))};
    what.body = fmt::format("{{\"drain\":{}}}", wants);
    what.type = "application/json";
    return change(std::move(what), "");
  }

  outcome keys_set() {
    api_request what{"PUT", "/v1/keys/" + escape_segment(asked_.key)};
    what.body = "{\"placement\":" + wire::quote(asked_.placement) + "}";
    what.type = "application/json";
    return change(std::move(what), "");
  }

  outcome keys_import() {
    auto text = content_of(asked_.file);
    if (!text) return failure_of(exit_usage, std::move(text).error());
    auto rows = rows_to_send(asked_.file, *std::move(text));
    if (!rows) return std::move(rows).error();
    api_request what{"POST", fmt::format("/v1/keys:import?format={}", rows->format)};
    what.body = std::move(rows->body);
    what.type = rows->type;
    return change(std::move(what), asked_.file);
  }

  /// Into a file, or printed.
  outcome save(const std::string& target) {
    const std::string& file = asked_.output_file;
    const bool is_backup = asked_.verb == ctl_verb::backup;
    const bool is_file = !file.empty() && kind_of_output(file) == output_kind::file;
    if (std::error_code unknown; is_backup && is_file && std::filesystem::exists(file, unknown))
      return failure_of(exit_usage, file + ": is there already; remove it, or name another");
    auto reply = ask_long({"GET", target});
    if (!reply) return failure_of(exit_no_answer, reply.error().why);
    if (reply->status != 200) return refusal_of(*reply, "");
    if (file.empty()) return {0, std::move(reply->body), ""};
    if (auto done = write_output(file, reply->body); !done) return failure_of(exit_usage, std::move(done).error());
    const std::string told = asked_.as_json
                                 ? fmt::format("{{\"file\":{},\"bytes\":{}}}\n", wire::quote(file), reply->body.size())
                                 : fmt::format("{} bytes in {}\n", reply->body.size(), file);
    // What is no file may be where this is printed, too.
    return is_file ? outcome{0, told, ""} : outcome{0, "", told};
  }

  static expected<std::string, std::string> content_of(const std::string& file) {
    if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    auto text = wire::read_file(file, file_bytes_max);
    if (text) return *std::move(text);
    return unexpected(fmt::format("{}: {}", file, to_string(text.error())));
  }

  // How far it is, where somebody looks.
  void on_sent(std::uint64_t done, std::uint64_t all) override { tell(transfer::sent, done, all); }
  void on_received(std::uint64_t done, std::uint64_t all) override { tell(transfer::received, done, all); }
  void tell(transfer what, std::uint64_t done, std::uint64_t all) {
    if (const auto line = progress_.tell(what, done, all, console_.now())) console_.note(*line);
  }
  transfer_listener* listener() { return console_.shows_progress() && !asked_.as_json ? this : nullptr; }
  expected<api_reply, no_reply> ask_long(api_request what) {
    what.hears = listener();
    auto reply = way_.ask(what);
    console_.note(progress_.end());
    return reply;
  }

  const ctl_request& asked_;
  api_transport& way_;
  ctl_console& console_;
  progress_line progress_;
};

}  // namespace

std::string escape_segment(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

outcome refusal_of(const api_reply& reply, std::string_view file) {
  const auto tree = wire::read_json(reply.body, "answer");
  const std::string why = tree ? plain_advice(text_at(*tree, "detail")) : "";
  if (why.empty()) return strange_answer(reply.status);
  std::string told = fmt::format("refused ({}): {}\n", reply.status, why);
  bool has_mistakes = false;
  for (const wire::node& each : items_of(*tree, "errors")) {
    has_mistakes = true;
    if (!file.empty()) told += fmt::format("{}:{}:{}: ", file, text_at(each, "line"), text_at(each, "column"));
    const std::string path = plain(text_at(each, "path"));
    told += fmt::format("{}{}{}\n", path, path.empty() ? "" : ": ", plain_advice(text_at(each, "detail")));
  }
  for (const wire::node& row : items_of(*tree, "rows")) told += fmt::format("changed meanwhile: {}\n", plain(row.text));
  // Trouble of the control plane's own: its operator finds it in the log by that.
  const std::string trace = plain(text_at(*tree, "trace"));
  if (reply.status >= 500 && !trace.empty()) told += fmt::format("in the control plane's log it is {}\n", trace);
  std::string problem = reply.body;
  if (!problem.ends_with('\n')) problem += '\n';
  return {has_mistakes && reply.status == 422 ? exit_invalid : exit_refused, "", std::move(told), std::move(problem)};
}

outcome with_problem(outcome done) {
  if (done.exit_code == 0 || !done.output.empty() || done.errors.empty()) return done;
  done.output = std::move(done.problem);
  if (!done.output.empty()) return done;
  std::string_view said = done.errors;
  while (said.ends_with('\n')) said.remove_suffix(1);
  for (const failure_words& each : words_of_failures) {
    if (each.exit_code != done.exit_code) continue;
    done.output = fmt::format("{{\"type\":\"about:blank\",\"title\":{},\"code\":{},\"detail\":{}}}\n",
                              wire::quote(each.title), wire::quote(each.code), wire::quote(said));
  }
  return done;
}

outcome control(const ctl_request& asked, api_transport& way, ctl_console& console) {
  outcome done = asked.verb == ctl_verb::watch ? watch(asked, way, console) : command(asked, way, console).run();
  return asked.as_json ? with_problem(std::move(done)) : done;
}

}  // namespace cellroute::tool
