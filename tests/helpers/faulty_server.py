"""An HTTP server that answers chat completions well or badly: the model's name in the request says how.

"503 then good" does the one at the first request for that model, the other at all later ones; "503 retry-after 2" is a
status with that header.
"""

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from server_threads import running

from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query

QUERY = Query("q", "geography", "test", "What is the capital of France?", ("Paris",))
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}
GOOD = {"choices": [{"message": {"content": "Paris."}}], "usage": USAGE}
METRICS = {"time_to_first_token_ms": 12.0, "queue_time_ms": 3.0}
BODIES: dict[str, tuple[int, Any]] = {
    "good": (200, GOOD),
    "metrics": (200, {**GOOD, "metrics": METRICS}),
    "500": (500, {"error": {"message": "the engine\nis dead"}}),
    "429": (429, {"error": "slow down"}),
    "malformed": (200, b'{"choices": [{"mess'),
    "list": (200, []),
    "no choices": (200, {"choices": [], "usage": USAGE}),
    "no usage": (200, {"choices": GOOD["choices"]}),
    "null content": (200, {"choices": [{"message": {"content": None}}], "usage": USAGE}),
    "null message": (200, {"choices": [{"message": None}], "usage": USAGE}),
    "bad usage": (200, {"choices": GOOD["choices"], "usage": {"prompt_tokens": "many"}}),
    "not utf-8": (500, b"\xff\xfe"),
    "ignores stream": (200, GOOD),
    "empty": (200, b""),
    "endless error": (500, b"e" * 2**20),
    "cached": (
        200,
        {
            "choices": GOOD["choices"],
            "usage": {"prompt_tokens": 2000, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1920}},
        },
    ),
    "cut": (
        200,
        {
            "choices": [{"finish_reason": "length", "message": {"content": None, "reasoning": "hmm"}}],
            "usage": {**USAGE, "completion_tokens": 256, "completion_tokens_details": {"reasoning_tokens": 256}},
        },
    ),
    "html": (200, b"<!doctype html><title>Log in</title>"),
    "packed": (200, gzip.compress(json.dumps(GOOD).encode())),
}
ROLE = {"choices": [{"delta": {"role": "assistant", "content": ""}}], "usage": None}
PAUSE_S = 0.05


def text_event(text: str) -> dict[str, Any]:
    """Return the event of one token."""
    return {"choices": [{"delta": {"content": text}}], "usage": None}


USAGE_EVENT = {"choices": [], "usage": USAGE, "metrics": METRICS}
EVENTS: dict[str, list[Any]] = {
    "pauses": [ROLE, PAUSE_S, text_event("Par"), PAUSE_S, b": ping\n\n", text_event("is."), USAGE_EVENT, "[DONE]"],
    "no usage": [ROLE, text_event("Paris."), "[DONE]"],
    "null content": [ROLE, {"choices": [{"delta": {"content": None}}]}, USAGE_EVENT, "[DONE]"],
    "error event": [ROLE, {"error": {"message": "out of memory"}}],
    "malformed event": [ROLE, b'data: {"choices": [{"mess\n\n'],
    "breaks off": [ROLE, text_event("Par")],
    "stops": [ROLE, text_event("Par"), 5.0],
}


class FaultyServer(ThreadingHTTPServer):
    """Counts what it is asked and how many requests it works on at once.

    Attributes:
        n_sent: Bytes of bodies without end that were sent.
        raw: What "raw" sends, the last first, for the test to set.
        poison: A prompt that every LLM answers with HTTP 502, for the test to set.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.n_sent = 0
        self.raw: list[bytes] = []
        self.poison = ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.connections = self.in_flight = self.most_in_flight = 0
        self.in_flight_of: Counter[str] = Counter()
        self.most_in_flight_of: Counter[str] = Counter()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def asked(self) -> list[str]:
        """The models of the requests so far."""
        return [request["model"] for request in self.requests]

    def kill(self) -> None:
        """End as a process that is killed does: the port is closed, and so is every connection."""
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are what is tested: no traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        self._inside = model = body["model"]
        with server.lock:
            n_before = server.asked.count(model)
            server.requests.append(body)
            server.keys.append(self.headers.get("Authorization"))
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
            server.in_flight += 1
            server.in_flight_of[model] += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
            server.most_in_flight_of[model] = max(server.most_in_flight_of[model], server.in_flight_of[model])
        try:
            behaviours = model.split(" then ")
            now = behaviours[min(n_before, len(behaviours) - 1)]
            if server.poison and body["messages"][-1]["content"] == server.poison:
                now = "502"
            self._respond(now, is_stream=body.get("stream", False) and now != "ignores stream")
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count the request as over: before its answer ends, since the next one is sent once that is read."""
        model, self._inside = self._inside, ""
        if model:
            with self.server.lock:
                self.server.in_flight -= 1
                self.server.in_flight_of[model] -= 1

    def _respond(self, model: str, is_stream: bool) -> None:
        if is_stream and (model in EVENTS or BODIES.get(model, (0,))[0] == 200):
            self._stream(EVENTS.get(model, [ROLE, text_event("Paris."), USAGE_EVENT, "[DONE]"]))
        elif model in BODIES:
            self._answer(*BODIES[model])
        else:
            self._misbehave(model)

    def _stream(self, events: list[Any]) -> None:
        """Send the events in chunks; a number is a pause, bytes go as they are."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            if isinstance(event, float):
                time.sleep(event)
                continue
            text = event if isinstance(event, str) else "" if isinstance(event, bytes) else json.dumps(event)
            self._chunk(event if isinstance(event, bytes) else f"data: {text}\n\n".encode())
        self._leave()
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _misbehave(self, model: str) -> None:
        status, _, retry_after = model.partition(" retry-after ")
        if retry_after:
            self._answer(int(status), {"error": "busy"}, retry_after)
        elif model.isdigit():
            self._answer(int(model), {"error": "as told"})
        elif model == "slow":
            time.sleep(5)
        elif model == "a little slow":
            time.sleep(0.05)
            self._answer(200, GOOD)
        elif model == "reset":
            self._reset()
        elif model == "hangs up":
            self.close_connection = True
        elif model == "trickle":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            time.sleep(5)
        elif model == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices"')
            self.close_connection = True
        elif model == "resets half way":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            self._reset()
        elif model in ("endless", "endless line"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self._chunk(b"x" * 65536 if model == "endless line" else b": ping\n\n" * 8192)
                self.server.n_sent += 65536
        elif model == "redirects":
            self.send_response(307)
            self.send_header("Location", f"{self.server.base_url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif model == "raw":
            self.wfile.write(self.server.raw.pop())
            self.close_connection = True
        elif model == "not http":
            self.wfile.write(b"220 smtp.example.org ready\r\n")
            self.close_connection = True
        elif model == "quotes the key":
            self._answer(401, {"error": f"bad key {self.headers['Authorization']}"})

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _answer(self, status: int, document: Any, retry_after: str | None = None) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._leave()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def pool_of(base_url: str, *models: str, deadline_s: float = 5.0, max_retries: int = 2, **fields: object) -> Pool:
    """Return a pool of LLMs that behave as their names say; `fields` are those of each."""
    llms = [LLMSpec(model, 0.5, 2.0, base_url=base_url, max_tokens=24) for model in models]
    specs = tuple(replace(llm, **fields) for llm in llms)  # type: ignore[arg-type]
    return Pool("faulty", specs, deadline_s=deadline_s, max_retries=max_retries)


def faulty_server(port: int = 0) -> AbstractContextManager[FaultyServer]:
    """Run the server in a thread for the length of the block; port 0 takes a free one."""
    return running(FaultyServer(port))
