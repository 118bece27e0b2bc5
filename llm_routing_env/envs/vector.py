"""Many sessions of the routing bandit in one numpy step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from llm_routing_env.envs.cells import CellReader
from llm_routing_env.envs.cells_under_load import CellsUnderLoad
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.vector_base import Infos, Mask, Observations, RoutingVectorEnv, Step, refuse_rendering
from llm_routing_env.tables.table import OutcomeTable

Ints = NDArray[np.int64]


class PickLLMVectorEnv(RoutingVectorEnv):
    """`num_envs` independent sessions of `PickLLM-v0`, on recorded outcomes.

    Session i of a vector seeded with s equals the scalar environment seeded with s + i, step for step. Made by
    `gym.make_vec("PickLLM-v0", num_envs=...)`; takes the arguments of `PickLLMEnv` that concern tables, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `max_episode_steps` | 200 | sessions are truncated after so many queries |
    | `autoreset_mode` | `"SAME_STEP"` | `"SAME_STEP"`, `"NEXT_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `info` | `"numbers"` | `"full"` costs more than the step; `"none"` is fastest |
    | `latency_under_load` | `False` | whether sessions that pick the same LLM in a step slow each other |

    With `latency_under_load` the sessions are no longer independent, as on servers that they share: the recorded
    latency is multiplied by the LLM's slowdown at as many requests as sessions picked it in this step, by the load
    curve in the table's metadata (`pickllm load-curve` measures it). `latency_s`, `reward_terms` and the reward,
    within its bounds, follow; a failed call stays as recorded. Regrets and the optimal action stay those of the table,
    without load. `compare` does not offer it: it cuts its sessions into blocks as suits the machine, and the results
    would depend on the cuts.

    Masks of an info (its keys that begin with `_`) are read-only where they are True everywhere.

    `reset(options={"context": name})` chooses the context of all sessions, `{"context": [...]}` of each;
    `{"reset_mask": mask}` restarts some sessions only.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 200,
        autoreset_mode: str | AutoresetMode = "SAME_STEP",
        table: str | Path | OutcomeTable = "nano",
        context: str | None = None,
        split: str = "test",
        observation: str | NDArray[Any] = "embedding",
        reward: str = "pickllm",
        weights: Sequence[float] = (1.0, 0.5, 0.5),
        scorer: str | None = None,
        info: str = "numbers",
        t_scaling: float = 1.0,
        cost_scale_usd: float | None = None,
        extra_terms: Mapping[str, float] | None = None,
        latency_under_load: bool = False,
        backend: str = "table",
        render_mode: str | None = None,
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
        problem = RoutingProblem(
            table,
            context=context,
            split=split,
            observation=observation,
            reward=reward,
            weights=weights,
            scorer=scorer,
            t_scaling=t_scaling,
            cost_scale_usd=cost_scale_usd,
            extra_terms=extra_terms,
        )
        super().__init__(problem, num_envs, max_episode_steps, autoreset_mode, info)
        self._cells = (CellsUnderLoad if latency_under_load else CellReader)(problem, num_envs, info)
        # Column i is session i; a last row holds the query after the last step, for the final observation.
        self._queries = np.zeros((max_episode_steps + 1, num_envs), dtype=np.int64)
        # The first LLM's cell at each position; the action's is so many further.
        self._first_cells = np.zeros((max_episode_steps, num_envs), dtype=np.int64)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._shortest = 0
        self._positions = np.zeros(num_envs, dtype=np.int64)
        # The position of every session, where none has ended and all are equal; `_positions` is then out of date.
        self._clock: int | None = None
        # Without observations every session sees the same.
        self._blank = np.ones((num_envs, 1), dtype=np.float32) if problem.observation == "none" else None

    def _start_sessions(self, mask: Mask, contexts: Sequence[str | None]) -> tuple[Observations, Infos]:
        self._draw(mask, contexts)
        waiting = self._at(self._queries)
        return self._observe(waiting), self._cells.asked(waiting, mask)

    def step(self, actions: Ints) -> Step:
        """Route the current query of every session.

        Raises:
            ValueError: For actions that are no LLM's index, or not one per session.
            RuntimeError: For a session that ended and was not reset (autoreset disabled, or before `reset`).
        """
        actions, clock = self._checked_actions(actions), self._clock
        if clock is None or clock + 1 == self._shortest:
            return self._step_apart(actions)
        # The usual case, all sessions go on, takes microseconds: everything is done by its simplest means.
        cells = self._first_cells[clock] + actions
        self._clock = clock + 1
        waiting, nobody = self._queries[clock + 1], np.zeros(self.num_envs, dtype=bool)
        rewards, infos = self._cells.routed(cells, waiting)
        return self._observe(waiting), rewards, nobody, nobody.copy(), infos

    def _at(self, by_position: Ints) -> Ints:
        """Return each session's entry at its position, from an array of shape (positions, sessions)."""
        return np.asarray(by_position[self._positions, np.arange(self.num_envs)])

    def _observe(self, queries: Ints) -> Observations:
        return self.problem.observations.take(queries, axis=0) if self._blank is None else self._blank.copy()

    def _step_apart(self, actions: Ints) -> Step:
        """Step sessions of which some end, or that are at different positions."""
        self._stop_clock()
        restarting = self._restarting()
        if restarting.any():
            return self._step_after_end(actions, restarting)
        cells = self._at(self._first_cells) + actions
        self._positions += 1
        truncated = self._positions >= self._lengths
        rewards, infos = self._cells.routed(cells, self._at(self._queries))
        if truncated.any():
            infos = self._end(truncated, infos)
        terminated = np.zeros(self.num_envs, dtype=bool)
        return self._observe(self._at(self._queries)), rewards, terminated, truncated, infos

    def _step_after_end(self, actions: Ints, restarting: Mask) -> Step:
        """NEXT_STEP: sessions that ended start anew, ignore their action and get reward 0."""
        self._draw(restarting, [self.problem.context] * self.num_envs)
        cells = self._at(self._first_cells) + actions
        self._positions += ~restarting
        truncated = self._positions >= self._lengths
        self._ended = truncated.copy()
        self._start_clock()
        waiting = self._at(self._queries)
        rewards, infos = self._cells.routed(cells, waiting, ~restarting)
        infos = self._cells.merge(infos, self._cells.asked(waiting, restarting), restarting)
        rewards[restarting] = 0.0
        return self._observe(waiting), rewards, np.zeros(self.num_envs, dtype=bool), truncated, infos

    def _end(self, ended: Mask, infos: Infos) -> Infos:
        """Handle sessions that ended in this step, as the autoreset mode says."""
        if self._autoreset is not AutoresetMode.SAME_STEP:
            self._ended = ended.copy()
            return infos
        final = np.full(self.num_envs, None, dtype=object)
        observations = self._observe(self._at(self._queries))
        for row in np.flatnonzero(ended):
            final[row] = observations[row]
        self._draw(ended, [self.problem.context] * self.num_envs)
        return self._cells.final(infos, ended, final, self._at(self._queries))

    def _draw(self, mask: Mask, contexts: Sequence[str | None]) -> None:
        """Draw the sessions of the mask and put them at their beginning."""
        self._stop_clock()
        rows, limit = np.flatnonzero(mask), self._limit
        queries = np.zeros((len(rows), limit + 1), dtype=np.int64)
        repeats = np.zeros((len(rows), limit), dtype=np.int64)
        for number, row in enumerate(rows):
            order, repeat = self.problem.draw_session(self._rngs[row], contexts[row])
            length = min(len(order), limit)
            queries[number, :length], repeats[number, :length] = order[:length], repeat[:length]
            queries[number, length] = order[min(length, len(order) - 1)]
            self._lengths[row] = length
        self._queries[:, rows] = queries.T
        self._first_cells[:, rows] = self._cells.first_cells(queries[:, :limit], repeats).T
        self._positions[mask] = 0
        self._ended[mask] = False
        self._shortest = int(self._lengths.min())
        self._start_clock()

    def _start_clock(self) -> None:
        position = int(self._positions[0])
        is_common = (self._positions == position).all() and not self._ended.any()
        self._clock = position if is_common else None

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._positions[:] = self._clock
            self._clock = None
