#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/control/settings.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/wire/sync_messages.hpp"

namespace cellroute::control {

/// Why somebody is not let in.
struct gate_refusal {
  std::uint16_t status = 403;
  std::string_view code;    ///< a word for machines
  std::string_view detail;  ///< a fixed text: what is wrong, and what to do
};

/// Decides who may speak to the control plane: who has shown a certificate that the listener believes; who knows the
/// token, from wherever; and, if so configured, who is on this machine.
///
/// A page in a browser on this machine is on this machine, too, but nobody who runs it knows what it asks for. So
/// without a token nothing is answered to what names an Origin, nor under a name that a stranger's zone can have.
///
/// Threads: const from birth. The token itself is not kept, and how long a look takes does not tell of it.
class gate {
 public:
  /// Errors: the file cannot be read, others may read it, or what it holds is too short to be a secret.
  [[nodiscard]] static expected<gate, std::string> open(const auth_settings& auth);

  [[nodiscard]] std::optional<gate_refusal> why_not(const request_view& request,
                                                    const edge::downstream_facts& facts) const;
  [[nodiscard]] bool asks_for_token() const { return token_.has_value(); }

 private:
  bool loopback_without_token_ = true;
  std::optional<wire::digest> token_;
};

}  // namespace cellroute::control
