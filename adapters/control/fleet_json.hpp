#pragma once

#include <string>

#include "adapters/control/fleet_drift.hpp"
#include "adapters/control/router_view.hpp"

namespace cellroute::control {

// What is known of routers, as JSON. Each appends one object.

void write_router(std::string& out, const router_view& router);
void write_drift(std::string& out, const fleet_drift& drift);

}  // namespace cellroute::control
