"""Facts of an outcome table as if the sessions of a step shared its LLMs: the busier an LLM, the slower."""

from collections.abc import Mapping

import numpy as np

from llm_routing_env.envs.facts import TERMS, Facts, Floats, Info, Ints, Mask
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.load_curve import load_curves
from llm_routing_env.tables.cells import by_cell


class FactsUnderLoad(Facts):
    """`Facts` whose latencies, and what follows from them, grow by the LLMs' load curves."""

    def __init__(self, problem: RoutingProblem, info: str) -> None:
        """Read the load curves from the table.

        Raises:
            ValueError: The table has none; says how they are measured.
        """
        super().__init__(problem, info)
        self._curves, cells = load_curves(problem.table), problem.cells.as_told
        self._succeeded, self._told = ~by_cell(cells.failed), by_cell(cells.accuracy)
        self._true = None if cells is problem.cells else by_cell(problem.cells.accuracy)
        self._cost_usd, self._latency_s = by_cell(cells.cost_usd), by_cell(cells.latency_s)
        self._measures = {name: by_cell(values) for name, values in cells.measures.items()}

    def steps(self, cells: Ints, next_queries: Ints, blank: Info, routing: Mask | None = None) -> tuple[Floats, Info]:
        """Return rewards and infos as `Facts`, with the LLMs under the load of this step."""
        rewards, infos = super().steps(cells, next_queries, blank, routing)
        slowdown = self._slowdown(cells, routing)
        # What nothing slows stays as recorded, to the last bit; an error is not worth more or less for being late.
        slowed = np.flatnonzero(slowdown != 1.0)
        cells, latency_s = cells[slowed], self._latency_s[cells[slowed]] * slowdown[slowed]
        rewards[slowed], terms = self._worth(self._told, cells, latency_s)
        if TERMS in infos:
            infos["latency_s"][slowed] = latency_s
            infos[TERMS]["latency"][slowed] = terms["latency"]
            if self._true is not None:
                infos["true_reward"][slowed], _ = self._worth(self._true, cells, latency_s)
        return rewards, infos

    def _worth(self, accuracies: Floats, cells: Ints, latency_s: Floats) -> tuple[Floats, Mapping[str, Floats]]:
        """Return the rewards of cells at these latencies, and their terms."""
        reward, measures = self.problem.reward, {name: values[cells] for name, values in self._measures.items()}
        terms = reward.terms(accuracies[cells], self._cost_usd[cells], latency_s, measures)
        return np.clip(reward.combine(terms), *reward.bounds), terms

    def _slowdown(self, cells: Ints, routing: Mask | None) -> Floats:
        """Return by how much the load of this step slows each session's call."""
        n_llms = self.problem.table.n_llms
        llms = cells % n_llms
        loads = np.bincount(llms if routing is None else llms[routing], minlength=n_llms)
        by_llm = np.array([float(curve.slowdown(load)) for curve, load in zip(self._curves, loads, strict=True)])
        is_slowed = self._succeeded[cells] if routing is None else self._succeeded[cells] & routing
        return np.where(is_slowed, by_llm[llms], 1.0)
