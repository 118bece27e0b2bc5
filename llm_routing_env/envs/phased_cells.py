"""The numbers of a table in every phase of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.base import Reward
from llm_routing_env.rewards.reward_table import mean_of_known
from llm_routing_env.tables.cells import Cells

if TYPE_CHECKING:  # sessions without a scenario start sooner without
    from llm_routing_env.scenarios.phases import Phase


class PhasedCells:
    """What calls give, phase by phase; without a scenario there is one phase.

    Attributes:
        scenario: As it was given; of a function its name.
        recorded_scenario: The same as logs keep it, see `scenarios.recorded_scenario`.
        phases: Those of the scenario; none without one.
        cells: Of every phase; a row of them is a query in a phase.
        same_as: Of each phase, the first one whose cells are the same, shape (phases,).
    """

    def __init__(
        self, own: Cells, given: Any, llm_names: Sequence[str], reward: Reward, *, longest: int, is_live: bool
    ) -> None:
        """Compose the phases.

        Args:
            own: What was recorded.
            given: The scenario, see `ProblemOptions`.
            llm_names: The table's LLMs.
            reward: Says which LLM is the favourite.
            longest: Steps of the longest session: what none comes to must not move bounds.
            is_live: Whether LLMs are asked.

        Raises:
            ValueError: For a scenario that is none, or that the table cannot have.
        """
        is_plain = isinstance(given, str | Sequence | Mapping | None)
        self.scenario = self.recorded_scenario = given if is_plain else getattr(given, "__name__", str(given))
        self.phases: Sequence[Phase] = []
        if given is not None:
            from llm_routing_env.scenarios import phases_of, read_scenario, recorded_scenario

            self.recorded_scenario = recorded_scenario(given)
            scenario = read_scenario(given, llm_names, lambda cells: _worth(cells, reward))
            phases = phases_of(own, scenario, is_live=is_live)
            self.phases = [each if each.step - each.earlier < longest else replace(each, cells=own) for each in phases]
        of_phases = [phase.cells for phase in self.phases] or [own]
        self.cells = Cells.stack(of_phases)
        # Phases that are the same cells are looked up in one place: the fewer, the more stays in the processor's cache.
        self.same_as = np.array([next(n for n, other in enumerate(of_phases) if other is each) for each in of_phases])

    def widened(self, reward: Reward) -> Reward:
        """Return the reward with bounds that hold in every phase, which may be dearer and slower than the table."""
        if self.scenario is None:
            return reward
        cells, highest = self.cells, {name: float(np.nanmax(each)) for name, each in self.cells.measures.items()}
        return replace(
            reward,
            max_cost_usd=float(np.fmax(reward.max_cost_usd, np.fmax.reduce(cells.cost_usd, axis=None))),
            max_latency_s=float(np.fmax(reward.max_latency_s, np.fmax.reduce(cells.latency_s, axis=None))),
            max_measures={name: max(reward.max_measures[name], value) for name, value in highest.items()},
        )


def _worth(cells: Cells, reward: Reward) -> NDArray[np.float64]:
    """Return each LLM's mean reward over what is recorded of it, shape (LLMs,)."""
    rewards = reward(cells.accuracy, cells.cost_usd, cells.latency_s, cells.measures)
    return mean_of_known(np.where(cells.failed, reward.bounds[0], rewards), (0, 2))
