"""Policies that are frozen before they route: a distribution over LLMs for each query, and what it gets exactly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog

Policies = NDArray[np.float64]  # shape (training seeds, queries of the table, LLMs); one seed where none was drawn


def always(actions: Ints, n_llms: int) -> Policies:
    """Return the policy that sends each query of the table to one LLM, shape (1, queries, LLMs)."""
    return np.eye(n_llms)[actions][None]


def distinct(policies: Sequence[Floats]) -> Policies:
    """Return the policies of several trainings; one where chance has no part in training and all are the same."""
    stacked = np.stack(policies)
    return stacked[:1] if (stacked == stacked[0]).all() else stacked


def policies_log(
    problem: RoutingProblem, policies: Policies, queries: Ints, repeats: Ints, rng: np.random.Generator
) -> SessionLog:
    """Return what sessions look like under frozen policies: the first under the first training seed, and so on.

    Args:
        problem: The problem.
        policies: The policies.
        queries: Of each session, see `draw_sessions`.
        repeats: Of each session.
        rng: Draws the LLM where a policy leaves it open.
    """
    seeds = np.arange(len(queries)) % len(policies)
    chances = policies[seeds[:, None], queries]
    # A number below 1 times the total stays below it: an LLM of probability 0 is never drawn.
    cumulated = chances.cumsum(axis=2)
    drawn = rng.random(queries.shape)[..., None] * cumulated[..., -1:]
    llms = (cumulated[..., :-1] <= drawn).sum(axis=2)
    cells = (queries, llms, repeats)
    return SessionLog(
        actions=llms,
        rewards=problem.reward_table.rewards[cells],
        measures={
            "accuracy": problem.cells.accuracy[cells],
            "cost_usd": problem.table.cost_usd[cells],
            "latency_s": problem.table.latency_s[cells],
            "regret": problem.truth.regrets[queries, llms],
        },
        final_probabilities=chances[:, -1],
        commit_steps=np.full(len(llms), np.nan),
        commitments=np.full(len(llms), -1),
        propensities=np.take_along_axis(chances, llms[..., None], axis=2)[..., 0],
    )


def expected(policies: Policies, values: Floats) -> Floats:
    """Return the mean of a value under each policy, shape (training seeds, queries, ...).

    Args:
        policies: Shape (training seeds, queries, LLMs).
        values: Of every LLM, shape (queries, LLMs) or (queries, LLMs, repeats).
    """
    rest = (1,) * (values.ndim - 2)
    # LLM by LLM, so that the order of summation is one and the same; one that is never asked may lack the value.
    total = np.zeros(policies.shape[:2] + values.shape[2:])
    for llm in range(policies.shape[2]):
        chance = policies[:, :, llm].reshape(policies.shape[:2] + rest)
        total += np.where(chance > 0, chance * values[None, :, llm], 0.0)
    return total
