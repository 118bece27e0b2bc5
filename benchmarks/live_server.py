"""A chat server on loopback that can be slow, down, limited, hung or greedy: python benchmarks/live_server.py PORT.

What it does is said in the model's name, its words separated by spaces: "slow:0.02" seconds an answer takes, "says:400"
characters, "counts:10" times the tokens, "down:1:11" answers 503 from the first to the second second after the first
request, "limit:20" requests a second (429 beyond, with a Retry-After), "hangs:1:4" answers nothing that comes then.
"""

import asyncio
import json
import sys
import time
from collections import deque
from typing import Any

USAGE = (100, 10)


class Server(asyncio.Protocol):
    """One connection."""

    began_at = 0.0
    recent: deque[float] = deque()

    def connection_made(self, transport: Any) -> None:
        """Keep the connection."""
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self.answer(dict(word.split(":", 1) for word in json.loads(body)["model"].split() if ":" in word))

    def answer(self, how: dict[str, str]) -> None:
        """Do what the model's name says."""
        now = time.monotonic()
        Server.began_at = Server.began_at or now
        if self.is_within(how.get("hangs", "0:0"), now):
            return
        if self.is_within(how.get("down", "0:0"), now):
            self.send(503, {"error": "overloaded"})
        elif "limit" in how and self.is_beyond(int(how["limit"]), now):
            self.send(429, {"error": "slow down"}, "Retry-After: 1\r\n")
        else:
            counts = int(how.get("counts", "1"))
            usage = dict(zip(("prompt_tokens", "completion_tokens"), (counts * n for n in USAGE), strict=True))
            message = {"content": "x" * int(how.get("says", "3"))}
            document = {"choices": [{"finish_reason": "stop", "message": message}], "usage": usage}
            asyncio.get_running_loop().call_later(float(how.get("slow", "0")), self.send, 200, document)

    @staticmethod
    def is_within(window: str, now: float) -> bool:
        """Return whether a window of seconds since the first request is open."""
        begin, _, end = window.partition(":")
        return float(begin) <= now - Server.began_at < float(end)

    @staticmethod
    def is_beyond(limit: int, now: float) -> bool:
        """Count a request, and return whether it is beyond the limit of a second."""
        while Server.recent and Server.recent[0] < now - 1:
            Server.recent.popleft()
        if len(Server.recent) >= limit:
            return True
        Server.recent.append(now)
        return False

    def send(self, status: int, document: Any, header: str = "") -> None:
        """Send an answer."""
        body = json.dumps(document).encode()
        if not self.transport.is_closing():
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{header}Content-Length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode() + body)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
