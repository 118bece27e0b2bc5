"""What a step on a recorded outcome returns, one cell (query, LLM, repeat) at a time."""

from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from llm_routing_env.envs.cells import reward_terms
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.tables.queries import Query

Info = dict[str, Any]
KEPT_CELLS = 2**15  # an info is about a kilobyte


class RecordedSteps:
    """Reward and info of single cells, as builtin types.

    Making an info takes longer than the rest of a step, and copying it a fifth of that: each is made once and kept.
    """

    def __init__(self, problem: RoutingProblem, info: str) -> None:
        """Describe the cells of a problem; `info` is "full", "numbers" or "none"."""
        self._problem, self._info = problem, info
        self._terms = reward_terms(problem) if info == "full" else {}
        self._kept: dict[tuple[int, int, int], Info] = {}

    @staticmethod
    def of(problem: RoutingProblem, info: str) -> "RecordedSteps":
        """Return the steps that environments with equal arguments share, so that each info is kept once."""
        key = (problem.table, problem.scorer, problem.split, repr(problem.reward), info)
        steps = _SHARED.get(key)
        if steps is None:
            steps = _SHARED[key] = RecordedSteps(problem, info)
        return steps

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles begin with nothing kept."""
        return self.__dict__ | {"_kept": {}}

    def step(self, query: int, llm: int, repeat: int, next_query: int) -> tuple[float, Info]:
        """Return reward and info of routing a query.

        Args:
            query: Index of the query.
            llm: The LLM it goes to.
            repeat: Which recorded repeat it gets.
            next_query: Index of the query that the observation is of.
        """
        cell = (query, llm, repeat)
        reward = self._problem.reward_table.rewards.item(cell)
        if self._info == "none":
            return reward, {}
        info = (self._kept.get(cell) or self._keep(cell)).copy()
        if self._info == "full":
            info["reward_terms"] = info["reward_terms"].copy()
            info["next_prompt"] = self._queries[next_query].prompt
        return reward, info

    @cached_property
    def _queries(self) -> tuple[Query, ...]:
        return tuple(self._problem.table.queries)

    def _keep(self, cell: tuple[int, int, int]) -> Info:
        if len(self._kept) == KEPT_CELLS:
            self._kept.clear()
        query, llm, _ = cell
        table = self._problem.table
        info = {
            "accuracy": self._problem.reward_table.accuracies.item(cell),
            "cost_usd": table.cost_usd.item(cell),
            "latency_s": table.latency_s.item(cell),
            "prompt_tokens": table.integers("prompt_tokens").item(cell),
            "completion_tokens": table.integers("completion_tokens").item(cell),
        } | self._problem.regrets(query, llm)
        if self._info == "full":
            asked = self._queries[query]
            info |= {
                "query_id": asked.query_id,
                "context": asked.context,
                "prompt": asked.prompt,
                "llm": table.llm_names[llm],
                "response": table.text("response", *cell) or "",
                "error": table.text("error", *cell) if table.failed.item(cell) else None,
                "reward_terms": {name: values.item(cell) for name, values in self._terms.items()},
                "next_prompt": "",
            }
        self._kept[cell] = info
        return info


_SHARED: WeakValueDictionary[tuple[Any, ...], RecordedSteps] = WeakValueDictionary()
