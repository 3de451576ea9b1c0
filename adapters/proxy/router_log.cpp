#include "adapters/proxy/router_log.hpp"

#include "adapters/wire/scalars.hpp"

namespace cellroute::proxy {
namespace {

process::access_preset preset_of(wire::access_preset preset) {
  switch (preset) {
    case wire::access_preset::standard:
      return process::access_preset::standard;
    case wire::access_preset::m1:
      return process::access_preset::m1;
    case wire::access_preset::homebrew:
      return process::access_preset::homebrew;
    case wire::access_preset::spec:
      return process::access_preset::spec;
    case wire::access_preset::ecs:
      return process::access_preset::ecs;
    case wire::access_preset::otel:
      return process::access_preset::otel;
  }
  return process::access_preset::standard;
}

}  // namespace

process::log_level level_of(wire::log_level level) {
  switch (level) {
    case wire::log_level::debug:
      return process::log_level::debug;
    case wire::log_level::info:
      return process::log_level::info;
    case wire::log_level::warn:
      return process::log_level::warn;
    case wire::log_level::error:
      return process::log_level::error;
  }
  return process::log_level::info;
}

process::access_layout layout_of(const wire::access_settings& access) {
  return process::access_layout(preset_of(access.preset), access.fields);
}

std::string output_of(const wire::configuration& c) {
  const wire::access_output& output = c.local.log.access.output;
  return output.sink == wire::access_sink::file ? wire::path_from_file(c, output.file) : to_string(output);
}

}  // namespace cellroute::proxy
