#!/usr/bin/env python3
"""A configuration file that changes N times while requests run: how many failed, and how soon each change was live.

Example: python3 bench/reload.py --router build/release/bin/cellroute-router --load build/release/bin/bench_load \\
           --upstream build/release/bin/bench_upstream

Exit codes: 0 none failed, 1 some did or a change was not applied, 2 nothing could be measured.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

CELLS = ("tier1", "tier3")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def page(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.loads(answer.read())


def wait_until(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if what():
                return True
        except OSError:
            pass
        time.sleep(0.005)
    return False


def configuration(ports, number):
    """One key of no request moves each time, so that what the load asks for stays where it is."""
    return json.dumps({
        "version": str(number),
        "listeners": [{"name": "web", "address": f"127.0.0.1:{ports['web']}"}],
        "admin": {"address": f"127.0.0.1:{ports['admin']}"},
        "log": {"access": {"output": "off"}},
        "routing": {"default_placement": "tier3",
                    "keys": {"inline": {"acme": "tier1", "moving": CELLS[number % 2]}}},
        "placements": {cell: {"endpoints": [{"url": f"http://127.0.0.1:{ports[cell]}"}]} for cell in CELLS},
    })


def run(arguments, folder, started):
    ports = {name: free_port() for name in (*CELLS, "web", "admin")}
    config, keys = folder / "router.json", folder / "keys.tsv"
    config.write_text(configuration(ports, 0))
    keys.write_text("acme\ttier1\nnobody\ttier3\n")
    start = lambda *argv: started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
    start(arguments.upstream, *(word for cell in CELLS for word in ("--cell", f"{cell}={ports[cell]}")))
    start(arguments.router, "--config", str(config))
    router = started[-1]
    if not wait_until(lambda: page(ports["admin"], "/health"), 10):
        print("reload: the router did not start", file=sys.stderr)
        return 2
    start(arguments.load, "--port", str(ports["web"]), "--keys", str(keys), "--connections", "64", "--verify",
          "--requests", str(arguments.requests), "--rate", str(arguments.rate), "--seconds", "600")
    load = started[-1]
    lives, late = [], 0
    for number in range(1, arguments.reloads + 1):
        replacement = folder / "router.new"
        replacement.write_text(configuration(ports, number))
        edited = time.monotonic()
        os.rename(replacement, config)
        if wait_until(lambda: page(ports["admin"], "/debug/config")["version"] == str(number), 10):
            lives.append(time.monotonic() - edited)
        else:
            late += 1
    during = load.poll() is None  # the last change came while requests ran
    told = json.loads(load.communicate(timeout=600)[0])
    print(f"{told['answered']:,} requests, {told['failed']} failed, {told['wrong']} to the wrong cell, "
          f"{told['reconnects']} connections lost")
    print(f"{len(lives)} of {arguments.reloads} changes applied, {'all' if during else 'not all'} of them under load; "
          f"live after {statistics.median(lives):.3f} s (median), {max(lives):.3f} s (longest)")
    alive = router.poll() is None
    bad = told["failed"] + told["wrong"] + told["reconnects"] + late
    return 0 if bad == 0 and during and alive and max(lives) < 1 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("router", "load", "upstream"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--rate", type=int, default=20_000, help="requests a second")
    arguments = parser.parse_args()
    started = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run(arguments, pathlib.Path(folder), started)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
