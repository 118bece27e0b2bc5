"""What the vector environments share: seeds, contexts and masks of their sessions, and the checks of what comes in."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.facts import Facts
from llm_routing_env.envs.problem import session_context

Observations = NDArray[np.float32]
Infos = dict[str, Any]
Mask = NDArray[np.bool_]
VECTOR_OPTIONS = ("num_envs", "max_episode_steps", "autoreset_mode", "info", "backend", "render_mode")
Step = tuple[Observations, NDArray[np.float64], Mask, Mask, Infos]


class RoutingVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """Independent sessions of one routing problem.

    Attributes:
        problem: What is routed.
        task: What an agent may know before it starts.
        info_kind: "full", "numbers" or "none".
    """

    def __init__(
        self, facts: Facts, num_envs: int, max_episode_steps: int, autoreset_mode: str | AutoresetMode
    ) -> None:
        """Set up spaces and metadata; every session has still to be reset.

        Raises:
            ValueError: For an unknown name, or `num_envs` or `max_episode_steps` below 1.
        """
        for name, value in (("num_envs", num_envs), ("max_episode_steps", max_episode_steps)):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}.")
        self._facts, self.problem, self.info_kind, self.num_envs = facts, facts.problem, facts.kind, num_envs
        self.task: RoutingTask = self.problem.task
        self.single_observation_space = self.problem.observation_space
        self.single_action_space = Discrete(self.task.n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self._limit = max_episode_steps
        self._np_random_seed: tuple[int, ...] = ()  # type: ignore[assignment]  # as Gymnasium's SyncVectorEnv has it
        self._rngs: list[np.random.Generator] = []
        self._was_reset = False
        self._ended = np.ones(num_envs, dtype=bool)

    def expected_rewards(self, context: str | None = None) -> NDArray[np.float64]:
        """Return each LLM's expected reward on the split, by the table; over all contexts for None."""
        return self.problem.expected_rewards(context)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Start sessions: all, or those of `options["reset_mask"]`.

        Args:
            seed: An int s seeds session i with s + i; a sequence has one seed a session; None continues. Sessions
                that are not restarted keep their generators.
            options: "context" (a name, or one per session) and "reset_mask" (booleans, one per session).

        Raises:
            ValueError: For a wrong number of seeds, contexts or mask entries, or an unknown context.
        """
        options = dict(options or {})
        mask = self._checked_mask(options.pop("reset_mask", None))
        self._seed(seed, mask)
        self._was_reset = True
        return self._start_sessions(mask, self._contexts(options))

    @property  # type: ignore[misc]  # as SyncVectorEnv has it
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each session's generator, shape (sessions,)."""
        if not self._rngs:
            self._seed(None, np.ones(self.num_envs, dtype=bool))
        return tuple(self._rngs)

    @property
    @abstractmethod
    def waiting_cells(self) -> NDArray[np.int64]:
        """The number of the first LLM's cell for each session's query that waits, see `Cells`; shape (sessions,)."""

    @property
    def ended(self) -> Mask:
        """The sessions that have ended: with NEXT_STEP the next step starts them anew, and routes nothing."""
        return self._ended.copy()

    @abstractmethod
    def _start_sessions(self, mask: Mask, contexts: Sequence[str | None]) -> tuple[Observations, Infos]:
        """Draw the queries of the sessions in `mask`; return what every session sees, and the infos."""

    def _restarting(self) -> Mask:
        """Return the sessions that start anew in this step instead of routing a query.

        Raises:
            RuntimeError: For one that ended and has to be reset.
        """
        if self._ended.any() and (self.autoreset_mode is not AutoresetMode.NEXT_STEP or not self._was_reset):
            raise RuntimeError(f"Session {int(np.argmax(self._ended))} has ended: call reset() first.")
        return self._ended.copy()

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Mask) -> None:
        if isinstance(seed, int | np.integer):
            seed = [int(seed) + row for row in range(self.num_envs)]
        if seed is None:
            seed = [None] * self.num_envs
        if len(seed) != self.num_envs:
            raise ValueError(f"seed must be an int or {self.num_envs} seeds, one per session; got {len(seed)}.")
        fresh = not self._rngs
        seeds = [0] * self.num_envs if fresh else list(self._np_random_seed)
        self._rngs = self._rngs or [np.random.default_rng(0)] * self.num_envs
        for row, value in enumerate(seed):
            if fresh or (mask[row] and value is not None):
                self._rngs[row], seeds[row] = seeding.np_random(value if mask[row] else None)
        self._np_random_seed = tuple(seeds)

    def _contexts(self, options: dict[str, Any]) -> list[str | None]:
        wanted = options.get("context", self.problem.context)
        if isinstance(wanted, str) or wanted is None:
            return [session_context(self.problem, options)] * self.num_envs
        if len(wanted) != self.num_envs:
            raise ValueError(f"options['context'] must be a name or {self.num_envs} names, got {len(wanted)}.")
        return [session_context(self.problem, options | {"context": name}) for name in wanted]

    def _checked_mask(self, mask: Any) -> Mask:
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
        # Looked up by place: twice as fast as min() and max().
        lowest, highest = checked.item(checked.argmin()), checked.item(checked.argmax())
        if lowest < 0 or highest >= n_actions:
            raise ValueError(f"actions must be 0 to {n_actions - 1}, got {lowest} to {highest}.")
        return checked if checked.dtype == np.int64 else checked.astype(np.int64)


def refuse_rendering(render_mode: str | None, env_id: str = "PickLLM-v0") -> None:
    """Raise ValueError if a picture is asked for; names the id that gives one."""
    if render_mode is not None:
        raise ValueError(
            f"Vector environments do not render, got render_mode={render_mode!r}: leave it out, or watch one session, "
            f"gym.make({env_id!r}, render_mode={render_mode!r})."
        )


def _autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    spellings = {spelling: known for known in AutoresetMode for spelling in (known.name, known.value)}
    if mode not in spellings:
        raise unknown_name("autoreset_mode", mode, spellings)
    return spellings[mode]
