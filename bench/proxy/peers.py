"""The proxies, each configured for the same job.

Header X-Routing-Key -> map -> one of four cells (an unknown key goes to tier3), keep-alive on both sides, X-Routed-To
and X-Route-Reason in the answer, X-Forwarded-For and X-Forwarded-Proto to the cell, access log off, one worker.
"""

import json
import os
import re
import shutil
import time
from dataclasses import dataclass

from rig import CELLS, DEFAULT_CELL, PROXY_CORE, BenchError, free_ports, wait_for_port

HUGE = 100_000_000  # requests a connection: none is closed during a run


@dataclass
class Peer:
    """A started proxy."""

    name: str
    port: int
    process: object
    ready_seconds: float

    def pids(self):
        return self.process.family()


def reason(cell):
    return "dedicated" if cell == "visa" else "tier"


# --- nginx ---

NGINX_TUNED = {
    "unbuffered 64k": "proxy_buffering off;",
    "8 x 64k": "proxy_max_temp_file_size 0;",
}
NGINX_LARGE_BUFFERS = """
proxy_request_buffering off;
proxy_buffer_size 64k;
proxy_buffers 8 64k;
proxy_busy_buffers_size 128k;
client_body_buffer_size 128k;
"""


def nginx(binary, directory, port, keys, cell_ports, tuning="", single_process=False):
    rows = "".join(f"{key} {cell};\n" for key, cell in keys.rows())
    (directory / "nginx.map").write_text(rows)
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    upstreams = "".join(f"upstream {cell} {{ server 127.0.0.1:{cell_port}; keepalive 256; keepalive_requests {HUGE};"
                        f" keepalive_timeout 1h; }}\n" for cell, cell_port in cell_ports.items())
    config = directory / "nginx.conf"
    config.write_text(f"""
daemon off;
{"master_process off;" if single_process else ""}
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
worker_rlimit_nofile 16000;
pid {directory}/nginx.pid;
error_log {directory}/nginx.err crit;
events {{ worker_connections 12000; }}
http {{
access_log off;
{temporary}
map_hash_bucket_size 128;
map_hash_max_size {max(2048, 4 * keys.count)};
map $http_x_routing_key $mapped {{
default "";
include {directory}/nginx.map;
}}
map $mapped $cell {{ default $mapped; "" {DEFAULT_CELL}; }}
map $mapped $reason {{ default tier; "" default; visa dedicated; }}
{upstreams}
keepalive_requests {HUGE};
keepalive_timeout 1h;
client_max_body_size 0;
{NGINX_TUNED[tuning] + NGINX_LARGE_BUFFERS if tuning else ""}
server {{
listen 127.0.0.1:{port};
location / {{
proxy_pass http://$cell;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
add_header X-Routed-To $cell always;
add_header X-Route-Reason $reason always;
}}
}}
}}
""")
    return [binary, "-e", f"{directory}/nginx.err", "-p", str(directory), "-c", str(config)]


# --- HAProxy ---

HAPROXY_SPLICE = "option splice-auto\noption splice-request\noption splice-response"
HAPROXY_TUNED = {
    "64k": ("tune.bufsize 65536", ""),
    "splice": ("", HAPROXY_SPLICE),
    "64k, splice": ("tune.bufsize 65536", HAPROXY_SPLICE),
}


def haproxy(binary, directory, port, keys, cell_ports, tuning="", single_process=False):
    del single_process  # -db: there is no master anyway
    (directory / "haproxy.map").write_text("".join(f"{key} {cell}\n" for key, cell in keys.rows()))
    in_global, in_defaults = HAPROXY_TUNED.get(tuning, ("", ""))
    known = "if { var(txn.mapped) -m found }"
    unknown = "http-response set-header X-Route-Reason default if !{ var(txn.mapped) -m found }"
    backends = "".join(f"""
backend {cell}
http-response set-header X-Route-Reason {reason(cell)} {known if cell == DEFAULT_CELL else ""}
{unknown if cell == DEFAULT_CELL else ""}
http-response set-header X-Routed-To {cell}
server {cell} 127.0.0.1:{cell_port}
""" for cell, cell_port in cell_ports.items())
    config = directory / "haproxy.cfg"
    config.write_text(f"""
global
nbthread 1
maxconn 6000
{in_global}
defaults
mode http
timeout connect 5s
timeout client 1h
timeout server 1h
timeout http-keep-alive 1h
option http-keep-alive
http-reuse always
{in_defaults}
frontend web
bind 127.0.0.1:{port}
option forwardfor
http-request set-header X-Forwarded-Proto http
http-request set-var(txn.mapped) req.hdr(X-Routing-Key),map_str({directory}/haproxy.map)
use_backend %[var(txn.mapped)] {known}
default_backend {DEFAULT_CELL}
{backends}
""")
    return [binary, "-db", "-f", str(config)]


# --- Envoy ---

def envoy(binary, directory, port, keys, cell_ports, tuning="", single_process=False):
    del tuning, single_process

    def typed(name, **fields):
        return {"@type": f"type.googleapis.com/envoy.{name}", **fields}

    def route(cell, why):
        headers = [{"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                   for name, value in (("X-Routed-To", cell), ("X-Route-Reason", why))]
        return {"action": {"name": "route", "typed_config": typed(
            "config.route.v3.Route", match={"prefix": "/"}, route={"cluster": cell}, response_headers_to_add=headers)}}

    matcher = {"matcher_tree": {
        "input": {"name": "key", "typed_config": typed(
            "type.matcher.v3.HttpRequestHeaderMatchInput", header_name="x-routing-key")},
        "exact_match_map": {"map": {key: route(cell, reason(cell)) for key, cell in keys.rows()}}},
        "on_no_match": route(DEFAULT_CELL, "default")}
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="web", use_remote_address=True, generate_request_id=False,
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "matcher": matcher}]},
        http_filters=[{"name": "envoy.filters.http.router",
                       "typed_config": typed("extensions.filters.http.router.v3.Router")}])

    def address(at):
        return {"socket_address": {"address": "127.0.0.1", "port_value": at}}

    clusters = [{"name": cell, "type": "STATIC", "connect_timeout": "5s", "load_assignment": {
        "cluster_name": cell, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(cell_port)}}]}]}}
        for cell, cell_port in cell_ports.items()]
    config = directory / "envoy.json"
    config.write_text(json.dumps({"static_resources": {
        "listeners": [{"name": "web", "address": address(port), "filter_chains": [
            {"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": clusters}}))
    return [binary, "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]


# --- cellroute ---

def cellroute(binary, directory, port, keys, cell_ports, tuning="", single_process=False):
    """The default configuration but for what the job names; JSON, because a million keys are."""
    del tuning, single_process
    (admin_port,) = free_ports(1)
    config = directory / "cellroute.json"
    config.write_text(json.dumps({
        "apiVersion": "cellroute/v1",
        "process": {"workers": 1},
        "listeners": [{"name": "web", "address": f"127.0.0.1:{port}"}],
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "log": {"access": {"output": "off"}},
        "routing": {"default_placement": DEFAULT_CELL, "keys": {"inline": dict(keys.rows())}},
        "placements": {cell: {"kind": "dedicated" if cell == "visa" else "shared",
                              "endpoints": [{"url": f"http://127.0.0.1:{cell_port}"}]}
                       for cell, cell_port in cell_ports.items()},
    }))
    return [binary, "--config", str(config)]


MAKERS = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy, "cellroute": cellroute}
TUNED = {"nginx": list(NGINX_TUNED), "haproxy": list(HAPROXY_TUNED), "envoy": [""], "cellroute": [""]}

MAP_MOST = {"envoy": 10_000}  # 100,000: 4 s and 350 MiB


def find(name, router):
    """The peer's binary, or nothing. Debian keeps servers where an ordinary user's PATH does not look."""
    if name == "cellroute":
        return router
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def start(rig, name, binary, *, keys=None, tuning="", wrapper=(), single_process=False, ready_seconds=20):
    """Starts one proxy on the proxies' core and waits until it accepts."""
    label = f"{name} ({tuning})" if tuning else name
    directory = rig.directory / re.sub(r"\W+", "_", label)
    directory.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    argv = MAKERS[name](binary, directory, port, keys or rig.keys, rig.cell_ports, tuning, single_process)
    started = time.monotonic()
    process = rig.start([*wrapper, *argv], PROXY_CORE, directory.name, cwd=directory)
    try:
        wait_for_port(process, port, ready_seconds)
    except BenchError as error:
        rig.stop(process)
        raise BenchError(f"{label} does not start: {error}") from None
    return Peer(label, port, process, time.monotonic() - started)


assert set(TUNED) == set(MAKERS) and DEFAULT_CELL in CELLS
