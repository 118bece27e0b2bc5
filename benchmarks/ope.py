"""Off-policy estimates beside the truth: bias, error and coverage of every estimator, over many logs of a table.

    python benchmarks/ope.py [--table nano] [--logs 500]

A log's queries are drawn independently, with replacement, from the test split, each draw a query of its own: "other
queries", of which the intervals speak, then have the very law that the truth is the mean of. Drawn without replacement
from so few, the queries would be nearer to the truth than intervals about other queries can say, and coverage too high.
Learners start afresh with each log; all propensities are those that were chosen by.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import typer
from ope_page import tables, write_figure, write_page
from results_file import save
from rich.progress import track

from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.off_policy import ESTIMATORS, Logged, cross_fitted, estimate, support_of, warnings_of

QUERIES, SESSIONS, EPSILON = 300, 3, 0.2
MEASURES = ("reward", "accuracy")


@dataclass(frozen=True)
class Population:
    """What logs are drawn from: the test split, and what the train split says of it.

    Attributes:
        problem: The problem.
        values: By measure, shape (queries, LLMs, repeats).
        features: The context of each query, one-hot, shape (queries, contexts).
        best: The best fixed LLM by the train split.
        policies: The target policies, each of shape (queries, LLMs).
    """

    problem: RoutingProblem
    values: dict[str, np.ndarray]
    features: np.ndarray
    best: int
    policies: dict[str, np.ndarray]


def population_of(table: str) -> Population:
    """Return the test split of a table, with policies chosen on its train split."""
    problem = RoutingProblem(table, split="test", observation="context")
    queries, llms = problem.queries_of(MIXED), np.eye(problem.task.n_actions)
    training = problem.training_table()
    best = int(training.rewards.mean(axis=0).argmax())
    by_context = (training.observations.T @ training.rewards).argmax(axis=1)  # contexts are one-hot
    contexts = problem.observations[queries].argmax(axis=1)
    return Population(
        problem,
        {"reward": problem.reward_table.rewards[queries], "accuracy": problem.cells.accuracy[queries]},
        problem.observations[queries].astype(np.float64),
        best,
        {
            "best fixed LLM": np.tile(llms[best], (len(queries), 1)),
            "best LLM by context": llms[by_context[contexts]],
            "uniform": np.full((len(queries), len(llms)), 1 / len(llms)),
        },
    )


@dataclass(frozen=True)
class Logs:
    """Many logs side by side, all arrays of shape (logs, steps): `row` is of the population, `query` of the log."""

    row: np.ndarray
    query: np.ndarray
    repeat: np.ndarray
    action: np.ndarray
    propensity: np.ndarray


Chooser = Callable[[Population, np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def mixing(epsilon: float) -> Chooser:
    """Return who asks the best fixed LLM, and with probability epsilon any."""

    def choose(drawn: Population, row: np.ndarray, repeat: np.ndarray, rng: np.random.Generator) -> Any:
        n_llms = drawn.problem.task.n_actions
        explores = rng.random(row.shape) < epsilon
        action = np.where(explores, rng.integers(n_llms, size=row.shape), drawn.best)
        return action, epsilon / n_llms + (1 - epsilon) * (action == drawn.best)

    return choose


def learning(agent: str) -> Chooser:
    """Return a learner who starts afresh with each log."""

    def choose(drawn: Population, row: np.ndarray, repeat: np.ndarray, rng: np.random.Generator) -> Any:
        n_logs, n_steps = row.shape
        learner = make_agent(agent, drawn.problem.task, n_sessions=n_logs, seed=int(rng.integers(2**31)))
        logs, action, propensity = np.arange(n_logs), np.empty_like(row), np.empty(row.shape)
        nothing = np.zeros((n_logs, drawn.problem.task.observation_size))
        for step in range(n_steps):
            chances = learner.action_probabilities(nothing)
            action[:, step] = learner.select_action(nothing)
            propensity[:, step] = chances[logs, action[:, step]]
            rewards = drawn.values["reward"][row[:, step], action[:, step], repeat[:, step]]
            learner.update(nothing, action[:, step], rewards)
        return action, propensity

    return choose


@dataclass(frozen=True)
class Logging:
    """Who logs, and in how many sessions of the same queries."""

    chooser: Chooser
    sessions: int = 1


LOGGING = {
    "uniform": Logging(mixing(1.0)),
    f"uniform, each query in {SESSIONS} sessions": Logging(mixing(1.0), SESSIONS),
    f"epsilon-greedy ({EPSILON:g})": Logging(mixing(EPSILON)),
    "exp3, learning": Logging(learning("exp3")),
    "epsilon_greedy_q, learning and committing": Logging(learning("epsilon_greedy_q")),
}


def draw_logs(drawn: Population, logging: Logging, n_logs: int, rng: np.random.Generator) -> Logs:
    """Return logs of `QUERIES` steps, of as many queries or of as many fewer as there are sessions of each."""
    n_rows, _, n_repeats = drawn.values["reward"].shape
    distinct = rng.integers(n_rows, size=(n_logs, QUERIES // logging.sessions))
    row = np.tile(distinct, (1, logging.sessions))
    query = np.tile(np.arange(distinct.shape[1]), (n_logs, logging.sessions))
    repeat = rng.integers(n_repeats, size=row.shape)
    return Logs(row, query, repeat, *logging.chooser(drawn, row, repeat, rng))


def estimates(drawn: Population, logs: Logs) -> Iterator[dict[str, Any]]:
    """Yield one estimate after the other: of each log, measure, target policy and estimator."""
    steps = np.arange(logs.row.shape[1])
    for log in track(range(len(logs.row)), transient=True):
        row, query, repeat, action, propensity = (values[log] for values in vars(logs).values())
        for measure in MEASURES:
            values = drawn.values[measure]
            got, n_llms = values[row, action, repeat], values.shape[1]
            model = cross_fitted(got, action, query, drawn.features[row], n_llms)
            for target, policy in drawn.policies.items():
                truth = float((policy * values.mean(axis=2)).sum(axis=1).mean())
                logged = Logged(got, action, propensity, policy[row], query, model)
                support = support_of(logged)
                for name in ESTIMATORS:
                    found = estimate(name, logged)
                    alone = estimate(name, replace(logged, queries=steps)) if query.max() < steps[-1] else found
                    yield {
                        "key": (target, measure, name),
                        "error": None if found["mean"] is None else found["mean"] - truth,
                        "width": None if found["low"] is None else found["high"] - found["low"],
                        "covers": _covers(found, truth),
                        "covers_alone": _covers(alone, truth),
                        "ess": support.effective_sample_size,
                        "warned": bool(warnings_of(support)),
                        "truth": truth,
                    }


def _covers(interval: Any, truth: float) -> bool | None:
    return None if interval["low"] is None else interval["low"] <= truth <= interval["high"]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what many logs say of one estimator."""
    error = np.array([row["error"] for row in rows if row["error"] is not None])
    known = [row for row in rows if row["covers"] is not None]
    return {
        "truth": rows[0]["truth"],
        "bias": float(error.mean()),
        "bias_standard_error": float(error.std() / np.sqrt(len(error))),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "coverage": float(np.mean([row["covers"] for row in known])) if known else None,
        "coverage_if_steps_were_queries": float(np.mean([row["covers_alone"] for row in known])) if known else None,
        "median_width": float(np.median([row["width"] for row in known])) if known else None,
        "without_interval": 1 - len(known) / len(rows),
        "median_effective_sample_size": float(np.median([row["ess"] for row in rows])),
        "warned": float(np.mean([row["warned"] for row in rows])),
    }


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    logs: Annotated[int, typer.Option(help="Logs of each logging policy.")] = 500,
    seed: int = 0,
) -> None:
    """Draw the logs, estimate, and hold the estimates against the truth."""
    drawn = population_of(table)
    result: list[dict[str, Any]] = []
    for number, (name, logging) in enumerate(LOGGING.items()):
        by_key: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        rng = np.random.default_rng([seed, number])
        for row in estimates(drawn, draw_logs(drawn, logging, logs, rng)):
            by_key.setdefault(row["key"], []).append(row)
        for (target, measure, estimator), rows in by_key.items():
            labels = {"logging": name, "target": target, "measure": measure, "estimator": estimator}
            result.append({**labels, **summary(rows)})
    document = {"logs": logs, "steps": QUERIES, "seed": seed, "estimates": result}
    print(tables(document))
    print(f"wrote {save('ope', drawn.problem.table, document)}")
    if table == "nano":
        print(f"wrote {write_figure(document)} and {write_page(document)}")


if __name__ == "__main__":
    typer.run(main)
