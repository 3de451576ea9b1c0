"""User instructions per request, counted by callgrind: the same in every run, where CPU time drifts with the machine.

Two loads of different length in two processes; the difference of the instructions over the difference of the requests
leaves out start, end and warming up.
"""

import re

import peers
from rig import BenchError
from verify import verify

REQUESTS = (4_000, 16_000)
CONNECTIONS = 64


def instructions(bench, name, requests):
    """Of one process that answers so many requests, from start to end."""
    wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={bench.profile}"]
    peer = peers.start(bench.rig, name, bench.binaries[name], wrapper=wrapper, single_process=True, ready_seconds=60)
    try:
        verify(peer, bench.rig.keys)
        run = bench.rig.run_load(peer.port, [], "--connections", CONNECTIONS, "--requests", requests, "--seconds", 60,
                                 limit_seconds=90)
        if run.troubles or run.completed < requests:
            raise BenchError(f"{name} under callgrind: {run.completed} of {requests} requests, {run.troubles} failed")
    finally:
        bench.rig.stop(peer.process, patience_seconds=20)
    found = re.search(r"Collected : (\d+)", peer.process.log.read_text(errors="replace"))
    if not found:
        raise BenchError(f"callgrind gave no count for {name}: {peer.process.last_words()}")
    return int(found[1])


def measure(bench):
    print(f"\nuser instructions per request, {CONNECTIONS} connections")
    for name in bench.binaries:
        few, many = (instructions(bench, name, requests) for requests in REQUESTS)
        each = (many - few) / (REQUESTS[1] - REQUESTS[0])
        bench.results[f"instructions per request, {name}"] = each
        print(f"  {name:<10} {each:>9,.0f}", flush=True)
