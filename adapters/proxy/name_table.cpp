#include "adapters/proxy/name_table.hpp"

#include <cstring>
#include <utility>

namespace cellroute::proxy {
namespace {

/// The first address is taken: the system sorts them (RFC 6724), and spreading over several is what endpoints are for.
std::optional<io::socket_address> first_address(const asio::ip::tcp::resolver::results_type& results) {
  for (const auto& entry : results) {
    io::socket_address address;
    const asio::ip::address found = entry.endpoint().address();
    if (found.is_v4()) {
      const auto bytes = found.to_v4().to_bytes();
      std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
    } else {
      const auto bytes = found.to_v6().to_bytes();
      std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
      address.v6 = true;
    }
    return address;
  }
  return std::nullopt;
}

}  // namespace

name_resolver::name_resolver(asio::io_context& context, name_table& table, name_listener& listener)
    : table_(table), listener_(listener), resolver_(context), timer_(context) {}

void name_resolver::watch(std::set<std::string> hosts) {
  hosts_ = std::move(hosts);
  timer_.cancel();
  ask_all();
}

void name_resolver::stop() {
  timer_.cancel();
  resolver_.cancel();
}

void name_resolver::ask_all() {
  if (hosts_.empty()) return;
  for (const std::string& host : hosts_) ask(host);
  timer_.expires_after(refresh);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) ask_all();
  });
}

void name_resolver::ask(const std::string& host) {
  ++pending_;
  resolver_.async_resolve(host, "", [this, host](const asio::error_code& error, const auto& results) {
    --pending_;
    if (error == asio::error::operation_aborted) return;
    const std::optional<io::socket_address> address = error ? std::nullopt : first_address(results);
    if (!address) {
      if (!table_.find(host)) listener_.on_unresolved(host, error ? error.message() : "no address");
      return;
    }
    if (table_.set(host, *address)) listener_.on_address(host, *address);
  });
}

}  // namespace cellroute::proxy
