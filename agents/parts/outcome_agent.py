"""What agents share that learn outcomes rather than rewards: they know the objective, and what each LLM costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import only
from llm_routing_env.agents.parts.failed_calls import FailedCalls
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import LLMInfo, RoutingTask

MEASURES = ("accuracy", "cost_usd", "latency_s")
_ROUNDING = 1e-9  # of a mean of equal rewards, beside what rewards range over
RISK = 1e-4  # that a lower bound of an accuracy is ever above it
_UNTOLD_LATENCY_S = 1.0


class OutcomeAgent(Agent):
    """Learns of each LLM how often it is right, what a right answer gains over a wrong one, and what is left: the base.

    An answer's reward is ``base + accuracy * gain``, where ``gain = reward(1, cost, latency) - reward(0, cost,
    latency)`` and the base is what remains. Cost and latency enter through gain and base, which vary little from answer
    to answer; only accuracy is uncertain, and lies in [0, 1]. What no line in accuracy describes, as of a form that is
    curved in it, is in the base, so that the three means always add up to the mean reward. A failed call has the lowest
    reward that there is: it says nothing of answers, and is counted apart.

    Attributes:
        failed_calls: How often each LLM was asked, and how often in vain.
    """

    failed_calls: FailedCalls
    _prior: FloatArray  # of each LLM's accuracy, base and gain, shape (arms, 3)
    _tells: BoolArray  # whether a wrong answer is expected to get more than a failed call, shape (arms,)

    def _believe(self, prior_accuracy: float | Sequence[float], price_slope: float, discount: float) -> None:
        """Set the prior means: base and gain at the expected cost and latency, accuracy by what an LLM costs.

        Args:
            prior_accuracy: One number for all LLMs, or one for each, in [0, 1].
            price_slope: By how much accuracy is taken to rise with ten times the cost, about the mean LLM, where there
                is one number for all.
            discount: What an answer still counts a query later, in (0, 1].

        Raises:
            ValueError: If the task has no reward function, or actions that are not LLMs.
        """
        task = self.task
        self._require_llms()
        self._require(
            task.reward is not None,
            "task.reward",
            "the reward as a function of accuracy, cost_usd and latency_s (one with extra_terms is none: leave them "
            "out, or take an agent that learns from rewards alone)",
            task.reward,
        )
        given = np.asarray(prior_accuracy)
        is_given = given.dtype.kind in "if" and given.shape in ((), (task.n_actions,))
        self._require(
            is_given and bool(((given >= 0) & (given <= 1)).all()),
            "prior_accuracy",
            f"a number in [0, 1], or {task.n_actions} of them",
            prior_accuracy,
        )
        self._require(np.isfinite(price_slope), "price_slope", "finite", price_slope)
        self._require(0 < discount <= 1, "discount", "in (0, 1]", discount)
        self.prior_accuracy, self.price_slope, self.discount = prior_accuracy, price_slope, discount
        accuracy = given
        if price_slope and given.ndim == 0:
            accuracy = np.clip(given + price_slope * _dearness(task.llms, task.llms), 0.05, 0.95)
        wrong, right = self._ends(
            _told([llm.expected_cost_usd for llm in task.llms], 0.0),
            _told([llm.expected_latency_s for llm in task.llms], _UNTOLD_LATENCY_S),
        )
        self._prior = np.stack([np.broadcast_to(accuracy, task.n_actions), wrong, right - wrong], axis=1)
        lowest, highest = task.reward_bounds
        self._tells = wrong > lowest + _ROUNDING * (highest - lowest)
        self.failed_calls = FailedCalls(len(self._rows), task.n_actions, discount)

    def add_llm(self, task: RoutingTask) -> Self:
        """Return this agent for a task with further LLMs: of the others it knows what it knew.

        Its random generator starts anew.

        Args:
            task: What the agent may know, with all LLMs of before among its own.

        Raises:
            ValueError: If an LLM of before is missing, or the observation is another.
        """
        missing = sorted(set(self.task.llm_names) - set(task.llm_names))
        self._require(not missing, "task", f"one that still has {', '.join(missing)}", ", ".join(task.llm_names))
        seen = (self.task.observation, self.task.observation_size)
        self._require(seen == (task.observation, task.observation_size), "task", f"one of observations {seen}", task)
        arms = np.array([task.llm_names.index(name) for name in self.task.llm_names])
        hyperparameters = {name: getattr(self, name) for name in self.hyperparameters()}
        hyperparameters["prior_accuracy"] = self._prior_with(task, arms)
        grown = type(self)(task, n_sessions=self.n_sessions, **hyperparameters)
        grown.n_selected.array, grown.n_updates = self.n_selected.array, self.n_updates.copy()
        grown.failed_calls.keep(self.failed_calls, arms)
        grown._keep(self, arms)
        return grown

    def _prior_with(self, task: RoutingTask, arms: IntArray) -> list[float]:
        """Return the prior accuracy of a task's LLMs: of the known ones, whose places are given, as it was.

        What was learned of them is how far off it they are. Of the others it goes by what they cost beside those.
        """
        prior = np.full(task.n_actions, self._prior[:, 0].mean())
        if self.price_slope:
            dearness = _dearness([task.llms[arm] for arm in arms], task.llms)
            prior = np.clip(prior + self.price_slope * dearness, 0.05, 0.95)
        prior[arms] = self._prior[:, 0]
        return [float(accuracy) for accuracy in prior]

    def _keep(self, known: Self, arms: IntArray) -> None:
        """Take over what an agent learned of fewer arms, whose places among those here are given."""
        raise NotImplementedError

    def _ends(self, cost_usd: FloatArray, latency_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the reward of a wrong and of a right answer, each of the arguments' shape."""
        reward = self.task.reward
        assert reward is not None  # the constructor has refused it
        wrong, right = (reward(np.full(cost_usd.shape, end), cost_usd, latency_s) for end in (0.0, 1.0))
        return wrong, right

    def _expected(self, base: FloatArray, gain: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return base and gain of a call, which may fail, from those of an answer; all of shape (sessions, arms)."""
        share = self.failed_calls.shares()
        return (1 - share) * base + share * self.task.reward_bounds[0], (1 - share) * gain

    def _is_answered(self, action: IntArray, reward: FloatArray) -> BoolArray:
        """Return in which sessions the call did not fail, shape (sessions,).

        The lowest reward is that of a failed call, or else of the worst answer of all. To take the one for the other
        does little harm: the share of calls with this reward is learned, and the mean of the rest. Only where it is
        what any wrong answer is expected to get is there nothing to tell.
        """
        answered: BoolArray = (reward != self.task.reward_bounds[0]) | ~self._tells[action]
        return answered

    def _measured(self, action: IntArray, reward: FloatArray, outcome: Outcomes) -> FloatArray:
        """Return accuracy, base and gain of one answer per session, shape (sessions, 3).

        Where no outcome was told, as with feedback that is a reward alone, the LLM's expected cost and latency stand
        in, and accuracy is worked out from the reward.
        """
        _, base, gain = self._prior[action].T
        if outcome:
            accuracy = self._told_accuracy(outcome)
            wrong, right = self._ends(outcome["cost_usd"], outcome["latency_s"])
            gain = np.where(np.isfinite(right - wrong), right - wrong, gain)  # a failed call may have no latency
        else:
            accuracy = np.clip((reward - base) / np.where(gain == 0, 1.0, gain), 0.0, 1.0)
        return np.stack([accuracy, reward - accuracy * gain, gain], axis=1)

    def _told_accuracy(self, outcome: Outcomes) -> FloatArray:
        self._require(set(MEASURES) <= set(outcome), "outcome", f"{', '.join(MEASURES)}, or None", sorted(outcome))
        accuracy = np.asarray(outcome["accuracy"], dtype=np.float64)
        self._require(bool(np.isfinite(accuracy).all()), "outcome['accuracy']", "finite", accuracy.tolist())
        return accuracy


def still_asked(base: FloatArray, gain: FloatArray, lowest: FloatArray, allowed: BoolArray | None) -> BoolArray:
    """Return which arms may be the best one, shape (sessions, arms).

    Who is worth less with every answer right than another at its lowest plausible accuracy is not asked again.

    Args:
        base: Reward of a wrong answer, shape (sessions, arms).
        gain: What a right one adds, shape (sessions, arms).
        lowest: Lowest plausible accuracy, shape (sessions, arms).
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    floor = base + np.minimum(gain * np.maximum(lowest, 0.0), gain)
    best_case = base + np.maximum(gain, 0.0)
    is_open: BoolArray = best_case >= only(floor, allowed).max(axis=1, keepdims=True)
    return is_open if allowed is None else is_open & allowed


def _dearness(known: Sequence[LLMInfo], llms: Sequence[LLMInfo]) -> FloatArray:
    """Return the logarithm to base 10 of each LLM's expected cost, less the known ones' mean; 0 where it has none."""
    logs, about = _log_costs(llms), _log_costs(known)
    if not np.isfinite(about).any():
        return np.zeros(len(llms))
    dearness: FloatArray = np.nan_to_num(logs - about[np.isfinite(about)].mean())
    return dearness


def _log_costs(llms: Sequence[LLMInfo]) -> FloatArray:
    """Return the logarithm to base 10 of each LLM's expected cost; NaN where it is free or not known."""
    costs = np.array([llm.expected_cost_usd or np.nan for llm in llms])
    logs: FloatArray = np.log10(np.where(costs > 0, costs, np.nan))
    return logs


def _told(numbers: Sequence[float | None], otherwise: float) -> FloatArray:
    """Return the numbers, with their mean in place of None, or ``otherwise`` where none is known."""
    known = [number for number in numbers if number is not None]
    instead = float(np.mean(known)) if known else otherwise
    return np.array([instead if number is None else number for number in numbers])
