"""What lifelong learners earn from the first query of their lives to the last, beside the best fixed LLM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import Block, Lives
from llm_routing_env.evaluation.drawn import draw_sessions
from llm_routing_env.evaluation.references import BEST_FIXED, References
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog
from llm_routing_env.evaluation.statistics import widening

N_POINTS = 40
IN_A_ROW = 2  # points that have to be clearly above the line: one of forty is so by chance


@dataclass(frozen=True)
class LifeCurve:
    """Means over runs of consecutive queries and over lifetimes; arrays have the shape (runs,).

    Attributes:
        ends: Queries that a lifetime has routed by the end of each run.
        n_past: Queries before those that are judged: no run is of both.
        reward: Mean reward of a query.
        best_fixed: That of the best fixed LLM in hindsight on the same queries.
        half_width: Of the 95 % interval over lifetimes of the difference of the two, which says nothing of other
            queries; NaN where there is one lifetime.
    """

    ends: Ints
    n_past: int
    reward: Floats
    best_fixed: Floats
    half_width: Floats

    def crosses_after(self, *, is_clear_gain: bool) -> int | None:
        """Return the queries lived when the learner gets ahead of the best fixed LLM; None: it does not.

        It does by the end of the first of two runs that are clearly above, one after the other, if from there on it is
        above in the mean, and in the mean of what is judged.

        Args:
            is_clear_gain: Whether all that is judged is a clear gain, see `Comparison.is_clear_gain`. Without one, runs
                above the line are those of many that chance lifts.
        """
        if not is_clear_gain:
            return None
        gain, sizes = self.reward - self.best_fixed, np.diff(self.ends, prepend=0)
        is_above = gain > self.half_width
        judged = int(np.searchsorted(self.ends, self.n_past, side="right"))
        for run in range(len(self.ends) - IN_A_ROW + 1):
            rests = [float(np.dot(gain[start:], sizes[start:])) for start in (run, max(run, judged))]
            if is_above[run : run + IN_A_ROW].all() and min(rests) > 0:
                return int(self.ends[run])
        return None

    def document(self) -> dict[str, Any]:
        """Return it JSON-plain, without what takes more than a curve, `crosses_after`."""
        width = [None if np.isnan(value) else value for value in self.half_width.tolist()]
        return {
            "queries_lived": self.ends.tolist(),
            "queries_before_judged": self.n_past,
            "reward": self.reward.tolist(),
            "best_fixed": self.best_fixed.tolist(),
            "half_width": width,
        }


def life_curve(
    problem: RoutingProblem,
    before: RoutingProblem,
    references: References,
    lived: Sequence[tuple[Lives, Sequence[SessionLog]]],
) -> LifeCurve:
    """Return the curve of one agent.

    Args:
        problem: What was judged.
        before: What was routed before.
        references: Of all contexts together.
        lived: All its lifetimes, with the logs of their blocks.
    """
    earned, line = [], []
    for lives, logs in lived:
        earned.append(np.concatenate([log.rewards for log in logs], axis=1))
        faced = [before if block is lives.past else problem for block in lives.blocks]
        fixed = [_best_fixed(*pair, references.actions) for pair in zip(faced, lives.blocks, strict=True)]
        line.append(np.concatenate(fixed, axis=1))
    n_past = lived[0][0].past.length if lived[0][0].past else 0
    ends = _ends(n_past, sum(block.length for block in lived[0][0].blocks))
    reward, best_fixed = (_run_means(np.concatenate(parts), ends) for parts in (earned, line))
    return LifeCurve(ends, n_past, reward.mean(axis=0), best_fixed.mean(axis=0), _half_width(reward - best_fixed))


def _half_width(gain: Floats) -> Floats:
    """Return half of the 95 % interval of the mean over lifetimes, by Student's t; gains of shape (lifetimes, runs)."""
    if len(gain) < 2:
        return np.full(gain.shape[1], np.nan)
    return np.asarray(1.96 * widening(len(gain) - 1) * gain.std(axis=0, ddof=1) / np.sqrt(len(gain)))


def _best_fixed(problem: RoutingProblem, block: Block, actions: Mapping[str, Ints]) -> Floats:
    """Return what the best fixed LLM gets in the sessions of a block, shape (sessions, steps)."""
    rewards = np.empty((len(block.seeds), block.length))
    for context in dict.fromkeys(block.contexts):
        rows = np.flatnonzero(np.array(block.contexts) == context)
        seeds = [block.seeds[row] for row in rows]
        drawn = draw_sessions(problem, seeds, context=context, length=block.length)
        llms = actions[BEST_FIXED][drawn.rows]  # before, there is one phase: its rows are the queries
        rewards[rows] = problem.reward_table.rewards[drawn.rows, llms, drawn.repeats]
    return rewards


def _ends(n_past: int, n_queries: int) -> Ints:
    """Cut a life into runs of about one length, none of which has queries of before and of those that are judged."""
    size = -(-n_queries // N_POINTS)
    return np.array([*_cut(0, n_past, size), *_cut(n_past, n_queries, size)])


def _cut(start: int, end: int, size: int) -> list[int]:
    """Return where runs end; a last one of less than half the size belongs to the one before."""
    ends = [*range(start + size, end, size), end] if end > start else []
    if len(ends) > 1 and 2 * (ends[-1] - ends[-2]) < size:
        del ends[-2]
    return ends


def _run_means(values: Floats, ends: Ints) -> Floats:
    """Return the means over runs, shape (lifetimes, runs)."""
    starts = np.append(0, ends[:-1])
    return np.asarray(np.add.reduceat(values, starts, axis=1) / (ends - starts))
