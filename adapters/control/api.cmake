# The store, the registry and the API of the control plane: no socket, no process.
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)

add_library(cellroute_control_api STATIC
  registry.cpp
  registry_document.cpp
  store_access.cpp
  store_audit.cpp
  store_database.cpp
  store_history.cpp
  store_open.cpp
  store_publish.cpp
)
target_link_libraries(cellroute_control_api PUBLIC cellroute_sync PRIVATE cellroute_process cellroute_build fmt::fmt
  OpenSSL::Crypto SQLite::SQLite3)
