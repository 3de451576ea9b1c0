#include "adapters/proxy/head_edits.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "adapters/edge/request_id.hpp"
#include "adapters/http1/bytes.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::proxy {
namespace {

/// Whether a cell that turns `-` into `_`, as CGI does, reads the name as one of those by which it learns who is
/// asking: `X_Cell_Key` would be `X-Cell-Key` there.
bool is_look_alike(std::string_view name) {
  static constexpr std::string_view ours[] = {"x-cell-key",        "x-cell-placement", "x-cell-generation",
                                              "x-routing-key",     "x-request-id",     "x-forwarded-for",
                                              "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"};
  if (name.find('_') == std::string_view::npos) return false;
  return std::ranges::any_of(ours, [name](std::string_view own) {
    return name.size() == own.size() && std::ranges::equal(name, own, [](char given, char wanted) {
             return given == '_' ? wanted == '-' : to_lower(given) == wanted;
           });
  });
}

void skip_all(std::span<field> fields, field_name id) {
  for (field& f : fields) {
    if (f.id == id) f.skip = true;
  }
}

/// What a trusted proxy said of one of the X-Forwarded-* that have a single value stays; else it is replaced.
void add_unless_trusted(request_view& request, bool trusted, field_name id, std::string_view name,
                        std::string_view value, added_fields& added) {
  if (trusted && find_field(request.fields, id) != nullptr) return;
  skip_all(request.fields, id);
  if (!value.empty()) added.add(name, value);
}

/// `a, b` and the peer in one line, because many readers take only one line; in a line of its own where they are too
/// long.
void add_forwarded_for(request_view& request, bool trusted, std::string_view peer, edit_texts& texts,
                       added_fields& added) {
  if (!trusted) {
    skip_all(request.fields, field_name::x_forwarded_for);
    added.add("X-Forwarded-For", peer);
    return;
  }
  std::size_t size_bytes = 0;
  for (const field& f : request.fields) {
    if (f.id == field_name::x_forwarded_for) size_bytes += f.value.size() + 2;
  }
  if (size_bytes + peer.size() > texts.forwarded_for.size()) {
    added.add("X-Forwarded-For", peer);
    return;
  }
  char* out = texts.forwarded_for.data();
  for (field& f : request.fields) {
    if (f.id != field_name::x_forwarded_for) continue;
    f.skip = true;
    if (f.value.empty()) continue;
    out = std::copy(f.value.begin(), f.value.end(), out);
    *out++ = ',';
    *out++ = ' ';
  }
  out = std::copy(peer.begin(), peer.end(), out);
  added.add("X-Forwarded-For",
            {texts.forwarded_for.data(), static_cast<std::size_t>(out - texts.forwarded_for.data())});
}

}  // namespace

std::string_view take_request_id(std::span<field> fields, const request_id_rule& rule, random_numbers& rng,
                                 std::array<char, 32>& made) {
  const field* found = nullptr;
  bool repeated = false;
  for (field& f : fields) {
    if (!rule.names(f)) continue;
    f.skip = true;
    repeated = found != nullptr;
    found = &f;
  }
  if (rule.trust && found != nullptr && !repeated && edge::is_fit_request_id(found->value)) return found->value;
  return edge::make_request_id(rng, made);
}

bool is_trusted(const io::socket_address& address, std::span<const wire::network_prefix> trusted) {
  const std::span<const std::uint8_t> bytes(address.bytes.data(), address.v6 ? 16 : 4);
  return std::ranges::any_of(trusted, [&](const wire::network_prefix& p) { return p.contains(bytes); });
}

void edit_forwarded(request_view& request, const io::socket_address& peer, std::uint16_t local_port,
                    bool peer_is_trusted, edit_texts& texts, added_fields& added) {
  for (field& f : request.fields) {
    switch (f.id) {
      case field_name::x_cell_key:
      case field_name::x_cell_placement:
      case field_name::x_cell_generation:
        f.skip = true;
        break;
      case field_name::forwarded:
        f.skip = f.skip || !peer_is_trusted;
        break;
      case field_name::other:
        f.skip = f.skip || is_look_alike(f.name);
        break;
      default:
        break;
    }
  }
  const std::string_view peer_text(texts.peer.data(), io::write_host(peer, texts.peer.data()));
  add_forwarded_for(request, peer_is_trusted, peer_text, texts, added);
  const auto port = std::to_chars(texts.port.data(), texts.port.data() + texts.port.size(), local_port);
  const std::string_view port_text(texts.port.data(), static_cast<std::size_t>(port.ptr - texts.port.data()));
  add_unless_trusted(request, peer_is_trusted, field_name::x_forwarded_host, "X-Forwarded-Host", request.authority,
                     added);
  add_unless_trusted(request, peer_is_trusted, field_name::x_forwarded_proto, "X-Forwarded-Proto", request.scheme,
                     added);
  add_unless_trusted(request, peer_is_trusted, field_name::x_forwarded_port, "X-Forwarded-Port", port_text, added);
}

std::string_view client_address(std::span<const field> fields, const io::socket_address& peer,
                                std::span<const wire::network_prefix> trusted, std::array<char, 46>& peer_text) {
  if (!trusted.empty() && is_trusted(peer, trusted)) {
    std::string_view nearest;
    for (auto f = fields.rbegin(); f != fields.rend(); ++f) {
      if (f->id != field_name::x_forwarded_for) continue;
      std::string_view rest = f->value;
      while (!rest.empty()) {
        const std::size_t comma = rest.rfind(',');
        const std::string_view entry = http1::trim_ows(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
        const auto address = io::parse_address(entry, 0);
        if (!address)
          return nearest.empty() ? std::string_view(peer_text.data(), io::write_host(peer, peer_text.data())) : nearest;
        nearest = entry;
        if (!is_trusted(*address, trusted)) return nearest;
      }
    }
    if (!nearest.empty()) return nearest;
  }
  return {peer_text.data(), io::write_host(peer, peer_text.data())};
}

void remove_decision_fields(std::span<field> fields, const request_id_rule& rule) {
  for (field& f : fields) {
    switch (f.id) {
      case field_name::x_routed_to:
      case field_name::x_route_reason:
      case field_name::x_route_decision:
      case field_name::x_failover_reason:
      case field_name::x_circuit_state:
        f.skip = true;
        break;
      default:
        f.skip = f.skip || rule.names(f);
        break;
    }
  }
}

}  // namespace cellroute::proxy
