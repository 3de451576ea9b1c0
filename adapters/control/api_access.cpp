#include "adapters/control/api_access.hpp"

#include <algorithm>

#include "adapters/sync/content.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::control {
namespace {

constexpr std::string_view scheme = "Bearer ";

/// Whether a text is like a pattern, in which `*` stands for any text.
bool fits_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last one seen, and the text that it stands for ends at `covered`
  std::size_t covered = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      covered = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++covered;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

std::string_view to_string(scope what) {
  switch (what) {
    case scope::open:
      return "open";
    case scope::read:
      return "read";
    case scope::publish:
      return "publish";
    case scope::operate:
      return "operate";
    case scope::administer:
      return "administer";
  }
  return {};
}

std::string_view to_string(for_bound what) {
  switch (what) {
    case for_bound::refused:
      return "refused";
    case for_bound::own_rows:
      return "own_rows";
    case for_bound::no_rows:
      return "no_rows";
  }
  return {};
}

std::string_view to_string(role who) {
  switch (who) {
    case role::viewer:
      return "viewer";
    case role::publisher:
      return "publisher";
    case role::operator_:
      return "operator";
    case role::admin:
      return "admin";
    case role::router:
      return "router";
  }
  return {};
}

std::optional<role> read_role(std::string_view name) {
  const auto found = std::ranges::find_if(all_roles, [name](role each) { return to_string(each) == name; });
  return found == all_roles.end() ? std::nullopt : std::optional(*found);
}

std::optional<role> role_of(const certificate_names& names, std::span<const certificate_rule> rules) {
  const bool has_others = !names.uris.empty() || !names.dns_names.empty();
  for (const certificate_rule& rule : rules) {
    const auto fits = [&rule](const std::string& name) { return fits_pattern(rule.name, name); };
    const auto fits_host = [&rule](const std::string& name) { return fits_pattern(lowered(rule.name), lowered(name)); };
    const bool is_it = has_others
                           ? std::ranges::any_of(names.uris, fits) || std::ranges::any_of(names.dns_names, fits_host)
                           : !names.common_name.empty() && fits_pattern(rule.name, names.common_name);
    if (is_it) return rule.who;
  }
  return std::nullopt;
}

bool principal::owns_placement(std::string_view placement) const {
  return placements.empty() || std::ranges::find(placements, placement) != placements.end();
}

bool principal::owns(std::string_view key, std::string_view placement) const {
  return key.starts_with(key_prefix) && owns_placement(placement);
}

bool principal::may_change(std::string_view key, std::string_view from, std::string_view to) const {
  const auto is_mine = [&](std::string_view placement) { return placement.empty() || owns_placement(placement); };
  return key.starts_with(key_prefix) && is_mine(from) && is_mine(to);
}

bool names_this_machine(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  const std::string_view host = has_port ? authority.substr(0, colon) : authority;
  if (equal_ignoring_case(host, "localhost") || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

expected<principal, denial> identify(const request& asked, const api_settings& settings,
                                     const std::vector<token_record>& tokens, wall_time now) {
  const auto authorization = asked.header("Authorization");
  if (!authorization && !asked.peer.local_user.empty()) {
    if (asked.header("Origin")) return unexpected(denial{403, "a page in a browser needs a token"});
    return principal{"break-glass uid=" + asked.peer.local_user, role::admin, {}, {}, true};
  }
  if (!authorization) {
    const bool is_here = asked.peer.is_local && settings.loopback_without_token;
    if (!is_here && !asked.peer.certificate.empty()) {
      if (asked.peer.certificate_role)
        return principal{"certificate " + asked.peer.certificate, *asked.peer.certificate_role, {}, {}};
      return unexpected(denial{403, "no row of auth.certificates fits this certificate, and no token was named"});
    }
    if (!is_here) return unexpected(denial{401, "a token is needed: Authorization: Bearer TOKEN"});
    const auto host = asked.header("Host");
    if (host && !names_this_machine(*host))
      return unexpected(denial{403, "without a token, ask by the name localhost or by a loopback address"});
    if (asked.header("Origin")) return unexpected(denial{403, "a page in a browser needs a token"});
    return principal{"loopback", role::admin, {}, {}};
  }
  const std::string_view text = *authorization;
  const bool is_bearer = text.size() > scheme.size() && equal_ignoring_case(text.substr(0, scheme.size()), scheme);
  if (!is_bearer) return unexpected(denial{401, "only bearer tokens are taken: Authorization: Bearer TOKEN"});
  const wire::digest hash = sync::sha256(bytes_of(text.substr(scheme.size())));
  if (settings.admin_token == hash) return principal{"admin-token", role::admin, {}, {}};
  const auto token = std::ranges::find(tokens, hash, &token_record::hash);
  if (token == tokens.end()) return unexpected(denial{401, "the token is not known"});
  if (token->expires <= now) return unexpected(denial{401, "the token is over; ask for another"});
  const auto who = read_role(token->role);
  if (!who) return unexpected(denial{403, "the token's role is not known to this release"});
  // An id is unique, and a name tells a reader whose it is.
  const std::string name = token->name.empty() ? token->id : token->id + " (" + token->name + ")";
  return principal{"token " + name, *who, token->placements, token->key_prefix};
}

}  // namespace cellroute::control
