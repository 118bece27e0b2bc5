"""Many sessions with several asks for each query in one numpy step."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from llm_routing_env.envs.asking_sessions import asking_sessions
from llm_routing_env.envs.facts import MASK
from llm_routing_env.envs.facts_of_asks import FactsOfAsks
from llm_routing_env.envs.options import ProblemOptions, multi_options
from llm_routing_env.envs.vector_base import (
    Infos,
    Mask,
    Observations,
    RoutingVectorEnv,
    Step,
    refuse_rendering,
)
from llm_routing_env.envs.vector_infos import masked, merged, started_anew
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:
    from llm_routing_env.backends import Backend

Ints = NDArray[np.int64]
_OWN = ("num_envs", "autoreset_mode", "info", "backend", "render_mode")


class PickLLMMultiVectorEnv(RoutingVectorEnv, VectorEnv[Observations, Ints, NDArray[Any]]):
    """`num_envs` independent sessions of `PickLLM-Multi-v0`.

    Session i of a vector seeded with s equals the scalar environment seeded with s + i, step for step. Made by
    `gym.make_vec("PickLLM-Multi-v0", num_envs=...)`; takes the arguments of `PickLLMMultiEnv`, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `autoreset_mode` | `"NEXT_STEP"` | `"NEXT_STEP"`, `"SAME_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `info` | `"numbers"` | `"full"` costs more than the step; `"none"` is fastest |

    `reset(options={"context": name})` chooses the context of all sessions, `{"context": [...]}` of each;
    `{"reset_mask": mask}` restarts some sessions only. With `episode="query"` a reset with a seed or contexts draws new
    sessions; without, sessions go on with their next query.
    """

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        info: str = "numbers",
        backend: "str | Backend" = "table",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class and `PickLLMMultiEnv` for the arguments.

        Raises:
            ValueError: As `PickLLMMultiEnv`, for `num_envs` below 1, and for a `render_mode`.
        """
        refuse_rendering(render_mode, "PickLLM-Multi-v0")
        problem, self._options, live = multi_options({"table": table} | options, _OWN)
        self._facts: FactsOfAsks
        routed, self._sessions = asking_sessions(backend, problem, self._options, live, num_envs)
        super().__init__(FactsOfAsks(routed, info), num_envs, self._options.n_queries, autoreset_mode)
        self.task = self._sessions.task
        self.single_observation_space = self._sessions.observation_space
        self.single_action_space = Discrete(self.task.n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._anew = True  # whether a reset draws new sessions

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Start episodes; see `RoutingVectorEnv.reset`."""
        self._anew = self._options.episode == "session" or seed is not None or "context" in (options or {})
        return super().reset(seed=seed, options=options)

    def _start_sessions(self, mask: Mask, contexts: Sequence[str | None]) -> tuple[Observations, Infos]:
        self._sessions.begin(mask, self._rngs, contexts, anew=self._anew)
        self._ended[mask] = False
        return self._sessions.observe(), self._waiting(mask)

    def step(self, actions: Ints) -> Step:
        """Ask an LLM, or accept an answer, in every session.

        Raises:
            ValueError: For actions that are none, not one per session, or of an LLM that cannot be asked.
            RuntimeError: For a session that ended and was not reset (autoreset disabled, or before `reset`).
        """
        actions, restarting = self._checked_actions(actions), self._restarting()
        routing = ~restarting
        step = self._sessions.step(actions, routing)
        if restarting.any():
            self._restart(restarting)
        over = self._sessions.have_ended & routing
        is_query = self._options.episode == "query"
        terminated = (step.is_accept | step.is_refused) if is_query else step.is_refused
        truncated = np.zeros_like(over) if is_query else over
        hides, live = self._options.parallel, self._sessions.live
        infos = self._facts.asks(step, self._sessions.queries, routing, hides=hides, live=live)
        infos = merged(infos, self._waiting(restarting), restarting) if restarting.any() else infos
        infos |= self._masks(np.ones_like(routing))
        ended = terminated | truncated
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._ended = ended
        elif ended.any():
            last_seen = self._sessions.observe()
            self._restart(ended)
            infos = started_anew(infos, last_seen, self._waiting(ended), ended)
        return self._sessions.observe(), step.rewards, terminated, truncated, infos

    @property
    def waiting_cells(self) -> Ints:
        """See `RoutingVectorEnv`."""
        return self._sessions.cells

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are of use, shape (sessions, LLMs + 1)."""
        return self._sessions.action_masks()

    def close_extras(self, **kwargs: Any) -> None:
        """Release the backend's connections and the journal."""
        if self._sessions.live is not None:
            self._sessions.live.close()

    def _restart(self, sessions: Mask) -> None:
        contexts = [self.problem.context] * self.num_envs
        self._sessions.begin(sessions, self._rngs, contexts, anew=self._options.episode == "session")

    def _waiting(self, sessions: Mask) -> Infos:
        """Return what a reset tells some sessions."""
        return masked(self._facts.waiting_at(self._sessions.queries), sessions) | self._masks(sessions)

    def _masks(self, sessions: Mask) -> Infos:
        return masked({MASK: self._sessions.action_masks().astype(np.int8)}, sessions)
