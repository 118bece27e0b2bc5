"""What sessions lose, as a share of what choosing at random would lose over the same queries."""

from functools import cached_property
from typing import Any

import numpy as np

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.intervals import ROUNDING
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog


class Lost:
    """What the sessions of one context lose."""

    def __init__(self, problem: RoutingProblem, rows: Ints, log: SessionLog) -> None:
        """Take note of them.

        Args:
            problem: What was routed.
            rows: Of each step, see `Drawn`.
            log: What happened.
        """
        self._problem, self._rows, self._regret = problem, rows, log.measures["regret"]

    @property
    def is_known(self) -> bool:
        """Whether every regret is."""
        return bool(np.isfinite(self._regret).all())

    @cached_property
    def _totals(self) -> tuple[Floats, Floats]:
        """What is lost up to each step, and what is expected to be lost at random, shape (sessions, 1 + steps)."""
        at_random = np.where(self._problem.comparable, self._problem.truth.regrets, np.nan)[self._rows]
        return _summed(self._regret), _summed(np.nanmean(at_random, axis=2))

    def share(self, row: int, starts: Any, ends: Any) -> Floats:
        """Return the share over stretches of a session; 0 where nothing can be lost."""
        lost, at_random = (total[row, ends] - total[row, starts] for total in self._totals)
        share: Floats = np.divide(lost, at_random, out=np.zeros_like(lost), where=at_random > ROUNDING)
        return share


def _summed(values: Floats) -> Floats:
    return np.pad(values.cumsum(axis=1), ((0, 0), (1, 0)))
