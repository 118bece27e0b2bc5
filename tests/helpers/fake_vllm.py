"""A stand-in for a vLLM server, in milliseconds: takes a server's arguments, answers /health and chat completions.

The model's name says how it behaves: "dies", "hangs" (never healthy), "stubborn" (ignores SIGTERM), else well.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving import server
from llm_routing_env.serving.flags import to_arguments


def command(pool: Pool, llm: LLMSpec, host: str, port: int) -> list[str]:
    """Return the command that starts the stand-in: takes the place of `flags.server_command`."""
    flags = {**pool.serve, **llm.serve, "host": host, "port": port, "model": llm.model}
    return [sys.executable, __file__, *to_arguments(flags)]


def install() -> None:
    """Let this process serve stand-ins."""
    server.server_command = command


def pool(path: Path, *models: str, name: str = "fake", **serve: str | int | bool) -> Pool:
    """Return a pool of stand-ins, one per model, named after it; `path` is its TOML's and need not exist."""
    llms = tuple(LLMSpec(f"llm-{model}", 1.0, 2.0, model=model, max_tokens=8) for model in models)
    return Pool(name, llms, deadline_s=5.0, path=path / "pool.toml", serve=serve)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": f"you said {body['messages'][0]['content']}"}
        self._answer({"choices": [{"message": message}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})

    def _answer(self, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(arguments: dict[str, str]) -> None:
    model = arguments["model"]
    left_behind = Path(os.environ["TMPDIR"], "left-behind.sock".rjust(36, "-"))
    socket.socket(socket.AF_UNIX).bind(str(left_behind))  # like vLLM's, it fails where the folder's path is long
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "fake-vllm-worker"])
    print("loading", model, flush=True)
    if model == "dies":
        sys.exit("ValueError: the weights are haunted")
    if model == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if model == "hangs":
        time.sleep(600)
    ThreadingHTTPServer((arguments["host"], int(arguments["port"])), _Handler).serve_forever()


if __name__ == "__main__":
    main(dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:] if "=" in argument))
