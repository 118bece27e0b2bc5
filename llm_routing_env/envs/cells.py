"""Reads many cells (query, LLM, repeat) of an outcome table at once, and shapes the vector environment's infos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import NUMBERS, RoutingProblem

Infos = dict[str, Any]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class CellReader:
    """Flat arrays of everything a step returns, gathered by cell number.

    Attributes:
        rewards: The reward of every cell, flat.
    """

    def __init__(self, problem: RoutingProblem, info: str) -> None:
        """Prepare the arrays of a problem.

        Args:
            problem: Gives table and rewards.
            info: "full", "numbers" or "none".
        """
        self._problem = problem
        self._info = info
        table = problem.table
        self._n_llms, self._n_repeats = table.n_llms, table.n_repeats
        self.rewards = problem.reward_table.rewards.ravel()
        numbers = {
            "accuracy": problem.reward_table.accuracies,
            "cost_usd": table.cost_usd,
            "latency_s": table.latency_s,
            "prompt_tokens": table.integers("prompt_tokens"),
            "completion_tokens": table.integers("completion_tokens"),
        }
        self._numbers = {name: numbers[name].ravel() for name in NUMBERS}
        means = problem.reward_table.query_means
        self._regret = (problem.context_best[:, None] - problem.context_means).ravel()
        self._oracle_regret = (problem.oracle[:, None] - means).ravel()

    def info(self, cells: Ints, queries: Ints, llms: Ints, next_queries: Ints, mask: Mask | None = None) -> Infos:
        """Return the info of a step: every key with its mask, as Gymnasium's vector environments give it.

        Args:
            cells: Cell per session: (query * LLMs + action) * repeats + repeat.
            queries: Query index per session.
            llms: Action per session.
            next_queries: The queries that the observation is of.
            mask: Sessions the info is of; None: all.
        """
        mask = np.ones(len(cells), dtype=bool) if mask is None else mask
        if self._info == "none" or not mask.any():
            return {}
        routed = queries * self._n_llms + llms
        infos: Infos = {name: values.take(cells) for name, values in self._numbers.items()}
        infos["regret"] = self._regret.take(routed)
        infos["oracle_regret"] = self._oracle_regret.take(routed)
        infos["optimal_action"] = self._problem.optimal_actions.take(queries)
        if self._info == "full":
            infos |= self._texts(cells, queries, llms, next_queries)
        return _masked(infos, mask)

    def asked(self, queries: Ints, mask: Mask) -> Infos:
        """Return the info of a reset: which queries wait, for the sessions of the mask."""
        if self._info != "full":
            return {}
        waiting = [self._problem.table.queries[int(query)] for query in queries]
        texts = {
            "query_id": [query.query_id for query in waiting],
            "context": [query.context for query in waiting],
            "prompt": [query.prompt for query in waiting],
        }
        return _masked({key: np.array(values, dtype=object) for key, values in texts.items()}, mask)

    def final(self, infos: Infos, ended: Mask, observations: NDArray[np.object_], next_queries: Ints) -> Infos:
        """Move the info of sessions that ended under "final_info", and add what their new session asks first."""
        result: Infos = {"final_obs": observations, "_final_obs": ended.copy()}
        result |= {"final_info": _masked(_values(infos), ended), "_final_info": ended.copy()}
        kept = _masked(_values(infos), ~ended) if not ended.all() else {}
        return result | self.merge(kept, self.asked(next_queries, ended), ended)

    @staticmethod
    def merge(infos: Infos, others: Infos, mask: Mask) -> Infos:
        """Return `infos` with the entries of `others` for the sessions of the mask."""
        merged = dict(infos)
        for key, values in _values(others).items():
            if key in infos:
                merged[key] = np.where(mask, values, infos[key])
                merged[f"_{key}"] = infos[f"_{key}"] | mask
            else:
                merged |= _masked({key: values}, mask)
        return merged

    def _texts(self, cells: Ints, queries: Ints, llms: Ints, next_queries: Ints) -> Infos:
        table, names = self._problem.table, self._problem.task.llm_names
        repeats = cells % self._n_repeats
        asked = [table.queries[int(query)] for query in queries]
        keys = list(zip(queries.tolist(), llms.tolist(), repeats.tolist(), strict=True))
        texts = {
            "query_id": [query.query_id for query in asked],
            "context": [query.context for query in asked],
            "prompt": [query.prompt for query in asked],
            "llm": [names[llm] for llm in llms],
            "response": [table.text("response", *key) or "" for key in keys],
            "error": [table.text("error", *key) for key in keys],
            "next_prompt": [table.queries[int(query)].prompt for query in next_queries],
        }
        numbers = (self._numbers[name].take(cells) for name in ("accuracy", "cost_usd", "latency_s"))
        everywhere = np.ones(len(cells), dtype=bool)
        terms = _masked(self._problem.reward.terms(*numbers), everywhere)
        return {key: np.array(values, dtype=object) for key, values in texts.items()} | {"reward_terms": terms}


def _values(infos: Infos) -> Infos:
    return {key: value for key, value in infos.items() if not key.startswith("_")}


def _masked(infos: Infos, mask: Mask) -> Infos:
    """Return every entry with its mask, and a neutral value where the mask is False (as Gymnasium does)."""
    result: Infos = {}
    for key, value in infos.items():
        if isinstance(value, dict):
            result[key] = _masked(_values(value), mask)
        elif mask.all():
            result[key] = value
        else:
            neutral: Any = None if value.dtype == object else value.dtype.type(0)
            result[key] = np.where(mask, value, neutral)
        result[f"_{key}"] = mask.copy()
    return result
