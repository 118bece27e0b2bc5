"""A log of nano's test split under a policy of one's own."""

from collections.abc import Callable

import numpy as np
import pytest

from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.logs import Log
from llm_routing_env.logs.facts import problem_facts


@pytest.fixture(scope="session")
def nano() -> RoutingProblem:
    return RoutingProblem("nano", split="test", observation="context")


@pytest.fixture
def log_of(nano: RoutingProblem) -> Callable[..., Log]:
    """Return what makes a log of one session: each LLM's probability, how many steps, and what else differs."""

    def make(chances=(0.25, 0.25, 0.25, 0.25), n: int = 400, seed: int = 0, **changes) -> Log:
        rng = np.random.default_rng(seed)
        rows = rng.choice(nano.queries_of(MIXED), size=n, replace=False)
        action, repeat = rng.choice(4, size=n, p=chances), rng.integers(nano.table.n_repeats, size=n)
        cells, table, nothing = (rows, action, repeat), nano.table, np.full(n, np.nan)
        columns = {
            "metadata": problem_facts(nano),
            "llm_names": table.llm_names,
            "agents": ("mine",),
            "agent": np.zeros(n, int),
            "contexts": table.contexts,
            "context": table.query_contexts[rows],
            "query_ids": tuple(table.query_ids[row] for row in rows),
            "query": np.arange(n),
            "session": np.zeros(n, int),
            "step": np.arange(n),
            "action": action,
            "propensity": np.array(chances)[action],
            "reward": nano.reward_table.rewards[cells],
            "accuracy": nano.cells.accuracy[cells],
            "cost_usd": nano.cells.cost_usd[cells],
            "latency_s": nano.cells.latency_s[cells],
            "prompt_tokens": nothing,
            "completion_tokens": nothing,
            "failed": np.zeros(n, bool),
            "phase": np.zeros(n, int),
        }
        return Log(**{**columns, **changes})

    return make
