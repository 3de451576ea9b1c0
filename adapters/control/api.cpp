#include "adapters/control/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t idempotency_bytes_max = 255;

constexpr route_row routes[] = {
    {"GET", "/v1/openapi.json", scope::open, body_kind::none, get_contract, false, for_bound::no_rows},
    {"GET", "/v1/info", scope::read, body_kind::none, get_info, true, for_bound::own_rows},
    {"GET", "/v1/config", scope::read, body_kind::none, get_config, true},
    {"PUT", "/v1/config", scope::publish, body_kind::config, put_config},
    {"GET", "/v1/placements", scope::read, body_kind::none, list_placements, true, for_bound::own_rows},
    {"GET", "/v1/placements/{placement}", scope::read, body_kind::none, get_placement, true, for_bound::own_rows},
    {"PUT", "/v1/placements/{placement}", scope::publish, body_kind::json, put_placement},
    {"PATCH", "/v1/placements/{placement}", scope::publish, body_kind::json, patch_placement},
    {"DELETE", "/v1/placements/{placement}", scope::publish, body_kind::none, delete_placement},
    {"GET", "/v1/placements/{placement}/endpoints/{endpoint}", scope::read, body_kind::none, get_endpoint, true,
     for_bound::own_rows},
    {"PUT", "/v1/placements/{placement}/endpoints/{endpoint}", scope::publish, body_kind::json, put_endpoint},
    {"PATCH", "/v1/placements/{placement}/endpoints/{endpoint}", scope::publish, body_kind::json, patch_endpoint},
    {"DELETE", "/v1/placements/{placement}/endpoints/{endpoint}", scope::publish, body_kind::none, delete_endpoint},
    {"GET", "/v1/keys", scope::read, body_kind::none, list_keys, true, for_bound::own_rows},
    {"PATCH", "/v1/keys", scope::publish, body_kind::json, patch_keys, false, for_bound::own_rows},
    {"POST", "/v1/keys:import", scope::publish, body_kind::rows, import_keys},
    {"GET", "/v1/keys:export", scope::read, body_kind::none, export_keys, true, for_bound::own_rows},
    {"GET", "/v1/keys/{key}", scope::read, body_kind::none, get_key, true, for_bound::own_rows},
    {"PUT", "/v1/keys/{key}", scope::publish, body_kind::json, put_key, false, for_bound::own_rows},
    {"DELETE", "/v1/keys/{key}", scope::publish, body_kind::none, delete_key, false, for_bound::own_rows},
    {"GET", "/v1/keys/{key}/history", scope::read, body_kind::none, key_history, false, for_bound::own_rows},
    {"POST", "/v1/resolve", scope::read, body_kind::json, resolve_keys, true, for_bound::own_rows},
    {"GET", "/v1/versions", scope::read, body_kind::none, list_versions},
    {"GET", "/v1/versions/{version}", scope::read, body_kind::none, get_version},
    {"GET", "/v1/versions/{from}/diff/{to}", scope::read, body_kind::none, diff_versions},
    {"POST", "/v1/versions/{version}:rollback", scope::operate, body_kind::json, roll_back},
    {"POST", "/v1/watch:retry", scope::publish, body_kind::none, retry_file},
    {"GET", "/v1/routers", scope::read, body_kind::none, list_routers},
    {"GET", "/v1/routers/{router}", scope::read, body_kind::none, get_router},
    {"POST", "/v1/routers/{router}:resync", scope::operate, body_kind::none, resync_router},
    {"POST", "/v1/routers/{router}:goaway", scope::operate, body_kind::none, dismiss_router},
    {"GET", "/v1/fleet/drift", scope::read, body_kind::none, get_drift},
    {"GET", "/v1/events", scope::read, body_kind::none, watch_events},
    {"GET", "/v1/backup", scope::administer, body_kind::none, get_backup},
    {"GET", "/v1/audit", scope::read, body_kind::none, list_audit},
    {"GET", "/v1/audit:verify", scope::read, body_kind::none, verify_audit},
    {"GET", "/v1/tokens", scope::administer, body_kind::none, list_tokens},
    {"POST", "/v1/tokens", scope::administer, body_kind::json, add_token},
    {"GET", "/v1/tokens/{token}", scope::administer, body_kind::none, get_token},
    {"DELETE", "/v1/tokens/{token}", scope::administer, body_kind::none, delete_token},
};

/// The route that a request asks for, with what stands in its path; or why there is none.
const route_row* find_route(call& c, answer& refusal) {
  std::string allowed;
  // A pattern with a verb says more than one without.
  const route_row* best = nullptr;
  std::vector<std::string> best_params;
  for (const route_row& row : routes) {
    auto params = match_path(row.pattern, c.target.path);
    if (!params) continue;
    const bool is_same = row.method == c.asked.method || (row.method == "GET" && c.asked.method == "HEAD");
    if (is_same && (best == nullptr || row.pattern.size() > best->pattern.size())) {
      best = &row;
      best_params = *std::move(params);
    }
    const std::string_view methods = row.method == "GET" ? "GET, HEAD" : row.method;
    if (allowed.find(methods) == std::string::npos) allowed += (allowed.empty() ? "" : ", ") + std::string(methods);
  }
  c.params = std::move(best_params);
  if (best != nullptr) return best;
  if (allowed.empty()) {
    refusal = problem_answer(404, "unknown", "there is no such page; /v1/openapi.json tells which there are");
  } else {
    refusal = problem_answer(405, "method", fmt::format("this page takes {}", allowed));
    refusal.headers.emplace_back("Allow", allowed);
  }
  return nullptr;
}

/// Whether a body says that it is of a kind that the route takes. One that says nothing is taken for it.
bool is_right_type(body_kind kind, const std::optional<std::string>& said) {
  if (!said || kind == body_kind::none) return true;
  const std::string type = said->substr(0, said->find_first_of("; "));
  const auto is_one_of = [&type](std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(names, [&type](std::string_view name) { return equal_ignoring_case(name, type); });
  };
  const bool is_json = is_one_of({"application/json", "application/merge-patch+json"});
  switch (kind) {
    case body_kind::none:
    case body_kind::json:
      return is_json;
    case body_kind::config:
      return is_json || is_one_of({"application/yaml", "application/x-yaml", "text/yaml", "text/plain"});
    case body_kind::rows:
      return is_json || is_one_of({"application/x-ndjson", "text/csv", "text/plain", "application/octet-stream"});
  }
  return false;
}

std::size_t body_max_of(body_kind kind, std::size_t body_max) {
  return kind == body_kind::json ? std::min(json_body_max, body_max) : body_max;
}

/// Who asks; or why he is not let in.
expected<principal, answer> let_in(const call& c, const route_row& route) {
  if (route.needs == scope::open) return principal{};
  expected<principal, denial> who = unexpected(denial{});
  {
    const std::lock_guard lock(c.state.tokens_lock);
    who = identify(c.asked, c.state.settings, c.state.tokens, c.now);
  }
  if (!who) {
    const bool is_unknown = who.error().status == 401;
    answer refused = problem_answer(who.error().status, is_unknown ? "unauthorized" : "forbidden", who.error().why);
    if (is_unknown) refused.headers.emplace_back("WWW-Authenticate", "Bearer");
    return unexpected(std::move(refused));
  }
  if (!may(who->who, route.needs)) {
    return unexpected(problem_answer(
        403, "forbidden", fmt::format("the role {} may not {} here", to_string(who->who), to_string(route.needs))));
  }
  if (who->is_bound() && route.bound == for_bound::refused) {
    return unexpected(problem_answer(403, "out_of_bounds",
                                     "this token is bound to some placements or keys, and this page is about those of "
                                     "others, too; ask for rows under /v1/keys, or with a token that is not bound"));
  }
  return *std::move(who);
}

/// A typing error in `dry_run` must not publish.
std::optional<answer> check_query(const call& c, const route_row& route) {
  const std::span<const std::string> known = query_names_of(route);
  for (const auto& parameter : c.target.query) {
    const std::string& name = parameter.first;
    const bool is_known = std::ranges::any_of(known, [&name](const std::string& each) {
      return name == each || (each.starts_with(label_query) && name.starts_with(label_query));
    });
    if (is_known) continue;
    return bad_request(fmt::format("{} is no parameter of this page, which takes {}", wire::quote(name),
                                   known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
  }
  return std::nullopt;
}

/// Whether it can be read where each row and version is: what is asked for is not there.
bool is_store_readable(api_state& state) {
  auto reading = lent_reader::take(state);
  return reading && (*reading)->last_change_of({}).has_value();
}

std::optional<answer> read_idempotency(call& c) {
  const auto key = c.asked.header("Idempotency-Key");
  if (!key || c.asked.method != "POST" || c.is_dry_run()) return std::nullopt;
  if (key->empty() || key->size() > idempotency_bytes_max)
    return bad_request(fmt::format("Idempotency-Key must have 1 to {} bytes", idempotency_bytes_max));
  const std::string asked = fmt::format("{}\n{}\n{}", c.asked.method, c.asked.target, c.asked.body);
  c.once = idempotency_key{c.who.name, *key, sync::sha256(bytes_of(asked))};
  return replay(c);
}

/// A line in the audit for whatever he asks, before it is done: also for what he only looks at. He is answered where
/// the store takes no line, too: that may be why he is here.
void note_break_glass(const call& c) {
  registry::turn turn = c.state.of.begin();
  const auto noted = turn.stored().append_audit(c.who.name, "break-glass",
                                                fmt::format("{} {}", c.asked.method, c.target.path), {}, c.now);
  if (!noted) c.state.of.note_store_error();
}

answer handle_call(call& c) {
  answer refusal;
  auto parts = split_target(c.asked.target);
  if (!parts) return bad_request("the target is no path, or has an escape that is none");
  c.target = *std::move(parts);
  const route_row* const route = find_route(c, refusal);
  if (route == nullptr) return refusal;
  auto who = let_in(c, *route);
  if (!who) return std::move(who).error();
  c.who = *std::move(who);
  const std::size_t body_max = body_max_of(route->body, c.state.settings.body_max);
  if (c.asked.body.size() > body_max) return too_large_answer(body_max);
  if (!c.asked.body.empty() && !is_right_type(route->body, c.asked.header("Content-Type")))
    return problem_answer(415, "media_type", "this page takes JSON, and configurations and rows as openapi.json says");
  if (auto unknown = check_query(c, *route)) return *std::move(unknown);
  if (c.who.is_break_glass) note_break_glass(c);
  if (auto again = read_idempotency(c)) return *std::move(again);
  answer made = route->handle(c);
  if (route->is_from_memory && made.status < 500 && !is_store_readable(c.state))
    made.headers.emplace_back("X-Config-Stale", "store-unreadable");
  return made;
}

}  // namespace

std::optional<std::string> request::header(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [each, value] : headers) {
    if (!equal_ignoring_case(each, name)) continue;
    if (found) {
      found->append(", ").append(value);
    } else {
      found = value;
    }
  }
  return found;
}

std::span<const route_row> api_routes() { return routes; }

std::size_t body_max_of(std::string_view method, std::string_view target, std::size_t body_max) {
  const std::string_view path = target.substr(0, target.find('?'));
  for (const route_row& row : routes) {
    if (row.method == method && match_path(row.pattern, path)) return body_max_of(row.body, body_max);
  }
  return body_max;
}

api::api(std::unique_ptr<api_state> state) : state_(std::move(state)) {}
api::~api() = default;

expected<std::unique_ptr<api>, problem> api::open(registry& of, api_settings settings, api_surroundings around) {
  auto state = std::make_unique<api_state>(of, std::move(settings), around);
  {
    registry::turn turn = of.begin();
    auto tokens = turn.stored().reading().tokens();
    if (!tokens) return unexpected(problem_of(tokens.error()));
    state->tokens = *std::move(tokens);
    auto cluster = turn.stored().reading().cluster();
    if (!cluster) return unexpected(problem_of(cluster.error()));
    state->cluster = *std::move(cluster);
  }
  return std::unique_ptr<api>(new api(std::move(state)));  // allow: new: private constructor
}

answer api::handle(const request& asked, wall_time now) {
  call c{*state_, asked, now};
  return traced(handle_call(c), asked.trace);
}

std::optional<role> api::role_of(const wire::digest& token, wall_time now) {
  const std::lock_guard lock(state_->tokens_lock);
  const auto found = std::ranges::find(state_->tokens, token, &token_record::hash);
  if (found == state_->tokens.end() || found->expires <= now) return std::nullopt;
  return read_role(found->role);
}

}  // namespace cellroute::control
