"""Runs one server as a child and makes sure that it dies: started as a script, one guard per server.

    python guard.py PARENT_PID GRACE_S COMMAND...

The server ends when the guard is told to (SIGTERM), or when the process that started the guard is gone,
however that died. Its whole process group goes with it, and so does the temporary folder of its sockets and
locks. This takes a process of its own: a killed parent can clean up nothing, and Linux ties the signal
"parent died" to the parent's *thread*. Standard library only, so that it starts in milliseconds.
"""

import contextlib
import ctypes
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from types import FrameType

POLL_S = 0.1
_LONGEST_FOLDER = 50
_PR_SET_PDEATHSIG = 1


class Guard:
    """A server process and the conditions under which it is stopped."""

    def __init__(self, parent: int, grace_s: float, command: list[str]) -> None:
        """Take the pid to outlive by nothing, the seconds from SIGTERM to SIGKILL, and what to run."""
        self.parent, self.grace_s, self.command = parent, grace_s, command
        self.stop_asked = False

    def run(self) -> int:
        """Run the server to its end; return its exit status (negative: the signal that ended it)."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        # A socket's path may have 107 characters, and vLLM's sockets have names of 36.
        is_long = len(tempfile.gettempdir()) > _LONGEST_FOLDER
        folder = tempfile.mkdtemp(prefix="pickllm-", dir="/tmp" if is_long else None)
        try:
            return self._watch(self._start(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, folder: str) -> subprocess.Popen[bytes]:
        # Torch keeps compiled kernels in the temporary folder: were it removed, every start would compile.
        compiled = os.path.join(tempfile.gettempdir(), f"torchinductor_{_user()}")
        environment = {"TORCHINDUCTOR_CACHE_DIR": compiled, **os.environ}
        environment |= {"TMPDIR": folder, "VLLM_RPC_BASE_PATH": folder}
        command, at_start = self.command, _die_with_guard()
        return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=at_start)

    def _watch(self, server: subprocess.Popen[bytes]) -> int:
        while server.poll() is None:
            if self.stop_asked or os.getppid() != self.parent:
                server.terminate()  # the server first, alone: it stops its own workers in order
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(self.grace_s)
                break
            time.sleep(POLL_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody left; macOS says the second
            os.killpg(server.pid, signal.SIGKILL)
        return server.wait()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_asked = True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return str(os.getuid())


def _die_with_guard() -> Callable[[], object] | None:
    """Return what the child runs before it becomes the server: if the guard is killed, it gets SIGTERM."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded here: between fork and exec as little as possible may happen
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    status = Guard(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]).run()
    sys.exit(status if status >= 0 else 128 - status)
