#include "adapters/process/listening.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "adapters/io/socket.hpp"

namespace cellroute::process {

std::string listen_failure(const io::socket_address& address, int error) {
  const std::string_view advice = error == EADDRINUSE ? "end the process that listens there, or choose another address"
                                  : error == EACCES
                                      ? "ports below 1024 need a privilege, and process.privileges gives it up: "
                                        "choose another, or restart"
                                      : "check the address";
  return "cannot listen on " + io::to_string(address) + ": " + std::strerror(error) + "; " + std::string(advice);
}

expected<std::vector<int>, std::string> listen_on(io::socket_address& address, bool any_host, std::size_t count) {
  io::listen_options alone;
  alone.reuse_port = false;
  expected<int, int> probe = io::open_listener(address, alone);
  if (!probe && any_host && probe.error() == EAFNOSUPPORT) {  // a host without IPv6
    address = {{}, address.port, false};
    probe = io::open_listener(address, alone);
  }
  if (!probe) return unexpected(listen_failure(address, probe.error()));
  address.port = io::local_address(*probe).port;
  if (count == 1) return std::vector<int>{*probe};
  ::close(*probe);
  std::vector<int> opened;
  for (std::size_t i = 0; i < count; ++i) {
    const expected<int, int> one = io::open_listener(address, io::listen_options{});
    if (!one) {
      for (const int descriptor : opened) ::close(descriptor);
      return unexpected(listen_failure(address, one.error()));
    }
    opened.push_back(*one);
  }
  return opened;
}

}  // namespace cellroute::process
