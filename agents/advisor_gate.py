"""Advisor gate: one LLM answers every query; a learner decides when it pays to ask a dearer one too.

LaGR-SEQ (Karimpanal and others 2023, arXiv 2308.13542, https://github.com/GKthom/LaGRSEQ).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.ask_view import AskView, lowest_if_unknown
from llm_routing_env.agents.parts.asking_agent import certain, llm_number, measures_of_one, size_of_query, worth_of_asks
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.linear_model import ArmRegressions, ridge_regression, with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

TAKE, ASK = 0, 1
REWARD, LAGR = "reward", "lagr"
_SCALE = 5.0  # of embeddings, whose numbers are small, beside the intercept


class AdvisorGate(Agent):
    """The base LLM answers; the gate takes its answer, or asks the advisor and takes that one's.

    The gate is a bandit with two arms, LinUCB on the query and on what is seen of the base's answer: whether there is
    one, and all its measures (`observation="embedding32+asks+matching"`, for one). It learns from
    what each query was worth in the end. A fee that outweighs the gain thus keeps it from asking, which the paper's
    signal does not: +1 where the advice was right, -1 where it was wrong, 0 where none was asked for
    (`signal="lagr"`). Fitted on full information, "advisor_gate@pretrained", it is the same linear model of both arms,
    and frozen.

    Kept of LaGR-SEQ: a second learner that decides, from what has been done so far, whether to ask the advisor.
    Left out: the task of many steps that the advice is about, and its learner: a query is answered at once.

    Attributes:
        llms: The base and the advisor, shape (2,).
        regressions: What taking and asking earn, by session.
        coefficients: The same where it was fitted, the intercepts as first row, shape (features, 2).
        is_fitted: Whether it was, shape ().
        seen: The features of each session's last decision, shape (sessions, features).
        paid: What its query has earned so far, shape (sessions,).
    """

    environment = "PickLLM-Multi-v0"
    observation = "embedding32+asks"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        base: str | None = None,
        advisor: str | None = None,
        alpha: float = 0.3,
        ridge: float = 1.0,
        signal: str = REWARD,
    ) -> None:
        """Start without data.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            base: The LLM that answers every query; None: the cheapest.
            advisor: The one that may be asked then; None: the dearest.
            alpha: Width of the confidence bounds, in units of the reward.
            ridge: Weight of the penalty on the coefficients.
            signal: "reward", or "lagr": what it learns from.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(alpha >= 0, "alpha", "at least 0", alpha)
        self._require(ridge > 0, "ridge", "positive", ridge)
        if signal not in (REWARD, LAGR):
            raise unknown_name("signal", signal, (REWARD, LAGR))
        self._n_llms, self._measures = len(task.llm_names), measures_of_one(self)
        n_features = size_of_query(self, len(self._measures)) + 2 + len(self._measures)
        cost = np.array(task.expected_cost_usd)
        chosen = [
            usual if name is None else llm_number(task, name)
            for name, usual in ((base, int(np.argmin(cost))), (advisor, int(self._n_llms - 1 - np.argmax(cost[::-1]))))
        ]
        self._require(chosen[0] != chosen[1], "advisor", "another LLM than the base", task.llm_names[chosen[1]])
        self.base, self.advisor = base, advisor
        self.alpha, self.ridge, self.signal = alpha, ridge, signal
        self.llms = np.array(chosen)
        self.regressions = ArmRegressions(len(self._rows), 2, n_features, ridge)
        self.coefficients = np.zeros((n_features, 2))
        self.is_fitted = np.zeros((), dtype=np.bool_)
        self.seen, self.paid = np.zeros((len(self._rows), n_features)), np.zeros(len(self._rows))

    @classmethod
    def protocols(cls) -> tuple[str, ...]:
        """See `Agent.protocols`."""
        return ("online", "pretrained")

    def fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # answers, which no router needs
        """Learn both arms from every LLM's outcomes, and nothing more from then on.

        Args:
            training_table: Every LLM's answers on the train split, see `asking_table`.

        Raises:
            ValueError: If the table has another number of LLMs, or observations of another size.
        """
        table, (base, advisor) = training_table, self.llms.tolist()
        expected = (len(self.coefficients) - 2 - len(self._measures), self._n_llms)
        found = (table.observations.shape[1], table.answers.shape[1])
        self._require(found == expected, "training_table", f"of (observation size, LLMs) {expected}", found)
        measures = [table.measures[name][:, base] for name in self._measures]
        seen = _features(table.observations, table.answers[:, base] >= 0, measures)
        who = np.eye(self._n_llms, dtype=bool)
        asked = [np.tile(each, (len(seen), 1)) for each in (who[base], who[base] | who[advisor])]
        worths = [worth_of_asks(self.task, table, *each) for each in zip(asked, (base, advisor), strict=True)]
        if self.signal == LAGR:
            worths = [np.zeros(len(seen)), _lagr(table.accuracy[:, advisor])]
        weights = table.weights * len(seen)
        self.coefficients = ridge_regression(seen[:, 1:], np.stack(worths, axis=1), self.ridge, weights)
        self.is_fitted = np.ones((), dtype=np.bool_)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        view, (base, advisor) = AskView(observation, self._n_llms, self._measures), self.llms.tolist()
        wants = self._wants(self._seen(view)) & (view.order[:, base] > 0)
        actions = np.where(
            wants | (view.order[:, advisor] > 0), advisor, base
        )  # naming an LLM again accepts its answer
        return certain(actions, allowed, self.task.n_actions)

    def _wants(self, seen: FloatArray) -> BoolArray:
        """Return where the advisor is worth asking, shape (sessions,)."""
        if self.is_fitted:
            values = seen @ self.coefficients
        else:
            mean, uncertainty = self.regressions.predict(seen)
            values = mean + self.alpha * uncertainty
        wants: BoolArray = values[:, ASK] > values[:, TAKE]
        return wants

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        if self.is_fitted:
            return
        view, (base, advisor) = AskView(observation, self._n_llms, self._measures), self.llms.tolist()
        n_asked, by_base = (view.order > 0).sum(axis=1), view.order[:, base] == 1
        self.paid = np.where(n_asked > 0, self.paid + reward, reward)
        decides = by_base & (n_asked == 1)
        self.seen[decides] = self._seen(view)[decides]
        takes = decides & ((action == base) | (action == self._n_llms))
        heard = by_base & (n_asked == 2) & (view.order[:, advisor] == 2) & (action == advisor)
        earned = self.paid
        if self.signal == LAGR:
            self._require("accuracy" in outcome, "outcome", 'one with the accuracy, as signal="lagr" needs it', outcome)
            earned = np.where(heard, _lagr(outcome["accuracy"]), 0.0)
        # Where no query was done, features of 0 change nothing.
        seen = np.where((takes | heard)[:, None], self.seen, 0.0)
        self.regressions.update(seen, np.where(heard, ASK, TAKE), earned)

    def _seen(self, view: AskView) -> FloatArray:
        base = int(self.llms[0])
        return _features(view.query, view.group[:, base] > 0, [view.measures[name][:, base] for name in self._measures])


def _features(query: FloatArray, has_answer: BoolArray, measures: list[FloatArray]) -> FloatArray:
    """Return an intercept, the query, whether the base gave an answer, and its measures; shape (rows, features)."""
    known = [lowest_if_unknown(measure) for measure in measures]
    return with_intercept(np.column_stack([_SCALE * query, has_answer.astype(np.float64), *known]))


def _lagr(accuracy: FloatArray) -> FloatArray:
    """Return the paper's signal for advice of this accuracy."""
    return np.where(accuracy >= 0.5, 1.0, -1.0)
