"""Choose hyperparameters on the train split, before the agents are judged on the test split."""

import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.evaluation.comparison import OnProgress, run_comparison
from llm_routing_env.evaluation.entries import contestants, row_name
from llm_routing_env.evaluation.estimate import estimated
from llm_routing_env.evaluation.intervals import Interval
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.past import Past
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.statistics import SESSIONS
from llm_routing_env.pools.estimate import Estimate
from llm_routing_env.tables.load import load_table

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Tuned:
    """What was tried for one agent and protocol.

    Attributes:
        candidates: The hyperparameters tried.
        rewards: The reward of each candidate; None where it raised.
        gaps_closed: The share that each closes of the gap between the best fixed LLM and the oracle of the train split.
        n_sessions: Sessions per context spent on each candidate.
        remark: What a reader must know; "" where there is nothing.
    """

    candidates: list[dict[str, Any]]
    rewards: list[Interval | None]
    gaps_closed: list[Interval | None]
    n_sessions: int
    remark: str = ""

    @property
    def chosen(self) -> dict[str, Any]:
        """The candidate with the highest mean reward."""
        means = [-np.inf if r is None or r["mean"] is None else r["mean"] for r in self.rewards]
        return self.candidates[int(np.argmax(means))]

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON-plain document."""
        tried = zip(self.candidates, self.rewards, self.gaps_closed, strict=True)
        return {
            "chosen": self.chosen,
            "sessions": self.n_sessions,
            "remark": self.remark,
            "candidates": [
                {"parameters": values, "reward": reward, "gap_closed": gap} for values, reward, gap in tried
            ],
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

    Sessions are drawn from the train split with seeds of their own, as long as those judged later where it has the
    queries. Agents that are fitted learn from one half of that split and are tried on the other, with one training
    each. Every agent gets the same budget: more candidates, fewer sessions each.

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
    tuned = {}
    for agent, grid in grids.items():
        combinations = _candidates(agent, grid, budget)
        n_sessions = budget // len(combinations)
        rewards: list[Interval | None] = []
        gaps_closed: list[Interval | None] = []
        for values in combinations:
            given = {**(parameters or {}).get(row_name(agent), {}), **values}
            (contestant,) = contestants([agent], {row_name(agent): given})
            trial = _trial_setting(setting, is_fitted=contestant.protocol != "online")
            result = run_comparison(
                [contestant],
                trial,
                n_sessions,
                blocks_folder=blocks_folder,
                training_seeds=1,
                on_progress=on_progress,
            )
            metrics = {} if result.failures else result.metrics[contestant.name][POOLED]
            rewards.append(metrics.get("reward"))
            gaps_closed.append(metrics.get("oracle_gap_closed"))
        tuned[agent] = Tuned(combinations, rewards, gaps_closed, n_sessions, _remark(result, setting))
    return tuned


def estimated_tuning(
    grids: Mapping[str, Grid], setting: Setting, budget: int, *, parameters: Mapping[str, Mapping[str, Any]]
) -> Estimate:
    """Return what `tune` comes to where LLMs are asked; see it for the arguments and the errors."""
    total = Estimate()
    for agent, grid in grids.items() if setting.live else ():
        candidates = _candidates(agent, grid, budget)
        given = {**parameters.get(row_name(agent), {}), **candidates[0]}
        (contestant,) = contestants([agent], {row_name(agent): given})
        trial = _trial_setting(setting, is_fitted=contestant.protocol != "online")
        total += estimated(trial, len(candidates), budget // len(candidates))
    return total


def _candidates(agent: str, grid: Grid, budget: int) -> list[dict[str, Any]]:
    """Return every combination of values."""
    found = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if len(found) > budget:
        raise ValueError(
            f"{agent} has {len(found)} candidates for {budget} tuning sessions per context: each needs one."
        )
    return found


def _trial_setting(setting: Setting, *, is_fitted: bool) -> Setting:
    """Return the setting on the train split, which is cut into halves for agents that are fitted, with other seeds."""
    table = load_table(setting.table)
    train = table.select(None, "train")
    if not len(train):
        raise ValueError(f"{table.name} has no train split to tune on.")
    setting = replace(setting, past=Past())  # the one that is given is of queries that a trial is judged on
    # Hashed, so that tuning shares no session seed with judging.
    seed = zlib.crc32(f"tuning/{setting.seed}".encode())
    if not is_fitted:
        return replace(setting, options={**setting.options, "split": "train"}, seed=seed)
    contexts = table.query_contexts[train]
    is_half = np.zeros(len(train), dtype=bool)
    for context in np.unique(contexts):  # every other query of each
        is_half[np.flatnonzero(contexts == context)[::2]] = True
    halves = table.resplit(train, is_half)
    return replace(setting, options={**setting.options, "table": halves, "split": "test"}, seed=seed)


def _remark(trial: Comparison, setting: Setting) -> str:
    """Say where sessions were shorter than those that are judged: what learns best in few queries may be another."""
    judged = setting.problem()
    short = {
        context: length
        for context, length in trial.lengths.items()
        if context in judged.contexts and length < min(setting.length, len(judged.queries_of(context)))
    }
    if not short or SESSIONS not in next(iter(trial.sources.values()), ()):
        return ""
    listed = ", ".join(f"{length} in {context}" for context, length in short.items())
    return f"Tuning sessions are shorter than the sessions judged: the train split has only {listed}."
