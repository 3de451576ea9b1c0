"""What every experiment stands on: processes that end with the runner, cores, ports, memory, load."""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROXY_CORE = 0
LOAD_CORE = 1  # generator and upstream
CELLS = ("tier1", "tier2", "tier3", "visa")
DEFAULT_CELL = "tier3"
PR_SET_PDEATHSIG = 1
NICENESS = -15

libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The bench cannot say anything: a peer did not start, routed wrongly, or the generator failed."""


def outrank_strangers():
    """Before the rest of the machine, where that is allowed; where sessions are groups, the group counts."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        Path("/proc/self/autogroup").write_text(str(NICENESS))
    except OSError:
        pass  # the same for all peers: the table shows how busy strangers were


class Process:
    """A child on one core, its output in a file. It gets SIGTERM when the runner dies, however that happens."""

    def __init__(self, argv, core, log, **popen):
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.setsid()  # Ctrl-C is the runner's to handle
            os.sched_setaffinity(0, {core})
            outrank_strangers()
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        self.log = Path(log)
        with open(log, "wb") as out:
            self.child = subprocess.Popen(argv, stdout=popen.pop("stdout", out), stderr=out, preexec_fn=prepare,
                                          stdin=popen.pop("stdin", subprocess.DEVNULL), **popen)

    @property
    def pid(self):
        return self.child.pid

    def family(self):
        """Its id and those of its children: a master and its workers count as one peer."""
        pids, seen = [self.pid], []
        while pids:
            pid = pids.pop()
            seen.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in task.read_text().split()]
        return seen

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines()
        own = [line for line in lines if line and not line.startswith("==")]  # valgrind's begin so
        return " | ".join(own[-2:])[:300] or "it said nothing"

    def stop(self, patience_seconds):
        """Asks twice (a router drains at the first), then ends it and what it started, by id."""
        family = self.family()
        for wait_seconds in (patience_seconds, 2):
            if self.child.poll() is None:
                self.child.terminate()
                try:
                    self.child.wait(wait_seconds)
                except subprocess.TimeoutExpired:
                    pass
        if self.child.poll() is None:
            for pid in reversed(family):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.child.wait()


def free_ports(count):
    """Ports that were free a moment ago; all are held until the last is found, so that none comes twice."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def anonymous_bytes(pids):
    """Memory of its own, proportional where it is shared. Code pages are left out: other processes move their share."""
    total_kib = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                total_kib += int(line.split()[1])
    return total_kib * 1024


def busy_seconds(core):
    """How long the core has worked for anyone, in steps of 10 ms."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _iowait, irq, softirq = map(int, line.split()[1:8])
            return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"there is no core {core}")


@dataclass
class Keys:
    """A map of known keys, as a file `key<TAB>cell`."""

    path: Path
    count: int

    @staticmethod
    def name(number):
        return f"tenant-{number:07d}"

    @staticmethod
    def cell(number):
        return CELLS[number % len(CELLS)]

    @classmethod
    def write(cls, directory, count):
        path = Path(directory) / f"keys-{count}.tsv"
        path.write_text("".join(f"{cls.name(n)}\t{cls.cell(n)}\n" for n in range(count)))
        return cls(path, count)

    def rows(self):
        return ((self.name(n), self.cell(n)) for n in range(self.count))


@dataclass
class Slice:
    """What one run of the generator against one proxy gave."""

    completed: int
    seconds: float
    cpu_seconds: float
    p50_us: float
    p99_us: float
    troubles: int
    foreign: float  # how busy strangers kept the busier of the cores in use

    @property
    def cpu_us(self):
        return self.cpu_seconds * 1e6 / max(self.completed, 1)

    @property
    def rate(self):
        return self.completed / self.seconds


@dataclass
class Rig:
    """The far ends: upstream and generator on their core, and a directory for what peers need."""

    directory: Path
    load: str
    upstream: str
    keys: Keys
    cell_ports: dict = field(default_factory=dict)
    running: list = field(default_factory=list)
    upstream_pid: int = 0

    def start_upstream(self):
        self.cell_ports = dict(zip(CELLS, free_ports(len(CELLS))))
        cells = [part for name, port in self.cell_ports.items() for part in ("--cell", f"{name}={port}")]
        process = self.start([self.upstream, *cells], LOAD_CORE, "upstream")
        wait_for_port(process, self.cell_ports[CELLS[-1]], 5)
        self.upstream_pid = process.pid
        os.sched_setaffinity(0, {LOAD_CORE})

    def start(self, argv, core, name, **popen):
        process = Process(argv, core, self.directory / f"{name}.log", **popen)
        self.running.append(process)
        return process

    def stop(self, process, patience_seconds=1):
        process.stop(patience_seconds)
        if process in self.running:
            self.running.remove(process)

    def stop_all(self):
        for process in list(reversed(self.running)):
            self.stop(process)

    def load_argv(self, port, keys, *options):
        return [self.load, "--port", str(port), "--keys", str(keys.path), *map(str, options)]

    def strangers_seconds(self, proxy_pids):
        """CPU time of neither the proxy nor the bench, on the load's core and, with a proxy, on the proxy's.

        The runner sits on the load's core.
        """
        own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        far_ends = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + run_seconds(self.upstream_pid)
        seconds = [busy_seconds(LOAD_CORE) - far_ends]
        if proxy_pids:
            seconds.append(busy_seconds(PROXY_CORE) - sum(map(run_seconds, proxy_pids)))
        return seconds

    def run_load(self, port, pids, *options, keys=None, limit_seconds=60):
        """One run of the generator; CPU time of `pids` over exactly the requests that it counted."""
        argv = self.load_argv(port, keys or self.keys, *options)
        for pid in pids:
            argv += ["--cpu-of", str(pid)]
        before, started = self.strangers_seconds(pids), time.monotonic()
        process = self.start(argv, LOAD_CORE, "load", stdout=subprocess.PIPE)
        try:
            out, _ = process.child.communicate(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(f"the generator did not end within {limit_seconds} s") from None
        finally:
            self.stop(process)
        passed = time.monotonic() - started
        foreign = max(now - then for now, then in zip(self.strangers_seconds(pids), before)) / passed
        try:
            said = json.loads(out)
        except ValueError:
            raise BenchError(f"the generator failed: {process.last_words()}") from None
        return Slice(said["completed"], said["seconds"], sum(said["cpu_seconds"]), said["p50_us"], said["p99_us"],
                     said["failed"] + said["wrong"] + said["undrained"], max(foreign, 0.0))


def run_seconds(pid):
    """CPU time of all threads of a process, from scheduler accounting (nanoseconds, not ticks)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(task.read_text().split()[0])
    return total / 1e9


def wait_for_port(process, port, limit_seconds):
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if process.child.poll() is not None:
            raise BenchError(f"exit {process.child.returncode}: {process.last_words()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.0005)  # a start may take 5 ms in all
    raise BenchError(f"not ready within {limit_seconds} s: {process.last_words()}")
