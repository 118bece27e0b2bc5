"""Scenarios: what changes in the course of a session, as phases in which it does not."""

from collections.abc import Callable, Sequence

import numpy as np

from llm_routing_env.plug_ins import load
from llm_routing_env.tables.cells import Cells

# From the table's own cells to those of each phase, with the step at which it begins; the first begins at step 0.
Scenario = Callable[[Cells], Sequence[tuple[int, Cells]]]


def phases_of(own: Cells, scenario: str | Scenario) -> Sequence[tuple[int, Cells]]:
    """Return the phases that a scenario, or the one that "my_module:my_scenario" names, makes of a table's cells.

    Raises:
        ValueError: If they do not begin at rising steps from 0, differ in shape, or leave a query without an LLM.
    """
    found: Scenario = load("scenario", scenario) if isinstance(scenario, str) else scenario
    phases = list(found(own))
    steps = [step for step, _ in phases]
    if not steps or steps[0] != 0 or sorted(set(steps)) != steps:
        raise ValueError(f"The phases of a scenario must begin at rising steps, the first at 0; got {steps}.")
    for step, cells in phases:
        if cells.available.shape != own.available.shape or cells.cost_usd.shape != own.cost_usd.shape:
            raise ValueError(f"The phase from step {step} must have the table's queries, LLMs and repeats.")
        if not cells.available.any(axis=1).all():
            query = int(np.argmin(cells.available.any(axis=1)))
            raise ValueError(f"The phase from step {step} leaves query {query} without an LLM that can be asked.")
    return phases
