"""The routing bandit as a Gymnasium environment: one query a step, one LLM an action."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask
from llm_routing_env.envs.actions import checked_action, masked_error
from llm_routing_env.envs.facts import MASK, Facts
from llm_routing_env.envs.options import NEEDS_LIVE, ProblemOptions, refuse_given, sort_options
from llm_routing_env.envs.problem import RoutingProblem, session_context
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none of it, and start sooner without
    from llm_routing_env.backends import Backend
    from llm_routing_env.envs.live import LiveLLMs
    from llm_routing_env.envs.render import SessionPicture

Observation = NDArray[np.float32]


class PickLLMEnv(gym.Env[Observation, np.int64]):
    """Route a stream of queries to LLMs, and get accuracy, cost and latency back as one reward.

    ## Description

    A session (episode) is a stream of queries from one context. At each step the agent sees the next query, picks one
    LLM of the pool, and the environment returns the weighted reward of that LLM's response: its accuracy, what it
    cost and how long it took. With `backend="table"` (default) the outcome was recorded earlier from LLMs served by
    vLLM; with `backend="vllm"` the LLM is asked during the step. It is a bandit: actions never change which queries
    come, so use `gamma=0` with algorithms that bootstrap.

    ## Action Space

    `Discrete(n_llms)`: the index of the LLM in `env.unwrapped.task.llm_names`.

    ## Observation Space

    `Box(-1, 1, (size,), float32)`, of the query to route next:

    | `observation` | size | meaning |
    | --- | --- | --- |
    | `"embedding"` | the encoder's (384 for nano) | L2-normalised sentence embedding |
    | `"embedding32"` | 32 | its principal components, fitted on the train split |
    | `"features"` | 12 | cheap features of the text, see `text_features.FEATURES` |
    | `"context"` | contexts of the table | one-hot context |
    | `"none"` | 1 | the constant 1 |
    | `"context+embedding32"` | their sum | several of these, joined |
    | `"my_module:my_function"` | yours | what a function of the outcome table returns, a row per query |
    | an array of shape (queries, size) | yours | the vectors themselves, in the table's order |

    (beyond -1 and 1 where your own numbers are), or `Text`, with `observation="prompt"`: the query itself.

    ## Rewards

    With a = accuracy in [0, 1], c = cost / `cost_scale_usd`, l = latency in ms (at least 10):

    - `"pickllm"`: (w_a a - w_c c) / (w_l log10(l) / t_scaling), the paper's form as two secondary sources give it;
    - `"additive"`: w_a a - w_c c - w_l log10(l) / t_scaling;
    - `"my_module:MyForm"`: your own subclass of `llm_routing_env.rewards.reward.Reward`.

    A failed call gets the lower reward bound. In the ratio, w_l and t_scaling only rescale, and where the numerator
    is negative (every wrong answer that costs something) a slower LLM scores better.

    ## Starting State

    `reset` draws the context (unless given), the order of its queries, and which recorded repeat each position uses;
    then, where the scenario says so, at which steps its events come and which queries another context gives: all
    randomness of a session, from `self.np_random`, independent of the actions.

    ## Episode End

    1. Termination: when a live session's budget is used up, see `max_usd` and `max_requests`. The query was not sent,
       the reward is the lower bound, and `info["error"]` says why, whatever `info` is. Another step, or another
       session, terminates at once too. Otherwise never.
    2. Truncation: after `max_episode_steps` (200 as registered), or when the context has no more queries.

    ## Information

    `reset` gives `query_id`, `context`, `prompt` of the query to route. `step` gives, of the query just routed:
    `query_id, context, prompt, llm, response, error` (`""`: none)`, accuracy, cost_usd, latency_s, prompt_tokens,
    completion_tokens, reward_terms` (weighted, as the reward adds or divides them), and `next_prompt`; where the
    table knows the pool's LLMs also `regret` (expected, to the context's best LLM), `oracle_regret` (to the best LLM
    for this query), `optimal_action` (the context's best LLM); live, `ttft_s` (seconds to the first token, NaN where
    neither a stream nor the server tells), `wait_s` and `n_attempts` (before the last request was sent, and how many
    were), `finish_reason`, `is_cut` (at `max_tokens`), and `spent_usd` (by this environment so far). With
    `info="numbers"` only the numbers, with `"none"` nothing.

    Where a scenario lets what is told differ from what is true (`noisy_scorer`, `poisoned_feedback`), the reward,
    `accuracy` and `reward_terms` are as told, and every step also gives `true_reward` and `true_accuracy`, by which
    agents are judged and from which they should not learn.

    Where some LLM cannot be asked at some time (the table lacks its outcome for the query, or the scenario takes it
    away), every info has `action_mask`, 1 for those that can; `action_masks()` gives the same to sb3-contrib. Another
    action raises ValueError; live, it gets the lower reward bound and an `error`, and nothing is sent.

    ## Arguments

    | name | default | meaning |
    | --- | --- | --- |
    | `table` | `"nano"` | shipped table's name, or a path to an outcome table |
    | `backend` | `"table"` | `"table"`, `"vllm"` (HTTP), `"vllm-inprocess"`; a Backend if constructed directly |
    | `pool` | the table's | shipped pool's name or a TOML path, for live backends |
    | `context` | `None` | one context a session, drawn at reset; a name; `"mixed"`: all interleaved |
    | `split` | `"test"` | `"train"`, `"test"`, `"all"` |
    | `observation` | `"embedding"` | see above |
    | `reward` | `"pickllm"` | see above |
    | `weights` | `(1, 0.5, 0.5)` | importance of accuracy, cost, latency |
    | `scorer` | the table's | recorded score, or a scorer's name for live use |
    | `info` | `"full"` | `"full"`, `"numbers"`, `"none"` |
    | `t_scaling` | `1.0` | divides log10(latency) |
    | `cost_scale_usd` | the table's | the cost that counts as 1: mean cost of the dearest LLM |
    | `extra_terms` | `None` | weights of further measures in the table, subtracted like the cost; not live |
    | `scenario` | `None` | what changes in a session: a preset, a list of events, a TOML file, `"my_module:f"` |
    | `max_usd_per_query` | `None` | mean cost of a query to keep to: agents know it by their task; nobody is stopped |
    | `stream` | `False` | for `backend="vllm"`: have responses streamed, which measures `ttft_s` |
    | `max_usd` | `None` | live: most US dollars; a request is sent only if its worst case is left |
    | `max_requests` | `None` | live: most requests, retries included |
    | `journal` | `None` | live: a file (SQLite) to which every outcome is written before it is used |
    | `resume` | `False` | go on with the journal: no outcome it has is asked for again, and its cost counts |
    | `render_mode` | `None` | `"ansi"`, `"rgb_array"`, `"human"` |

    With a budget and a journal nothing is paid for unasked and nothing twice: the n-th time an LLM is asked a
    query, a resumed environment gives the n-th outcome that the journal has. What was in flight when a process was
    killed is lost, and asked again; it counts at its worst case. A request that failed counts at its worst case
    too, unless nobody bills it (a refused connection, HTTP 400 to 499). Each process has a budget of its own, and
    needs a journal of its own: `journal="run-{pid}.sqlite"`.

    `reset(options={"context": "math"})` chooses the context of one session.

    ## Vectorized environment

    `gym.make_vec("PickLLM-v0", num_envs=1024)` gives `PickLLMVectorEnv`: the same sessions, one numpy step for all.
    `gym.make_vec("PickLLMLive-v0", num_envs=64)` gives `PickLLMLiveVectorEnv`: one step asks all LLMs at once.

    ## References

    Sikeridis, Ramdass, Pareek: PickLLM: Context-Aware RL-Assisted Large Language Model Routing, arXiv 2412.12170.

    ## Version History

    v0: initial version. The table is part of the version: its sha256 is tested.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 4}

    def __init__(
        self,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        backend: str | Backend = "table",
        *,
        info: str = "full",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class for the arguments.

        Raises:
            ValueError: For an unknown name (with the known ones), weights that cannot be, or a malformed table.
        """
        problem, live = sort_options({"table": table} | options, ("backend", "info", "render_mode"))
        self._live: LiveLLMs | None = None
        if backend == "table":
            refuse_given(live.given, NEEDS_LIVE)
            self.problem = RoutingProblem(**problem)
        else:
            from llm_routing_env.envs.live import LiveLLMs

            self._live = LiveLLMs(backend, problem, live)
            self.problem = self._live.problem
        self._facts, self.info_kind = Facts(self.problem, info), info
        self.task: RoutingTask = self.problem.task
        self.render_mode = render_mode
        self.observation_space: spaces.Box = self.problem.observation_space  # type: ignore[assignment]
        self.action_space = spaces.Discrete(self.task.n_actions)
        # Of the session; of queries and masks the last one comes twice, since the last step shows it again.
        self._queries: list[int] = []
        self._cells: list[int] = []
        self._masks: NDArray[np.int8] | None = None
        self._position = 0
        self._picture = None if render_mode is None else _picture(self.task.llm_names)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a session; `options={"context": name}` chooses its context.

        Raises:
            ValueError: For an unknown option or context.
        """
        super().reset(seed=seed)
        session = self.problem.draw_session(self.np_random, session_context(self.problem, options))
        self._queries, self._cells = session.queries.tolist(), session.cells.tolist()
        self._queries.append(self._queries[-1])
        if session.available is not None:
            self._masks = session.available[[*range(len(session)), -1]].astype(np.int8)
        self._position = 0
        if self._picture is not None:
            self._picture.clear()
            if self.render_mode == "human":
                self._picture.show()
        info = self._facts.waiting(self._queries[0])
        return self._observation(), info if self._masks is None else info | {MASK: self._masks[0].copy()}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Route the current query to LLM `action`.

        Raises:
            ValueError: For an action that is no LLM's index, or one that `action_mask` forbids.
            RuntimeError: Before `reset`, or after the context's last query.
        """
        llm = checked_action(action, self.task.n_actions)
        position = self._position
        if position == len(self._cells):
            raise RuntimeError("The session has no query left: call reset() first.")
        cell, waiting = self._cells[position] + llm, self._queries[position + 1]
        outcome, terminated = None, False
        if self._live is None:
            if self._masks is not None and not self._masks[position, llm]:
                raise masked_error(llm, self.task.llm_names[llm])
            reward, info = self._facts.step(cell, waiting)
        else:
            outcome, reward, info = self._ask(self._live, self._cells[position], llm)
            terminated = self._live.is_refused(outcome)
        self._position += not terminated
        if self._picture is not None:
            shown = outcome or self._facts.outcome(cell)
            self._picture.add(self.problem.table.queries[self._queries[position]], llm, shown, reward)
            if self.render_mode == "human":
                self._picture.show()
        if self._masks is not None:
            info[MASK] = self._masks[self._position].copy()
        return self._observation(), reward, terminated, self._position == len(self._cells), info

    @property
    def waiting_cell(self) -> int:
        """The number of the first LLM's cell for the query that waits, see `Cells`; after the last one that one's."""
        if not self._cells:
            raise RuntimeError("No query waits: call reset() first.")
        return self._cells[min(self._position, len(self._cells) - 1)]

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which LLMs can be asked the waiting query, shape (LLMs,); what sb3-contrib's MaskablePPO calls."""
        if self._masks is None:
            return np.ones(self.task.n_actions, dtype=bool)
        return np.asarray(self._masks[self._position], dtype=bool)

    def session_rewards(self) -> NDArray[np.float64]:
        """Return what each LLM would get at each step of this session, shape (steps, LLMs); NaN where not recorded.

        Raises:
            RuntimeError: Before `reset`, and for live LLMs, which have not been asked.
        """
        if self._live is not None or not self._cells:
            raise RuntimeError("session_rewards needs recorded outcomes, and a session: call reset() first.")
        cells = np.array(self._cells)[:, None] + np.arange(self.task.n_actions)
        return np.asarray(self._facts.rewards[cells])

    def render(self) -> Any:
        """Return the session so far as text ("ansi") or pixels ("rgb_array"); print it ("human")."""
        if self._picture is None or self.render_mode not in ("ansi", "rgb_array"):
            return None
        return self._picture.text() if self.render_mode == "ansi" else self._picture.pixels()

    def expected_rewards(self, context: str | None = None) -> NDArray[np.float64]:
        """Return each LLM's expected reward on the split, by the table; over all contexts for None."""
        return self.problem.expected_rewards(context)

    def close(self) -> None:
        """Release the backend's connections and the journal; may be called twice."""
        if self._live is not None:
            self._live.close()

    def _ask(self, llms: LiveLLMs, first_cell: int, llm: int) -> tuple[Outcome, float, dict[str, Any]]:
        """Return outcome, reward and info of asking a live LLM the current query."""
        is_available = self._masks is None or bool(self._masks[self._position, llm])
        outcome = llms.ask([(self._queries[self._position], llm, is_available)])[0]
        shown = self._queries[self._position + (not llms.is_refused(outcome))]
        info = self._facts.live(self.problem.cells.index(first_cell)[0], llm, outcome, shown, llms.spent_usd)
        return outcome, float(llms.rewards([outcome])[0]), info

    def _observation(self) -> Observation:
        # A copy: since Gymnasium 1.4 the checker rejects observations that share memory.
        observation: Observation = self.problem.observations.take(self._queries[self._position], axis=0)
        return observation


def _picture(llm_names: tuple[str, ...]) -> SessionPicture:
    from llm_routing_env.envs.render import SessionPicture

    return SessionPicture(llm_names)
