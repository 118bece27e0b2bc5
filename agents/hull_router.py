"""Hull router: predicts who is right, and puts a price on cost that meets a budget.

OptLLM (Liu et al. 2024, arXiv 2405.15130, https://github.com/superyue72/OptLLM) assigns a whole batch of queries by a
search that destroys and repairs. The same assignments, and all between them, are known exactly: `parts.hull`.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.destroy_repair import destroy_and_repair
from llm_routing_env.agents.parts.hull import Front, supported_front
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression, with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

METHODS = ("hull", "search")
RIDGES = tuple(10.0**exponent for exponent in range(3, -3, -1))


class HullRouter(PretrainedAgent):
    """Asks the LLM with the highest p - lambda c: predicted accuracy less its mean cost, at a price.

    The price is that of one assignment of the training queries, predicted by models that have not seen them: the most
    accurate one within a budget, or the one that earns most. Which budget a price meets is exact there; for other
    queries it holds as far as the predictions do.

    Kept of OptLLM: the bagged prediction with its mean and spread (p + ``risk`` x sd is its robust accuracy), and the
    front of a batch; ``method="search"`` finds that by the paper's search instead, which lands on the same front, on 20
    points of some thousand. Ours: ridge regression where it has 100 forests of 100 trees, each cost predicted by the
    LLM's mean where it takes all costs as known, and single queries, of which only the price is left of the batch. It
    knows nothing of latency.

    Attributes:
        coefficients: Of each bootstrap sample, shape (samples, 1 + observation size, arms).
        cost_usd: Mean cost of each LLM, shape (arms,).
        price: Lambda: the accuracy that a dollar must buy, shape ().
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        max_cost_usd: float | None = None,
        method: str = "hull",
        n_samples: int = 20,
        risk: float = 0.0,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of the bootstrap samples.
            max_cost_usd: Highest mean cost of a query, in US dollars, whatever it earns. None: the task's budget, or
                without one the price under which the training queries earn most.
            method: "hull": all assignments that a price reaches; "search": those that the paper's search finds.
            n_samples: Bootstrap samples; 100 in the paper.
            risk: Standard deviations over the samples that are added to a prediction: above 0 it asks who might be
                right, below 0 who is surely right. The paper tries -1 to 1.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_cost = max_cost_usd is None or 0 <= max_cost_usd < np.inf
        self._require(is_cost, "max_cost_usd", "None, or finite and at least 0", max_cost_usd)
        if method not in METHODS:
            raise unknown_name("method of hull_router", method, METHODS)
        self._require_count("n_samples", n_samples)
        self._require(np.isfinite(risk), "risk", "finite", risk)
        self.max_cost_usd = max_cost_usd
        self.method = method
        self.n_samples = n_samples
        self.risk = risk
        self.coefficients = np.zeros((n_samples, 1 + task.observation_size, task.n_actions))
        self.cost_usd = np.zeros(task.n_actions)
        self.price = np.zeros(())

    def _fit(self, training_table: TrainingTable) -> None:
        self.cost_usd = training_table.means("cost_usd")
        self._require(
            np.isfinite(self.cost_usd).all(), "training_table.cost_usd", "recorded: it is what the price is on", np.nan
        )
        predicted = self._fit_predictions(training_table)
        costs = np.tile(self.cost_usd, (len(predicted), 1))
        front = supported_front(predicted, costs)
        self.price = np.array(front.price(self._place(front, predicted, costs, training_table)))

    def _fit_predictions(self, table: TrainingTable) -> FloatArray:
        """Fit a model to each bootstrap sample, and predict each query by those whose samples lack it (out of bag)."""
        queries, groups = table.observations, table.groups
        ridge = _best_ridge(table, groups)
        n_groups = int(groups.max()) + 1
        total, out_of_bag = np.zeros((2, *table.accuracy.shape)), np.zeros((len(queries), 1))
        for sample in range(self.n_samples):
            times = np.bincount(self._common_rng.integers(n_groups, size=n_groups), minlength=n_groups)[groups]
            drawn = np.repeat(np.arange(len(queries)), times)
            self.coefficients[sample] = _fitted(table, drawn, ridge)
            predictions = with_intercept(queries) @ self.coefficients[sample] * (times == 0)[:, None]
            total += [predictions, np.square(predictions)]
            out_of_bag += (times == 0)[:, None]
        mean, square = total / np.maximum(out_of_bag, 1)
        left_out = mean + self.risk * np.sqrt(np.maximum(square - mean**2, 0))
        by_all = self.predicted_accuracy(queries)  # few samples may all have the query
        return np.where(out_of_bag > 0, left_out, by_all)

    def _place(self, front: Front, predicted: FloatArray, costs: FloatArray, table: TrainingTable) -> int:
        """Return which assignment of the front is meant: the number of raises."""
        candidates = np.arange(len(front.cost_usd))
        if self.method == "search":
            candidates = np.array([front.within(found.cost_usd) for found in destroy_and_repair(predicted, costs)])
        limit = self.task.max_usd_per_query if self.max_cost_usd is None else self.max_cost_usd
        if limit is not None:
            cheapest = f"at least {self.cost_usd.min():.4g}, the mean cost of the cheapest LLM"
            place = front.within(limit * len(predicted))
            self._require(place >= 0, "max_cost_usd", cheapest, limit)
            return int(candidates[candidates <= place].max())  # the cheapest assignment is among them
        earned = np.where(table.has_cell, table.rewards, table.means("rewards"))
        gains = earned[front.query, front.after] - earned[front.query, front.before]
        return int(candidates[np.append(0.0, gains.cumsum())[candidates].argmax()])

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = self.predicted_accuracy(observation) - self.price * self.cost_usd
        return scores

    def predicted_accuracy(self, observation: FloatArray) -> FloatArray:
        """Return each LLM's robust accuracy, as far as a line predicts it, shape (observations, arms)."""
        predictions = with_intercept(observation) @ self.coefficients
        robust: FloatArray = predictions.mean(axis=0) + self.risk * predictions.std(axis=0)
        return robust


def _fitted(table: TrainingTable, queries: IntArray, ridge: float) -> FloatArray:
    """Return ridge coefficients of the accuracy on some queries, those of an LLM that was asked none of them 0."""
    accuracy = table.accuracy[queries]
    asked = np.flatnonzero(np.isfinite(accuracy).any(axis=0))
    coefficients = np.zeros((1 + table.observation_size, accuracy.shape[1]))
    coefficients[0] = table.means("accuracy")
    coefficients[:, asked] = ridge_regression(table.observations[queries], accuracy[:, asked], ridge)
    return coefficients


def _best_ridge(table: TrainingTable, groups: IntArray) -> float:
    """Return the penalty with the least squared error of left-out accuracies, the heaviest if several."""
    if groups.max() == 0:
        return RIDGES[0]
    left_out = predictions_left_out(table.observations, table.accuracy, groups, RIDGES)
    errors = [float(np.square(predicted - table.accuracy)[table.has_cell].sum()) for predicted in left_out]
    return RIDGES[int(np.argmin(errors))]
