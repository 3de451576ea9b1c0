#!/bin/sh
# User instructions per request of the router (and, with --peers, of the others): see callgrind.py.
# Example: bench/proxy/callgrind.sh --router build/release/bin/cellroute-router \
#            --load build/release/bin/bench_load --upstream build/release/bin/bench_upstream --peers cellroute
exec timeout --kill-after=10 720 python3 "$(dirname "$0")/run.py" --only callgrind "$@"
