# bench_last_known_good: contents that were pushed, kept in a folder and found again at a start.
add_executable(bench_last_known_good last_known_good.cpp)
target_link_libraries(bench_last_known_good PRIVATE cellroute_proxy cellroute_build)
