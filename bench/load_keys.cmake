# bench_load_keys: configurations and key files at size; what bench_load does is make requests.
add_executable(bench_load_keys load_keys.cpp)
target_link_libraries(bench_load_keys PRIVATE cellroute_wire cellroute_io cellroute_build)
