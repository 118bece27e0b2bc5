"""Retries follow at once: how long they would wait is tested by itself."""

import pytest

from llm_routing_env.backends import asked_llm


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause for milliseconds before a retry."""
    monkeypatch.setattr(asked_llm, "FIRST_RETRY_S", 0.005)
