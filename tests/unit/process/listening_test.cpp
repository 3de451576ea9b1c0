#include "adapters/process/listening.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace cellroute::process {
namespace {

TEST_CASE("listening: port 0 becomes one port for all, and is then had by somebody") {
  io::socket_address address = io::parse_address("127.0.0.1", 0).value();
  const auto opened = listen_on(address, false, 3);
  REQUIRE(opened);
  CHECK(opened->size() == 3);
  CHECK(address.port != 0);
  const auto again = listen_on(address, false, 1);
  REQUIRE_FALSE(again);
  CHECK(again.error() == "cannot listen on " + io::to_string(address) +
                             ": Address already in use; end the process that listens there, or choose another address");
  for (const int descriptor : *opened) ::close(descriptor);
}

TEST_CASE("listening: what is wrong with an address, and what to do") {
  const io::socket_address address = io::parse_address("192.0.2.1", 80).value();
  CHECK(listen_failure(address, EADDRNOTAVAIL) ==
        "cannot listen on 192.0.2.1:80: Cannot assign requested address; check the address");
  CHECK(listen_failure(address, EACCES).find("process.privileges") != std::string::npos);
}

}  // namespace
}  // namespace cellroute::process
