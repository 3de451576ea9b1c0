#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "adapters/io/address.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::proxy {

/// Fields that the router adds to a head: a fixed number, none allocated.
class added_fields {
 public:
  static constexpr std::size_t capacity = 12;

  void add(std::string_view name, std::string_view value) {
    if (size_ < capacity) fields_[size_++] = field{name, value, field_name::other, false};
  }
  void clear() { size_ = 0; }
  [[nodiscard]] std::span<const field> span() const { return {fields_.data(), size_}; }

 private:
  std::array<field, capacity> fields_;
  std::size_t size_ = 0;
};

/// The text that a request's edits refer to; lives as long as the request.
struct edit_texts {
  std::array<char, 32> made_request_id;
  std::array<char, 46> peer;
  std::array<char, 5> port;
  std::array<char, 1024> forwarded_for;
};

/// Which field carries the request id. Made once from the settings, so that no request compares the usual name.
struct request_id_rule {
  std::string_view header;
  bool trust = true;
  bool usual = true;

  explicit request_id_rule(const wire::request_id_settings& settings)
      : header(settings.header), trust(settings.trust), usual(equal_ignoring_case(settings.header, "X-Request-Id")) {}
  [[nodiscard]] bool names(const field& f) const {
    return usual ? f.id == field_name::x_request_id : f.id == field_name::other && equal_ignoring_case(f.name, header);
  }
};

/// The client's request id if it is trusted and fit, else a new one of 32 hexadecimal digits. Marks the client's own as
/// not passed on in either case: the router writes it itself.
[[nodiscard]] std::string_view take_request_id(std::span<field> fields, const request_id_rule& rule,
                                               random_numbers& rng, std::array<char, 32>& made);

/// Whether an address belongs to the listener's trusted proxies.
[[nodiscard]] bool is_trusted(const io::socket_address& address, std::span<const wire::network_prefix> trusted);

/// Adds or extends what tells the upstream who the client is, and removes what a client may not say:
/// - X-Forwarded-For: the peer's address, behind what a trusted peer sent;
/// - X-Forwarded-Host, -Proto, -Port: as a trusted peer sent them, else this connection's;
/// - X-Cell-*, and Forwarded from an untrusted peer: removed; so are the names of ours with `_` for `-`.
void edit_forwarded(request_view& request, const io::socket_address& peer, std::uint16_t local_port,
                    bool peer_is_trusted, edit_texts& texts, added_fields& added);

/// Who the client is for the log: the last address of X-Forwarded-For that is no trusted proxy itself, if the peer is
/// one.
[[nodiscard]] std::string_view client_address(std::span<const field> fields, const io::socket_address& peer,
                                              std::span<const wire::network_prefix> trusted,
                                              std::array<char, 46>& peer_text);

/// Takes the router's own fields out of an upstream's answer, so that a cell cannot speak in the router's name.
void remove_decision_fields(std::span<field> fields, const request_id_rule& rule);

}  // namespace cellroute::proxy
