"""Reads cells of an outcome table as if the sessions of a step shared its LLMs: the busier an LLM, the slower."""

import numpy as np

from llm_routing_env.envs.cells import CellReader, Floats, Infos, Ints, Mask, by_cell
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.load_curve import load_curves


class CellsUnderLoad(CellReader):
    """A `CellReader` whose latencies, and what follows from them, grow by the LLMs' load curves."""

    def __init__(self, problem: RoutingProblem, n_sessions: int, info: str) -> None:
        """Read the load curves from the table.

        Raises:
            ValueError: The table has none; says how they are measured.
        """
        super().__init__(problem, n_sessions, info)
        self._curves = load_curves(problem.table)
        self._succeeded = ~by_cell(problem.table.failed)
        self._accuracies = by_cell(problem.reward_table.accuracies)
        self._cost_usd, self._latency_s = by_cell(problem.table.cost_usd), by_cell(problem.table.latency_s)
        self._measures = {name: by_cell(values) for name, values in problem.table.measures.items()}

    def routed(self, cells: Ints, next_queries: Ints, mask: Mask | None = None) -> tuple[Floats, Infos]:
        """Return rewards and info as `CellReader`, with the LLMs under the load of this step."""
        rewards, infos = super().routed(cells, next_queries, mask)
        slowdown = self._slowdown(cells, mask)
        # What nothing slows stays as recorded, to the last bit; an error is not worth more or less for being late.
        slowed = np.flatnonzero(slowdown != 1.0)
        cells, reward = cells[slowed], self._problem.reward
        latency_s = self._latency_s[cells] * slowdown[slowed]
        measures = {name: values[cells] for name, values in self._measures.items()}
        terms = reward.terms(self._accuracies[cells], self._cost_usd[cells], latency_s, measures)
        rewards[slowed] = np.clip(reward.combine(terms), *reward.bounds)
        if infos:
            infos["latency_s"][slowed] = latency_s
        if "reward_terms" in infos:
            infos["reward_terms"]["latency"][slowed] = terms["latency"]
        return rewards, infos

    def _slowdown(self, cells: Ints, mask: Mask | None) -> Floats:
        """Return by how much the load of this step slows each session's call."""
        llms = cells % self._n_llms
        loads = np.bincount(llms if mask is None else llms[mask], minlength=self._n_llms)
        by_llm = np.array([float(curve.slowdown(load)) for curve, load in zip(self._curves, loads, strict=True)])
        is_slowed = self._succeeded[cells] if mask is None else self._succeeded[cells] & mask
        return np.where(is_slowed, by_llm[llms], 1.0)
