#include "adapters/control/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "adapters/wire/node.hpp"
#include "adapters/wire/schema.hpp"
#include "adapters/wire/section.hpp"
#include "adapters/wire/tls_section.hpp"

namespace cellroute::control {
namespace {

constexpr std::string_view store_scheme = "sqlite:";
constexpr wire::named<wire::base_dialect> dialect_names[] = {{"config_update", wire::base_dialect::config_update},
                                                             {"config_snapshot", wire::base_dialect::config_snapshot}};
constexpr wire::range dead_after_allowed{1, 100};
constexpr wire::range routers_allowed{1, 1'000'000};
constexpr wire::range body_allowed{1 << 20, std::uint64_t{4} << 30};
constexpr wire::range watchers_allowed{1, 1'000};
constexpr wire::range versions_allowed{1, 1'000'000'000};
constexpr wire::range burst_allowed{1, 1'000'000};
constexpr wire::named<role> role_names[] = {{"viewer", role::viewer},
                                            {"publisher", role::publisher},
                                            {"operator", role::operator_},
                                            {"admin", role::admin},
                                            {"router", role::router}};

wire::parsed<std::string> parse_store(std::string_view text) {
  if (!text.starts_with(store_scheme) || text.size() == store_scheme.size())
    return unexpected(std::string_view("must be sqlite: and the name of a file, such as sqlite:control.db"));
  return std::string(text);
}

wire::parsed<std::string> parse_file_name(std::string_view text) { return std::string(text); }

}  // namespace

// Found by the types of their arguments, and so in the namespace of these.

struct access_view {
  wire::access_output& output;
};
struct metrics_view {
  std::optional<wire::socket_address>& address;
};
struct break_glass_view {
  std::string& socket;
};

void describe(auto& v, listener_settings& listener) {
  v.parse("address", listener.address, wire::parse_socket_address);
  v.require("address", "address: \":8081\"");
  v.map_or_off("tls", listener.tls);
}

void describe(auto& v, certificate_rule& rule) {
  v.text("name", rule.name);
  v.choice("role", rule.who, role_names);
  v.require("name", "name: \"router-*\"");
  v.require("role", "role: router");
}

void describe(auto& v, auth_settings& auth) {
  v.flag("loopback_without_token", auth.loopback_without_token);
  v.parse("admin_token_file", auth.admin_token_file, parse_file_name);
  v.maps("certificates", auth.certificates);
}

void describe(auto& v, push_settings& push) {
  v.choice("base_dialect", push.base_dialect, dialect_names);
  v.time("ping", push.ping, 100ms);
  v.count("dead_after", push.dead_after, dead_after_allowed);
  v.count("max_routers", push.routers_max, routers_allowed);
  v.time("coalesce", push.coalesce, 0s);
  v.count("hellos_per_second", push.hellos_per_second, routers_allowed);
  v.time_or_off("max_session_age", push.session_age_max, 1s);
}

void describe(auto& v, api_rules& api) {
  v.flag("require_preconditions", api.require_preconditions);
  v.size("max_body", api.body_max, body_allowed);
  v.time("idempotency_for", api.idempotency_for, 1s);
  v.count("max_watchers", api.watchers_max, watchers_allowed);
  v.time_or_off("version_interval", api.version_interval, 1ms);
  v.count("version_burst", api.version_burst, burst_allowed);
}

void describe(auto& v, fleet_settings& fleet) { v.time("forget_after", fleet.forget_after, 1min); }

void describe(auto& v, history_settings& history) {
  v.count("keep_versions", history.versions_max, versions_allowed);
  v.time_or_off("keep_for", history.age_max, 1s);
  v.time_or_off("verify_every", history.verify_every, 1s);
}

void describe(auto& v, access_view& access) {
  v.parse("output", access.output, wire::parse_access_output);
  v.later({"preset", "fields", "sampling", "routing_key"});
}

void describe(auto& v, log_settings& log) {
  access_view access{log.output};
  v.choice("level", log.level, wire::log_level_names);
  v.map("access", access);
}

void describe(auto& v, metrics_view& metrics) { v.parse_if("address", metrics.address, wire::parse_socket_address); }

void describe(auto& v, break_glass_view& break_glass) { v.parse("socket", break_glass.socket, parse_file_name); }

void describe(auto& v, settings& s) {
  metrics_view metrics{s.metrics_address};
  break_glass_view break_glass{s.break_glass_socket};
  v.fixed("apiVersion", "cellroute-control/v1");
  v.maps("listeners", s.listeners);
  v.parse("store", s.store, parse_store);
  v.parse("watch", s.watch, parse_file_name);
  v.map("auth", s.auth);
  v.map("break_glass", break_glass);
  v.map("push", s.push);
  v.map("api", s.api);
  v.map("guard", s.guard);
  v.map("history", s.history);
  v.map("fleet", s.fleet);
  v.map("log", s.log);
  v.map("metrics", metrics);
}

namespace {

wire::client_auth_mode clients_of(const listener_settings& l) {
  return l.tls ? l.tls->client_auth.mode : wire::client_auth_mode::off;
}

/// Whether strangers get no further than the handshake, or never come so far.
bool keeps_strangers_out(const listener_settings& l) {
  return wire::is_loopback(l.address) || clients_of(l) == wire::client_auth_mode::required;
}

/// What no single field can know; of a place where something is wrong already nothing more is said.
void check_together(const settings& s, const wire::node& source, wire::mistake_list& mistakes) {
  const wire::path_index places(source);
  const bool has_token = !s.auth.admin_token_file.empty();
  const auto tell = [&](const std::string& path, std::string what) {
    if (std::ranges::find(mistakes.found(), path, &wire::diagnostic::path) == mistakes.found().end())
      mistakes.add(places.find(path), path, std::move(what));
  };
  const bool knows_certificates = std::ranges::any_of(
      s.listeners, [](const listener_settings& l) { return clients_of(l) != wire::client_auth_mode::off; });
  if (!s.auth.loopback_without_token && !has_token && !knows_certificates)
    tell("auth.loopback_without_token", "leaves nobody who may connect; name an auth.admin_token_file");
  if (!s.auth.certificates.empty() && !knows_certificates)
    tell("auth.certificates", "means nothing where no listener asks for certificates; add listeners[].tls.client_auth");
  if (has_token) return;
  const auto check = [&](const std::string& path, const listener_settings& l) {
    const wire::socket_address& address = l.address;
    if (keeps_strangers_out(l)) return;
    tell(path, fmt::format("others than this machine reach {}, and no token is asked for; name an "
                           "auth.admin_token_file, or listen on 127.0.0.1:{}",
                           to_string(address), address.port));
  };
  for (std::size_t i = 0; i < s.listeners.size(); ++i) check(fmt::format("listeners[{}].address", i), s.listeners[i]);
}

std::string from_folder_of(const std::string& file, const std::string& written) {
  return (std::filesystem::path(file).parent_path() / written).string();  // an absolute path replaces the folder
}

void count_paths_from(const std::string& file, settings& s) {
  if (!s.watch.empty()) s.watch = from_folder_of(file, s.watch);
  if (!s.break_glass_socket.empty()) s.break_glass_socket = from_folder_of(file, s.break_glass_socket);
  if (!s.auth.admin_token_file.empty()) s.auth.admin_token_file = from_folder_of(file, s.auth.admin_token_file);
  for (listener_settings& l : s.listeners) {
    if (!l.tls) continue;
    for (wire::tls_certificate_settings& c : l.tls->certificates) {
      c.cert_file = from_folder_of(file, c.cert_file);
      c.key_file = from_folder_of(file, c.key_file);
    }
    std::string& ca_file = l.tls->client_auth.ca_file;
    if (!ca_file.empty()) ca_file = from_folder_of(file, ca_file);
  }
  if (s.log.output.sink == wire::access_sink::file) s.log.output.file = from_folder_of(file, s.log.output.file);
  if (!s.store.empty()) s.store = std::string(store_scheme) + from_folder_of(file, std::string(file_of_store(s.store)));
}

unexpected<wire::load_error> wrong_flag(std::string_view name, std::string_view must_be, const std::string& value) {
  wire::load_error error;
  error.otherwise = fmt::format("{}: {}, not {}", name, must_be, wire::quote(value));
  error.is_override = true;
  return unexpected(std::move(error));
}

unexpected<wire::load_error> refused(wire::diagnostics found) {
  wire::sort_by_place(found);
  wire::load_error error;
  error.mistakes = std::move(found);
  return unexpected(std::move(error));
}

}  // namespace

std::string_view file_of_store(std::string_view store) {
  return store.substr(std::min(store.size(), store_scheme.size()));
}

expected<settings, wire::load_error> read_settings(std::string_view text, const std::string& file_name,
                                                   const settings_flags& flags) {
  wire::node source;
  source.kind = wire::node_kind::map;
  wire::mistake_list mistakes(file_name);
  if (!text.empty() || !file_name.empty()) {
    auto tree = wire::read_tree(text, file_name);
    if (!tree) return refused(std::move(tree).error());
    source = *std::move(tree);
    mistakes.found() = wire::take_duplicates(source, file_name);
  }
  settings s;
  {
    wire::section top(source, "", mistakes);
    describe(top, s);
  }
  if (s.listeners.empty()) s.listeners = {{{"127.0.0.1", 0}}};  // that it must not be was told
  if (flags.listen) {
    auto address = wire::parse_socket_address(*flags.listen);
    if (!address) return wrong_flag("--listen", address.error(), *flags.listen);
    listener_settings meant = s.listeners.front();
    meant.address = *address;
    if (s.auth.admin_token_file.empty() && !keeps_strangers_out(meant))
      return wrong_flag("--listen", "must be an address that only this machine reaches, as no token is asked for",
                        *flags.listen);
    s.listeners.front().address = *std::move(address);
  } else if (source.find("listeners") == nullptr && s.auth.admin_token_file.empty()) {
    s.listeners.front().address.host = "127.0.0.1";
  }
  if (source.kind == wire::node_kind::map) check_together(s, source, mistakes);
  if (!mistakes.found().empty()) return refused(std::move(mistakes.found()));
  count_paths_from(file_name, s);
  if (flags.store) {
    auto store = parse_store(*flags.store);
    if (!store) return wrong_flag("--store", store.error(), *flags.store);
    s.store = *std::move(store);
  }
  if (flags.watch) s.watch = *flags.watch;
  return s;
}

expected<settings, wire::load_error> load_settings(const std::string& path, const settings_flags& flags) {
  if (path.empty()) return read_settings("", "", flags);
  const auto text = wire::read_file(path);
  if (text) return read_settings(*text, path, flags);
  wire::load_error error;
  error.otherwise = fmt::format("{}: {}", path, to_string(text.error()));
  error.is_missing = text.error() == wire::file_error::missing;
  return unexpected(std::move(error));
}

}  // namespace cellroute::control
