"""What agents that may ask several LLMs are fitted on, of a problem's train split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.envs.answer_groups import AnswerGroups
from llm_routing_env.envs.answer_measures import UNKNOWN, answer_measure
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.tables.cells import by_cell
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.tables.train_split import train_split


def asking_table(problem: RoutingProblem, measures: Sequence[str] = ()) -> AskingTable:
    """Return every LLM's answers on the train split, all contexts, as they were recorded, whatever a scenario brings.

    Args:
        problem: The problem.
        measures: What else is seen of answers, see `PickLLMMultiEnv`.

    Raises:
        ValueError: If the table has no train split, no responses, or lacks some LLM's answer.
    """
    problem = problem.as_recorded
    table, train = problem.table, train_split(problem.table, "pretrained agents cannot be fitted")
    cells, n_repeats = problem.cells, table.n_repeats
    places = (train[:, None] * n_repeats + np.arange(n_repeats)).ravel()
    by_place = [
        by_cell(values).reshape(-1, table.n_llms)[places]
        for values in (cells.accuracy, cells.cost_usd, cells.latency_s, cells.failed)
    ]
    accuracy, cost_usd, latency_s, failed = by_place
    _require_known(table, train, np.isnan(accuracy.reshape(len(train), n_repeats, -1)).any(axis=1))
    everyone = np.ones(failed.shape, dtype=bool)
    measured = {name: answer_measure(problem, name)(places, everyone) for name in measures}
    queries = np.repeat(train, n_repeats)
    contexts = table.query_contexts[queries]
    counts = np.bincount(contexts)
    return AskingTable(
        observations=problem.observations[queries].astype(np.float64),
        answers=AnswerGroups(problem).of(places),
        accuracy=accuracy,
        cost_usd=cost_usd,
        latency_s=latency_s,
        failed=failed,
        weights=1 / counts[contexts] / np.count_nonzero(counts),
        lost_reward=problem.reward.bounds[0],
        measures={name: np.where(values > UNKNOWN, values, np.nan) for name, values in measured.items()},
        prompts=problem.prompts[queries],
    )


def _require_known(table: OutcomeTable, queries: NDArray[np.int64], is_lacking: NDArray[np.bool_]) -> None:
    """Refuse a table that lacks an LLM's answer to a query; lacking is of shape (queries, LLMs)."""
    if is_lacking.any():
        place, llm = np.argwhere(is_lacking)[0].tolist()
        raise ValueError(
            f"The table {table.name} lacks {int(is_lacking.sum())} of the {is_lacking.size} answers to its train "
            f"split, first that of {table.llm_names[llm]} to the query {table.query_ids[queries[place]]!r}: agents "
            "that ask several LLMs are fitted on every answer, so record what lacks, or compare agents that ask one."
        )
