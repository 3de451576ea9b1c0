#include "adapters/wire/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/wire/node.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::wire {
namespace {

unexpected<std::string> refuse(std::string_view name, std::string_view must_be, std::string_view value) {
  return unexpected(fmt::format("{}: {}, not {}", name, must_be, quote(value)));
}

}  // namespace

expected<settings, std::string> effective(settings local, const overrides& flags, const overrides& environment) {
  socket_address& listen = local.listeners.front().address;
  for (const overrides* given : {&environment, &flags}) {
    const bool is_flag = given == &flags;
    if (given->port && !given->port->empty()) {
      const auto port = parse_count(*given->port);
      if (!port || *port > 65535)
        return refuse(is_flag ? "--port" : "PORT", "must be a port from 0 to 65535", *given->port);
      listen.port = static_cast<std::uint16_t>(*port);
    }
    if (given->listen) {
      auto address = parse_socket_address(*given->listen);
      if (!address) return refuse(is_flag ? "--listen" : "LISTEN", address.error(), *given->listen);
      listen = *std::move(address);
    }
    if (given->state_dir) {
      auto folder = parse_folder_name(*given->state_dir);
      if (!folder) return refuse(is_flag ? "--state-dir" : "STATE_DIR", folder.error(), *given->state_dir);
      const bool is_named = !is_off(*folder);
      local.process.state_dir = is_named ? std::filesystem::absolute(*folder).string() : *std::move(folder);
    }
    if (given->control_plane && !given->control_plane->empty()) {
      std::vector<control_plane_url> urls;
      std::string_view left = *given->control_plane;
      while (!left.empty()) {
        const std::string_view one = left.substr(0, left.find(','));
        auto url = parse_control_plane_url(one);
        if (!url) return refuse(is_flag ? "--control-plane" : "CONTROL_PLANE_URL", url.error(), one);
        urls.push_back(*std::move(url));
        left.remove_prefix(std::min(one.size() + 1, left.size()));
      }
      if (!local.control_plane) local.control_plane.emplace();
      local.control_plane->urls = std::move(urls);
    }
    if (given->admin) {
      auto address = parse_socket_address(*given->admin);
      if (!address) return refuse(is_flag ? "--admin" : "ADMIN", address.error(), *given->admin);
      local.admin.address = *std::move(address);
    }
  }
  return local;
}

}  // namespace cellroute::wire
