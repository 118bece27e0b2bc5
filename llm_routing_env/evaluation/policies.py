"""Policies that are frozen before they route: a distribution over LLMs for each query, and what it gets exactly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.drawn import Drawn
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog

Policies = NDArray[np.float64]  # shape (training seeds, rows, LLMs); one seed where chance has no part


def always(actions: Ints, n_llms: int) -> Policies:
    """Return the policy that sends each query, in each phase, to one LLM, shape (1, rows, LLMs)."""
    return np.eye(n_llms)[actions][None]


def distinct(policies: Sequence[Floats]) -> Policies:
    """Return the policies of several trainings; one where chance has no part in training and all are the same."""
    stacked = np.stack(policies)
    return stacked[:1] if (stacked == stacked[0]).all() else stacked


def policies_log(problem: RoutingProblem, policies: Policies, drawn: Drawn, rng: np.random.Generator) -> SessionLog:
    """Return what sessions look like under frozen policies: the first under the first training seed, and so on.

    Args:
        problem: The problem.
        policies: The policies.
        drawn: The sessions.
        rng: Draws the LLM where a policy leaves it open.
    """
    seeds = np.arange(len(drawn.rows)) % len(policies)
    chances = policies[seeds[:, None], drawn.rows]
    # A number below 1 times the total stays below it: an LLM of probability 0 is never drawn.
    cumulated = chances.cumsum(axis=2)
    thrown = rng.random(drawn.rows.shape)[..., None] * cumulated[..., -1:]
    llms = (cumulated[..., :-1] <= thrown).sum(axis=2)
    cells = (drawn.rows, llms, drawn.repeats)
    return SessionLog(
        actions=llms,
        rewards=problem.reward_table.rewards[cells],
        measures={
            "accuracy": problem.cells.accuracy[cells],
            "cost_usd": problem.cells.cost_usd[cells],
            "latency_s": problem.cells.latency_s[cells],
            "regret": problem.truth.regrets[drawn.rows, llms],
        },
        final_probabilities=chances[:, -1],
        commit_steps=np.full(len(llms), np.nan),
        commitments=np.full(len(llms), -1),
        propensities=np.take_along_axis(chances, llms[..., None], axis=2)[..., 0],
    )


def expected(policies: Policies, values: Floats) -> Floats:
    """Return the mean of a value under each policy, shape (training seeds, rows, ...).

    Args:
        policies: Shape (training seeds, rows, LLMs).
        values: Of every LLM, shape (rows, LLMs) or (rows, LLMs, repeats).
    """
    rest = (1,) * (values.ndim - 2)
    # LLM by LLM, so that the order of summation is one and the same; one that is never asked may lack the value.
    total = np.zeros(policies.shape[:2] + values.shape[2:])
    for llm in range(policies.shape[2]):
        chance = policies[:, :, llm].reshape(policies.shape[:2] + rest)
        total += np.where(chance > 0, chance * values[None, :, llm], 0.0)
    return total
