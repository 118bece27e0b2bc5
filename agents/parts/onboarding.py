"""An LLM more for a router that is fitted already."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llm_routing_env.agents.parts.task import LLMInfo, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable


def task_with(task: RoutingTask, llm: LLMInfo, probes: TrainingTable, size: int | None = None) -> RoutingTask:
    """Return the task with a further LLM as its last action.

    Args:
        task: One whose actions are its LLMs.
        llm: The new one; a cost that it does not say is the mean of the probes.
        probes: Its outcomes on some training queries, a table of this one LLM.
        size: Numbers of a query that probes show; None: all of an observation.

    Raises:
        ValueError: If the task has it already, or the probes are of another number of LLMs, or look otherwise.
    """
    if llm.name in task.llm_names:
        raise ValueError(f"add_llm: llm must be none of {', '.join(task.llm_names)}, got {llm.name!r}.")
    if probes.rewards.shape[1] != 1:
        raise ValueError(f"add_llm: probes must be outcomes of the new LLM alone, got {probes.rewards.shape[1]} LLMs.")
    size = task.observation_size if size is None else size
    if probes.observation_size != size:
        raise ValueError(f"add_llm: probes must be of observations of size {size}, got {probes.observation_size}.")
    cost = llm.expected_cost_usd
    expected = float(np.nan_to_num(probes.means("cost_usd")[0])) if cost is None else cost
    return replace(
        task,
        n_actions=task.n_actions + 1,
        llm_names=(*task.llm_names, llm.name),
        expected_cost_usd=(*task.expected_cost_usd, expected),
        llms=(*task.llms, llm),
    )
