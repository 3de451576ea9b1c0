#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/control/api_target.hpp"
#include "adapters/control/registry.hpp"
#include "adapters/control/router_view.hpp"
#include "adapters/control/store_records.hpp"
#include "cellroute/base/time.hpp"

/// The HTTP API of the control plane as a function of values: what was asked, and what is answered. It knows no socket
/// and no library for HTTP. `openapi.json`, which it serves, says what it takes.
namespace cellroute::control {

enum class role : std::uint8_t;

/// Who is at the other end, as far as whoever accepted the connection knows.
struct peer_facts {
  bool is_local = false;                   ///< it comes from this machine
  std::string local_user{};                ///< the number of the user who came by the break-glass socket; empty: nobody
  std::string certificate{};               ///< the name in a client certificate that was verified; empty: none
  std::optional<role> certificate_role{};  ///< what that name may be; none: nothing
};

struct request {
  std::string method{};
  std::string target{};  ///< path and query, as they were sent
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  peer_facts peer{};
  std::string trace{};  ///< its id, told in the answer; empty: it has none

  /// The value of a header, its name in any case; nothing where there is none. Several are joined by a comma.
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
};

/// A body that comes in pieces, because it is large or has no end.
class body_source {
 public:
  virtual ~body_source() = default;
  /// Puts the next piece into `piece`, at most about 64 KiB. False: it is over.
  [[nodiscard]] virtual bool next(std::string& piece) = 0;
};

struct answer {
  std::uint16_t status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< `Content-Type` among them; no `Content-Length`
  std::string body{};
  std::unique_ptr<body_source> stream{};  ///< in place of `body`
};

/// What a router may be in: a session's state, or none.
inline constexpr std::string_view router_states[] = {"waiting_hello", "in_sync", "behind",  "sending", "waiting_ack",
                                                     "rejected",      "ended",   "suspect", "away"};

/// What the API asks of whoever holds the routers' sessions. JSON texts, so that what is known of a router may grow.
///
/// Threads: any, several at once.
class router_directory {
 public:
  /// What is asked for; empty: any.
  struct filter {
    std::string state{};
    std::optional<std::uint64_t> version{};
    std::vector<std::pair<std::string, std::string>> labels{};  ///< it has all of them
    std::string after{};                                        ///< the id behind which it goes on
    std::size_t limit = 100;
  };
  struct listing {
    std::vector<std::string> routers{};  ///< an object each
    std::string next{};                  ///< the last id, where there are more
  };

  [[nodiscard]] virtual listing routers(const filter& asked) = 0;
  [[nodiscard]] virtual std::optional<std::string> router(std::string_view id) = 0;
  /// Who runs what, and since when.
  [[nodiscard]] virtual std::string drift() = 0;
  /// What runs where, with at most so many ids each. Nothing: nobody can tell now.
  [[nodiscard]] virtual std::optional<running_fleet> running(std::size_t ids_max) = 0;
  /// Why the followed file is not what is published; empty where it is, or none is followed.
  [[nodiscard]] virtual std::vector<std::string> mistakes() = 0;
  /// Has the followed file read again; the guards named in `lifted`, with commas between, do not count for that. False:
  /// none is followed.
  [[nodiscard]] virtual bool retry_file(std::string_view lifted) = 0;
  /// `resync` or `goaway`. False: no router of that id is here.
  [[nodiscard]] virtual bool command(std::string_view id, std::string_view what) = 0;

 protected:
  ~router_directory() = default;
};

/// The audit as it is stored.
class audit_source {
 public:
  virtual ~audit_source() = default;
  /// By their numbers, beginning behind `sequence`.
  [[nodiscard]] virtual stored<std::vector<audit_record>> lines_behind(std::uint64_t sequence, std::size_t limit) = 0;
};

/// What happens, as server-sent events.
class event_feed {
 public:
  /// Those behind `last`, and all that come; none: those that come. Null: there are `max_watchers` already.
  ///
  /// Lines of the audit that the feed does not have any more are read from `lines`.
  [[nodiscard]] virtual std::unique_ptr<body_source> watch(std::optional<event_mark> last,
                                                           std::unique_ptr<audit_source> lines) = 0;

 protected:
  ~event_feed() = default;
};

struct api_settings {
  bool require_preconditions = true;
  std::size_t body_max = std::size_t{256} << 20;
  duration idempotency_for = 24h;
  bool loopback_without_token = true;
  std::optional<wire::digest> admin_token{};        ///< SHA-256 of a token that may do everything
  bool is_following_file = false;                   ///< then nothing is written here: the file is what counts
  std::optional<duration> version_interval = 50ms;  ///< of one principal's versions, in the long run; none: any
  std::uint32_t version_burst = 100;                ///< versions that he may make at once before that counts
  std::string build{};                              ///< of this program, for /v1/info
  std::string base_dialect{};                       ///< that routers of the base protocol are spoken to in
  std::uint32_t routers_max = 0;
};

/// What is around it; null where there is no such thing.
struct api_surroundings {
  router_directory* routers = nullptr;
  event_feed* events = nullptr;
};

/// Knows the tokens that were given out.
class token_book {
 public:
  /// Whose token has this SHA-256; nothing: nobody's, or it is over.
  [[nodiscard]] virtual std::optional<role> role_of(const wire::digest& token, wall_time now) = 0;

 protected:
  ~token_book() = default;
};

struct api_state;

/// Threads: any, several at once.
class api final : public token_book {
 public:
  /// The registry and the surroundings outlive it. Errors: those of the store.
  [[nodiscard]] static expected<std::unique_ptr<api>, problem> open(registry& of, api_settings settings,
                                                                    api_surroundings around);
  ~api();
  api(const api&) = delete;
  api& operator=(const api&) = delete;

  /// Answers every request, whatever it holds; mistakes with a problem document (RFC 9457).
  ///
  /// HEAD is answered as GET: whoever sends it leaves the content out, and says the length that it would have.
  /// What is streamed holds on to the content that it began with, and to the registry.
  [[nodiscard]] answer handle(const request& asked, wall_time now);

  /// Waits for no disk.
  [[nodiscard]] std::optional<role> role_of(const wire::digest& token, wall_time now) override;

 private:
  explicit api(std::unique_ptr<api_state> state);
  std::unique_ptr<api_state> state_;
};

/// What the body of such a request may have, where any may have `body_max`.
[[nodiscard]] std::size_t body_max_of(std::string_view method, std::string_view target, std::size_t body_max);

/// The contract, an OpenAPI 3.1 document as JSON.
[[nodiscard]] std::string_view openapi_document();

}  // namespace cellroute::control
