"""The interface that every agent has, with what they share: checks, sampling, masks, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from llm_routing_env.agents.parts.arm_array import by_session
from llm_routing_env.agents.parts.checks import InputChecks
from llm_routing_env.agents.parts.distributions import Weights
from llm_routing_env.agents.parts.generators import make_generators
from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.replaying import replay
from llm_routing_env.agents.parts.saved import Saved
from llm_routing_env.agents.parts.session_array import PerSession, SessionArray, how_many, maximum, plain
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import PROMPT, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

__all__ = ["Agent", "RoutingTask"]


class Agent(InputChecks, Saved):
    """A learner that picks one LLM per query.

    With ``n_sessions=None`` it routes one session: actions and rewards are scalars. With a number they have
    a leading axis of sessions, and each row is a learner of its own: given the same actions and rewards, row
    ``i`` of a batch equals a single agent. Inside, arrays always have that axis.

    A subclass gives ``_probabilities`` and ``_learn``, or overrides ``select_action`` and ``update``. It stores
    each hyperparameter under the name that it has in the constructor, and what it learns in public array
    attributes: then it can be saved and loaded. A constructor without ``n_sessions`` is enough for one session.

    Attributes:
        observation: What the agent wants to see: "none", "context", "embedding32", "embedding", ..., or "prompt": the
            query's text, an object array of texts in a batch.
        feedback: What fitting uses: "bandit" (it learns online and is never fitted), "full" or "none".
        environment: The id of the one that it was made for.
        sees_preferences: Whether it goes by the preference that observations of `PickLLM-MO-v0` may end with, so that
            one agent serves all.
        needs_responses: Whether fitting compares the LLMs' responses, see `TrainingTable.response_distances`.
        maximises: What it is after: "reward", or another measure; then its place among agents by reward says nothing.
        task: What the agent knew before it started.
        n_sessions: Number of sessions routed at once; None for one session without a leading axis.
        n_selected: How many queries each session has chosen for, one per session: the clock of rules that have one,
            which runs on while rewards are still to come. A reward without a choice before it counts as one.
        n_updates: How many queries each session has learned from, shape ().
        commitments: Arm that each session has settled on for good, -1 before; shape (sessions,).
    """

    observation: str = "none"
    feedback: str = "bandit"
    environment: str = "PickLLM-v0"
    maximises: str = "reward"
    sees_preferences: bool = False
    needs_responses: bool = False

    def __init__(self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Start a learner that has seen nothing.

        Args:
            task: The LLMs with their expected costs, the size of an observation, the range of the reward.
            n_sessions: Number of sessions to route at once; None for one, with scalars in and out.
            seed: Seed of the agent's own random generator; `SessionSeeds` for one of each session.
        """
        super().__init__(task, n_sessions)
        self.n_selected = SessionArray(n_sessions or 1, 0)
        self.n_updates = np.zeros((), dtype=np.int64)
        self.commitments = np.full(n_sessions or 1, -1)
        # How what a reward is for was chosen: among which arms (None: all), with which probability (None: not told).
        self._allowed: BoolArray | None = None
        self._is_next = False  # whether the next reward must be for what was selected last, if nothing else is open
        self._probability: FloatArray | None = None
        self._rng, self._common_rng = make_generators(seed)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        """Return the distribution of the next action, 0 where not allowed, shape (sessions, arms); it is only read."""
        raise NotImplementedError(f"{type(self).__name__} gives no action probabilities.")

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        """Return one action per session, shape (sessions,): the arm that it committed to, else one that is drawn."""
        held = self._held(allowed)
        n_held = how_many(held)
        if n_held == len(self._rows):
            return self.commitments.copy()
        drawn = by_session(self._probabilities(observation, allowed)).sample(self._rng)
        return np.where(held, self.commitments, drawn) if n_held else drawn

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        """Learn from one action and reward per session.

        ``_allowed`` and ``_probability`` say how the action was chosen, as far as that is known.

        Args:
            observation: Shape (sessions, observation size).
            action: Shape (sessions,).
            reward: Shape (sessions,).
            outcome: accuracy, cost_usd and latency_s, each of shape (sessions,); empty if `update` was given none.
        """

    @classmethod
    def protocols(cls) -> tuple[str, ...]:
        """Return how it can take part in a comparison, the usual way first.

        "pretrained": it is fitted before it routes; "online": it is fresh in each session; "lifelong": it lives through
        many; "logged": it learned from a log first.
        """
        return ("pretrained",) if cls.feedback == "full" else ("online", "lifelong", "logged")

    @classmethod
    def protocol(cls) -> str:
        """Return how it takes part where nothing is said: "pretrained" (fitted before it routes) or "online"."""
        return cls.protocols()[0]

    def fit(self, training_table: TrainingTable) -> None:
        """Fit a pretrained agent; an agent that learns online has nothing to fit.

        Args:
            training_table: Every LLM's outcomes on the train split, see `RoutingProblem.training_table`.

        Raises:
            TypeError: If the agent learns online.
        """
        raise TypeError(
            f"{type(self).__name__} learns online from bandit feedback and is not fitted: "
            "call update(observation, action, reward) after each query."
        )

    def fit_log(self, logged: LoggedData | Sequence[LoggedData]) -> None:
        """Learn from what others chose, by updates in the order of the log.

        Args:
            logged: One log for all sessions; or one for each of them, all of one length.

        Raises:
            TypeError: If the agent has full feedback.
        """
        if self.feedback == "full":
            raise TypeError(f"{type(self).__name__} has full feedback, and learns nothing from a log.")
        replay(self, [logged] if isinstance(logged, LoggedData) else logged)

    def begin_session(self) -> None:
        """Take note that a session begins: what was learned is kept, unless a session is a problem of its own."""

    def select_action(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> int | IntArray:
        """Pick the LLM of the next query. This changes nothing that the agent has learned.

        Args:
            observation: Shape (observation_size,) or (sessions, observation_size); any if "none" is wanted.
            action_mask: 1 where an LLM is available, shape (arms,) or (sessions, arms); None: all are.

        Returns:
            An action, or one per session.
        """
        self._allowed, self._is_next = self._checked_mask(action_mask), True
        action = self._select(self._checked_observation(observation), self._allowed)
        self.n_selected.now += 1
        if self.n_sessions is None:
            return int(plain(action))
        return action if isinstance(action, np.ndarray) else np.array([action])

    def update(
        self,
        observation: ArrayLike | None,
        action: ArrayLike,
        reward: ArrayLike,
        outcome: Mapping[str, Any] | None = None,
        probability: ArrayLike | None = None,
    ) -> None:
        """Learn from the reward of the LLM that was asked.

        Args:
            observation: What `select_action` was given.
            action: The LLM that was asked; one per session in a batch.
            reward: Its reward; one per session in a batch.
            outcome: accuracy, cost_usd and latency_s of the answer; one of each per session in a batch.
            probability: With which the LLM was chosen; one per session in a batch. Rules that weigh by it work it out
                anew where it is left out, which is wrong once they have learned from others' rewards since.
        """
        actions, rewards = self._checked_action(action), self._checked_reward(reward)
        self._require_allowed(actions)
        outcomes = self._checked_outcome(outcome) if outcome else {}
        self._probability = None if probability is None else self._checked_probability(probability)
        self.n_selected.now = maximum(self.n_selected.now, self.n_updates.item() + 1)
        self._learn(self._checked_observation(observation), actions, rewards, outcomes)
        self.n_updates[()] += 1  # a fifth of the time of adding to the array
        self._is_next = False

    def _require_allowed(self, actions: IntArray) -> None:
        """Refuse an action that the last mask excluded, unless the reward may be for an earlier choice."""
        if self._allowed is None or self._allowed[self._rows, actions].all():
            return
        if self._is_next and np.all(self.n_selected.now - self.n_updates <= 1):
            self._refuse("action", "one that the mask of the last select_action allowed", actions.tolist())
        self._allowed = None  # the mask of that choice is not known any more

    def action_probabilities(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> FloatArray:
        """Return each LLM's probability of being picked next, shape (arms,) or (sessions, arms)."""
        rows, allowed = self._checked_observation(observation), self._checked_mask(action_mask)
        probabilities = self._distribution(rows, allowed)
        return probabilities[0] if self.n_sessions is None else probabilities

    @property
    def committed_action(self) -> int | IntArray:
        """The arm that the agent has settled on for good, -1 before; one per session in a batch."""
        return int(self.commitments[0]) if self.n_sessions is None else self.commitments.copy()

    def predict(
        self,
        observation: ArrayLike,
        state: Any = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = False,
    ) -> tuple[IntArray, Any]:
        """Act without learning, with the signature of Stable-Baselines3.

        Args:
            observation: One observation, or several, which a single-session agent answers one by one.
            state: Handed back untouched.
            episode_start: Ignored.
            deterministic: Pick the most probable LLM instead of drawing one.

        Returns:
            The actions as an array, of shape () for one observation, and ``state``.
        """
        observations = np.asarray(observation)
        if self.n_sessions is None and observations.ndim > (self.observation != PROMPT):
            return np.array([self._act(row, deterministic) for row in observations]), state
        return np.asarray(self._act(observations, deterministic)), state

    def _act(self, observation: ArrayLike, deterministic: bool) -> int | IntArray:
        if deterministic:
            best: IntArray = np.argmax(self.action_probabilities(observation), axis=-1)
            return best
        kept = self.n_selected.array, self._allowed
        action = self.select_action(observation)
        self.n_selected.array, self._allowed = kept
        return action

    def _held(self, allowed: BoolArray | None) -> PerSession:
        """Return which sessions are bound to the arm they committed to, shape (sessions,)."""
        held = plain(self.commitments) >= 0
        return held if allowed is None else held & allowed[self._rows, self.commitments]

    @property
    def _is_open(self) -> PerSession:
        """Whether each session may still settle on another arm, shape (sessions,)."""
        return plain(self.commitments) < 0

    def _distribution(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        """Return `_probabilities`, with all mass on the committed arm of a session where it is allowed."""
        probabilities = np.array(self._probabilities(observation, allowed))
        held = self._held(allowed)
        bound = np.flatnonzero(held)
        probabilities[bound] = 0.0
        probabilities[bound, self.commitments[bound]] = 1.0
        return probabilities

    def _commit(self, settled: PerSession, action: PerSession) -> None:
        """Settle for good on the given arm in the sessions that are settled now and were not before."""
        if how_many(settled) and how_many(settled & self._is_open):
            np.copyto(self.commitments, action, where=settled & self._is_open)
