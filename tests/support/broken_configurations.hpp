#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/written_document.hpp"

/// Configurations with one known mistake each, made from a good one by a change at a known place. Where and what the
/// mistake is, is known without the reader under test.
namespace cellroute::support {

/// A configuration with a mistake, and what is to be said of it.
struct broken_configuration {
  std::string says;
  std::string text;
  std::string file;
  text_place place;
  std::string path;
  std::string words;  ///< a part of what is wrong, and what to do
};

/// A value that a field must not have, and what is said of it.
struct bad_value {
  piece value;
  std::string words;
};

using bad_values = std::vector<bad_value>;

/// What no single value can be.
[[nodiscard]] inline bad_values no_scalars() {
  return {{piece::plain("null"), "has no value; write one or remove the key"},
          {piece::list({piece::text("x")}), "must be a single value, not a list"},
          {piece::map({{"x", piece::text("y")}}), "must be a single value, not a map"}};
}
[[nodiscard]] inline bad_values with(bad_values base, bad_values more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

/// What a whole number must not be. Both bounds are allowed.
[[nodiscard]] inline bad_values no_counts(std::size_t low, std::size_t high) {
  const std::string bounds = "must be from " + std::to_string(low) + " to " + std::to_string(high);
  bad_values made = with(no_scalars(), {{piece::text("many"), "must be a whole number, not \"many\""},
                                        {piece::text(std::to_string(high)), "without quotes"},
                                        {piece::plain("1.5"), "must be a whole number, not \"1.5\""},
                                        {piece::plain("-1"), "must be a whole number, not \"-1\""},
                                        {piece::plain("99999999999999999999"), "must be a smaller number"},
                                        {piece::plain(std::to_string(high + 1)), bounds}});
  if (low > 0) made.push_back({piece::plain(std::to_string(low - 1)), bounds});
  return made;
}
[[nodiscard]] inline bad_values no_sizes(std::size_t low, std::size_t high) {
  return with(no_scalars(), {{piece::text("large"), "must be a size such as 64KiB"},
                             {piece::text("64KB"), "must be a size such as 64KiB"},
                             {piece::text("4096"), "write 4096 without quotes"},
                             {piece::plain(std::to_string(high + 1)), "must be from "},
                             {piece::plain(std::to_string(low - 1)), "must be from "}});
}
/// `shortest_is_zero`: 0 is allowed, too.
[[nodiscard]] inline bad_values no_times(bool shortest_is_zero = false) {
  bad_values made = with(no_scalars(), {{piece::plain("10"), "must be a duration"},
                                        {piece::text("soon"), "must be a duration"},
                                        {piece::text("1.5s"), "must be a duration"},
                                        {piece::text("4000d"), "must not be longer than 3650d"}});
  if (!shortest_is_zero) made.push_back({piece::text("0s"), "must be at least "});
  return made;
}
[[nodiscard]] inline bad_values no_flags() {
  return with(no_scalars(), {{piece::text("maybe"), "must be true or false, not \"maybe\""},
                             {piece::plain("5"), "must be true or false, not \"5\""},
                             {piece::text("true"), "is a text; write true without quotes"}});
}
/// `allowed` begins the list of what is.
[[nodiscard]] inline bad_values no_choices(std::string_view allowed) {
  const std::string words = "must be one of " + std::string(allowed);
  return with(no_scalars(), {{piece::text("nothing"), words}, {piece::plain("5"), words}});
}
[[nodiscard]] inline bad_values no_percents() {
  return with(no_scalars(), {{piece::plain("100.5"), "must be a number from 0 to 100"},
                             {piece::plain("-1"), "must be a number from 0 to 100"},
                             {piece::text("half"), "must be a number from 0 to 100"},
                             {piece::text("5"), "is a text; write 5 without quotes"}});
}
[[nodiscard]] inline bad_values no_texts() {
  return with(no_scalars(),
              {{piece::text(""), "must not be empty"}, {piece::plain("true"), "must be text (in quotes"}});
}
[[nodiscard]] inline bad_values no_addresses() {
  return with(no_scalars(), {{piece::text("8080"), "must be an address and a port"},
                             {piece::text("localhost:80"), "must have an address and not a name before the port"},
                             {piece::text("127.0.0.1:99999"), "must have a port from 0 to 65535"},
                             {piece::text("[::1:80"), "must be an address and a port"}});
}
[[nodiscard]] inline bad_values no_urls() {
  return with(no_scalars(), {{piece::text("ftp://h"), "must be http://HOST or http://HOST:PORT"},
                             {piece::text("h:80"), "must be http://HOST or http://HOST:PORT"},
                             {piece::text(""), "must be http://HOST or http://HOST:PORT"},
                             {piece::text("http://h/p"), "without a path, query or slash behind it"},
                             {piece::text("http://u:p@h"), "without user or password, not \"http://***@h\""},
                             {piece::text("http://h:0"), "must have a port from 1 to 65535"}});
}
[[nodiscard]] inline bad_values no_header_names() {
  return with(no_scalars(), {{piece::text("a b"), "must be a header name: letters, digits and hyphens"},
                             {piece::text("off"), "it cannot be switched on or off"},
                             {piece::text("Content-Length"), "must be a header that HTTP itself does not need"},
                             {piece::text("X-Routed-To"), "must be a header that the router does not write"}});
}
/// What a list must not be.
[[nodiscard]] inline bad_values no_lists() {
  return {{piece::text("x"), "must be a list"}, {piece::map({{"x", piece::text("y")}}), "must be a list"}};
}

/// A field of the schema: a good value, and bad ones.
struct breakable_field {
  std::string path;  ///< general: `*` is a name, `[]` an item
  piece good;
  bad_values bad;
};

/// Puts the fields of a placement's policy below a prefix.
inline void add_policy(std::vector<breakable_field>& fields, const std::string& below) {
  const auto p = [](std::string_view value) { return piece::plain(value); };
  const auto t = [](std::string_view value) { return piece::text(value); };
  for (const char* const name : {"connect", "response_header", "stream_idle", "request_body_idle", "total"}) {
    fields.push_back({below + ".timeouts." + name, t("5s"), no_times()});
  }
  fields.push_back({below + ".pool.max_idle", p("128"), no_counts(0, 65535)});
  fields.push_back({below + ".pool.idle_timeout", t("90s"), no_times()});
  fields.push_back({below + ".pool.max_requests", p("0"), no_counts(0, 1'000'000'000)});
  fields.push_back({below + ".host", t("preserve"), no_choices("preserve, upstream")});
  fields.push_back({below + ".retries.attempts", p("1"), no_counts(0, 1)});
  fields.push_back({below + ".limits.max_request_body", t("10MiB"), no_sizes(1, std::size_t{1} << 40)});
}

/// All fields that have a choice, in the order in which the good configuration has them. The last one is required, so
/// that nothing that was cut off is whole.
[[nodiscard]] inline std::vector<breakable_field> breakable_fields() {
  const auto p = [](std::string_view value) { return piece::plain(value); };
  const auto t = [](std::string_view value) { return piece::text(value); };
  std::vector<breakable_field> fields{
      {"version", t("7"), no_texts()},
      {"process.workers", t("auto"), no_counts(1, 1024)},
      {"process.drain.unready_for", t("5s"), no_times(true)},
      {"process.drain.timeout", t("30s"), no_times(true)},
      {"process.privileges.user", t("nobody"), no_texts()},
      {"process.privileges.group", t("nogroup"), no_texts()},
      {"process.state_dir", t("off"), with(no_scalars(), {{piece::text(""), "must be the name of a folder, or off"}})},
      {"listeners[].name", t("web"), no_texts()},
      {"listeners[].address", t("127.0.0.1:0"), no_addresses()},
      {"listeners[].trusted_proxies", piece::list({t("10.0.0.0/8")}), no_lists()},
      {"listeners[].limits.max_connections", p("1000"), no_counts(1, 10'000'000)},
      {"listeners[].limits.accept_rate", p("1000"), no_counts(1, 10'000'000)},
      {"listeners[].limits.accept_burst", p("1000"), no_counts(1, 10'000'000)},
      {"listeners[].half_close", p("false"), no_flags()},
      {"http.max_headers", p("128"), no_counts(1, 1024)},
      {"http.max_header_bytes", t("64KiB"), no_sizes(1024, 1 << 20)},
      {"http.max_field_bytes", t("1KiB"), no_sizes(256, 1 << 20)},
      {"http.max_target_bytes", t("16KiB"), no_sizes(256, 1 << 20)},
      {"http.methods",
       piece::list({t("GET"), t("POST")}),
       {{t("x"), "must be any or a list of at least one"}, {piece::list(), "must be any or a list of at least one"}}},
      {"http.timeouts.header", t("10s"), no_times()},
      {"http.timeouts.keep_alive", t("60s"), no_times()},
      {"http.request_id.header", t("X-Request-Id"),
       with(no_header_names(), {{t("X-Routing-Key"), "must be a header that is not meant for routing keys"},
                                {t("Content-Type"), "must be a header that means nothing else in HTTP"}})},
      {"http.request_id.trust", p("true"), no_flags()},
      {"decision.headers", t("always"), no_choices("always, errors, debug, never")},
      {"decision.route_decision", p("false"), no_flags()},
      {"decision.log", p("true"), no_flags()},
      {"log.level", t("info"), no_choices("debug, info, warn, error")},
      {"log.access.output", t("stdout"),
       with(no_scalars(), {{t("STDOUT"), "must be in small letters (did you mean stdout?)"},
                           {t(""), "must be stdout, stderr, off or the name of a file"}})},
      {"log.access.preset", t("default"), no_choices("default, m1, homebrew, spec, ecs, otel")},
      {"log.access.fields",
       piece::list({t("request_id")}),
       {{t("x"), "must be default or a list of at least one"},
        {piece::list(), "must be default or a list of at least one"}}},
      {"log.access.sampling.ratio", p("0.5"),
       with(no_scalars(), {{p("2"), "must be a number from 0 to 1"},
                           {t("half"), "must be a number from 0 to 1"},
                           {t("0.5"), "is a text; write 0.5 without quotes"}})},
      {"log.access.sampling.always.status", piece::list({t("404"), t("5xx")}), no_lists()},
      {"log.access.sampling.always.slower_than", t("1s"), no_times()},
      {"log.access.sampling.always.keys", piece::list({t("acme")}), no_lists()},
      {"log.access.routing_key", t("plain"), no_choices("plain, hash, off")},
      {"metrics.path", t("/metrics"),
       with(no_scalars(), {{t("metrics"), "must be a path that starts with a slash"},
                           {t("/ready"), "must be a path that no other page of administration has"}})},
      {"metrics.compat", piece::list({t("gateway")}), no_lists()},
      {"admin.address", t("127.0.0.1:0"), no_addresses()},
      {"reload.watch", p("true"), no_flags()},
      {"reload.poll", t("5s"), no_times()},
      {"reload.debounce", t("250ms"), no_times(true)},
      {"reload.backoff_on_error", t("2s"), no_times(true)},
      {"guard.max_moved_percent", p("5"), no_percents()},
      {"guard.max_removed_percent", p("5"), no_percents()},
      {"guard.min_keys", p("1"), no_counts(0, 1'000'000'000)},
      {"process.max_config_age", t("24h"), no_times()},
      {"control_plane.ring", t("canary"), no_texts()},
      {"control_plane.backoff.min", t("1s"), no_times()},
      {"control_plane.backoff.max", t("60s"), no_times()},
      {"control_plane.revert_on_5xx_percent", p("50"), no_percents()},
      {"control_plane.accept_version_reset", p("true"), no_flags()},
      {"control_plane.token_file", t("token"), no_texts()},
      {"control_plane.ca_file", t("ca.pem"), no_texts()},
      {"control_plane.cert_file", t("router.pem"), no_texts()},
      {"control_plane.key_file", t("router.key"), no_texts()},
      {"control_plane.urls", piece::list({t("ws://127.0.0.1:9/connect")}), no_lists()},
      {"key.sources[].header.name", t("X-Routing-Key"), no_header_names()},
      {"key.on_unknown", t("default"), no_choices("default, reject")},
  };
  add_policy(fields, "defaults");
  fields.push_back({"cells.*.endpoints[].id", t("a"), no_texts()});
  fields.push_back({"cells.*.endpoints[].url", t("http://10.0.0.1:9001"), no_urls()});
  fields.push_back({"cells.*.endpoints[].weight", p("1"), no_counts(0, 1'000'000)});
  fields.push_back({"cells.*.endpoints[].drain", p("false"), no_flags()});
  fields.push_back({"placements.*.kind", t("shared"), no_choices("shared, dedicated, shard")});
  fields.push_back({"placements.*.endpoints[].id", t("b"), no_texts()});
  fields.push_back({"placements.*.endpoints[].url", t("http://10.0.0.1:9001"), no_urls()});
  fields.push_back({"placements.*.endpoints[].weight", p("1"), no_counts(0, 1'000'000)});
  fields.push_back({"placements.*.endpoints[].drain", p("false"), no_flags()});
  add_policy(fields, "placements.*");
  fields.push_back({"placements.*.cell", t("c1"), no_texts()});
  fields.push_back({"placements.*.cells", piece::list({t("c1")}), no_lists()});
  fields.push_back({"placements.*.shard.size", p("1"), no_counts(1, 4096)});
  fields.push_back({"placements.*.shard.seed", p("7"), no_counts(0, 9'007'199'254'740'991)});
  fields.push_back({"routing.rules[].match.prefix", t("trial-"), no_texts()});
  fields.push_back({"routing.rules[].placement", t("tier1"), no_texts()});
  fields.push_back({"routing.rules[].match.regex", t("^eu-"), no_texts()});
  fields.push_back({"routing.rules[].hash",
                    piece::map({{"tier1", p("60")}}),
                    {{t("x"), "must be a map of keys and values"},
                     {piece::map(), "must have at least one item"},
                     {piece::list({t("x")}), "must be a map of keys and values"}}});
  fields.push_back({"routing.canary[].placement", t("celled"), no_texts()});
  fields.push_back({"routing.canary[].to", t("tier1"), no_texts()});
  fields.push_back({"routing.canary[].percent", p("0.5"), no_percents()});
  fields.push_back({"routing.canary[].keys", piece::list({t("acme")}), no_lists()});
  fields.push_back({"routing.override[].keys", piece::list({t("visa")}), no_lists()});
  fields.push_back({"routing.override[].placement", t("tier1"), no_texts()});
  fields.push_back({"routing.override[].until", t("2036-02-01T00:00:00Z"),
                    with(no_scalars(), {{t("tomorrow"), "must be an instant such as 2026-02-01T00:00:00Z"},
                                        {t("1969-01-01T00:00:00Z"), "must be from the years 1970 to 2261"}})});
  fields.push_back({"routing.keys.inline.*.placement", t("tier1"), no_texts()});
  fields.push_back({"routing.keys.files", piece::list(), no_lists()});
  fields.push_back({"routing.on_invalid_row", t("reject"), no_choices("reject, quarantine")});
  fields.push_back({"routing.default_placement", t("tier1"), no_texts()});
  return fields;
}

/// Where the good configuration has a field.
[[nodiscard]] inline std::string concrete_path(std::string_view general) {
  if (general == "placements.*.cell") return "placements.celled.cell";
  if (general == "placements.*.cells") return "placements.pool.cells";
  if (general == "placements.*.shard.size") return "placements.pool.shard.size";
  if (general == "placements.*.shard.seed") return "placements.pool.shard.seed";
  if (general == "routing.rules[].match.regex") return "routing.rules[1].match.regex";
  if (general == "routing.rules[].hash") return "routing.rules[1].hash";
  std::string path;
  for (std::size_t i = 0; i < general.size(); ++i) {
    if (general[i] == '*') {
      path += path.starts_with("placements") ? "tier1" : path.starts_with("cells") ? "c1" : "acme";
    } else {
      path += general[i] == ']' ? std::string("0]") : std::string(1, general[i]);
    }
  }
  return path;
}

/// The good one: every field of the schema that has a choice is in it.
[[nodiscard]] inline piece good_configuration() {
  piece document = piece::map();
  for (const breakable_field& field : breakable_fields()) document.at(concrete_path(field.path)) = field.good;
  document.at("placements.pool.kind") = piece::text("shard");
  return document;
}

/// Makes them, one by one.
class breaker_of_configurations {
 public:
  [[nodiscard]] std::vector<broken_configuration> take() {
    for (const notation how : {notation::yaml, notation::json}) {
      how_ = how;
      break_fields();
      break_containers();
      break_names();
      leave_out();
      break_rules();
      break_foreign();
    }
    return std::move(made_);
  }

 private:
  enum class stands { at_name, at_value };

  /// The good one after a change; the mistake stands at the name or the value of `path`.
  template <class Change>
  void add(const std::string& says, Change change, const std::string& path, stands where, std::string words,
           std::string told_path = {}) {
    add_to(good_configuration(), says, change, path, where, std::move(words), std::move(told_path));
  }
  template <class Change>
  void add_to(piece document, const std::string& says, Change change, const std::string& path, stands where,
              std::string words, std::string told_path = {}) {
    change(document);
    const written_document written(document, how_);
    made_.push_back({says, written.text(), how_ == notation::yaml ? "broken.yaml" : "broken.json",
                     where == stands::at_name ? written.name(path) : written.value(path),
                     told_path.empty() ? path : std::move(told_path), std::move(words)});
  }

  void break_fields() {
    for (const breakable_field& field : breakable_fields()) {
      const std::string path = concrete_path(field.path);
      for (const bad_value& bad : field.bad) {
        add(
            "a bad value: " + bad.value.value, [&](piece& d) { d.at(path) = bad.value; }, path, stands::at_value,
            bad.words);
      }
    }
    const std::pair<std::string, bad_value> items[] = {
        {"listeners[0].trusted_proxies[0]", {piece::text("10.0.0.1/33"), "must have a prefix length from 0 to 32"}},
        {"listeners[0].trusted_proxies[0]", {piece::text("proxy"), "must be a network such as 10.0.0.0/8"}},
        {"http.methods[1]", {piece::text("get"), "must be a method's name in capitals"}},
        {"http.methods[1]", {piece::list(), "must be a single value, not a list"}},
        {"log.access.fields[0]", {piece::text("colour"), "\"colour\""}},
        {"log.access.sampling.always.status[1]", {piece::text("6xx"), "must be a status such as 404, or a class"}},
        {"routing.rules[1].hash.tier1", {piece::plain("-1"), "must be a number from 0 to "}},
        {"routing.rules[1].hash.tier1", {piece::text("60"), "is a text; write 60 without quotes"}},
        {"metrics.compat[0]", {piece::text("nothing"), "must be gateway, not \"nothing\""}},
        {"routing.keys.files[0]", {piece::text("keys.txt"), "must be the name of a file that ends with .tsv"}},
    };
    for (const auto& [path, bad] : items) {
      add("a bad item", [&](piece& d) { d.at(path) = bad.value; }, path, stands::at_value, bad.words);
    }
  }

  /// Calls `f(path, piece)` for each map and each list of maps of a document.
  template <class F>
  static void for_each_container(const piece& p, const std::string& path, F&& f) {
    if (p.is == piece::kind::plain || p.is == piece::kind::text) return;
    if (!path.empty()) f(path, p);
    for (std::size_t i = 0; i < p.parts.size(); ++i) {
      const std::string dot = path.empty() ? "" : ".";
      const bool is_item = p.is == piece::kind::list;
      for_each_container(p.parts[i].second,
                         is_item ? path + "[" + std::to_string(i) + "]" : path + dot + p.parts[i].first, f);
    }
  }

  void break_containers() {
    for_each_container(good_configuration(), "", [&](const std::string& path, const piece& good) {
      if (good.parts.empty() || good.parts.front().second.is == piece::kind::text) {
        if (good.is == piece::kind::list) return;  // of values: they are fields
      }
      if (good.is == piece::kind::list) {
        for (const bad_value& bad : no_lists()) {
          add("no list", [&](piece& d) { d.at(path) = bad.value; }, path, stands::at_value, bad.words);
        }
        // There may be none of these.
        if (path == "routing.rules" || path == "routing.canary" || path == "routing.override") return;
        add(
            "an empty list", [&](piece& d) { d.at(path) = piece::list(); }, path, stands::at_value,
            "must have at least one item");
        return;
      }
      const bool is_row = path == "routing.keys.inline.acme";  // a text is a placement's name there
      if (!is_row) {
        add(
            "no map but a text", [&](piece& d) { d.at(path) = piece::text("x"); }, path, stands::at_value,
            "must be a map of keys and values");
      }
      add(
          "no map but a list", [&](piece& d) { d.at(path) = piece::list({piece::text("x")}); }, path, stands::at_value,
          is_row ? "must be the name of a placement" : "must be a map of keys and values");
    });
  }

  void break_names() {
    const auto names_are_free = [](const std::string& path) {
      return path == "placements" || path == "cells" || path == "routing.keys.inline" || path.ends_with(".hash");
    };
    const auto below = [](const std::string& path, std::string_view name) {
      return (path.empty() ? "" : path + ".") + std::string(name);
    };
    const auto break_map = [&](const std::string& path, const piece& good) {
      if (good.is != piece::kind::map) return;
      if (!names_are_free(path)) {
        add(
            "an unknown key",
            [&](piece& d) { d.at(path).parts.insert(d.at(path).parts.begin(), {"colour", piece::text("red")}); },
            below(path, "colour"), stands::at_name, "unknown key");
      }
      const std::string first = good.parts.front().first;
      const std::string line =
          "already given in line " +
          std::to_string(written_document(good_configuration(), how_).name(below(path, first)).line);
      add(
          "a key given twice", [&](piece& d) { d.at(path).parts.push_back(good.parts.front()); }, below(path, first),
          stands::at_name, line + "; remove one of them");
    };
    break_map("", good_configuration());
    for_each_container(good_configuration(), "", break_map);
    for (const char* const name : {"routes", "overload", "dns", "tracing"}) {
      add(
          "a section that comes later", [&](piece& d) { d.parts.insert(d.parts.begin(), {name, piece::map()}); }, name,
          stands::at_name, "not supported yet; remove it");
    }
  }

  void leave_out() {
    struct required {
      std::string in;
      std::string name;
      std::string words;
    };
    const required all[] = {
        {"process.privileges", "user", "is missing; add one, such as user: nobody"},
        {"process.privileges", "group", "is missing; add one, such as group: nogroup"},
        {"listeners[0]", "address", "is missing; add one, such as address: \":8080\""},
        {"key.sources[0].header", "name", "is missing; add one, such as name: X-Routing-Key"},
        {"placements.tier1.endpoints[0]", "url", "is missing; add one, such as url: \"http://127.0.0.1:9001\""},
        {"cells.c1.endpoints[0]", "url", "is missing; add one, such as url: \"http://127.0.0.1:9001\""},
        {"routing.override[0]", "keys", "is missing; add one, such as keys: [acme]"},
        {"routing.override[0]", "placement", "is missing; add one, such as placement: tier1"},
        {"placements.tier1", "endpoints", "is missing; add one, such as endpoints: "},
        {"cells.c1", "endpoints", "is missing; add one, such as endpoints: "},
    };
    for (const required& r : all) {
      add(
          "left out: " + r.name, [&](piece& d) { d.at(r.in).remove(r.name); }, r.in, stands::at_value, r.words,
          r.in + "." + r.name);
    }
    add(
        "no default placement", [](piece& d) { d.at("routing").remove("default_placement"); }, "routing",
        stands::at_name, "is missing; name the placement of keys", "routing.default_placement");
    add(
        "a row without placement", [](piece& d) { d.at("routing.keys.inline.acme") = piece::map(); },
        "routing.keys.inline.acme", stands::at_value, "is missing; add one, such as placement: tier1",
        "routing.keys.inline.acme.placement");
  }

  void break_rules() {
    const auto t = [](std::string_view value) { return piece::text(value); };
    const auto p = [](std::string_view value) { return piece::plain(value); };
    const std::string no_placement = "no placement is named \"nowhere\"; add it or name another";
    const std::string in_header = "has a byte that cannot stand in a header; use visible ASCII";
    const auto endpoint_at = [&](std::string_view host) {
      return piece::map({{"url", t("http://" + std::string(host))}});
    };
    add(
        "a default placement that is none", [&](piece& d) { d.at("routing.default_placement") = t("nowhere"); },
        "routing.default_placement", stands::at_name, no_placement);
    add(
        "an assignment to nothing", [&](piece& d) { d.at("routing.keys.inline.acme") = t("nowhere"); },
        "routing.keys.inline.acme", stands::at_name, no_placement);
    add(
        "a cell that is none", [&](piece& d) { d.at("placements.celled.cell") = t("c9"); }, "placements.celled.cell",
        stands::at_name, "no cell is named \"c9\"; add it or name another");
    add(
        "all weights are 0", [&](piece& d) { d.at("placements.tier1.endpoints[0].weight") = p("0"); },
        "placements.tier1.endpoints", stands::at_name, "all weights are 0; give at least one endpoint a weight");
    add(
        "all weights of a cell are 0", [&](piece& d) { d.at("cells.c1.endpoints[0].weight") = p("0"); },
        "cells.c1.endpoints", stands::at_name, "all weights are 0; give at least one endpoint a weight");
    add(
        "an id that another endpoint has",
        [&](piece& d) {
          d.at("placements.tier1.endpoints[1]") = endpoint_at("10.0.0.2");
          d.at("placements.tier1.endpoints[1].id") = t("b");
        },
        "placements.tier1.endpoints[1].id", stands::at_name,
        "the id \"b\" is that of another endpoint of the cell; give each its own");
    add(
        "an id that a header cannot have", [&](piece& d) { d.at("placements.tier1.endpoints[0].id") = t("a;b"); },
        "placements.tier1.endpoints[0].id", stands::at_name, "the id " + in_header);
    add(
        "a name that a header cannot have",
        [&](piece& d) { d.at("placements").parts.emplace_back("a b", piece::map({{"cell", t("c1")}})); },
        "placements.a b", stands::at_name, "the name " + in_header, "placements.a%20b");
    const std::string long_name(129, 'n');
    add(
        "a name that is too long",
        [&](piece& d) { d.at("placements").parts.emplace_back(long_name, piece::map({{"cell", t("c1")}})); },
        "placements." + long_name, stands::at_name, "the name has 129 bytes; use 128 at most");
    const std::string long_key(257, 'k');
    add(
        "a key that is too long",
        [&](piece& d) { d.at("routing.keys.inline").parts.emplace_back(long_key, t("tier1")); },
        "routing.keys.inline." + long_key, stands::at_name, "the key has 257 bytes; 256 is the most");
    add(
        "an empty key", [&](piece& d) { d.at("routing.keys.inline").parts.emplace_back("", t("tier1")); },
        "routing.keys.inline.", stands::at_name, "the key is empty; a request without a key is answered 400");
    add(
        "weights that no balancer can sum",
        [&](piece& d) {
          piece endpoints = piece::list();
          for (int i = 0; i < 2148; ++i) {
            piece one = endpoint_at("10.0.0.1:" + std::to_string(1000 + i));
            one.at("weight") = p("1000000");
            endpoints.parts.emplace_back("", std::move(one));
          }
          d.at("cells.c1.endpoints") = std::move(endpoints);
        },
        "cells.c1.endpoints", stands::at_name, "the weights sum to 2148000000; stay below 2147483648");
    add(
        "endpoints beside a cell", [&](piece& d) { d.at("placements.celled.endpoints[0]") = endpoint_at("h"); },
        "placements.celled.endpoints", stands::at_name, "stands beside cell; keep one of them");
    add(
        "a cell of the placement's name", [&](piece& d) { d.at("cells.tier1.endpoints[0]") = endpoint_at("h"); },
        "placements.tier1.endpoints", stands::at_name, "a cell of that name stands under cells; write cell: tier1");
    add(
        "a second listener of that name",
        [&](piece& d) { d.at("listeners[1]") = piece::map({{"name", t("web")}, {"address", t("127.0.0.1:0")}}); },
        "listeners[1].name", stands::at_name, "is the name of listeners[0], too; give each its own");
    add(
        "two listeners on one port",
        [&](piece& d) {
          d.at("listeners[0].address") = t("127.0.0.1:8080");
          d.at("listeners[1]") = piece::map({{"name", t("more")}, {"address", t(":8080")}});
        },
        "listeners[1].address", stands::at_name, "listeners[0] has that port already; choose another");
    add(
        "a listener on the port of administration",
        [&](piece& d) {
          d.at("listeners[0].address") = t("127.0.0.1:8080");
          d.at("admin.address") = t("127.0.0.1:8080");
        },
        "listeners[0].address", stands::at_name, "has that port already; choose another");
    add(
        "a field larger than all fields", [&](piece& d) { d.at("http.max_field_bytes") = t("128KiB"); },
        "http.max_field_bytes", stands::at_name, "must not be larger than max_header_bytes, which is 64KiB");
    add(
        "one header for key and request id", [&](piece& d) { d.at("key.sources[0].header.name") = t("X-Request-Id"); },
        "key.sources[0].header.name", stands::at_name,
        "is the header of the request id, too; choose another for one of them");
    add(
        "a second source of keys", [&](piece& d) { d.at("key.sources[1].header.name") = t("X-Tenant"); },
        "key.sources[1]", stands::at_value, "a second source is not supported yet; remove it");
  }

  /// The names of another system's file.
  struct foreign_names {
    std::string inside;  ///< with a point behind it
    std::string table;
    std::string default_placement;
    std::string placements;
    std::string url;  ///< with a point before it
  };

  static piece good_foreign(const foreign_names& names) {
    piece document = piece::map();
    if (!names.inside.empty()) document.at("type") = piece::text("config_update");
    document.at("version") = piece::plain("42");
    document.at(names.inside + names.placements + ".tier1" + names.url) = piece::text("http://10.0.0.1:9001");
    document.at(names.inside + names.placements + ".acme" + names.url) = piece::text("http://10.0.0.2:9001");
    document.at(names.inside + names.table + ".hooli") = piece::text("tier1");
    document.at(names.inside + names.table + ".acme") = piece::text("acme");
    document.at(names.inside + names.default_placement) = piece::text("tier1");
    return document;
  }

  void break_foreign() {
    const foreign_names shapes[] = {
        {"", "routingTable", "defaultPlacement", "cellEndpoints", ""},
        {"", "routingTable", "defaultPlacement", "placements", ".url"},
        {"", "customer_to_placement", "default_placement", "placement_to_endpoint", ""},
        {"config.", "customer_to_placement", "default_placement", "placement_to_endpoint", ""},
        {"config.", "customer_to_placement", "default_placement", "placements", ".primary"},
    };
    const std::string no_placement = "no placement is named \"nowhere\"; add it or name another";
    for (const foreign_names& names : shapes) {
      const piece good = good_foreign(names);
      const std::string url = names.inside + names.placements + ".acme" + names.url;
      const std::string row = names.inside + names.table + ".acme";
      const std::string default_placement = names.inside + names.default_placement;
      const auto set = [](const std::string& path, const piece& value) {
        return [path, value](piece& d) { d.at(path) = value; };
      };
      for (const bad_value& bad : no_urls()) {
        add_to(good, "a bad endpoint", set(url, bad.value), url, stands::at_value, bad.words);
      }
      for (const bad_value& bad : no_texts()) {
        add_to(good, "a bad default", set(default_placement, bad.value), default_placement, stands::at_value,
               bad.words);
        add_to(good, "a bad version", set("version", bad.value), "version", stands::at_value, bad.words);
      }
      add_to(good, "a row that leads nowhere", set(row, piece::text("nowhere")), row, stands::at_name, no_placement);
      add_to(good, "a row that is a list", set(row, piece::list()), row, stands::at_value,
             "must be the name of a placement");
      add_to(good, "a default that is none", set(default_placement, piece::text("nowhere")), default_placement,
             stands::at_name, no_placement);
      add_to(
          good, "a section of ours", [&](piece& d) { d.at(names.inside + "log.level") = piece::text("warn"); },
          names.inside + "log", stands::at_name, "unknown key; known here: ");
      add_to(good, "no map of rows", set(names.inside + names.table, piece::text("x")), names.inside + names.table,
             stands::at_value, "must be a map of keys and values");
      add_to(good, "no map of placements", set(names.inside + names.placements, piece::text("x")),
             names.inside + names.placements, stands::at_value, "must be a map of keys and values");
    }
  }

  notation how_ = notation::yaml;
  std::vector<broken_configuration> made_;
};

/// All of them, the same ones each time; files of other systems are among them.
[[nodiscard]] inline std::vector<broken_configuration> broken_configurations() {
  return breaker_of_configurations().take();
}

}  // namespace cellroute::support
