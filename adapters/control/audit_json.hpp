#pragma once

#include "adapters/control/store_records.hpp"
#include "adapters/process/json_writer.hpp"

namespace cellroute::control {

/// A line of the audit, as the API and the events show it.
void write_audit_line(process::json_writer& out, const audit_record& line);

}  // namespace cellroute::control
