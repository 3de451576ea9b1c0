# The store, the registry and the API of the control plane: no socket, no process.
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)

add_library(cellroute_control_api STATIC
  api.cpp
  api_access.cpp
  api_backup.cpp
  api_config.cpp
  api_contract.cpp
  api_fleet.cpp
  api_history.cpp
  api_keys.cpp
  api_parts.cpp
  api_placements.cpp
  api_target.cpp
  api_tokens.cpp
  api_transfer.cpp
  api_writing.cpp
  audit_json.cpp
  base_text.cpp
  registry.cpp
  registry_document.cpp
  request_trace.cpp
  store_access.cpp
  store_audit.cpp
  store_database.cpp
  store_history.cpp
  store_open.cpp
  store_publish.cpp
  write_pace.cpp
)

# The contract is served as it is written.
file(READ ${CMAKE_CURRENT_SOURCE_DIR}/api/openapi.json cellroute_openapi)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/api/openapi.json)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/openapi.cpp @ONLY CONTENT [[
#include "adapters/control/api.hpp"

// Longer than the standard asks of compilers; those that build this take it.
#pragma GCC diagnostic ignored "-Woverlength-strings"
std::string_view cellroute::control::openapi_document() { return R"openapi(@cellroute_openapi@)openapi"; }
]])
target_sources(cellroute_control_api PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/openapi.cpp)
target_link_libraries(cellroute_control_api PUBLIC cellroute_sync PRIVATE cellroute_process cellroute_websocket cellroute_build fmt::fmt
  OpenSSL::Crypto SQLite::SQLite3)
