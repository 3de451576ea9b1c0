# bench_control_store: the store of the control plane with a million rows.
add_executable(bench_control_store control_store.cpp)
target_link_libraries(bench_control_store PRIVATE cellroute_control_api cellroute_build)
