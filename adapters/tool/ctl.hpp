#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/tool/tool.hpp"
#include "cellroute/base/expected.hpp"

/// `cellroute ctl`: what an operator asks of a running control plane, and what he is told.
namespace cellroute::tool {

inline constexpr int exit_refused = 4;    ///< the control plane does not do it, or not for this token
inline constexpr int exit_no_answer = 5;  ///< it is not there, or does not answer in time

/// A request to the API.
struct api_request {
  std::string method = "GET";
  std::string target{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string type{};  ///< of the body
};

struct api_reply {
  int status = 0;
  std::string body{};
};

/// The way to a control plane.
class api_transport {
 public:
  /// Errors: why there is no answer, as a line for the operator.
  [[nodiscard]] virtual expected<api_reply, std::string> ask(const api_request& what) = 0;

 protected:
  ~api_transport() = default;
};

enum class ctl_verb : std::uint8_t {
  status,
  routers,
  push,
  diff,
  rollback,
  history,
  where,
  keys_list,
  keys_set,
  keys_remove,
  keys_import,
  keys_export,
  backup,
};

/// What was asked for on the command line.
struct ctl_request {
  ctl_verb verb = ctl_verb::status;
  std::string url = "http://127.0.0.1:8081";
  std::string token_file{};
  std::string ca_file{};
  bool as_json = false;
  bool is_dry_run = false;
  bool replaces = false;  ///< an import takes all other rows away
  std::string message{};
  std::string guard{};  ///< that does not count this once
  std::string file{};   ///< to push, or of rows; `-`: what comes in
  std::string output_file{};
  std::string key{};
  std::string placement{};
  std::string prefix{};
  std::uint64_t version = 0;
  std::optional<std::uint64_t> other_version{};  ///< none: the current one
  std::uint64_t limit = 20;
};

/// Asks, and tells: tables for people, or the API's own JSON.
///
/// What is changed is changed only as it was when this began: who comes in between is not overwritten.
[[nodiscard]] outcome control(const ctl_request& asked, api_transport& way);

/// A key as a part of a path. Source: RFC 3986 section 2.1.
[[nodiscard]] std::string escape_segment(std::string_view text);

}  // namespace cellroute::tool
