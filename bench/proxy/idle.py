"""Memory per idle client.

Always a fresh process: memory that an earlier load left on the heap would be used again, and hide what clients cost.
The warm-up before the first look has only 8 connections, so that it can hide at most 8 clients.
"""

import json
import os
import select
import subprocess
import time

from rig import LOAD_CORE, BenchError, anonymous_bytes
from verify import verify

STEPS = (1_000, 5_000)
HEADER = ["", "MiB, none", *(f"MiB, {step:,}" for step in STEPS), *(f"KiB/client, {step:,}" for step in STEPS),
          "sampled alive"]


class Lines:
    """Lines of a pipe, each awaited for a bounded time."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.pending = b""

    def next(self, limit_seconds):
        deadline = time.monotonic() + limit_seconds
        while b"\n" not in self.pending:
            if not select.select([self.fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise BenchError(f"the generator said nothing for {limit_seconds} s")
            got = os.read(self.fd, 65536)
            if not got:
                raise BenchError("the generator ended early")
            self.pending += got
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()


def measure(bench, name):
    """KiB per client at the last step, and the table's row."""
    rig = bench.rig
    peer = bench.start(name)
    verify(peer, rig.keys)
    rig.run_load(peer.port, [], "--connections", 8, "--seconds", 0.2, "--warm-up", 0)
    time.sleep(bench.plan.settle_seconds)
    base = anonymous_bytes(peer.pids())
    argv = rig.load_argv(peer.port, rig.keys, "--idle", ",".join(map(str, STEPS)))
    load = rig.start(argv, LOAD_CORE, "idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        said = Lines(load.child.stdout)
        held = []
        for step in STEPS:
            if said.next(30) != f"idle {step}":
                raise BenchError(f"{name}: {load.last_words()}")
            time.sleep(bench.plan.settle_seconds)
            held.append(anonymous_bytes(peer.pids()))
            load.child.stdin.write(b"\n")
            load.child.stdin.flush()
        end = json.loads(said.next(30))
    except BenchError as error:
        raise BenchError(f"{name}, idle clients: {error}; {load.last_words()}") from None
    finally:
        for each in (load, peer.process):
            rig.stop(each)
    bench.troubles += end["lost"] + end["dead"]
    kib = [(bytes_held - base) / 1024 / step for bytes_held, step in zip(held, STEPS)]
    alive = f"{end['sampled'] - end['dead']} of {end['sampled']}"
    row = [name, *(f"{each / 2**20:.1f}" for each in (base, *held)), *(f"{each:.2f}" for each in kib), alive]
    return kib[-1], row
