#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/tool/tool.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

/// `cellroute ctl`: what an operator asks of a running control plane, and what he is told.
namespace cellroute::tool {

inline constexpr int exit_refused = 4;    ///< the control plane does not do it, or not for this token
inline constexpr int exit_no_answer = 5;  ///< it is not there, or does not answer in time

/// Hears how far a long request is.
class transfer_listener {
 public:
  /// Bytes that have gone; `all` is 0 where nobody knows.
  virtual void on_sent(std::uint64_t done_bytes, std::uint64_t all_bytes) = 0;
  virtual void on_received(std::uint64_t done_bytes, std::uint64_t all_bytes) = 0;

 protected:
  ~transfer_listener() = default;
};

/// Takes an answer that has no end.
class piece_listener {
 public:
  /// False: it is enough.
  [[nodiscard]] virtual bool on_piece(std::string_view bytes) = 0;

 protected:
  ~piece_listener() = default;
};

/// A request to the API.
struct api_request {
  std::string method = "GET";
  std::string target{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string type{};  ///< of the body
  transfer_listener* hears = nullptr;
};

struct api_reply {
  int status = 0;
  std::string body{};
};

/// Why there is no answer.
struct no_reply {
  std::string why;                ///< as a line for the operator
  bool may_have_arrived = false;  ///< the request: what it asks for may be done
};

/// The way to a control plane.
class api_transport {
 public:
  [[nodiscard]] virtual expected<api_reply, no_reply> ask(const api_request& what) = 0;
  /// The same, where a good answer (200) has no end: it is told as it comes, and the body is empty. It returns when
  /// that is cut, or was enough.
  [[nodiscard]] virtual expected<api_reply, no_reply> follow(const api_request& what, piece_listener& to) = 0;
  /// Ends what waits now. Threads: any.
  virtual void stop() = 0;

 protected:
  ~api_transport() = default;
};

/// Where a command that goes on for long speaks, and is ended.
class ctl_console {
 public:
  /// At once. False: nobody reads it any more.
  [[nodiscard]] virtual bool print(std::string_view text) = 0;
  /// For a person, beside what is printed.
  virtual void note(std::string_view text) = 0;
  /// Whether a person looks at that who has use for how far something is.
  [[nodiscard]] virtual bool shows_progress() const = 0;
  /// How many characters a line may have; 0: any, since no terminal shows it.
  [[nodiscard]] virtual std::size_t columns() const = 0;
  [[nodiscard]] virtual time_point now() const = 0;
  /// False: somebody ends it meanwhile.
  [[nodiscard]] virtual bool pause(duration how_long) = 0;
  [[nodiscard]] virtual bool is_ending() const = 0;

 protected:
  ~ctl_console() = default;
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
  endpoints_drain,
  endpoints_undrain,
  keys_import,
  keys_export,
  backup,
  watch,
  retry,
  resync,
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
  std::string endpoint{};  ///< of that placement
  std::string router{};    ///< its id
  std::string prefix{};
  std::uint64_t version = 0;
  std::optional<std::uint64_t> other_version{};  ///< none: the current one
  std::uint64_t limit = 20;
};

/// Asks, and tells: tables for people, or the API's own JSON.
///
/// What is changed is changed only as it was when this began: who comes in between is not overwritten.
[[nodiscard]] outcome control(const ctl_request& asked, api_transport& way, ctl_console& console);

/// What the control plane said against it: its words, and every mistake with its place in `file`; without a file, the
/// body is the tool's own, and has no places.
[[nodiscard]] outcome refusal_of(const api_reply& reply, std::string_view file);

/// The same for a program: where it failed and prints nothing, it prints the problem document, or one of its own that
/// has the same members (RFC 9457).
[[nodiscard]] outcome with_problem(outcome done);

/// A key as a part of a path. Source: RFC 3986 section 2.1.
[[nodiscard]] std::string escape_segment(std::string_view text);

}  // namespace cellroute::tool
