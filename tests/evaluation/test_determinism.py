"""The same numbers, to the last bit: beside anybody, in blocks of any size, with any number of threads."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tables import random_table, write_random_table

from llm_routing_env.agents import AGENTS, agent_class
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.contestants import AgentContestant

TABLE = random_table(per_context=40)
PRETRAINED = [name for name in AGENTS if agent_class(name).protocol() == "pretrained"]


def rows(agents: list[str], *, seed: int = 0, **options: Any) -> dict[str, str]:
    """Return every row of the document as text, to the last bit."""
    given = {"n_sessions": 11, "length": 15, "table": TABLE} | options
    result = compare(agents, seed=seed, **given).document()
    json.dumps(result)
    return {row["name"] + row["context"]: json.dumps(row) for row in result["agents"]}


def test_the_same_seed_gives_the_same_document():
    both = rows(["epsilon_greedy_q", "random"])
    assert both == rows(["epsilon_greedy_q", "random"])
    assert rows(["random"]) != rows(["random"], seed=1)


OTHERS = ("ucb1", "kl_ucb", "exp3", "softmax", "pursuit", "cheapest", "round_robin", "thompson_beta", "gradient_bandit")


@pytest.mark.parametrize("n_others", [1, 2, 5, 9])
def test_an_agents_numbers_do_not_depend_on_who_else_is_compared(n_others: int):
    alone = rows(["random"])
    for others in (OTHERS[:n_others], OTHERS[::-1][:n_others]):
        assert alone.items() <= rows([*others[: n_others // 2], "random", *others[n_others // 2 :]]).items()


def test_a_contexts_numbers_do_not_depend_on_which_others_are_judged():
    """Agents and intervals included: only what is drawn for all contexts together may differ."""
    everywhere, alone = (rows(["epsilon_greedy_q"], context=context) for context in (None, "chess"))
    assert everywhere["epsilon_greedy_qchess"] == alone["epsilon_greedy_qchess"]


@pytest.mark.parametrize("size", [1, 4, 17])
def test_numbers_do_not_depend_on_how_many_sessions_run_together(monkeypatch, tmp_path, size: int):
    """Of no registered agent, whatever it draws and whatever it multiplies."""
    path = write_random_table(tmp_path, per_context=36)
    agents = [name for name in AGENTS if name not in PRETRAINED]
    expected = rows(agents, table=path, n_sessions=5)
    monkeypatch.setattr(AgentContestant, "block_size", size)
    found = rows(agents, table=path, n_sessions=5)
    assert [name for name in expected if expected[name] != found[name]] == []


def test_numbers_do_not_depend_on_the_number_of_threads(tmp_path):
    path = write_random_table(tmp_path, per_context=36)
    code = (
        "import json; from llm_routing_env.evaluation import compare; "
        "agents = ['linucb', 'lin_ts', 'neural_linear', 'knn_bandit', 'knn_router', 'linear_router', 'mlp_router']; "
        f"result = compare(agents, n_sessions=30, length=20, table={str(path)!r}); "
        "print(json.dumps(result.document()))"
    )
    one, two = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    )
    assert one == two
