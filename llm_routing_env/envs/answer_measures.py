"""What is seen of an answer beside whom it agrees with: recorded measures, and scores that need no reference."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.consensus import estimated_errors
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.reference_free import REFERENCE_FREE, error_scores, response_distances
from llm_routing_env.tables.cells import by_cell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
AnswerMeasure = Callable[[Ints, Mask], Floats]
UNKNOWN = -1.0
_LOWEST = UNKNOWN + 1e-6  # of a score: the worst answer there is must not look like none


def answer_measure(problem: RoutingProblem, name: str) -> AnswerMeasure:
    """Return what gives a measure of answers, in [-1, 1], shape (sessions, LLMs); `UNKNOWN` where nothing is.

    It is called with places, see `AnswerGroups`, shape (sessions,), and whose answers are there, (sessions, LLMs). A
    recorded measure is the rank among the LLM's answers on the train split; a score s that needs no reference is
    2 s - 1, which can be compared between LLMs, -0.999999 for 0. "smoothie" compares the answers that are there, and no
    others.

    Raises:
        ValueError: For an unknown measure, or a table that lacks what it compares.
    """
    n_llms = problem.table.n_llms
    if name in problem.table.measures:
        return _looked_up(_ranks(problem, name).reshape(-1, n_llms))
    if name not in REFERENCE_FREE:
        raise unknown_name("measure", name, (*problem.table.measures, *REFERENCE_FREE))
    failed = by_cell(problem.cells.failed).reshape(-1, n_llms)
    if name == "smoothie":
        return _agreement(np.concatenate([response_distances(table) for table in problem.cells.tables]), failed)
    scores = np.concatenate([REFERENCE_FREE[name](table) for table in problem.cells.tables])
    return _looked_up(np.where(failed, UNKNOWN, _shown(by_cell(scores).reshape(-1, n_llms))))


def _shown(scores: Floats) -> Floats:
    shown: Floats = np.maximum(2 * scores - 1, _LOWEST)
    return shown


def _looked_up(values: Floats) -> AnswerMeasure:
    return lambda places, shown: np.where(shown, values.take(places, axis=0), UNKNOWN)


def _agreement(distances: Floats, failed: Mask) -> AnswerMeasure:
    """Return the score of `smoothie` among the answers that are there; three are needed."""
    by_place = distances.reshape(-1, *distances.shape[2:])

    def measure(places: Ints, shown: Mask) -> Floats:
        answered = shown & ~failed[places]
        both = answered[:, :, None] & answered[:, None, :]
        errors = estimated_errors(np.where(both, by_place.take(places, axis=0), np.nan))
        return np.where(np.isnan(errors), UNKNOWN, _shown(error_scores(errors)))

    return measure


def _ranks(problem: RoutingProblem, name: str) -> Floats:
    """Return for each outcome how its measure ranks among the LLM's on the train split, in (-1, 1], by cell.

    -1 where it was not recorded.
    """
    values, train = problem.cells.measures[name], problem.table.select(None, "train")
    ranks = np.empty(values.shape)
    for llm in range(values.shape[1]):
        known = np.sort(problem.table.measures[name][train, llm], axis=None)
        known = known[~np.isnan(known)]
        below = np.searchsorted(known, values[:, llm], side="right")
        ranks[:, llm] = 2 * (below + 1) / (len(known) + 1) - 1
    return by_cell(np.where(np.isnan(values), UNKNOWN, ranks))
