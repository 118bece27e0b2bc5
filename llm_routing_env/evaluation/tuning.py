"""Choose hyperparameters on the train split, before the agents are judged on the test split."""

import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.envs.problem import load_table
from llm_routing_env.evaluation.comparison import OnProgress, contestants, run_comparison
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.statistics import Interval

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Tuned:
    """What was tried for one agent and protocol.

    Attributes:
        candidates: The hyperparameters tried.
        rewards: The reward of each candidate; None where it raised.
        n_sessions: Sessions per context spent on each candidate.
    """

    candidates: list[dict[str, Any]]
    rewards: list[Interval | None]
    n_sessions: int

    @property
    def chosen(self) -> dict[str, Any]:
        """The candidate with the highest mean reward."""
        means = [-np.inf if r is None or r["mean"] is None else r["mean"] for r in self.rewards]
        return self.candidates[int(np.argmax(means))]

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON-plain document."""
        tried = zip(self.candidates, self.rewards, strict=True)
        return {
            "chosen": self.chosen,
            "sessions": self.n_sessions,
            "candidates": [{"parameters": values, "reward": reward} for values, reward in tried],
        }


def tune(
    grids: Mapping[str, Grid],
    setting: Setting,
    budget: int,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    blocks_folder: Path | None = None,
    on_progress: OnProgress = lambda name, done, total: None,
) -> dict[str, Tuned]:
    """Try every combination of values and keep, for each agent, the one with the highest mean reward.

    Sessions are drawn from the train split with seeds of their own. Agents that are fitted learn from one half of
    that split and are tried on the other. Every agent gets the same budget: more candidates, fewer sessions each.

    Args:
        grids: For each agent ("ppo@online" for one protocol of Stable-Baselines3), the values of each hyperparameter.
        setting: The setting that the agents will be judged in.
        budget: Sessions per context and agent.
        parameters: Hyperparameters that stay as they are, by agent.
        blocks_folder: See `run_comparison`.
        on_progress: See `compare`.

    Raises:
        ValueError: For an agent with more candidates than sessions, a bad value, or a table without train split.
    """
    trial = _trial_setting(setting)
    tuned = {}
    for agent, grid in grids.items():
        combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        if len(combinations) > budget:
            raise ValueError(
                f"{agent} has {len(combinations)} candidates for {budget} tuning sessions per context: each needs one."
            )
        n_sessions = budget // len(combinations)
        rewards: list[Interval | None] = []
        for values in combinations:
            (contestant,) = contestants([agent], {agent: {**(parameters or {}).get(agent, {}), **values}})
            result = run_comparison(
                [contestant], trial, n_sessions, blocks_folder=blocks_folder, on_progress=on_progress
            )
            rewards.append(None if result.failures else result.metrics[contestant.name][POOLED]["reward"])
        tuned[agent] = Tuned(combinations, rewards, n_sessions)
    return tuned


def _trial_setting(setting: Setting) -> Setting:
    """Return the setting on the train split alone, cut into halves, with other seeds."""
    table = load_table(setting.table)
    train = table.select(None, "train")
    if not len(train):
        raise ValueError(f"{table.path} has no train split to tune on.")
    contexts = table.query_contexts[train]
    is_fitted = np.zeros(len(train), dtype=bool)
    for context in np.unique(contexts):  # every other query of each
        is_fitted[np.flatnonzero(contexts == context)[::2]] = True
    halves = table.resplit(train, is_fitted)
    # Hashed, so that tuning shares no session seed with judging.
    seed = zlib.crc32(f"tuning/{setting.seed}".encode())
    return replace(setting, options={**setting.options, "table": halves, "split": "test"}, seed=seed)
