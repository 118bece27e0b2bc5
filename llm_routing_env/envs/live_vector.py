"""Many sessions of the routing bandit whose LLMs are asked live, all of a step at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.backends import Backend
from llm_routing_env.envs.facts import MASK, Facts
from llm_routing_env.envs.live import LiveLLMs
from llm_routing_env.envs.options import ProblemOptions, sort_options
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
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable


class PickLLMLiveVectorEnv(RoutingVectorEnv, VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """`num_envs` independent sessions of `PickLLMLive-v0`; a step sends the queries of all of them at the same time.

    Session i of a vector seeded with s faces the queries of the scalar environment seeded with s + i, in its order,
    and gets the responses that it would get: LLMs are asked at temperature 0. (In a batch, vLLM may add floats in
    another order, so two tokens that are equally likely may change places.) Made by
    `gym.make_vec("PickLLMLive-v0", num_envs=...)`; takes the arguments of `PickLLMEnv`, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `max_episode_steps` | 200 | sessions are truncated after so many queries |
    | `autoreset_mode` | `"NEXT_STEP"` | `"NEXT_STEP"`, `"SAME_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `backend` | `"vllm"` | `"vllm"`, `"vllm-inprocess"`, or a `Backend` |
    | `info` | `"numbers"` | `"full"`, `"none"` |
    | `max_in_flight` | 64 | most requests at once; an LLM's own, in the pool's file, bounds those to it further |

    A backend that is given brings its own `max_in_flight`, `stream`, budget and journal; see `make_backend`. The
    budget is shared by the sessions; each one terminates when it is refused a request. Near its end requests wait
    for those in flight to leave some of what was set aside for them. A process that is killed loses at most the
    requests of the step that was under way.

    A step takes no longer than the pool's `deadline_s`, which counts from the step's begin and so includes the wait
    for a place in flight; the `latency_s` of an outcome does not. An LLM that is too slow costs its own sessions
    the lower reward bound and nobody else anything but the wait.

    `reset(options={"context": name})` chooses the context of all sessions, `{"context": [...]}` of each;
    `{"reset_mask": mask}` restarts some sessions only.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = SESSION_LENGTH,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        backend: str | Backend = "vllm",
        *,
        info: str = "numbers",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class and `PickLLMEnv` for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`, for `num_envs`, `max_episode_steps` or `max_in_flight` below 1, and for a
                `render_mode`.
            ServingError: If the pool is not being served; names the command that serves it.
        """
        refuse_rendering(render_mode)
        self._llms = LiveLLMs(backend, *sort_options({"table": table} | options, VECTOR_OPTIONS))
        super().__init__(Facts(self._llms.problem, info), num_envs, max_episode_steps, autoreset_mode)
        nothing = np.zeros(1, dtype=np.int64)
        self._sessions = [Session(nothing, nothing, nothing, nothing, None)] * num_envs  # until they are drawn
        self._positions = np.zeros(num_envs, dtype=np.int64)

    def _start_sessions(self, mask: Mask, contexts: Sequence[str | None]) -> tuple[Observations, Infos]:
        infos: Infos = {}
        for row in np.flatnonzero(mask):
            infos = self._add_info(infos, self._start(row, contexts[row]), row)
        self._ended &= ~mask
        return self._observations(), infos

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Route the current query of every session, all at the same time.

        Raises:
            ValueError: For actions that are no LLM's index, or not one per session.
            RuntimeError: For a session that ended and was not reset (autoreset disabled, or before `reset`).
        """
        actions, restarting = self._checked_actions(actions), self._restarting()
        outcomes = self._ask(np.flatnonzero(~restarting), actions)
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        rewards[~restarting] = self._llms.rewards(list(outcomes.values()))
        infos: Infos = {}
        for row in range(self.num_envs):
            if restarting[row]:  # NEXT_STEP: the action is ignored
                info = self._start(row, self.problem.context)
            else:
                info = self._advance(row, int(actions[row]), outcomes[row])
                terminated[row] = self._llms.is_refused(outcomes[row])
                truncated[row] = self._positions[row] >= min(len(self._sessions[row]), self._limit)
            if (terminated[row] or truncated[row]) and self.autoreset_mode is AutoresetMode.SAME_STEP:
                last = self.problem.observations.take(self._waiting(row), axis=0)
                final = {"final_obs": last, "final_info": info}
                infos, info = self._add_info(infos, final, row), self._start(row, self.problem.context)
            infos = self._add_info(infos, info, row)
        self._ended = (terminated | truncated) & (self.autoreset_mode is not AutoresetMode.SAME_STEP)
        return self._observations(), rewards, terminated, truncated, infos

    @property
    def waiting_cells(self) -> NDArray[np.int64]:
        """See `RoutingVectorEnv`."""
        return np.array([self._cell(row) for row in range(self.num_envs)])

    def action_masks(self) -> Mask:
        """Return which LLMs can be asked the waiting queries, shape (sessions, LLMs)."""
        return np.array([self._available(row) for row in range(self.num_envs)])

    def close_extras(self, **kwargs: Any) -> None:
        """Release the backend's connections and the journal."""
        self._llms.close()

    def _start(self, row: int, context: str | None) -> dict[str, Any]:
        """Draw a session and return the info of its reset."""
        self._sessions[row] = self.problem.draw_session(self._rngs[row], context)
        self._positions[row] = 0
        return self._with_mask(row, self._facts.waiting(self._waiting(row)))

    def _ask(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> dict[int, Outcome]:
        """Return the outcomes of some sessions' queries, scored, by session, in their order."""
        asked = [
            (self._waiting(row), int(actions[row]), bool(self._available(row)[actions[row]])) for row in rows.tolist()
        ]
        return dict(zip(rows.tolist(), self._llms.ask(asked), strict=True))

    def _advance(self, row: int, llm: int, outcome: Outcome) -> dict[str, Any]:
        """Go on to the session's next query, unless this one was refused, and return its info."""
        asked = self.problem.cells.index(self._cell(row))[0]
        self._positions[row] += not self._llms.is_refused(outcome)
        return self._with_mask(row, self._facts.live(asked, llm, outcome, self._waiting(row), self._llms.spent_usd))

    def _waiting(self, row: int) -> int:
        """Return the index of a session's query to route next; after the last one, that one's again."""
        session = self._sessions[row]
        return int(session.queries[min(self._positions[row], len(session) - 1)])

    def _cell(self, row: int) -> int:
        session = self._sessions[row]
        return int(session.cells[min(self._positions[row], len(session) - 1)])

    def _available(self, row: int) -> Mask:
        session = self._sessions[row]
        if session.available is None:
            return np.ones(self.task.n_actions, dtype=bool)
        return np.asarray(session.available[min(self._positions[row], len(session) - 1)])

    def _with_mask(self, row: int, info: dict[str, Any]) -> dict[str, Any]:
        return info | {MASK: self._available(row).astype(np.int8)} if self.problem.is_masked else info

    def _observations(self) -> Observations:
        return self.problem.observations.take([self._waiting(row) for row in range(self.num_envs)], axis=0)
