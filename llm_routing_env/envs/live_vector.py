"""Many sessions of the routing bandit whose LLMs are asked live, all of a step at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from llm_routing_env.backends import LiveBackend, Request, ScoredBackend
from llm_routing_env.backends.budget import RefusedOutcome
from llm_routing_env.envs.live import describe, live_pool, live_rewards, open_backend
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.vector_base import Infos, Mask, Observations, RoutingVectorEnv, Step, refuse_rendering
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable


@dataclass
class _Session:
    """One session: its queries in order, after how many it ends, and how far it is."""

    order: NDArray[np.int64]
    length: int
    position: int = 0

    @property
    def query(self) -> int:
        """Index of the query to route next; after the last one, that one's again."""
        return int(self.order[min(self.position, len(self.order) - 1)])

    @property
    def has_ended(self) -> bool:
        return self.position >= self.length


class PickLLMLiveVectorEnv(RoutingVectorEnv):
    """`num_envs` independent sessions of `PickLLMLive-v0`; a step sends the queries of all of them at the same time.

    Session i of a vector seeded with s faces the queries of the scalar environment seeded with s + i, in its order,
    and gets the responses that it would get: LLMs are asked at temperature 0. (In a batch, vLLM may add floats in
    another order, so two tokens that are equally likely may change places.) Made by
    `gym.make_vec("PickLLMLive-v0", num_envs=...)`; takes the arguments of `PickLLMEnv`, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `num_envs` | 1 | number of sessions |
    | `max_episode_steps` | 200 | sessions are truncated after so many queries |
    | `autoreset_mode` | `"SAME_STEP"` | `"SAME_STEP"`, `"NEXT_STEP"` or `"DISABLED"`, or an `AutoresetMode` |
    | `backend` | `"vllm"` | `"vllm"`, `"vllm-inprocess"`, or a `LiveBackend` |
    | `info` | `"numbers"` | `"full"`, `"none"` |
    | `max_in_flight` | 64 | most requests at once; an LLM's own, in the pool's file, bounds those to it further |

    A `LiveBackend` that is given has its own `max_in_flight` and `stream`; a `JournalledBackend` brings a budget and a
    journal too. The budget is shared by the sessions; each one terminates when it is refused a request. What is left
    must cover the worst case of all requests in flight, so near its end those of a step are sent in turns. A process
    that is killed loses at most the requests of the step that was under way.

    A step takes no longer than the pool's `deadline_s` (in process, engines cannot be interrupted). The deadline
    counts from the step's begin, so it includes the wait for a place in flight; the `latency_s` of an outcome does not.
    An LLM that is too slow costs its own sessions the lower reward bound and nobody else anything but the wait.

    Near the end of a budget, requests wait for those in flight to leave some of what was reserved: such a step is sent
    in turns, each with a deadline of its own.

    `reset(options={"context": name})` chooses the context of all sessions, `{"context": [...]}` of each;
    `{"reset_mask": mask}` restarts some sessions only.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 200,
        autoreset_mode: str | AutoresetMode = "SAME_STEP",
        table: str | Path | OutcomeTable = "nano",
        backend: str | LiveBackend = "vllm",
        pool: str | Path | Pool | None = None,
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
        max_in_flight: int | None = None,
        stream: bool = False,
        max_usd: float | None = None,
        max_requests: int | None = None,
        journal: str | Path | None = None,
        resume: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """See the class and `PickLLMEnv` for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`, for `num_envs`, `max_episode_steps` or `max_in_flight` below 1, and for a
                `render_mode`.
            ServingError: If the pool is not being served; names the command that serves it.
        """
        refuse_rendering(render_mode)
        problem = RoutingProblem(
            table,
            pool=live_pool(backend, pool, table),
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
        live = open_backend(
            backend,
            problem,
            max_usd=max_usd,
            max_requests=max_requests,
            max_in_flight=max_in_flight,
            journal=journal,
            resume=resume,
            stream=stream,
        )
        self._backend, self._budget = ScoredBackend(live, problem.scorer), live.budget
        self._sessions = [_Session(np.zeros(1, dtype=np.int64), 0) for _ in range(num_envs)]

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
        rewards[~restarting] = live_rewards(self.problem, list(outcomes.values()))
        infos: Infos = {}
        for row in range(self.num_envs):
            if restarting[row]:  # NEXT_STEP: the action is ignored
                info = self._start(row, self.problem.context)
            else:
                info = self._advance(row, int(actions[row]), outcomes[row])
                terminated[row] = isinstance(outcomes[row], RefusedOutcome)
                truncated[row] = self._sessions[row].has_ended
            if (terminated[row] or truncated[row]) and self._autoreset is AutoresetMode.SAME_STEP:
                last = self.problem.observations.take(self._sessions[row].query, axis=0)
                final = {"final_obs": last, "final_info": info}
                infos, info = self._add_info(infos, final, row), self._start(row, self.problem.context)
            infos = self._add_info(infos, info, row)
        self._ended = (terminated | truncated) & (self._autoreset is not AutoresetMode.SAME_STEP)
        return self._observations(), rewards, terminated, truncated, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Release the backend's connections and the journal."""
        self._backend.close()

    def _start(self, row: int, context: str | None) -> dict[str, Any]:
        """Draw a session and return the info of its reset."""
        order, _ = self.problem.draw_session(self._rngs[row], context)
        self._sessions[row] = _Session(order, min(len(order), self._limit))
        query = self.problem.table.queries[int(order[0])]
        asked = {"query_id": query.query_id, "context": query.context, "prompt": query.prompt}
        return asked if self._info == "full" else {}

    def _ask(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> dict[int, Outcome]:
        """Return the outcomes of some sessions' queries, scored, by session, in their order."""
        queries = self.problem.table.queries
        requests = [Request(queries[self._sessions[row].query], int(actions[row])) for row in rows]
        return dict(zip(rows.tolist(), self._backend.ask_all(requests), strict=True))

    def _advance(self, row: int, llm: int, outcome: Outcome) -> dict[str, Any]:
        """Go on to the session's next query, unless this one was refused, and return its info."""
        session, spent_usd = self._sessions[row], self._budget.spent_usd
        routed = session.query
        session.position += not isinstance(outcome, RefusedOutcome)
        return describe(self.problem, self._info, routed, llm, outcome, session.query, spent_usd)

    def _observations(self) -> Observations:
        return self.problem.observations.take([session.query for session in self._sessions], axis=0)
