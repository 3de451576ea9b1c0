#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/control/api_access.hpp"
#include "adapters/control/settings.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/io/tls_session.hpp"
#include "adapters/wire/sync_messages.hpp"

namespace cellroute::control {

/// What somebody comes for.
///
/// routers  a session of a router's
/// api      what the API lets him do, which it looks at itself
/// pages    metrics
enum class door : std::uint8_t { routers, api, pages };

/// Whether an address is one of this machine alone.
[[nodiscard]] bool is_loopback(const io::socket_address& address);

/// Why somebody is not let in.
struct gate_refusal {
  std::uint16_t status = 403;
  std::string_view code;    ///< a word for machines
  std::string_view detail;  ///< a fixed text: what is wrong, and what to do
};

/// Decides who may speak to the control plane: who knows the token of the settings, or one that was given out and is
/// for this, from wherever; if so configured, who is on this machine; and who has shown a certificate that the listener
/// believes, for what its name is for. A token that is named counts, whatever else is shown.
///
/// A page in a browser on this machine is on this machine, too, but nobody who runs it knows what it asks for. So
/// without a token nothing is answered to what names an Origin, nor under a name that a stranger's zone can have.
///
/// Threads: the reactor's. The token itself is not kept, and how long a look takes does not tell of it.
class gate {
 public:
  /// Errors: the file cannot be read, others may read it, or what it holds is too short to be a secret.
  [[nodiscard]] static expected<gate, std::string> open(const auth_settings& auth);

  [[nodiscard]] std::optional<gate_refusal> why_not(const request_view& request, const edge::downstream_facts& facts,
                                                    door to, wall_time now) const;
  /// The SHA-256 of the token that a request names; nothing where it names none.
  [[nodiscard]] static std::optional<wire::digest> token_of(const request_view& request);
  /// Whether a token that let somebody in still does.
  [[nodiscard]] bool still_opens(const wire::digest& token, door to, wall_time now) const;
  /// What a certificate, which a listener believes, is for at the API; nothing: for nothing.
  [[nodiscard]] std::optional<role> role_of(const io::tls_identity& client) const;
  [[nodiscard]] bool asks_for_token() const { return token_.has_value(); }
  [[nodiscard]] const std::optional<wire::digest>& admin_token() const { return token_; }
  /// Tokens that count besides; the book outlives the gate.
  void set_book(token_book& book) { book_ = &book; }

 private:
  [[nodiscard]] std::optional<gate_refusal> why_not_by_token(const wire::digest& token, door to, wall_time now) const;
  [[nodiscard]] static std::optional<gate_refusal> why_not_by_socket(const request_view& request, door to);
  [[nodiscard]] std::optional<gate_refusal> why_not_here(const request_view& request,
                                                         const edge::downstream_facts& facts) const;
  [[nodiscard]] std::optional<gate_refusal> why_not_by_certificate(const io::tls_identity& client, door to) const;

  bool loopback_without_token_ = true;
  std::vector<certificate_rule> certificates_;
  std::optional<wire::digest> token_;
  token_book* book_ = nullptr;
};

}  // namespace cellroute::control
