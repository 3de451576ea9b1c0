#include "adapters/control/audit_json.hpp"

namespace cellroute::control {

void write_audit_line(process::json_writer& out, const audit_record& line) {
  out.begin_object().field("seq", line.sequence).field("at", line.at).field("actor", line.actor);
  out.field("action", line.action).field("target", line.target);
  if (!line.detail.empty()) out.field("detail", line.detail);
  out.field("hash", wire::to_hex(line.hash)).end_object();
}

}  // namespace cellroute::control
