"""Several asks written down once more, in plain Python for one session, and tables to ask in."""

import math
from typing import Any

import numpy as np
from tables import queries, records

from llm_routing_env.tables.table import OutcomeTable

SAID = ("A", "B", "C", "", None)  # None: the call failed


def voting_table(
    seed: int = 0, per_context: int = 9, n_llms: int = 4, n_repeats: int = 2, **of_query: Any
) -> OutcomeTable:
    """Return a table of random outcomes whose responses are letters, empty or errors.

    Args:
        seed: Of the outcomes.
        per_context: Queries of each context.
        n_llms: LLMs.
        n_repeats: Repeats.
        **of_query: A column's values by LLM for every query: `response=("A", "B", "B", None)`.
    """
    rng, asked, llms = np.random.default_rng(seed), queries(per_context), [f"llm-{i}" for i in range(n_llms)]
    shape = (len(asked), n_llms, n_repeats)
    accuracy, cost_usd, latency_s = (
        rng.integers(0, 2, shape),
        rng.uniform(1e-6, 1e-4, shape),
        rng.uniform(0.005, 0.3, shape),
    )
    rows = records(asked, llms, accuracy, cost_usd, latency_s)
    said = rng.integers(len(SAID), size=shape)
    for row, cell in zip(rows, np.ndindex(shape), strict=True):
        row |= {"response": SAID[said[cell]], "measure_confidence": float(rng.random())}
        row |= {column: values[cell[1]] for column, values in of_query.items()}
        row["error"] = "timeout" if row["response"] is None else None
    return OutcomeTable.from_records(asked, llms, rows, {})


class PlainAsks:
    """One session of several asks under the additive reward, by the rule as its page says it.

    Attributes:
        done: Queries that are done.
    """

    def __init__(self, problem: Any, rng: np.random.Generator, *, parallel: bool = False, max_asks: int = 4) -> None:
        """Draw the session."""
        session = problem.draw_session(rng, problem.context)
        self._queries, self._repeats = session.queries, session.repeats
        self._table, self._reward, self._seen = problem.table, problem.reward, problem.observations
        self._accuracy = problem.table.accuracy(problem.scorer)
        self._n_llms, self._parallel, self._max_asks = problem.table.n_llms, parallel, max_asks
        self.done, self._asked, self._closed = 0, list[int](), False

    def _column(self, values: Any) -> list[Any]:
        place = min(self.done, len(self._queries) - 1)
        return [values[self._queries[place], llm, self._repeats[place]] for llm in range(self._n_llms)]

    @property
    def _answers(self) -> list[str | None]:
        return [text or None for text in self._column(self._table.texts("response"))]

    def _sums(self) -> tuple[float, float]:
        costs, latencies = self._column(self._table.cost_usd), self._column(self._table.latency_s)
        waits = [latencies[llm] for llm in self._asked]
        return math.fsum(costs[llm] for llm in self._asked), max(waits) if self._parallel else math.fsum(waits)

    def _value(self, accuracy: float) -> float:
        """Return what the query is worth: nothing while nobody was asked."""
        if not self._asked:
            return 0.0
        (w_a, w_c, w_l), (cost, latency) = self._reward.weights, self._sums()
        return w_a * accuracy - w_c * cost / self._reward.cost_scale_usd - w_l * math.log10(max(latency * 1000, 10.0))

    def _voted(self) -> int:
        answers = self._answers
        votes = [answers[llm] for llm in self._asked if answers[llm] is not None]
        if not votes:
            return self._asked[0]
        return next(
            llm for llm in self._asked if answers[llm] and votes.count(answers[llm]) == max(map(votes.count, votes))
        )

    def step(self, action: int) -> tuple[float, bool]:
        """Return the reward, and whether the query is done."""
        before = self._value(0.0)
        if (
            action < self._n_llms
            and action not in self._asked
            and len(self._asked) < self._max_asks
            and not self._closed
        ):
            self._asked.append(action)
            return self._value(0.0) - before, False
        if self._parallel and self._asked and not self._closed:
            self._closed = True
            return 0.0, False
        if not self._asked:
            value = self._reward.bounds[0]
        else:
            picked = action if action in self._asked else self._voted()
            failed = self._column(self._table.failed)[picked]
            value = min(self._reward.bounds[0], before) if failed else self._value(self._column(self._accuracy)[picked])
        self.done, self._asked, self._closed = self.done + 1, [], False
        return value - before, True

    def observation(self) -> list[float]:
        """Return what is seen."""
        answers, is_over = self._answers, self.done == len(self._queries)
        is_hidden = self._parallel and not self._closed
        numbers: dict[str, int] = {}
        by_llm = [[0.0, 0.0, 0.0] for _ in range(self._n_llms)]
        for place, llm in enumerate([] if is_over else self._asked):
            by_llm[llm][0] = (self._n_llms - place) / self._n_llms
            answer = answers[llm]
            if answer is not None and not is_hidden:
                share = sum(answers[other] == answer for other in self._asked) / len(self._asked)
                by_llm[llm][1:] = numbers.setdefault(answer, len(numbers) + 1) / self._n_llms, share
        query = self._seen[self._queries[min(self.done, len(self._queries) - 1)]]
        return [*query.tolist(), *(number for llm in by_llm for number in llm), float(self._closed)]
