#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/api.hpp"

namespace cellroute::control {

/// What a route does, for who may.
///
/// open        nobody is asked
/// read        see configuration, history, routers
/// publish     make versions of configuration and keys
/// operate     undo, and tell routers what to do
/// administer  who may do what
enum class scope : std::uint8_t { open, read, publish, operate, administer };
[[nodiscard]] std::string_view to_string(scope what);

/// What a route is to whoever is bound to some placements or keys.
///
/// refused   it tells of, or changes, what may be others'
/// own_rows  its handler tells of, and changes, nothing but what is his
/// no_rows   it tells of no row and of no placement
enum class for_bound : std::uint8_t { refused, own_rows, no_rows };
[[nodiscard]] std::string_view to_string(for_bound what);

/// viewer      sees
/// publisher   sees and publishes
/// operator_   sees and operates
/// admin       everything
/// router      fetches its configuration by its own link, and nothing here
enum class role : std::uint8_t { viewer, publisher, operator_, admin, router };
inline constexpr std::array all_roles = {role::viewer, role::publisher, role::operator_, role::admin, role::router};
[[nodiscard]] std::string_view to_string(role who);
[[nodiscard]] std::optional<role> read_role(std::string_view name);

[[nodiscard]] constexpr bool may(role who, scope what) {
  switch (what) {
    case scope::open:
      return true;
    case scope::read:
      return who != role::router;
    case scope::publish:
      return who == role::publisher || who == role::admin;
    case scope::operate:
      return who == role::operator_ || who == role::admin;
    case scope::administer:
      return who == role::admin;
  }
  return false;
}

/// Certificates whose name is like this have that role. `*` stands for any text, an empty one too.
struct certificate_rule {
  std::string name{};
  role who = role::viewer;
  friend bool operator==(const certificate_rule&, const certificate_rule&) = default;
};

/// What a certificate, which somebody believes, says of its owner.
struct certificate_names {
  std::span<const std::string> uris{};
  std::span<const std::string> dns_names{};  ///< their case does not count
  std::string_view common_name{};            ///< counts only where there is neither of the others
};

/// The role of the first rule that fits one of the names; nothing where none does.
[[nodiscard]] std::optional<role> role_of(const certificate_names& names, std::span<const certificate_rule> rules);

/// Who asks, and what he is bound to.
struct principal {
  std::string name{};  ///< as in the audit
  role who = role::viewer;
  std::vector<std::string> placements{};
  std::string key_prefix{};
  bool is_break_glass = false;  ///< what he only looks at stands in the audit, too

  /// Whether some rows only are his: then what is about all of them is not for him.
  [[nodiscard]] bool is_bound() const { return !placements.empty() || !key_prefix.empty(); }
  [[nodiscard]] bool owns_placement(std::string_view placement) const;
  /// Whether a row is his, to see and to change. An empty placement stands for no row: that there is none is only for
  /// those to know who are bound to no placements, as to others a row that is not theirs must look the same.
  [[nodiscard]] bool owns(std::string_view key, std::string_view placement) const;
  /// Whether he may make one row of another. `from` and `to` are empty where there is no row.
  [[nodiscard]] bool may_change(std::string_view key, std::string_view from, std::string_view to) const;
};

/// Why nobody is let in.
struct denial {
  std::uint16_t status = 401;
  std::string why{};
};

/// Whether a Host is one that only this machine can mean.
[[nodiscard]] bool names_this_machine(std::string_view authority);

/// Who a request comes from: a bearer token, the user who opened the break-glass socket, somebody on this machine, or
/// who has shown a certificate, with the role that its name has.
///
/// Without a token only this machine is asked nothing, and no page that a browser of this machine shows: such a request
/// names another host, or says which page it comes from.
[[nodiscard]] expected<principal, denial> identify(const request& asked, const api_settings& settings,
                                                   const std::vector<token_record>& tokens, wall_time now);

}  // namespace cellroute::control
