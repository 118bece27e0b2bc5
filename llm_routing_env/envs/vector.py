"""Many sessions of the routing bandit in one numpy step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.envs.actions import masked_error
from llm_routing_env.envs.facts import MASK, Facts
from llm_routing_env.envs.facts_under_load import FactsUnderLoad
from llm_routing_env.envs.options import NEEDS_LIVE, ProblemOptions, refuse_given, sort_options
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.session import Session
from llm_routing_env.envs.vector_base import (
    VECTOR_OPTIONS,
    Infos,
    Mask,
    Observations,
    RoutingVectorEnv,
    Step,
    refuse_rendering,
)
from llm_routing_env.envs.vector_infos import everyone, masked, merged, started_anew
from llm_routing_env.tables.cells import by_cell
from llm_routing_env.tables.table import OutcomeTable

Ints = NDArray[np.int64]
_OWN = (*VECTOR_OPTIONS, "latency_under_load")


class PickLLMVectorEnv(RoutingVectorEnv, VectorEnv[Observations, Ints, NDArray[Any]]):  # skrl looks at direct bases
    """`num_envs` independent sessions of `PickLLM-v0`, on recorded outcomes.

    Session i of a vector seeded with s equals the scalar environment seeded with s + i, step for step. Made by
    `gym.make_vec("PickLLM-v0", num_envs=...)`; takes the arguments of `PickLLMEnv` that concern tables, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `max_episode_steps` | 200 | sessions are truncated after so many queries |
    | `autoreset_mode` | `"NEXT_STEP"` | `"NEXT_STEP"`, `"SAME_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `info` | `"numbers"` | `"full"` costs more than the step; `"none"` is fastest |
    | `latency_under_load` | `False` | whether sessions that pick the same LLM in a step slow each other |

    With `latency_under_load` the sessions are no longer independent, as on servers that they share: the recorded
    latency is multiplied by the LLM's slowdown at as many requests as sessions picked it in this step, by the load
    curve in the table's metadata (`pickllm load-curve` measures it). `latency_s`, `reward_terms` and the reward,
    within its bounds, follow; a failed call stays as recorded. Regrets and the optimal action stay those of the table,
    without load. `compare` does not offer it: it cuts its sessions into blocks as suits the machine, and the results
    would depend on the cuts.

    Masks of an info (its keys that begin with `_`) are read-only where they are True everywhere. `action_mask` has the
    shape (sessions, LLMs) and is read-only; it is there where some LLM cannot be asked at some time.

    `reset(options={"context": name})` chooses the context of all sessions, `{"context": [...]}` of each;
    `{"reset_mask": mask}` restarts some sessions only.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = SESSION_LENGTH,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        info: str = "numbers",
        latency_under_load: bool = False,
        backend: str = "table",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class and `PickLLMEnv` for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`, for `num_envs` or `max_episode_steps` below 1, for `latency_under_load`
                with a table that has no load curve, and for a live backend or a `render_mode`.
        """
        refuse_rendering(render_mode)
        if backend != "table":
            raise ValueError(
                f'This vector has recorded outcomes only, got backend={backend!r}: gym.make_vec("PickLLMLive-v0", '
                "backend=...) asks live LLMs."
            )
        problem, live = sort_options({"table": table} | options, _OWN)
        refuse_given(live.given, NEEDS_LIVE)
        facts = FactsUnderLoad if latency_under_load else Facts
        super().__init__(facts(RoutingProblem(**problem), info), num_envs, max_episode_steps, autoreset_mode)
        # Column i is session i. The clock walks round the rows; a session shows its last query again when it has ended.
        self._size, self._clock, self._now = max_episode_steps + 1, 0, 0  # the row of now is clock % size
        self._queries = np.zeros((self._size, num_envs), dtype=np.int64)
        self._cells = np.zeros((self._size, num_envs), dtype=np.int64)  # of the first LLM; the action's lies so far on
        shape = (self._size, num_envs, self.task.n_actions)
        self._masks = np.ones(shape, dtype=np.int8) if self.problem.is_masked else None
        self._blank_infos, has_mask = self._facts.blank(num_envs), everyone((MASK,), num_envs)
        if self.problem.is_masked:
            self._blank_infos |= {MASK: None} | has_mask
        # Every info shows one read-only array of masks, until some session's differs from that of the step before.
        self._differs = np.ones(self._size, dtype=bool)
        self._hides_some = False  # whether what is shown forbids anything
        self._askable = np.ones(0, dtype=np.int8)  # by cell; as large as the table, so only where it is asked for
        if self.problem.is_masked:
            cells = self.problem.cells
            self._askable = by_cell(np.broadcast_to(cells.available[:, :, None], cells.failed.shape)).astype(np.int8)
        self._ends = np.zeros(num_envs, dtype=np.int64)  # what the clock shows when a session is truncated
        self._next_end = 0
        # Without observations every session sees the same.
        self._blank = np.ones((num_envs, 1), dtype=np.float32) if self.problem.observation == "none" else None

    def _start_sessions(self, mask: Mask, contexts: Sequence[str | None]) -> tuple[Observations, Infos]:
        self._draw(mask, contexts)
        return self._observe(self._queries[self._now]), self._asked(mask)

    def step(self, actions: Ints) -> Step:
        """Route the current query of every session.

        Raises:
            ValueError: For actions that are no LLM's index, that `action_mask` forbids, or not one per session.
            RuntimeError: For a session that ended and was not reset (autoreset disabled, or before `reset`).
        """
        actions = self._checked_actions(actions)
        if self._clock + 1 >= self._next_end:
            return self._step_to_an_end(actions)
        # The usual case, all sessions go on, takes microseconds: everything is done by its simplest means.
        cells = self._cells[self._now] + actions
        if self._hides_some and 0 in self._askable.take(cells).tobytes():  # as bytes: all() takes twice as long
            self._refuse_masked(actions, self._blank_infos[MASK])
        self._clock += 1
        self._now = now = self._clock % self._size
        waiting, nobody = self._queries[now], np.zeros(self.num_envs, dtype=bool)
        if self._masks is not None and self._differs.item(now):
            self._show(self._masks[now])
        rewards, infos = self._facts.steps(cells, waiting, self._blank_infos)
        return self._observe(waiting), rewards, nobody, nobody.copy(), infos

    @property
    def waiting_cells(self) -> Ints:
        """See `RoutingVectorEnv`."""
        cells: Ints = self._cells[self._now].copy()
        return cells

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which LLMs can be asked the waiting queries, shape (sessions, LLMs)."""
        if self._masks is None:
            return np.ones((self.num_envs, self.task.n_actions), dtype=bool)
        return np.asarray(self._masks[self._now], dtype=bool)

    def _observe(self, queries: Ints) -> Observations:
        return self.problem.observations.take(queries, axis=0) if self._blank is None else self._blank.copy()

    def _asked(self, mask: Mask) -> Infos:
        """Return the infos of the sessions of the mask as they begin: what waits, and who can be asked."""
        infos = self._facts.waiting_at(self._queries[self._now])
        if self._masks is not None:
            self._show(self._masks[self._now])
            infos[MASK] = self._blank_infos[MASK]
        return masked(infos, mask)

    def _show(self, masks: NDArray[np.int8]) -> None:
        """Let infos have these masks of the step, shape (sessions, LLMs)."""
        shown = self._blank_infos[MASK] = masks.copy()
        shown.flags.writeable, self._hides_some, self._differs[self._now] = False, not shown.all(), False

    def _refuse_masked(self, actions: Ints, masks: NDArray[np.int8]) -> None:
        """Raise ValueError for an action that is masked; `masks` has the shape (sessions, LLMs)."""
        is_available = masks[np.arange(self.num_envs), actions]
        if not is_available.all():
            row = int(np.argmin(is_available))
            raise masked_error(int(actions[row]), self.task.llm_names[actions[row]], row)

    def _step_to_an_end(self, actions: Ints) -> Step:
        """Step where some session ends, or, with NEXT_STEP, starts anew: that ignores its action and gets reward 0."""
        restarting = self._restarting()
        routing = ~restarting
        if self._masks is not None:
            self._refuse_masked(actions, np.where(routing[:, None], self._masks[self._now], 1))
        cells = self._cells[self._now] + actions
        self._clock += 1
        self._now = self._clock % self._size
        if restarting.any():
            self._draw(restarting, [self.problem.context] * self.num_envs)
        waiting = self._queries[self._now]
        truncated = routing & (self._ends <= self._clock)
        if self._masks is not None:
            self._show(self._masks[self._now])
        rewards, infos = self._facts.steps(cells, waiting, self._blank_infos, routing)
        if restarting.any():
            rewards[restarting] = 0.0
            infos = merged(masked(infos, routing) if routing.any() else {}, self._asked(restarting), restarting)
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._ended = truncated.copy()
            self._next_end = self._clock if truncated.any() else int(self._ends.min())
        elif truncated.any():
            infos = self._start_anew(truncated, infos)
        return self._observe(self._queries[self._now]), rewards, np.zeros_like(truncated), truncated, infos

    def _start_anew(self, ended: Mask, infos: Infos) -> Infos:
        """Start sessions anew in the step in which they end; what they last saw and were told is under "final_..."."""
        last_seen = self._observe(self._queries[self._now])
        self._draw(ended, [self.problem.context] * self.num_envs)
        return started_anew(infos, last_seen, self._asked(ended), ended)

    def _draw(self, mask: Mask, contexts: Sequence[str | None]) -> None:
        """Draw the sessions of the mask; they begin now."""
        by_length: dict[int, list[tuple[int, Session]]] = {}
        for row in np.flatnonzero(mask).tolist():
            session = self.problem.draw_session(self._rngs[row], contexts[row])
            by_length.setdefault(min(len(session), self._limit), []).append((row, session))
        for length, drawn in by_length.items():
            rows = np.array([row for row, _ in drawn])
            at = np.ix_((self._clock + np.arange(length + 1)) % self._size, rows)
            self._queries[at] = _columns([session.queries for _, session in drawn], length)
            self._cells[at] = _columns([session.cells for _, session in drawn], length)
            if self._masks is not None:
                available = [session.available for _, session in drawn if session.available is not None]
                columns = _columns(available, length)
                self._masks[at] = columns
                self._differs[at[0][1:, 0]] |= (columns[1:] != columns[:-1]).any(axis=(1, 2))
                self._differs[self._now] = True
            self._ends[rows] = self._clock + length
        self._ended[mask] = False
        self._next_end = int(self._ends.min())


def _columns(by_session: Sequence[NDArray[Any]], length: int) -> NDArray[Any]:
    """Return so many steps of each session as a column, and one more: what comes next, or the last step again."""
    shown = np.arange(length + 1)
    return np.stack([steps.take(shown, axis=0, mode="clip") for steps in by_session], axis=1)
