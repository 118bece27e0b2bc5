"""What a step tells: every key of an info, with its type, for the scalar, the vector and the live environments."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.vector_infos import everyone
from llm_routing_env.tables.cells import by_cell
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
Info = dict[str, Any]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
INFOS = ("full", "numbers", "none")
ASKED = ("query_id", "context", "prompt")
UNREACHABLE = "the scenario's outage: the LLM does not answer"
ANSWERED = ("llm", "response", "error", "next_prompt")
OUTCOME = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens")
MASK, REWARD, TERMS = "action_mask", "reward", "reward_terms"
KEPT_CELLS = 2**15  # an info is about a kilobyte


class Facts:
    """Reward and info of every cell, one at a time or many at once; see `Cells` for their numbers.

    Where a scenario lets what is told differ from what is true, reward, accuracy and terms are as told, and
    true_reward and true_accuracy stand beside them.

    With `info` "none" an info is empty; "numbers" has the numbers of `OUTCOME`, the reward's terms, and regret,
    oracle_regret and optimal_action where they are known, and the error of a live call that failed; "full" has the
    texts too.

    Attributes:
        problem: What is routed.
        kind: "full", "numbers" or "none".
        rewards: The reward of every cell as it is told, by cell number.
    """

    def __init__(self, problem: RoutingProblem, info: str) -> None:
        """Describe the cells of a problem.

        Raises:
            ValueError: For an unknown kind of info.
        """
        if info not in INFOS:
            raise unknown_name("info", info, INFOS)
        self.kind, self.rewards = info, by_cell(problem.told_rewards)
        self.problem, self._kept, self._kept_prompts = problem, dict[int, Info](), dict[int, str]()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # nothing that it tells ever changes, and libraries copy environments for every session

    def step(self, cell: int, next_query: int) -> tuple[float, Info]:
        """Return reward and info of one cell, as builtin types.

        Making an info takes longer than the rest of a step, and copying it a fifth of that: each is made once and kept.

        Args:
            cell: Its number.
            next_query: Index of the query that the observation is of.
        """
        reward: float = self.rewards.item(cell)
        if self.kind == "none":
            return reward, {}
        info = (self._kept.get(cell) or self._keep(cell)).copy()
        info[TERMS] = info[TERMS].copy()
        if self.kind == "full":
            info["next_prompt"] = self._kept_prompts.get(next_query) or self._keep_prompt(next_query)
        return reward, info

    def waiting(self, query: int) -> Info:
        """Return the info of a reset: which query waits."""
        return self._asked(self.problem.table.queries[query]) if self.kind == "full" else {}

    def outcome(self, cell: int) -> Outcome:
        """Return what the table holds for a cell, in whatever phase it is."""
        place = self.problem.cells.index(cell)
        values = {name: self._numbers[name].item(place) for name in OUTCOME}
        return Outcome(response=self._text("response", place) or "", error=self._text("error", place), **values)

    def live(self, row: int, llm: int, outcome: Outcome, next_query: int, spent_usd: float) -> Info:
        """Return the info of a call that no table holds.

        Args:
            row: Phase and query, see `Cells`.
            llm: The LLM that was asked.
            outcome: What came of it, scored.
            next_query: Index of the query that the observation is of.
            spent_usd: By all sessions of the environment so far.
        """
        why = {"error": outcome.error} if outcome.error else {}
        if self.kind == "none":
            return {} if outcome.n_attempts else why  # but for why nothing was sent
        terms = self.problem.reward.terms(outcome.accuracy, outcome.cost_usd, outcome.latency_s)
        info: Info = {name: getattr(outcome, name) for name in OUTCOME} | self._truth_of(row, llm)
        info[TERMS] = {name: float(term) for name, term in terms.items()}
        info |= {"ttft_s": math.nan if outcome.ttft_s is None else outcome.ttft_s, "spent_usd": spent_usd}
        info |= {
            "wait_s": outcome.wait_s,
            "n_attempts": outcome.n_attempts,
            "is_cut": outcome.finish_reason == "length",
        }
        if self.kind == "numbers":
            return info | why
        queries = self.problem.table.queries
        said: Info = {
            "response": outcome.response,
            "error": outcome.error or "",
            "next_prompt": queries[next_query].prompt,
        }
        said["finish_reason"] = outcome.finish_reason
        asked = self._asked(queries[row % self.problem.table.n_queries])
        return info | asked | {"llm": self.problem.task.llm_names[llm]} | said

    def blank(self, n_sessions: int) -> Info:
        """Return the info of a step of so many sessions, to be filled in by `steps`: its keys and their masks.

        The masks are one array, read-only, as fresh ones would take half a step.
        """
        if self.kind == "none":
            return {}
        names = (*self._names, TERMS, *((*ASKED, *ANSWERED) if self.kind == "full" else ()))
        infos: Info = dict.fromkeys(names) | everyone(names, n_sessions)
        infos[TERMS] = dict.fromkeys(self._term_columns) | everyone(self._term_columns, n_sessions)
        return infos

    def steps(self, cells: Ints, next_queries: Ints, blank: Info, routing: Mask | None = None) -> tuple[Floats, Info]:
        """Return rewards and infos of many cells: every key with its mask, as Gymnasium's own vectors give them.

        Args:
            cells: One per session.
            next_queries: The queries that the observations are of.
            blank: What `blank` returns; further keys stay as they are.
            routing: Sessions that route a query, None: all. What is returned for the others means nothing.
        """
        infos = blank.copy()
        if self.kind == "none":
            return self.rewards[cells], infos
        rows = self._records.take(cells)
        terms = infos[TERMS] = infos[TERMS].copy()
        for name, column in self._term_columns.items():
            terms[name] = rows[column]
        for name in self._names:
            infos[name] = rows[name]
        if self.kind == "full":
            infos |= self._said(cells, next_queries)
        return rows[REWARD], infos

    def _said(self, cells: Ints, next_queries: Ints) -> Info:
        _, n_llms, n_repeats = self.problem.cells.accuracy.shape
        queries = cells // (n_llms * n_repeats) % self.problem.table.n_queries
        phases, answers = np.divmod(cells, self.problem.table.n_queries * n_llms * n_repeats)
        answers += self._first_texts.take(phases)  # phases of one table say the same
        infos = self.waiting_at(queries) | {name: values.take(answers) for name, values in self._texts.items()}
        if self._has_outages:
            is_down = self._is_down.take(cells)
            infos["response"][is_down], infos["error"][is_down] = "", UNREACHABLE
        infos["llm"] = self._llm_names.take(cells % n_llms)
        infos["next_prompt"] = self._asked_texts["prompt"].take(next_queries)
        return infos

    def waiting_at(self, queries: Ints) -> Info:
        """Return which queries wait, one per session, without masks."""
        if self.kind != "full":
            return {}
        return {name: values.take(queries) for name, values in self._asked_texts.items()}

    def _keep(self, cell: int) -> Info:
        if len(self._kept) == KEPT_CELLS:
            self._kept.clear()
        row, llm, _ = place = self.problem.cells.index(cell)
        info: Info = {name: values.item(place) for name, values in self._numbers.items()} | self._truth_of(row, llm)
        info[TERMS] = self._terms_at(place)
        if self.kind == "full":
            asked = self.problem.table.queries[row % self.problem.table.n_queries]
            info |= self._asked(asked) | {"llm": self.problem.table.llm_names[llm]}
            info |= {
                name: self._text(name, place) or "" for name in ("response", "error")
            }  # None is a NaN to some libraries
        self._kept[cell] = info
        return info

    def _terms_at(self, place: tuple[int, int, int]) -> Info:
        cells = self.problem.cells.as_told  # of one cell: those of all of them would be half as large as the table
        measures = {name: values[place] for name, values in cells.measures.items()}
        numbers = (cells.accuracy[place], cells.cost_usd[place], cells.latency_s[place])
        return {name: float(term) for name, term in self.problem.reward.terms(*numbers, measures).items()}

    def _keep_prompt(self, query: int) -> str:
        prompt = self._kept_prompts[query] = self.problem.table.queries[query].prompt
        return prompt

    def _truth_of(self, row: int, llm: int) -> Info:
        return self.problem.truth.of(row, llm) if self.problem.knows_truth else {}

    def _text(self, column: str, place: tuple[int, int, int]) -> str | None:
        row, llm, repeat = place
        phase, query = divmod(row, self.problem.table.n_queries)
        table = self.problem.cells.tables[phase]
        if self._has_outages and self.problem.cells.failed[place] and not table.failed[query, llm, repeat]:
            return UNREACHABLE if column == "error" else None
        return table.text(column, query, llm, repeat)

    @staticmethod
    def _asked(query: Query) -> Info:
        return {"query_id": query.query_id, "context": query.context, "prompt": query.prompt}

    @cached_property
    def _numbers(self) -> Mapping[str, NDArray[Any]]:
        """What calls gave, as it is told, and what is true where that differs, each of shape (rows, LLMs, repeats)."""
        cells, told = self.problem.cells, self.problem.cells.as_told
        true = {"true_reward": self.problem.reward_table.rewards, "true_accuracy": cells.accuracy}
        return {name: getattr(told, name) for name in OUTCOME} | ({} if told is cells else true)

    @cached_property
    def _records(self) -> NDArray[Any]:
        """The numbers of every cell as one record: a step then reads one place per session, not twelve."""
        truths = {name: values[..., None] for name, values in self.problem.truth.columns.items()}
        terms = {self._term_columns[name]: values for name, values in self.problem.reward_terms.items()}
        rewards = {REWARD: self.problem.told_rewards}
        columns: dict[str, NDArray[Any]] = {**rewards, **self._numbers, **truths, **terms}
        n_rows, n_llms, n_repeats = self.problem.cells.accuracy.shape
        records = np.empty((n_rows, n_repeats, n_llms), dtype=[(name, each.dtype) for name, each in columns.items()])
        for name, values in columns.items():
            records[name] = values.swapaxes(1, 2)
        return records.ravel()

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names = self._records.dtype.names or ()
        return tuple(name for name in names if name != REWARD and not name.startswith(TERMS))

    @cached_property
    def _term_columns(self) -> dict[str, str]:
        return {name: f"{TERMS}.{name}" for name in self.problem.reward_terms}

    @cached_property
    def _texts(self) -> dict[str, NDArray[np.object_]]:
        columns = {name: [by_cell(table.texts(name)) for table in self._tables] for name in ("response", "error")}
        return {
            name: np.array([text or "" for text in np.concatenate(texts)], dtype=object)
            for name, texts in columns.items()
        }

    @cached_property
    def _tables(self) -> list[OutcomeTable]:
        """The tables whose texts are given, each once."""
        return list(dict.fromkeys(self.problem.cells.tables))

    @cached_property
    def _first_texts(self) -> Ints:
        """Where the texts of each phase begin."""
        size = self.problem.table.failed.size
        return np.array([self._tables.index(table) * size for table in self.problem.cells.tables])

    @cached_property
    def _has_outages(self) -> bool:
        """Whether calls fail in some phase that did not fail when they were recorded."""
        return self.problem.cells.failed is not self.problem.table.failed and bool(self._is_down.any())

    @cached_property
    def _is_down(self) -> Mask:
        """Whether a call fails that did not fail when it was recorded, by cell."""
        recorded = np.concatenate([table.failed for table in self.problem.cells.tables])
        return by_cell(self.problem.cells.failed & ~recorded)

    @cached_property
    def _asked_texts(self) -> dict[str, NDArray[np.object_]]:
        asked = [(query.query_id, query.context, query.prompt) for query in self.problem.table.queries]
        return dict(zip(ASKED, np.array(asked, dtype=object).T.copy(), strict=True))

    @cached_property
    def _llm_names(self) -> NDArray[np.object_]:
        return np.array(self.problem.task.llm_names, dtype=object)
