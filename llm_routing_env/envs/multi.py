"""Several asks for one query as a Gymnasium environment: ask LLMs one after another, then accept an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask
from llm_routing_env.envs.actions import checked_action
from llm_routing_env.envs.asking_sessions import asking_sessions
from llm_routing_env.envs.asks import AskStep
from llm_routing_env.envs.facts import MASK
from llm_routing_env.envs.facts_of_asks import FactsOfAsks
from llm_routing_env.envs.options import ProblemOptions, multi_options
from llm_routing_env.envs.problem import session_context
from llm_routing_env.envs.vector_infos import of_row
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:
    from llm_routing_env.backends import Backend
    from llm_routing_env.envs.render import SessionPicture

Observation = NDArray[np.float32]
_EVERYONE = np.ones(1, dtype=bool)


class PickLLMMultiEnv(gym.Env[Observation, np.int64]):
    """Ask several LLMs about a query, pay for each, and accept one answer.

    ## Description

    A session is that of `PickLLM-v0`: the same seed gives the same queries in the same order. Within a query the agent
    asks LLMs of the pool one after another, sees who agrees with whom, and accepts: the vote of those that it asked, or
    one of their answers. Cascades, votes and second opinions are policies of this environment. What is asked does not
    change which queries come; within a query the steps belong together, so use `gamma=1` with `episode="query"`.

    ## Action Space

    `Discrete(n_llms + 1)`:

    | action | meaning |
    | --- | --- |
    | m below `n_llms`, not asked yet | ask LLM m |
    | m below `n_llms`, asked before | accept the answer of LLM m |
    | `n_llms` | accept the vote: the answer that most of the asked LLMs gave, of these the earliest asked |

    Asking beyond `max_asks` accepts the vote, so that a query takes at most `max_asks` + 1 steps whatever the policy.
    Calls that failed and empty responses do not vote; if nobody votes, the earliest asked LLM is accepted.

    Two answers are the same if the scorer reads them so: with `final_answer`, "$1,250.0" and "1250".

    With `parallel=True` all asks of a query run at once. Answers are then hidden while LLMs are asked; the first action
    that asks nobody new closes the asking, shows the answers, and costs nothing; the next one accepts.

    ## Observation Space

    `Box(-1, 1, (size,), float32)`: first the query, as `PickLLM-v0` shows it (any `observation` but `"prompt"`), then
    for each LLM, and once at the end, what `llm_routing_env.agents.parts.ask_view.AskView` reads:

    | part | size | bounds | meaning |
    | --- | --- | --- | --- |
    | order | 1 an LLM | 0 to 1 | (`n_llms` + 1 - number of its ask) / `n_llms`; 0: not asked |
    | group | 1 an LLM | 0 to 1 | number of its answer, as they first appear, / `n_llms`; 0: none, or hidden |
    | share | 1 an LLM | 0 to 1 | of the asked LLMs, how many gave its answer; 0: none, or hidden |
    | measures | 1 an LLM each | -1 to 1 | rank among the LLM's answers on the train split, or score; -1: not known |
    | closed | 1 | 0 to 1 | 1 when parallel asks are closed |

    ## Rewards

    What the query would be worth if its asks had been one call: the reward of the accepted answer's accuracy, the sum
    of the costs, and the sum of the latencies (with `parallel=True`: the maximum). Each step gives by how much that
    has changed, an answer counting as wrong until it is accepted: asks are paid when they are made, and the rewards of
    a query add up to its own. Asking m and accepting m gives the reward of `PickLLM-v0`.

    A query whose accepted answer failed, or of which nobody was asked, gets the lower reward bound, or what its asks
    cost where that is worse. Under the additive reward no policy does better than asking each query's best LLM alone:
    its answer is some LLM's, and its cost and latency are no less than that one's.

    ## Starting State

    As `PickLLM-v0`'s; nobody has been asked.

    ## Episode End

    1. Termination: with `episode="query"` when an answer is accepted; `reset()` then goes on with the session's next
       query, and draws another session when it has none left, or a seed or a context is given. Otherwise never.
       A live session that the budget refuses an ask terminates too; its query is worth what a lost answer is.
    2. Truncation: with `episode="session"` after `n_queries` queries, or when the context has no more.

    The ids are registered without `max_episode_steps`, which would count asks and could end within a query.

    ## Information

    Every info has `action_mask`, 1 for actions of use: asking again is of none when no ask is left, voting before the
    first. The others are legal. Asking an LLM that the table has no outcome of, or a scenario took away, raises
    ValueError. `action_masks()` gives the mask to sb3-contrib.

    `step` also gives `query_done`, `llm_index` (who was asked, or whose answer was accepted; -1: nobody), and of the
    query so far `n_asks`, `cost_usd`, `latency_s`; when an answer was accepted `accuracy`, `query_reward` (the sum of
    the query's rewards) and `reward_terms`. With `info="full"` also `query_id, context, prompt, llm, response, error`
    (of the LLM of `llm_index`) and `next_prompt`, and `reset` gives the first three; with `"none"` only the mask.

    Live, every info also has `spent_usd`, of all sessions so far, and the `error` of a call that failed; `measures` are
    of recorded outcomes only. With a backend by name an ask goes out when it is made, and its answer is kept until the
    query is done, so naming the LLM again sends nothing. Asks of a query go out one by one with `parallel=True` too:
    only the latency that is charged is that of the slowest.

    Where a scenario lets what is told differ from what is true, the rewards are as told, and accepted answers also have
    `true_accuracy` and `true_query_reward`.

    ## Arguments

    Those of `PickLLM-v0` but `extra_terms`, `reward` with the default `"additive"`, and:

    | name | default | meaning |
    | --- | --- | --- |
    | `max_asks` | `None` | most asks for a query; None: every LLM |
    | `parallel` | `False` | whether the asks of a query run at once |
    | `episode` | `"session"` | `"session"`, or `"query"`: an episode is one query |
    | `n_queries` | `200` | queries of a session |
    | `measures` | `()` | what else is seen of an answer: measures of the table, "smoothie", "matching" |

    `reset(options={"context": "math"})` chooses the context of one session.

    ## Vectorized environment

    `gym.make_vec("PickLLM-Multi-v0", num_envs=1024)` gives `PickLLMMultiVectorEnv`, `PickLLMSB3VecEnv(32,
    "PickLLM-Multi-v0")` the same to Stable-Baselines3: many sessions in one numpy step.

    ## References

    Chen, Zaharia, Zou: FrugalGPT, arXiv 2305.05176. Maurya et al.: SelectLLM, arXiv 2408.08545.

    ## Version History

    v0: initial version. The table is part of the version: its sha256 is tested.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 4}

    def __init__(
        self,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        info: str = "full",
        backend: str | Backend = "table",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`; also for a table with one LLM or without responses, `max_asks` out of range, an
                unknown measure or one of live LLMs, the observation "prompt", and `extra_terms`.
            ServingError: If a live pool is not being served; names the command that serves it.
        """
        problem, self._options, live = multi_options({"table": table} | options, ("backend", "info", "render_mode"))
        self.problem, self._sessions = asking_sessions(backend, problem, self._options, live, 1)
        self._facts, self.info_kind = FactsOfAsks(self.problem, info), info
        self.task: RoutingTask = self._sessions.task
        self.render_mode = render_mode
        self.observation_space: spaces.Box = self._sessions.observation_space  # type: ignore[assignment]
        self.action_space = spaces.Discrete(self.task.n_actions)
        self._picture = None if render_mode is None else _picture(self.task.llm_names)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options={"context": name}` chooses the context of a new session.

        Raises:
            ValueError: For an unknown option or context.
        """
        super().reset(seed=seed)
        context = session_context(self.problem, options)
        anew = self._options.episode == "session" or seed is not None or bool(options)
        self._sessions.begin(_EVERYONE, [self.np_random], [context], anew=anew)
        if self._picture is not None and anew:
            self._picture.clear()
        self._show()
        info = self._facts.waiting(self._sessions.queries.item())
        return self._sessions.observe()[0], info | {MASK: self._mask()}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Ask an LLM, or accept an answer.

        Raises:
            ValueError: For an action that is none, or an LLM that cannot be asked.
            RuntimeError: Before `reset`, or after the session's last query.
        """
        actions = np.array([checked_action(action, self.task.n_actions)])
        if self._sessions.have_ended.item():
            raise RuntimeError("The session has no query left: call reset() first.")
        query = self._sessions.queries.item()
        step = self._sessions.step(actions, _EVERYONE)
        self._draw(query, step)
        waiting, hides = self._sessions.queries, self._options.parallel
        info = of_row(self._facts.asks(step, waiting, _EVERYONE, hides=hides, live=self._sessions.live), 0) | {
            MASK: self._mask()
        }
        is_query, is_session = (self._options.episode == kind for kind in ("query", "session"))
        terminated = bool(step.is_refused.item()) or (is_query and bool(step.is_accept.item()))
        truncated = is_session and bool(self._sessions.have_ended.item())
        return self._sessions.observe()[0], step.rewards.item(), terminated, truncated, info

    @property
    def waiting_cell(self) -> int:
        """The number of the first LLM's cell for the query that waits, see `Cells`; after the last one that one's."""
        return int(self._sessions.cells.item())

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are of use, shape (LLMs + 1,); what sb3-contrib's MaskablePPO calls."""
        return np.asarray(self._sessions.action_masks()[0])

    def render(self) -> Any:
        """Return the asks of the session so far as text ("ansi") or pixels ("rgb_array"); print them ("human")."""
        if self._picture is None or self.render_mode not in ("ansi", "rgb_array"):
            return None
        return self._picture.text() if self.render_mode == "ansi" else self._picture.pixels()

    def close(self) -> None:
        """Release the backend's connections and the journal; may be called twice."""
        if self._sessions.live is not None:
            self._sessions.live.close()

    def _mask(self) -> NDArray[np.int8]:
        return self.action_masks().astype(np.int8)

    def _draw(self, query: int, step: AskStep) -> None:
        if self._picture is not None and step.is_ask.item():
            live = self._sessions.live
            outcome = self._facts.outcome(step.cells.item()) if live is None else live.of(step.cells)[0]
            self._picture.add(self.problem.table.queries[query], step.llms.item(), outcome, step.rewards.item())
        self._show()

    def _show(self) -> None:
        if self._picture is not None and self.render_mode == "human":
            self._picture.show()


def _picture(llm_names: tuple[str, ...]) -> SessionPicture:
    from llm_routing_env.envs.render import SessionPicture

    return SessionPicture(llm_names, what="asks")
