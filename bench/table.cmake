# bench_table: the routing table against its bars. Abseil is only an anchor.
find_package(absl REQUIRED)
find_package(Threads REQUIRED)
add_executable(bench_table table.cpp)
target_link_libraries(bench_table PRIVATE cellroute::cellroute cellroute_io cellroute_build absl::flat_hash_map Threads::Threads)
