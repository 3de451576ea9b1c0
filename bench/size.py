#!/usr/bin/env python3
"""A table of a million keys, at cellroute, nginx and HAProxy: ready, memory, one changed key, and who noticed.

Each job is done by all of them in turns. What is printed: exec to ready (median), memory above the same proxy with four
keys (at rest, 5 s after ready), one key changed on disk until a request sees it, requests that failed meanwhile, and
their p99 beside that of a quiet time. Then ten million keys, and what a request costs with a million keys and with four.

Example: python3 bench/size.py --router build/release/bin/cellroute-router --tool build/release/bin/cellroute \\
           --load build/release/bin/bench_load --upstream build/release/bin/bench_upstream

Exit codes: 0 all bars hold, 1 a bar is missed, 2 nothing could be measured.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no cache files beside the sources
sys.path.insert(0, str(Path(__file__).parent / "proxy"))

import peers
from rig import (CELLS, DEFAULT_CELL, LOAD_CORE, PROXY_CORE, BenchError, Keys, Rig, anonymous_bytes, free_ports,
                 wait_for_port)

FEW = 4
MOVING = 1  # the key that is changed: its number; of a cell that is not the default one
MIB = 1 << 20
STARTS = 5  # of each proxy in each round; each time to ready is one sample
RATE = 1_000  # requests a second while a key changes: far below half of what any of them can do
WINDOW_SECONDS = 2.0


# --- the proxies ---

@dataclass
class Contender:
    """One proxy, with its keys in one form."""

    name: str
    binary: str
    tool: str = ""

    def argv(self, directory, port, keys, cell_ports):
        """Writes all that it needs into the directory; the command that starts it."""
        raise NotImplementedError

    def write_keys(self, directory, keys, moved_to=None):
        """Writes what a change replaces; one key has moved there."""
        raise NotImplementedError

    def tell(self, process):
        """After the files were replaced: what an operator does next. A router that looks for itself needs nothing."""


def rows_of(keys, moved_to):
    for number, (key, cell) in enumerate(keys.rows()):
        yield key, moved_to if moved_to and number == MOVING else cell


class CellrouteFile(Contender):
    """Keys in a file beside the configuration."""

    def argv(self, directory, port, keys, cell_ports):
        self.port, self.cell_ports, (self.admin_port,) = port, cell_ports, free_ports(1)
        self.write_keys(directory, keys)
        self.write_configuration(directory, {"files": ["keys.tsv"]})
        return [self.binary, "--config", str(directory / "cellroute.json")]

    def write_keys(self, directory, keys, moved_to=None):
        (directory / "keys.tsv").write_text("".join(f"{key}\t{cell}\n" for key, cell in rows_of(keys, moved_to)))

    def write_configuration(self, directory, keys):
        (directory / "cellroute.json").write_text(json.dumps({
            "process": {"workers": 1},
            "listeners": [{"name": "web", "address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "log": {"access": {"output": "off"}},
            "routing": {"default_placement": DEFAULT_CELL, "keys": keys},
            "placements": {cell: {"kind": "dedicated" if cell == "visa" else "shared",
                                  "endpoints": [{"url": f"http://127.0.0.1:{cell_port}"}]}
                           for cell, cell_port in self.cell_ports.items()},
        }))


class CellrouteCompiled(CellrouteFile):
    """The same file, compiled before; so is the changed one."""

    def write_keys(self, directory, keys, moved_to=None):
        super().write_keys(directory, keys, moved_to)
        subprocess.run([self.tool, "compile", str(directory / "keys.tsv"), "-o", str(directory / "keys.ctab")],
                       check=True, stdout=subprocess.DEVNULL)
        (directory / "keys.tsv").unlink()

    def write_configuration(self, directory, keys):
        super().write_configuration(directory, {"files": ["keys.ctab"]})


class CellrouteJson(CellrouteFile):
    """All in one configuration, in JSON."""

    def write_keys(self, directory, keys, moved_to=None):
        super().write_configuration(directory, {"inline": dict(rows_of(keys, moved_to))})

    def write_configuration(self, directory, keys):
        """It was written with the keys."""


class Nginx(Contender):
    """A map that is included; SIGHUP."""

    def argv(self, directory, port, keys, cell_ports):
        return peers.nginx(self.binary, directory, port, keys, cell_ports)

    def write_keys(self, directory, keys, moved_to=None):
        (directory / "nginx.map").write_text("".join(f"{key} {cell};\n" for key, cell in rows_of(keys, moved_to)))

    def tell(self, process):
        os.kill(process.pid, signal.SIGHUP)


class Haproxy(Contender):
    """A map file; a master that starts new workers on SIGUSR2, which is the way that survives a restart."""

    def argv(self, directory, port, keys, cell_ports):
        binary, *rest = peers.haproxy(self.binary, directory, port, keys, cell_ports)
        return [binary, "-W", *rest]

    def write_keys(self, directory, keys, moved_to=None):
        (directory / "haproxy.map").write_text("".join(f"{key} {cell}\n" for key, cell in rows_of(keys, moved_to)))

    def tell(self, process):
        os.kill(process.pid, signal.SIGUSR2)


def contenders(arguments):
    found = [CellrouteFile("cellroute, TSV", arguments.router),
             CellrouteJson("cellroute, JSON", arguments.router),
             CellrouteCompiled("cellroute, compiled", arguments.router, arguments.tool)]
    for kind, name in ((Nginx, "nginx"), (Haproxy, "haproxy")):
        if binary := peers.find(name, arguments.router):
            found.append(kind(name, binary))
    return found


# --- one proxy at work ---

class Running:
    """A contender that was started; ends with the block."""

    def __init__(self, rig, contender, keys, ready_seconds=60):
        self.rig, self.contender, self.keys = rig, contender, keys
        self.directory = rig.directory / re.sub(r"\W+", "_", contender.name)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        (self.port,) = free_ports(1)
        self.argv, self.limit_seconds = contender.argv(self.directory, self.port, keys, rig.cell_ports), ready_seconds
        os.sync()  # what was written just now is not written back during the measurement
        self.begin()

    def begin(self):
        self.process = self.rig.start(self.argv, PROXY_CORE, self.directory.name, cwd=self.directory)
        started = time.monotonic()  # of exec, for which starting waits: the fork of this runner is not the proxy's time
        try:
            wait_for_port(self.process, self.port, self.limit_seconds)
            self.ready_seconds = time.monotonic() - started
            if self.where(self.keys.name(MOVING)) != self.keys.cell(MOVING):
                raise BenchError("it routes a key wrongly")
        except BenchError as error:
            self.rig.stop(self.process)
            raise BenchError(f"{self.contender.name} with {self.keys.count:,} keys: {error}") from None

    def start_again(self):
        self.rig.stop(self.process)
        limit = time.monotonic() + 30
        while self.is_taken():  # a worker may outlive its master
            if time.monotonic() > limit:
                raise BenchError(f"{self.contender.name} does not leave its port")
            time.sleep(0.01)
        self.begin()

    def is_taken(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except ConnectionRefusedError:
            return False
        except OSError:
            pass
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rig.stop(self.process)

    def where(self, key):
        """The cell that answers for it, asked on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/", headers={"X-Routing-Key": key})
            return connection.getresponse().getheader("X-Routed-To")
        finally:
            connection.close()

    def memory(self):
        return anonymous_bytes(self.process.family())

    def load(self):
        """The generator, started on its core: requests at a fixed rate, none of them for the key that moves."""
        path = self.rig.directory / "asked.tsv"
        path.write_text("".join(f"{self.keys.name(n)}\t{self.keys.cell(n)}\n" for n in range(2, min(self.keys.count, 50_000))))
        asked = Keys(path, 0)
        argv = self.rig.load_argv(self.port, asked, "--rate", RATE, "--connections", 32, "--verify", "--warm-up", 0.3,
                                  "--seconds", WINDOW_SECONDS)
        return self.rig.start(argv, LOAD_CORE, "load", stdout=subprocess.PIPE)

    def told(self, load):
        out, _ = load.child.communicate(timeout=60)
        self.rig.stop(load)
        said = json.loads(out)
        return said["p99_us"] / 1000, said["failed"] + said["wrong"] + said["undrained"]

    def quiet(self):
        return self.told(self.load())

    def change(self, moved_to):
        """One key moves under load: seconds until a request sees it, p99 meanwhile (ms), failed requests."""
        staged = self.directory / "staged"
        staged.mkdir(exist_ok=True)
        self.contender.write_keys(staged, self.keys, moved_to)
        os.sync()
        load = self.load()
        time.sleep(0.35)  # the generator counts from here on
        begun = time.monotonic()
        for file in staged.iterdir():
            os.rename(file, self.directory / file.name)
        self.contender.tell(self.process)
        failed = 0
        while time.monotonic() < begun + 20:
            try:
                if self.where(self.keys.name(MOVING)) == moved_to:
                    break
            except OSError:
                failed += 1
            time.sleep(0.01)
        else:
            raise BenchError(f"{self.contender.name}: the change was not live within 20 s")
        live = time.monotonic() - begun
        p99, more_failed = self.told(load)
        return live, p99, failed + more_failed


# --- the jobs ---

@dataclass
class Result:
    ready: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    live: list = field(default_factory=list)
    quiet_p99: list = field(default_factory=list)
    p99: list = field(default_factory=list)
    failed: int = 0


class Bench:
    def __init__(self, rig, arguments):
        self.rig, self.arguments = rig, arguments
        self.missed = []

    def bar(self, says, value, most, unit):
        holds = value <= most
        print(f"  {'holds' if holds else 'MISSED':<7} {says:<66} {value:>8.3f} {unit}  (bar {most:.3f})", flush=True)
        if not holds:
            self.missed.append(says)

    def sizes(self):
        few, many = Keys.write(self.rig.directory, FEW), Keys.write(self.rig.directory, self.arguments.keys)
        all_of_them = contenders(self.arguments)
        results = {each.name: Result() for each in all_of_them}
        for _ in range(self.arguments.rounds):
            for each in all_of_them:
                with Running(self.rig, each, few) as running:
                    time.sleep(self.arguments.rest)
                    empty = running.memory()
                with Running(self.rig, each, many) as running:
                    result = results[each.name]
                    for _ in range(STARTS):  # the first of them may meet memory that is new to the whole machine
                        result.ready.append(running.ready_seconds)
                        running.start_again()
                    time.sleep(self.arguments.rest)
                    result.memory.append((running.memory() - empty) / MIB)
                    cells = [cell for cell in CELLS if cell not in (DEFAULT_CELL, many.cell(MOVING))]
                    for number in range(self.arguments.pairs):
                        p99, failed = running.quiet()
                        result.quiet_p99.append(p99)
                        result.failed += failed
                        live, p99, failed = running.change(cells[number % 2])
                        result.live.append(live)
                        result.p99.append(p99)
                        result.failed += failed
                        time.sleep(0.5)
        print(f"\n{many.count:,} keys; medians of {self.arguments.rounds * STARTS} starts and"
              f" {self.arguments.rounds * self.arguments.pairs} changes of one key at {RATE:,} requests/s")
        print(f"  {'':<22}{'ready s':>9}{'memory MiB':>12}{'live s':>9}{'p99 ms':>9}{'quiet ms':>10}{'failed':>8}")
        for name, r in results.items():
            print(f"  {name:<22}{median(r.ready):>9.3f}{median(r.memory):>12.1f}{median(r.live):>9.3f}"
                  f"{median(r.p99):>9.2f}{median(r.quiet_p99):>10.2f}{r.failed:>8}", flush=True)
        print()
        for name, most in (("cellroute, TSV", 0.4), ("cellroute, JSON", 0.5), ("cellroute, compiled", 0.02)):
            r = results[name]
            quiet = median(r.quiet_p99)
            self.bar(f"{name}: exec to ready", median(r.ready), most, "s")
            self.bar(f"{name}: memory above {FEW} keys, at rest", median(r.memory), 60, "MiB")
            self.bar(f"{name}: one changed key is live", median(r.live), 1, "s")
            self.bar(f"{name}: p99 while it changes", median(r.p99), max(2 * quiet, quiet + 3), "ms")
            self.bar(f"{name}: failed requests", r.failed, 0, "")

    def huge(self):
        keys = Keys.write(self.rig.directory, 10 * self.arguments.keys)
        with Running(self.rig, CellrouteFile("cellroute, huge", self.arguments.router), keys, 120) as running:
            wrong = sum(running.where(keys.name(n)) != keys.cell(n) for n in range(0, keys.count, keys.count // 500))
            time.sleep(self.arguments.rest)
            print(f"\n{keys.count:,} keys in TSV: ready after {running.ready_seconds:.2f} s,"
                  f" {running.memory() / MIB:.0f} MiB at rest; 500 of them asked")
            self.bar("keys of the ten million that are routed wrongly", wrong, 0, "")

    def cost(self):
        """CPU time a request, in turns; and user instructions, which are the same in every run."""
        few, many = Keys.write(self.rig.directory, FEW), Keys.write(self.rig.directory, self.arguments.keys)
        cpu = {keys.count: [] for keys in (few, many)}
        for _ in range(self.arguments.rounds + 2):
            for keys in (few, many):
                with Running(self.rig, CellrouteFile(f"cellroute, {keys.count}", self.arguments.router), keys) as running:
                    pids = running.process.family()
                    for _ in range(2):
                        slice_ = self.rig.run_load(running.port, pids, "--connections", 64, "--seconds", 1.5, keys=keys)
                        if slice_.troubles:
                            raise BenchError(f"{slice_.troubles} requests failed")
                        cpu[keys.count].append(slice_.cpu_us)
        one, other = median(cpu[few.count]), median(cpu[many.count])
        print(f"\nCPU a request: {one:.2f} us with {few.count} keys, {other:.2f} us with {many.count:,}")
        self.bar("CPU a request, a million keys over four", other / one, 1.08, "x")
        if not shutil.which("valgrind"):
            print("  valgrind is not installed: no count of instructions")
            return
        counts = [self.instructions(keys) for keys in (few, many)]
        print(f"user instructions a request: {counts[0]:,.0f} with {few.count} keys, {counts[1]:,.0f} with {many.count:,}")
        self.bar("user instructions a request, a million keys over four", counts[1] / counts[0], 1.08, "x")

    def instructions(self, keys, requests=(4_000, 16_000)):
        totals = []
        for count in requests:
            contender = CellrouteFile(f"counted, {keys.count}", self.arguments.router)
            original = contender.argv
            profile = self.rig.directory / "callgrind.out"
            wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
            contender.argv = lambda *given: wrapper + original(*given)
            with Running(self.rig, contender, keys, 120) as running:
                run = self.rig.run_load(running.port, [], "--connections", 64, "--requests", count, "--seconds", 60,
                                        keys=keys, limit_seconds=120)
                self.rig.stop(running.process, patience_seconds=30)
                if run.troubles or run.completed < count:
                    raise BenchError(f"under callgrind {run.completed} of {count} requests")
                found = re.search(r"Collected : (\d+)", running.process.log.read_text(errors="replace"))
                if not found:
                    raise BenchError("callgrind gave no count")
                totals.append(int(found[1]))
        return (totals[1] - totals[0]) / (requests[1] - requests[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("router", "tool", "load", "upstream"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often all jobs are done by each proxy")
    parser.add_argument("--pairs", type=int, default=2, help="changes of a key in each start, a quiet time before each")
    parser.add_argument("--rest", type=float, default=5, help="seconds before memory is read")
    parser.add_argument("--only", choices=("sizes", "huge", "cost"))
    arguments = parser.parse_args()
    for name in ("router", "tool", "load", "upstream"):
        setattr(arguments, name, str(Path(getattr(arguments, name)).resolve()))
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(Path(directory), arguments.load, arguments.upstream, Keys.write(directory, FEW))
        bench = Bench(rig, arguments)
        try:
            rig.start_upstream()
            for job in ("sizes", "huge", "cost"):
                if arguments.only in (None, job):
                    getattr(bench, job)()
        except BenchError as error:
            print(f"size: {error}", file=sys.stderr)
            return 2
        finally:
            rig.stop_all()
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
