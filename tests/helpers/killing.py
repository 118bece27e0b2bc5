"""Ends a process from within at a chosen moment."""

import os
import signal
import sqlite3
from typing import Any


def at_statement(number: int) -> None:
    """Have this process killed when SQLite is about to run its n-th statement, from 1."""
    connect, n_run = sqlite3.connect, 0

    def count(statement: str) -> None:
        nonlocal n_run
        n_run += 1
        if n_run == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
