#pragma once

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/section.hpp"
#include "adapters/wire/timestamp.hpp"
#include "cellroute/table/steering_rules.hpp"

/// The schema, once: each `describe` names the keys of one map and what they may be. A visitor gives it a direction:
/// `section` reads, `printer` writes. Who adds a field adds one line here, and both know it.
///
/// The defaults are those of the structs.
namespace cellroute::wire {

inline constexpr named<decision_headers> decision_headers_names[] = {{"always", decision_headers::always},
                                                                     {"errors", decision_headers::errors},
                                                                     {"debug", decision_headers::debug},
                                                                     {"never", decision_headers::never}};
inline constexpr named<log_level> log_level_names[] = {
    {"debug", log_level::debug}, {"info", log_level::info}, {"warn", log_level::warn}, {"error", log_level::error}};
inline constexpr named<access_preset> access_preset_names[] = {
    {"default", access_preset::standard}, {"m1", access_preset::m1},   {"homebrew", access_preset::homebrew},
    {"spec", access_preset::spec},        {"ecs", access_preset::ecs}, {"otel", access_preset::otel}};
inline constexpr named<key_printing> key_printing_names[] = {
    {"plain", key_printing::plain}, {"hash", key_printing::hash}, {"off", key_printing::off}};
inline constexpr named<metrics_dialect> metrics_dialect_names[] = {{"gateway", metrics_dialect::gateway}};
inline constexpr named<placement_kind> placement_kind_names[] = {
    {"shared", placement_kind::shared}, {"dedicated", placement_kind::dedicated}, {"shard", placement_kind::shard}};
inline constexpr named<host_policy> host_policy_names[] = {{"preserve", host_policy::preserve},
                                                           {"upstream", host_policy::upstream}};
inline constexpr named<invalid_row_policy> invalid_row_names[] = {{"reject", invalid_row_policy::reject},
                                                                  {"quarantine", invalid_row_policy::quarantine}};
inline constexpr named<unknown_key_policy> unknown_key_names[] = {{"default", unknown_key_policy::use_default},
                                                                  {"reject", unknown_key_policy::reject}};

/// Bounds that no sane configuration meets; each keeps one typing mistake from becoming an outage.
inline constexpr std::uint64_t kibi = 1024;
inline constexpr range workers_allowed{1, 1024};
inline constexpr range connections_allowed{1, 10'000'000};
inline constexpr range weight_allowed{0, 1'000'000};

// --- fleet sections: the same on every router ---

void describe(auto& v, timeout_policy& timeouts) {
  v.time_or_off("connect", timeouts.connect);
  v.time_or_off("response_header", timeouts.response_header);
  v.time_or_off("stream_idle", timeouts.stream_idle);
  v.time_or_off("request_body_idle", timeouts.request_body_idle);
  v.time_or_off("total", timeouts.total);
  v.later({"tls"});
}

void describe(auto& v, pool_policy& pool) {
  v.count("max_idle", pool.idle_max, range{0, 65'535});
  v.time("idle_timeout", pool.idle_timeout);
  v.count("max_requests", pool.requests_max, range{0, 1'000'000'000});
}

void describe(auto& v, retry_policy& retries) {
  v.count("attempts", retries.attempts, range{0, 1});
  v.later({"on", "methods", "budget", "backoff"});
}

/// The part of `limits` that is built; a view, so that the policy stays as the core has it.
struct limits_view {
  std::optional<std::uint64_t>& request_body_max;
};

void describe(auto& v, limits_view& limits) {
  v.size_or_off("max_request_body", limits.request_body_max, range{1, std::uint64_t{1} << 40});
  v.later({"concurrency", "queue", "on_limit", "rate"});
}

struct balancer_view {};

void describe(auto& v, balancer_view&) {
  v.fixed("policy", "wrr", {"random", "least_request", "p2c", "ewma", "hash"});
  v.later({"key", "sticky"});
}

/// What `defaults` and each placement have in common.
void describe(auto& v, upstream_policy& policy) {
  limits_view limits{policy.request_body_max};
  balancer_view balancer;
  v.map("timeouts", policy.timeouts);
  v.map("pool", policy.pool);
  v.map("lb", balancer);
  v.choice("host", policy.host, host_policy_names, {"rewrite"});
  v.map("retries", policy.retries);
  v.map("limits", limits);
  v.later({"health", "circuit_breaker", "outlier", "fairness"});
}

void describe(auto& v, shard_policy& shard) {
  v.count("size", shard.size, range{1, rules::shard_cells_max});
  v.count("seed", shard.seed, range{0, (std::uint64_t{1} << 53) - 1});  // what every reader of JSON keeps
  v.fixed("order", "stable", {"random"});
  v.require("size", "size: 2");
}

/// An endpoint as it is written: the address is one URL.
struct endpoint_view {
  std::string id;
  origin url;
  std::uint32_t weight = 1;
  bool drain = false;  ///< it takes no new requests; the weight is what it has again after that
};

void describe(auto& v, endpoint_view& e) {
  v.text("id", e.id);
  v.parse("url", e.url, parse_origin);
  v.count("weight", e.weight, weight_allowed);
  v.flag_if("drain", e.drain);
  v.require("url", "url: \"http://127.0.0.1:9001\"");
  v.later({"zone"});
}

struct key_match_view {
  std::optional<std::string>& prefix;
  std::optional<std::string>& regex;
};

void describe(auto& v, key_match_view& match) {
  v.text_if("prefix", match.prefix);
  v.text_if("regex", match.regex);
}

/// A placement's share of a rule, as `counts` has it.
struct share_view {
  std::string name;
  std::uint64_t count = 0;
};

void describe(auto& v, key_rule& rule) {
  key_match_view match{rule.prefix, rule.regex};
  std::vector<share_view> shares;
  for (const placement_share& s : rule.hash) shares.push_back({s.placement.value, s.weight});
  v.map("match", match);
  v.text_if("placement", rule.placement);
  v.counts("hash", shares, weight_allowed);
  rule.hash.clear();
  for (share_view& s : shares) {
    rule.hash.push_back({placement_id{std::move(s.name)}, static_cast<std::uint32_t>(s.count)});
  }
}

void describe(auto& v, canary& row) {
  v.text("placement", row.placement.value);
  v.text("to", row.to.value);
  v.percent("percent", row.percent);
  v.fixed("by", "key", {"request", "client_ip", "header", "cookie"});
  v.list("keys", row.keys, parse_routing_key);
  v.require("placement", "placement: tier1");
  v.require("to", "to: tier1-next");
}

void describe(auto& v, key_override& row) {
  v.list("keys", row.keys, parse_routing_key);
  v.text("placement", row.placement.value);
  v.parse_if("until", row.until, parse_timestamp);
  v.require("keys", "keys: [acme]");
  v.require("placement", "placement: tier1");
}

struct key_header_view {
  std::string name;
};

void describe(auto& v, key_header_view& header) {
  v.parse("name", header.name, parse_field_name);
  v.require("name", "name: X-Routing-Key");
  v.later({"from"});
}

// --- local sections: of this one process ---

struct drain_view {
  duration& unready_for;
  duration& timeout;
};

void describe(auto& v, drain_view& drain) {
  v.time("unready_for", drain.unready_for, 0s);
  v.time("timeout", drain.timeout, 0s);
}

void describe(auto& v, privilege_settings& privileges) {
  v.text("user", privileges.user);
  v.text("group", privileges.group);
  v.require("user", "user: nobody");
  v.require("group", "group: nogroup");
}

void describe(auto& v, process_settings& process) {
  drain_view drain{process.drain_unready_for, process.drain_timeout};
  v.count_or("workers", "auto", process.workers, workers_allowed);
  v.map("drain", drain);
  v.parse("state_dir", process.state_dir, parse_folder_name);
  v.map_or_off("privileges", process.privileges);
  v.time_or_off("max_config_age", process.config_age_max, 1s);
  v.later({"zone", "files_dir"});
}

void describe(auto& v, listener_limits& limits) {
  v.count("max_connections", limits.connections_max, connections_allowed);
  v.count("accept_rate", limits.accept_rate, connections_allowed);
  v.count("accept_burst", limits.accept_burst, connections_allowed);
}

void describe(auto& v, listener_settings& listener) {
  v.text("name", listener.name);
  v.parse("address", listener.address, parse_socket_address);
  v.fixed_list("protocols", "h1", {"h2c", "h2", "h3"});
  v.list("trusted_proxies", listener.trusted_proxies, parse_network_prefix);
  v.map("limits", listener.limits);
  v.flag("half_close", listener.half_close);
  v.require("address", "address: \":8080\"");
  v.later({"tls", "tcp", "proxy_protocol", "reuse_port", "quic"});
}

struct http_timeouts_view {
  duration& header;
  duration& keep_alive;
};

void describe(auto& v, http_timeouts_view& timeouts) {
  v.time("header", timeouts.header);
  v.time("keep_alive", timeouts.keep_alive);
}

struct forwarded_view {};

void describe(auto& v, forwarded_view&) {
  v.fixed("mode", "append", {"overwrite"});
  v.fixed("rfc7239", "false", {"true", "on"});
}

void describe(auto& v, request_id_settings& request_id) {
  v.parse("header", request_id.header, parse_request_id_name);
  v.flag("trust", request_id.trust);
}

void describe(auto& v, http_settings& http) {
  http_timeouts_view timeouts{http.header_timeout, http.keep_alive_timeout};
  forwarded_view forwarded;
  v.count("max_headers", http.fields_max, range{1, 1024});
  v.size("max_header_bytes", http.head_bytes_max, range{kibi, kibi * kibi});
  v.size("max_field_bytes", http.field_bytes_max, range{256, kibi * kibi});
  v.size("max_target_bytes", http.target_bytes_max, range{256, kibi * kibi});
  v.list_or("methods", "any", http.methods, parse_method);
  v.map("timeouts", timeouts);
  v.map("forwarded", forwarded);
  v.map("request_id", http.request_id);
}

void describe(auto& v, decision_settings& decision) {
  v.choice("headers", decision.headers, decision_headers_names);
  v.flag("route_decision", decision.route_decision);
  v.flag("log", decision.log);
}

void describe(auto& v, always_logged& always) {
  v.list("status", always.statuses, parse_status_range);
  v.time_or_off("slower_than", always.slower_than);
  v.list("keys", always.keys, parse_routing_key);
  v.later({"failover"});
}

void describe(auto& v, sampling_settings& sampling) {
  v.ratio("ratio", sampling.ratio);
  v.map("always", sampling.always);
}

void describe(auto& v, access_settings& access) {
  v.parse("output", access.output, parse_access_output);
  v.choice("preset", access.preset, access_preset_names);
  v.list_or("fields", "default", access.fields, parse_access_field);
  v.map("sampling", access.sampling);
  v.choice("routing_key", access.routing_key, key_printing_names);
}

void describe(auto& v, log_settings& log) {
  v.choice("level", log.level, log_level_names);
  v.map("access", log.access);
}

void describe(auto& v, metrics_settings& metrics) {
  v.parse("path", metrics.path, parse_metrics_path);
  v.choices("compat", metrics.compat, metrics_dialect_names, {"homebrew", "spooky"});
  v.later({"address", "keys"});
}

void describe(auto& v, admin_settings& admin) {
  v.parse("address", admin.address, parse_socket_address);
  v.later({"socket", "auth"});
}

void describe(auto& v, reload_settings& reload) {
  v.flag("watch", reload.watch);
  v.time_or_off("poll", reload.poll, 100ms);
  v.time("debounce", reload.debounce, 0s);
  v.time("backoff_on_error", reload.backoff_on_error, 0s);
}

void describe(auto& v, guard_settings& guard) {
  v.percent_or_off("max_moved_percent", guard.moved_percent_max);
  v.percent_or_off("max_removed_percent", guard.removed_percent_max);
  v.count_or("min_keys", "auto", guard.keys_min, range{0, 1'000'000'000});
}

void describe(auto& v, backoff_settings& backoff) {
  v.time("min", backoff.min);
  v.time("max", backoff.max);
}

void describe(auto& v, control_plane_settings& control_plane) {
  v.list("urls", control_plane.urls, parse_control_plane_url);
  v.text_if("token_file", control_plane.token_file);
  v.text_if("ca_file", control_plane.tls.ca_file);
  v.text_if("cert_file", control_plane.tls.cert_file);
  v.text_if("key_file", control_plane.tls.key_file);
  v.require("urls", "urls: [\"wss://control-plane:8081/connect\"]");
  v.text_if("ring", control_plane.ring);
  v.map_or("backoff", "auto", control_plane.backoff);
  v.percent_or_off("revert_on_5xx_percent", control_plane.revert_on_5xx_percent);
  v.flag("accept_version_reset", control_plane.accept_version_reset);
}

void describe(auto& v, settings& local) {
  v.map("process", local.process);
  v.maps("listeners", local.listeners);
  v.map("http", local.http);
  v.map("decision", local.decision);
  v.map("log", local.log);
  v.map("metrics", local.metrics);
  v.map("admin", local.admin);
  v.map("reload", local.reload);
  v.map("guard", local.guard);
  v.map_or_off("control_plane", local.control_plane);
  v.later({"dns", "tracing", "compat", "routing_file"});
}

}  // namespace cellroute::wire
