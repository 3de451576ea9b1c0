#include "adapters/control/listener_tls.hpp"

#include <fmt/format.h>

namespace cellroute::control {
namespace {

io::client_auth clients_of(wire::client_auth_mode mode) {
  switch (mode) {
    case wire::client_auth_mode::off:
      return io::client_auth::off;
    case wire::client_auth_mode::optional:
      return io::client_auth::optional;
    case wire::client_auth_mode::required:
      return io::client_auth::required;
  }
  return io::client_auth::required;
}

}  // namespace

expected<io::tls_context, std::vector<std::string>> make_listener_tls(const wire::listener_tls_settings& tls,
                                                                      std::string_view path, wall_time now) {
  io::tls_server_options options;
  for (const wire::tls_certificate_settings& c : tls.certificates)
    options.certificates.push_back({c.names, c.cert_file, c.key_file});
  options.clients = clients_of(tls.client_auth.mode);
  options.client_ca_file = tls.client_auth.ca_file;
  options.version_min =
      tls.version_min == wire::tls_version::v1_3 ? io::tls_version::tls_1_3 : io::tls_version::tls_1_2;
  auto made = io::make_tls_server(options, now);
  if (made) return *std::move(made);
  std::vector<std::string> lines;
  for (const io::tls_mistake& m : made.error()) lines.push_back(fmt::format("{}.{}: {}", path, m.field, m.what));
  return unexpected(std::move(lines));
}

}  // namespace cellroute::control
