# bench_digest: digests of the key table, and rows as bytes, against their bars. OpenSSL hashes, as in the adapters.
find_package(OpenSSL REQUIRED)
add_executable(bench_digest digest.cpp)
target_link_libraries(bench_digest PRIVATE cellroute::cellroute cellroute_io cellroute_build OpenSSL::Crypto)
