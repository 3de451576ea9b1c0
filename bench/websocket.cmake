# bench_websocket: masks, texts and whole messages beside a plain copy.
add_executable(bench_websocket websocket.cpp)
target_link_libraries(bench_websocket PRIVATE cellroute_websocket cellroute_build)
