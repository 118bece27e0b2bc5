"""Reads many cells (query, LLM, repeat) of an outcome table at once, and shapes the vector environment's infos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem

Floats = NDArray[np.float64]
Infos = dict[str, Any]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class CellReader:
    """Flat arrays of everything a step returns, gathered by cell number: (query * repeats + repeat) * LLMs + LLM.

    Attributes:
        rewards: The reward of every cell, flat.
    """

    def __init__(self, problem: RoutingProblem, n_sessions: int, info: str) -> None:
        """Prepare the arrays of a problem.

        Args:
            problem: Gives table and rewards.
            n_sessions: How many cells are read at once.
            info: "full", "numbers" or "none".
        """
        self._problem = problem
        # The mask of most entries. Handed out again and again, hence read-only: fresh ones would take half of the step.
        self._everyone = np.ones(n_sessions, dtype=bool)
        self._everyone.flags.writeable = False
        self._info = info
        self._n_llms, self._n_repeats = problem.table.n_llms, problem.table.n_repeats
        self.rewards = by_cell(problem.reward_table.rewards)
        if info != "none":
            self._numbers = _numbers(problem)
            self._names = tuple(self._numbers.dtype.fields or ())
        if info == "full":
            self._terms = {name: by_cell(values) for name, values in reward_terms(problem).items()}
            responses, errors = (by_cell(problem.table.texts(name)) for name in ("response", "error"))
            self._texts = {"response": np.array([text or "" for text in responses], dtype=object), "error": errors}
            self._asked = {
                name: np.array([getattr(query, name) for query in problem.table.queries], dtype=object)
                for name in ("query_id", "context", "prompt")
            }
            self._llm_names = np.array(problem.task.llm_names, dtype=object)

    def first_cells(self, queries: Ints, repeats: Ints) -> Ints:
        """Return the cell of the first LLM; that of action a lies a further."""
        return (queries * self._n_repeats + repeats) * self._n_llms

    def routed(self, cells: Ints, next_queries: Ints, mask: Mask | None = None) -> tuple[Floats, Infos]:
        """Return the rewards of a step, and its info: every key with its mask, as Gymnasium's own give it.

        Args:
            cells: Cell per session.
            next_queries: The queries that the observation is of.
            mask: Sessions that routed a query; None: all. The rewards of the others mean nothing.
        """
        rewards = self.rewards[cells]
        if self._info == "none" or (mask is not None and not mask.any()):
            return rewards, {}
        rows = self._numbers.take(cells)
        infos: Infos = {name: rows[name] for name in self._names}
        if self._info == "full":
            infos |= self._describe(cells, next_queries)
        return rewards, self._of_everyone(infos) if mask is None else _masked(infos, mask)

    def asked(self, queries: Ints, mask: Mask) -> Infos:
        """Return the info of a reset: which queries wait, for the sessions of the mask."""
        if self._info != "full":
            return {}
        return _masked(self._waiting(queries), mask)

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

    def _describe(self, cells: Ints, next_queries: Ints) -> Infos:
        infos = self._waiting(cells // (self._n_repeats * self._n_llms))
        infos |= {name: values.take(cells) for name, values in self._texts.items()}
        infos["llm"] = self._llm_names.take(cells % self._n_llms)
        infos["next_prompt"] = self._asked["prompt"].take(next_queries)
        infos["reward_terms"] = self._of_everyone({name: values.take(cells) for name, values in self._terms.items()})
        return infos

    def _of_everyone(self, infos: Infos) -> Infos:
        return infos | {f"_{key}": self._everyone for key in infos}

    def _waiting(self, queries: Ints) -> Infos:
        return {key: values.take(queries) for key, values in self._asked.items()}


def reward_terms(problem: RoutingProblem) -> dict[str, NDArray[np.float64]]:
    """Return each term of every recorded reward, shape (queries, LLMs, repeats)."""
    table = problem.table
    return problem.reward.terms(problem.reward_table.accuracies, table.cost_usd, table.latency_s, table.measures)


def by_cell(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of shape (queries, LLMs, repeats) by cell number."""
    return values.swapaxes(1, 2).ravel()


def _numbers(problem: RoutingProblem) -> NDArray[Any]:
    """Return the numbers of every cell's info as one record: a step then reads one place per session, not eight."""
    table, truth = problem.table, problem.reward_table
    columns: dict[str, NDArray[Any]] = {
        "accuracy": truth.accuracies,
        "cost_usd": table.cost_usd,
        "latency_s": table.latency_s,
        "prompt_tokens": table.integers("prompt_tokens"),
        "completion_tokens": table.integers("completion_tokens"),
        "regret": (problem.context_best[:, None] - problem.context_means)[..., None],
        "oracle_regret": (problem.oracle[:, None] - truth.query_means)[..., None],
        "optimal_action": problem.optimal_actions[:, None, None],
    }
    shape = (table.n_queries, table.n_repeats, table.n_llms)
    records = np.empty(shape, dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values.swapaxes(1, 2)
    return records.ravel()


def _values(infos: Infos) -> Infos:
    return {key: value for key, value in infos.items() if not key.startswith("_")}


def _masked(infos: Infos, mask: Mask) -> Infos:
    """Return every entry with its mask, and a neutral value where the mask is False (as Gymnasium does)."""
    result: Infos = {}
    is_whole = mask.all()
    for key, value in infos.items():
        if isinstance(value, dict):
            result[key] = _masked(_values(value), mask)
        elif is_whole:
            result[key] = value
        else:
            neutral: Any = None if value.dtype == object else value.dtype.type(0)
            result[key] = np.where(mask, value, neutral)
        result[f"_{key}"] = mask.copy()
    return result
