#include "adapters/tool/ctl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>

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
    }
    return {};
  }

 private:
  /// A good answer and its tree; or what is told instead.
  struct read_answer {
    api_reply reply{};
    wire::node tree{};
    std::optional<outcome> instead{};
  };

  read_answer get(const std::string& target) { return read({"GET", target}, ""); }

  read_answer read(const api_request& what, std::string_view file) {
    read_answer made;
    auto reply = ask_long(what);
    if (!reply) {
      made.instead = failure_of(exit_no_answer, reply.error());
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
      made.instead = failure_of(exit_refused, "the answer is no JSON; is this a control plane?");
    }
    return made;
  }

  /// The tag of what is current now; empty where nothing is published.
  expected<std::string, outcome> current_tag() {
    const read_answer info = get("/v1/info");
    if (info.instead) return unexpected(*info.instead);
    const std::string version = text_at(info.tree, "version");
    if (version == "0" || version.empty()) return std::string();
    return "\"" + text_at(info.tree, "epoch") + "." + version + "\"";
  }

  /// Sends a change, against what is current now, and tells the version that it made.
  outcome change(api_request what, std::string_view file) {
    const auto tag = current_tag();
    if (!tag) return tag.error();
    what.headers.emplace_back(tag->empty() ? "If-None-Match" : "If-Match", tag->empty() ? "*" : *tag);
    std::string query;
    const auto add = [&query](std::string_view name, const std::string& value) {
      if (!value.empty()) query += fmt::format("{}{}={}", query.empty() ? '?' : '&', name, escape_segment(value));
    };
    add("dry_run", asked_.is_dry_run ? "true" : "");
    add("message", asked_.message);
    add("override", asked_.guard);
    add("mode", asked_.replaces ? "replace" : "");
    what.target += query;
    const read_answer done = read(what, file);
    if (done.instead) return *done.instead;
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
    const read_answer info = get("/v1/info");
    if (info.instead) return *info.instead;
    const read_answer drift = get("/v1/fleet/drift");
    if (drift.instead) return *drift.instead;
    if (asked_.as_json) {
      return {0, fmt::format("{{\"info\":{},\"drift\":{}}}\n", info.reply.body, drift.reply.body), ""};
    }
    std::string out =
        fmt::format("control plane  {} (cluster {})\n", text_at(info.tree, "build"), text_at(info.tree, "cluster"));
    const std::string version = text_at(info.tree, "version");
    const std::string label = text_at(info.tree, "label");
    out += version == "0" ? "published      nothing yet\n"
                          : fmt::format("published      version {}{} of epoch {}, {}\n", version,
                                        label.empty() ? "" : " (" + label + ")", text_at(info.tree, "epoch"),
                                        plural(text_at(info.tree, "keys"), "key"));
    out += fmt::format("changes come   {}\n",
                       text_at(info.tree, "follows_file") == "true" ? "from the file that it follows" : "by the API");
    out += fmt::format("routers        {} connected, {} on target, {} refused it\n", text_at(drift.tree, "connected"),
                       text_at(drift.tree, "on_target"), text_at(drift.tree, "refused"));
    for (const wire::node& each : items_of(info.tree, "mistakes")) out += "not published  " + each.text + '\n';
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
        all.push_back({id.empty() ? "(base)" : id, text_at(r, "state") + (since.empty() ? "" : " since " + since),
                       version.empty() ? "-" : version, text_at(r, "on_target") == "true" ? "yes" : "no",
                       text_at(r, "peer"), text_at(r, "last_refusal")});
      }
    } while (!cursor.empty());
    if (asked_.as_json) return {0, "{\"routers\":[" + listed + "]}\n", ""};
    return {0, all.size() > 1 ? table_of(all) : "no router was ever here\n", ""};
  }

  /// Has the followed file read again.
  outcome retry() {
    const std::string query = asked_.guard.empty() ? "" : "?override=" + escape_segment(asked_.guard);
    const read_answer done = read({"POST", "/v1/watch:retry" + query}, "");
    if (done.instead) return *done.instead;
    if (asked_.as_json) return json(done);
    return {0, "the file is read again; `cellroute ctl status` says what came of it\n", ""};
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
      const read_answer info = get("/v1/info");
      if (info.instead) return *info.instead;
      other = text_at(info.tree, "version");
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
    rows all{{"VERSION", "AT", "BY", "KEYS", "ADDED", "MOVED", "REMOVED", "LABEL", "MESSAGE"}};
    for (const wire::node& v : items_of(found.tree, "versions")) {
      std::string message = text_at(v, "message");
      const std::string back_to = text_at(v, "rollback_of");
      if (!back_to.empty()) message = fmt::format("back to {}{}{}", back_to, message.empty() ? "" : ": ", message);
      all.push_back({text_at(v, "version"), text_at(v, "at"), text_at(v, "author"), text_at(v, "keys"),
                     text_at(v, "added"), text_at(v, "moved"), text_at(v, "removed"), text_at(v, "label"), message});
    }
    return {0, all.size() > 1 ? table_of(all) : "nothing was published yet\n", ""};
  }

  outcome where() {
    const std::string path = "/v1/keys/" + escape_segment(asked_.key);
    auto reply = way_.ask({"GET", path});
    if (!reply) return failure_of(exit_no_answer, reply.error());
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
      out = fmt::format("{} -> no request reaches it: {}\n", asked_.key, text_at(*resolved, "unreachable"));
    } else if (resolved->kind == wire::node_kind::map) {
      out = fmt::format("{} -> placement {}, cell {} ({})\n", asked_.key, text_at(*resolved, "placement"),
                        text_at(*resolved, "cell"), text_at(*resolved, "reason"));
    } else {
      out = asked_.key + " -> nowhere\n";
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

  outcome keys_set() {
    api_request what{"PUT", "/v1/keys/" + escape_segment(asked_.key)};
    what.body = "{\"placement\":" + wire::quote(asked_.placement) + "}";
    what.type = "application/json";
    return change(std::move(what), "");
  }

  outcome keys_import() {
    auto text = content_of(asked_.file);
    if (!text) return failure_of(exit_usage, std::move(text).error());
    api_request what{"POST", "/v1/keys:import"};
    what.body = *std::move(text);
    what.type = asked_.file.ends_with(".csv")    ? "text/csv"
                : asked_.file.ends_with(".json") ? "application/json"
                                                 : "application/x-ndjson";
    return change(std::move(what), asked_.file);
  }

  /// Into a file that is there wholly or not at all, for this user alone; or printed.
  outcome save(const std::string& target) {
    auto reply = ask_long({"GET", target});
    if (!reply) return failure_of(exit_no_answer, reply.error());
    if (reply->status != 200) return refusal_of(*reply, "");
    if (asked_.output_file.empty()) return {0, std::move(reply->body), ""};
    if (!write_private(asked_.output_file, reply->body))
      return failure_of(exit_usage, asked_.output_file + ": cannot be written");
    return {0, fmt::format("{} bytes in {}\n", reply->body.size(), asked_.output_file), ""};
  }

  static bool write_private(const std::string& path, std::string_view bytes) {
    namespace fs = std::filesystem;
    const std::string unfinished = path + ".unfinished";
    std::error_code failed;
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    fs::permissions(unfinished, fs::perms::owner_read | fs::perms::owner_write, failed);  // before anything is in it
    if (!failed) out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!failed && out) fs::rename(unfinished, path, failed);
    if (!failed && out) return true;
    std::error_code ignored;
    fs::remove(unfinished, ignored);
    return false;
  }

  static expected<std::string, std::string> content_of(const std::string& file) {
    if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    auto text = wire::read_file(file, file_bytes_max);
    if (text) return *std::move(text);
    const bool is_missing = text.error() == wire::file_error::missing;
    return unexpected(fmt::format("{}: {}", file, is_missing ? "no such file" : to_string(text.error())));
  }

  // How far it is, where somebody looks.
  void on_sent(std::uint64_t done, std::uint64_t all) override { tell(transfer::sent, done, all); }
  void on_received(std::uint64_t done, std::uint64_t all) override { tell(transfer::received, done, all); }
  void tell(transfer what, std::uint64_t done, std::uint64_t all) {
    if (const auto line = progress_.tell(what, done, all, console_.now())) console_.note(*line);
  }
  transfer_listener* listener() { return console_.shows_progress() && !asked_.as_json ? this : nullptr; }
  expected<api_reply, std::string> ask_long(api_request what) {
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
  std::string why = tree ? text_at(*tree, "detail") : "";
  if (why.empty()) why = fmt::format("it answered {}", reply.status);
  std::string told = fmt::format("refused ({}): {}\n", reply.status, why);
  bool has_mistakes = false;
  if (tree) {
    for (const wire::node& each : items_of(*tree, "errors")) {
      has_mistakes = true;
      told += fmt::format("{}:{}:{}: {}{}{}\n", file.empty() ? "answer" : file, text_at(each, "line"),
                          text_at(each, "column"), text_at(each, "path"), text_at(each, "path").empty() ? "" : ": ",
                          text_at(each, "detail"));
    }
    for (const wire::node& row : items_of(*tree, "rows")) told += fmt::format("changed meanwhile: {}\n", row.text);
  }
  return {has_mistakes && reply.status == 422 ? exit_invalid : exit_refused, "", std::move(told)};
}

outcome control(const ctl_request& asked, api_transport& way, ctl_console& console) {
  return asked.verb == ctl_verb::watch ? watch(asked, way, console) : command(asked, way, console).run();
}

}  // namespace cellroute::tool
