"""Is it the same job? Asks a started proxy for known keys before anything is measured."""

import http.client

from rig import DEFAULT_CELL, BenchError, Keys
from peers import reason

KNOWN = 143  # spread over the map
BODY_BYTES = 3_000_000
BLOCK = bytes(97 + (at * 31 + (at >> 10)) % 26 for at in range(256 * 1024))  # what bench_upstream makes bodies of


def ask(connection, target, key, body=None):
    headers = {"X-Routing-Key": key, "X-Forwarded-Proto": "gopher"}
    connection.request("GET" if body is None else "POST", target, body=body, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read()


def verify(peer, keys):
    """Raises with the first difference."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=10)
    try:
        step = max(keys.count // KNOWN, 1)
        known = [(Keys.name(n), Keys.cell(n), reason(Keys.cell(n))) for n in range(0, keys.count, step)][:KNOWN]
        for key, cell, why in [*known, ("nobody-knows-me", DEFAULT_CELL, "default")]:
            answer, body = ask(connection, "/", key)
            got = (answer.status, answer.getheader("X-Routed-To"), answer.getheader("X-Route-Reason"),
                   answer.getheader("X-Cell"), len(body))
            if got != (200, cell, why, cell, 1024):
                raise BenchError(f"{peer.name} is wrong for key {key}: {got}")
        key, cell, _ = known[-1]
        _, head = ask(connection, "/echo", key)
        fields = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if line]
        seen = {name.lower(): value for name, value in fields}
        # Envoy puts the machine's own address where a client of loopback would stand.
        client = "any" if peer.name.startswith("envoy") and "x-forwarded-for" in seen else seen.get("x-forwarded-for")
        if client not in ("127.0.0.1", "any") or seen.get("x-forwarded-proto") != "http":
            raise BenchError(f"{peer.name} does not set X-Forwarded-For and -Proto: {seen}")
        answer, body = ask(connection, f"/bytes/{BODY_BYTES}", key)
        if body != (BLOCK * (BODY_BYTES // len(BLOCK) + 1))[:BODY_BYTES]:
            raise BenchError(f"{peer.name} changes a body of {BODY_BYTES} bytes")
        answer, _ = ask(connection, "/", key, b"b" * BODY_BYTES)
        if (answer.status, answer.getheader("X-Cell")) != (200, cell):
            raise BenchError(f"{peer.name} does not carry a request body: {answer.status}")
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{peer.name} does not answer: {error!r}") from None
    finally:
        connection.close()
