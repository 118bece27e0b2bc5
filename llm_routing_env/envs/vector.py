"""Many sessions of the routing bandit in one numpy step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from llm_routing_env.envs.cells import CellReader
from llm_routing_env.envs.problem import INFOS, RoutingProblem, session_context
from llm_routing_env.errors import unknown_name
from llm_routing_env.outcomes import OutcomeTable

Observations = NDArray[np.float32]
Infos = dict[str, Any]


class PickLLMVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """`num_envs` independent sessions of `PickLLM-v0`, on recorded outcomes.

    Session i of a vector seeded with s equals the scalar environment seeded with s + i, step for step. Made by
    `gym.make_vec("PickLLM-v0", num_envs=...)`; takes the arguments of `PickLLMEnv` that concern tables, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `max_episode_steps` | 200 | sessions are truncated after so many queries |
    | `autoreset_mode` | `"SAME_STEP"` | `"SAME_STEP"`, `"NEXT_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `info` | `"numbers"` | `"full"` costs more than the step; `"none"` is fastest |

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
        observation: str = "embedding",
        reward: str = "pickllm",
        weights: Sequence[float] = (1.0, 0.5, 0.5),
        scorer: str | None = None,
        info: str = "numbers",
        t_scaling: float = 1.0,
        cost_scale_usd: float | None = None,
        extra_terms: Mapping[str, float] | None = None,
    ) -> None:
        """See the class and `PickLLMEnv` for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`, and for `num_envs` or `max_episode_steps` below 1.
        """
        for name, value in (("num_envs", num_envs), ("max_episode_steps", max_episode_steps)):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}.")
        if info not in INFOS:
            raise unknown_name("info", info, INFOS)
        self._autoreset = _autoreset_mode(autoreset_mode)
        self.problem = RoutingProblem(
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
        self.num_envs = num_envs
        self.task = self.problem.task
        self.single_observation_space = self.problem.observation_space
        self.single_action_space = Discrete(self.task.n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {"autoreset_mode": self._autoreset, "render_modes": []}
        self._cells = CellReader(self.problem, info)
        self._rngs: list[np.random.Generator] = []
        self._limit = max_episode_steps
        # Column i is session i; a last row holds the query after the last step, for the final observation.
        self._queries = np.zeros((max_episode_steps + 1, num_envs), dtype=np.int64)
        # The first LLM's cell at each position: the action's is so many repeats further.
        self._first_cells = np.zeros((max_episode_steps, num_envs), dtype=np.int64)
        self._n_repeats = self.problem.table.n_repeats
        self._stride = self.problem.table.n_llms * self._n_repeats
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._positions = np.zeros(num_envs, dtype=np.int64)
        self._clock: int | None = 0  # every session's position, where they are equal: the usual and fast case
        self._ended = np.ones(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Start sessions: all, or those of `options["reset_mask"]`.

        Args:
            seed: An int s seeds session i with s + i; a sequence has one seed a session; None continues.
            options: "context" (a name, or one per session) and "reset_mask" (booleans, one per session).

        Raises:
            ValueError: For a wrong number of seeds, contexts or mask entries, or an unknown context.
        """
        options = dict(options or {})
        mask = self._checked_mask(options.pop("reset_mask", None))
        self._seed(seed)
        self._draw(mask, self._contexts(options))
        return self._observations(), self._cells.asked(self._at(self._queries), mask)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """Route the current query of every session.

        Raises:
            ValueError: For actions that are no LLM's index, or not one per session.
            RuntimeError: For a session that ended and was not reset (autoreset disabled, or before `reset`).
        """
        actions = self._checked_actions(actions)
        if self._ended.any():
            if self._autoreset is not AutoresetMode.NEXT_STEP or not self._rngs:
                raise RuntimeError(f"Session {int(np.argmax(self._ended))} has ended: call reset() first.")
            return self._step_after_end(actions)
        queries, cells = self._at(self._queries), self._at(self._first_cells) + actions * self._n_repeats
        rewards = self._cells.rewards.take(cells)
        self._positions += 1
        self._clock = None if self._clock is None else self._clock + 1
        truncated = self._positions >= self._lengths
        infos = self._cells.info(cells, queries, actions, self._at(self._queries))
        if truncated.any():
            infos = self._end(truncated, infos)
        return self._observations(), rewards, np.zeros(self.num_envs, dtype=bool), truncated, infos

    def expected_rewards(self, context: str | None = None) -> NDArray[np.float64]:
        """Return each LLM's expected reward on the split; over all contexts for None."""
        return self.problem.expected_rewards(context)

    def _at(self, by_position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each session's entry at its position, from an array of shape (positions, sessions)."""
        if self._clock is not None:
            return np.asarray(by_position[self._clock])
        return np.asarray(by_position[self._positions, np.arange(self.num_envs)])

    def _observations(self) -> Observations:
        return self.problem.observations.take(self._at(self._queries), axis=0)

    def _step_after_end(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """NEXT_STEP: sessions that ended start anew, ignore their action and get reward 0."""
        restarted = self._ended.copy()
        self._draw(restarted, [self.problem.context] * self.num_envs)
        queries, cells = self._at(self._queries), self._at(self._first_cells) + actions * self._n_repeats
        rewards = np.where(restarted, 0.0, self._cells.rewards.take(cells))
        self._positions += ~restarted
        self._clock = None
        truncated = self._positions >= self._lengths
        self._ended = truncated.copy()
        infos = self._cells.info(cells, queries, actions, self._at(self._queries), ~restarted)
        infos = self._cells.merge(infos, self._cells.asked(self._at(self._queries), restarted), restarted)
        return self._observations(), rewards, np.zeros(self.num_envs, dtype=bool), truncated, infos

    def _end(self, ended: NDArray[np.bool_], infos: Infos) -> Infos:
        """Handle sessions that ended in this step, as the autoreset mode says."""
        if self._autoreset is not AutoresetMode.SAME_STEP:
            self._ended = ended.copy()
            return infos
        final = np.full(self.num_envs, None, dtype=object)
        observations = self._observations()
        for row in np.flatnonzero(ended):
            final[row] = observations[row]
        self._draw(ended, [self.problem.context] * self.num_envs)
        return self._cells.final(infos, ended, final, self._at(self._queries))

    def _draw(self, mask: NDArray[np.bool_], contexts: list[str | None]) -> None:
        for row in np.flatnonzero(mask):
            order, repeats = self.problem.draw_session(self._rngs[row], contexts[row])
            length = min(len(order), self._limit)
            self._queries[: length + 1, row] = np.append(order, order[-1])[: length + 1]
            self._first_cells[:length, row] = order[:length] * self._stride + repeats[:length]
            self._lengths[row] = length
        self._positions[mask] = 0
        self._ended[mask] = False
        first = int(self._positions[0])
        self._clock = first if (self._positions == first).all() else None

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        if isinstance(seed, int | np.integer):
            seed = [int(seed) + row for row in range(self.num_envs)]
        if seed is None:
            seed = [None] * self.num_envs
        if len(seed) != self.num_envs:
            raise ValueError(f"seed must be an int or {self.num_envs} seeds, one per session; got {len(seed)}.")
        fresh = not self._rngs
        self._rngs = self._rngs or [np.random.default_rng(0)] * self.num_envs
        for row, value in enumerate(seed):
            if fresh or value is not None:
                self._rngs[row], _ = seeding.np_random(value)

    def _contexts(self, options: dict[str, Any]) -> list[str | None]:
        wanted = options.get("context", self.problem.context)
        if isinstance(wanted, str) or wanted is None:
            return [session_context(self.problem, options)] * self.num_envs
        if len(wanted) != self.num_envs:
            raise ValueError(f"options['context'] must be a name or {self.num_envs} names, got {len(wanted)}.")
        return [session_context(self.problem, options | {"context": name}) for name in wanted]

    def _checked_mask(self, mask: Any) -> NDArray[np.bool_]:
        checked = np.ones(self.num_envs, dtype=bool) if mask is None else np.asarray(mask)
        if checked.shape != (self.num_envs,) or checked.dtype != np.bool_ or not checked.any():
            raise ValueError(
                f"options['reset_mask'] must be {self.num_envs} booleans, at least one True, got {mask!r}."
            )
        return checked

    def _checked_actions(self, actions: Any) -> NDArray[np.int64]:
        checked = np.asarray(actions)
        n_actions = self.task.n_actions
        if checked.shape != (self.num_envs,) or checked.dtype.kind not in "iu":
            raise ValueError(f"actions must be {self.num_envs} integers, one per session, got {actions!r}.")
        if checked.min() < 0 or checked.max() >= n_actions:
            raise ValueError(f"actions must be 0 to {n_actions - 1}, got {checked.min()} to {checked.max()}.")
        return checked


def _autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    names = [known.name for known in AutoresetMode]
    if mode not in names:
        raise unknown_name("autoreset_mode", mode, names)
    return AutoresetMode[mode]
