#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/control/api_access.hpp"
#include "adapters/wire/base_messages.hpp"
#include "adapters/wire/config_file.hpp"
#include "adapters/wire/settings.hpp"
#include "adapters/wire/tls_settings.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

struct listener_settings {
  wire::socket_address address{"", 8081};
  std::optional<wire::listener_tls_settings> tls{};  ///< none: the connections are plain
  friend bool operator==(const listener_settings&, const listener_settings&) = default;
};

/// Who may connect.
struct auth_settings {
  bool loopback_without_token = true;  ///< whoever is on this machine
  std::string admin_token_file{};      ///< whoever knows what is in it; empty: nobody else but by a certificate
  /// What certificates that a listener believes are for; the first that fits counts, and without one nothing is
  /// allowed. Empty: each may connect as a router, and look.
  std::vector<certificate_rule> certificates{};
  friend bool operator==(const auth_settings&, const auth_settings&) = default;
};

/// How routers are served.
struct push_settings {
  wire::base_dialect base_dialect = wire::base_dialect::config_update;
  duration ping = 5s;                  ///< beats of the base protocol; those of `cellroute.v1` come at least every 2 s
  std::uint32_t dead_after = 3;        ///< beats without an answer
  std::uint32_t routers_max = 10'000;  ///< sessions at once
  duration coalesce = 50ms;            ///< changes that come faster are published together
  std::uint32_t hellos_per_second = 2'000;       ///< routers that are let in; the others are told when to come again
  std::optional<duration> session_age_max = 6h;  ///< give or take a fifth; then a router is sent away to come again
  friend bool operator==(const push_settings&, const push_settings&) = default;
};

/// What the API asks of requests.
struct api_rules {
  bool require_preconditions = true;                  ///< a change says which version it changes
  std::uint64_t body_max = std::uint64_t{256} << 20;  ///< bytes
  duration idempotency_for = 24h;                     ///< for how long an Idempotency-Key is known
  std::uint32_t watchers_max = 64;                    ///< of events, at once
  std::optional<duration> version_interval = 50ms;    ///< of one principal, in the long run; none: as fast as may be
  std::uint32_t version_burst = 100;                  ///< versions that he may make at once before that counts
  friend bool operator==(const api_rules&, const api_rules&) = default;
};

/// What is known of routers that are not here.
struct fleet_settings {
  duration forget_after = 7 * 24h;
  friend bool operator==(const fleet_settings&, const fleet_settings&) = default;
};

/// How much of the past is kept.
struct history_settings {
  std::uint64_t versions_max = 10'000;
  std::optional<duration> age_max = 365 * 24h;  ///< none: however old
  std::optional<duration> verify_every = 24h;   ///< is the store still whole? none: nobody looks
  friend bool operator==(const history_settings&, const history_settings&) = default;
};

struct log_settings {
  wire::log_level level = wire::log_level::info;
  wire::access_output output{};
  friend bool operator==(const log_settings&, const log_settings&) = default;
};

/// Each value that stands here is the documented default.
struct settings {
  std::vector<listener_settings> listeners{listener_settings{}};
  std::string store{};  ///< `sqlite:FILE`; empty: nothing is kept for the next start
  std::string watch{};  ///< a routing file to follow; empty: none
  auth_settings auth{};
  push_settings push{};
  api_rules api{};
  wire::guard_settings guard{};  ///< of changes by the API, and of the followed file
  history_settings history{};
  fleet_settings fleet{};
  log_settings log{};
  /// A socket in the file system: whoever may open it may do everything, whatever `auth` says. Empty: none.
  std::string break_glass_socket{};
  std::optional<wire::socket_address> metrics_address{};  ///< of a further listener that has only health and metrics
  friend bool operator==(const settings&, const settings&) = default;
};

/// The flags, as they were typed. Paths count from the folder that the process is in.
struct settings_flags {
  std::optional<std::string> listen{};
  std::optional<std::string> store{};
  std::optional<std::string> watch{};
};

/// Reads a file of `apiVersion: cellroute-control/v1`, or takes the defaults where `path` is empty. Flags win. The
/// paths that come out are as the process opens them: those of the file counted from its folder.
///
/// Where no token is asked for, the default address is one that only this machine reaches.
/// Errors: every mistake at once, with its place; a flag that cannot be meant; the file itself. A port that others than
///         this machine reach is refused where no token is asked for.
[[nodiscard]] expected<settings, wire::load_error> load_settings(const std::string& path, const settings_flags& flags);

/// The same, of a text; paths count from the folder of `file_name`.
[[nodiscard]] expected<settings, wire::load_error> read_settings(std::string_view text, const std::string& file_name,
                                                                 const settings_flags& flags);

/// The file of `sqlite:FILE`; empty where there is no store.
[[nodiscard]] std::string_view file_of_store(std::string_view store);

}  // namespace cellroute::control
