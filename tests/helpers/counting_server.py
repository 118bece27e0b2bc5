"""An HTTP server of chat completions that numbers its answers, so that each can be found again where it was kept."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from server_threads import running

DELAY_S = 0.003


@dataclass(frozen=True)
class Answer:
    """One answer that was computed, and so paid for, whether or not anybody was left to read it."""

    text: str
    run: int
    llm: str
    prompt: str


class CountingServer(ThreadingHTTPServer):
    """Numbers its answers.

    Attributes:
        run: Noted with each answer, for the test to set.
        may_answer: Cleared by a test, it holds every answer back.
        reply: Gives the text of an answer, from its number, the LLM and the prompt.
        status: Gives the HTTP status of a response, from the number of requests before it, the LLM and the prompt; one
            that is not 200 is no answer.
        usage, finish_reason: Of every answer.
        requests: The bodies of all requests.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.answers: list[Answer] = []
        self.in_flight = self.run = self.n_connections = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.reply: Callable[[int, str, str], str] = lambda number, llm, prompt: f"answer {number}"
        self.status: Callable[[int, str, str], int] = lambda number, llm, prompt: 200
        self.usage: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 2}
        self.finish_reason: str | None = None
        self.requests: list[dict[str, Any]] = []
        self.most_in_flight = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def settle(self) -> None:
        """Wait until everything that clients sent before they were killed has been read and answered.

        What a killed client left in a buffer is read later: its connections end when nothing is left of it.
        """
        time.sleep(0.05)  # those that were not yet accepted are accepted
        ends = time.monotonic() + 30
        while self.n_connections:
            assert time.monotonic() < ends, f"{self.n_connections} connections are still open"
            time.sleep(0.005)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Count the connection as open until its thread has ended."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.n_connections -= 1

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connection from when it is accepted."""
        with self.lock:
            self.n_connections += 1
        super().process_request(request, client_address)

    def texts(self, run: int | None = None) -> list[str]:
        """Return the answers of one run of the client, or of all."""
        return [answer.text for answer in list(self.answers) if run in (None, answer.run)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed are what is tested: no traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: else the second waits 40 ms for the first one to be acknowledged
    server: CountingServer

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
        try:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) == length:
                self._answer(json.loads(body))
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def _answer(self, request: dict[str, Any]) -> None:
        time.sleep(DELAY_S)
        self.server.may_answer.wait(60)
        with self.server.lock:
            llm, prompt = request["model"], request["messages"][-1]["content"]
            status = self.server.status(len(self.server.requests), llm, prompt)
            self.server.requests.append(request)
            document: dict[str, Any] = {"error": "as told"}
            if status == 200:
                text = self.server.reply(len(self.server.answers), llm, prompt)
                self.server.answers.append(Answer(text, self.server.run, llm, prompt))
                choice = {"message": {"content": text}, "finish_reason": self.server.finish_reason}
                document = {"choices": [choice], "usage": self.server.usage}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def counting_server() -> AbstractContextManager[CountingServer]:
    """Run the server in a thread for the length of the block."""
    return running(CountingServer())
