"""A small random table, and two sessions of its contexts."""

from pathlib import Path

import pytest
from tables import write_random_table

from llm_routing_env.evaluation.contestants import Block
from llm_routing_env.evaluation.setting import Setting

LENGTH = 15


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a table of 4 LLMs with 20 train and 40 test queries in each of three contexts."""
    return write_random_table(tmp_path_factory.mktemp("table"), per_context=60)


@pytest.fixture
def setting(table: Path) -> Setting:
    return Setting({"table": table, "split": "test"}, LENGTH, seed=3, propensities=True)


@pytest.fixture
def block() -> Block:
    return Block(("art", "chess"), (11, 4), LENGTH)
