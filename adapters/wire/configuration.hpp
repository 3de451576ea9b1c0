#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/diagnostic.hpp"
#include "adapters/wire/inline_keys.hpp"
#include "adapters/wire/key_file.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/quarantine.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/model/policy.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/key_table.hpp"

namespace cellroute::wire {

struct foreign_shape;

/// How a request names its routing key.
struct key_settings {
  std::string header = "X-Routing-Key";
  friend bool operator==(const key_settings&, const key_settings&) = default;
};

/// A key file that was compiled before: opened, and each name in it is a placement's.
struct compiled_keys {
  std::string name;  ///< for messages
  key_table table;
};

/// The table of all keys, as an earlier process or an earlier change left it in `process.state_dir`.
struct kept_keys {
  std::optional<std::uint64_t> content{};  ///< by what it is known; none: there is nothing to gain, or no such folder
  std::optional<key_table> table{};        ///< there is one, and nothing else was read
  std::string refused{};                   ///< why one that is there is not taken; empty: none is there
};

/// One configuration, read and checked.
struct configuration {
  // Fleet sections: the same on every router.
  table_spec spec;  ///< without assignments: what assigns keys are the rows below, and those of key files
  key_settings key;
  wire::inline_keys inline_keys;       ///< an outcome is the index of a placement
  std::vector<std::string> key_files;  ///< their names, as written
  invalid_row_policy on_invalid_row = invalid_row_policy::reject;
  upstream_policy defaults;  ///< of a placement that says nothing of its own

  /// Whether it says whom to route where. Without that, a control plane has to: see `read_configuration`.
  bool has_routing = true;

  settings local;

  const foreign_shape* shape = nullptr;  ///< of another system's file; null: ours

  std::string file;                         ///< its name, for `locate`
  std::unique_ptr<const std::string> text;  ///< at one place for ever: the views of rows lead there
  node source;                              ///< the text as a tree, so that whatever is found later still has a place

  std::vector<key_file> keys;         ///< what the key files hold; filled by `load`
  std::vector<compiled_keys> tables;  ///< those that are tables already
  kept_keys kept;
  quarantine quarantined;     ///< only with that policy
  std::uint64_t content = 0;  ///< a hash of all that was read; set by `load`

  std::vector<std::string> ignored;  ///< fields of a message around it that are not known; of a file there are none
};

/// Reads a configuration and runs every rule on it, the table's too. A file of a foreign shape is read as it is; its
/// local sections have their defaults. One that has no `routing` is valid where a control plane is named in it, or by
/// `has_control_plane` elsewhere, or where `may_lack_routing` says that other routing is in use already.
///
/// Errors: all mistakes at once, in the order of the text; at most `mistakes_max`, then one that says how many more.
/// Cost:   a million keys in JSON take a tenth of a second and as much memory as the text; a thousand in YAML 10 ms.
[[nodiscard]] expected<configuration, diagnostics> read_configuration(std::unique_ptr<const std::string> text,
                                                                      std::string_view file_name,
                                                                      bool has_control_plane = false,
                                                                      bool may_lack_routing = false);

/// As above, with a copy of the text.
[[nodiscard]] expected<configuration, diagnostics> read_configuration(std::string_view text,
                                                                      std::string_view file_name);

/// Reads a message of the base protocol as a configuration: what is not known around the maps is ignored, and named.
[[nodiscard]] expected<configuration, diagnostics> read_message_of_maps(std::string_view text,
                                                                        std::string_view file_name);

/// A path as the process opens it: what is relative counts from the folder of the file that names it. The configuration
/// keeps what was written, so that printing it changes nothing.
[[nodiscard]] std::string path_from_file(const configuration& c, const std::string& written);

/// The folder of `process.state_dir`, or nothing.
[[nodiscard]] std::optional<std::string> state_folder_of(const configuration& c);

/// Whether only this machine reaches an address.
[[nodiscard]] bool is_loopback(const socket_address& address);

/// Where rows go that cannot be served; null where they refuse the whole.
[[nodiscard]] inline quarantine* quarantine_of(configuration& c) {
  return c.on_invalid_row == invalid_row_policy::quarantine ? &c.quarantined : nullptr;
}

/// What a person should look at although the configuration is valid, in the order of the text.
[[nodiscard]] diagnostics find_warnings(const configuration& c, wall_time now);

/// Whether who wrote a file of this shape is used to health checks that nobody asked for. They are not active here yet.
[[nodiscard]] bool expects_health_checks(const configuration& c);

/// The place of a violation that a later step found.
[[nodiscard]] diagnostic locate(const configuration& c, std::string path, std::string what);

enum class file_error { missing, unreadable, too_large };

/// Reads a whole file of at most `bytes_max` bytes.
/// Errors: `missing` when there is no such file; `unreadable` for all else, a directory or missing rights for example.
[[nodiscard]] expected<std::string, file_error> read_file(const std::string& path,
                                                          std::size_t bytes_max = configuration_bytes_max);

/// What is wrong, and what to do; stands behind the file's name.
[[nodiscard]] std::string_view to_string(file_error e);

}  // namespace cellroute::wire
