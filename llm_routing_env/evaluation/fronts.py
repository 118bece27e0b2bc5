"""Compare routers where nobody has said yet what accuracy, cost and latency are worth: `PickLLM-MO-v0`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.comparison import check_contestants
from llm_routing_env.evaluation.contestants import TRAINING_SEEDS, AgentContestant, Contestant, Training, describe
from llm_routing_env.evaluation.front_intervals import FrontIntervals, hypervolumes
from llm_routing_env.evaluation.intervals import Interval, published
from llm_routing_env.evaluation.pareto import even_preferences, pareto_front
from llm_routing_env.evaluation.policies import distinct
from llm_routing_env.evaluation.preferences import policies_by_preference, seeing_preferences
from llm_routing_env.evaluation.sessions import Floats, Ints
from llm_routing_env.evaluation.setting import OBJECTIVES, Setting
from llm_routing_env.evaluation.trade_offs import TradeOffs
from llm_routing_env.rewards.objectives import OBJECTIVES as NAMES
from llm_routing_env.rewards.objectives import require_measured
from llm_routing_env.rewards.reward_table import best_of_known

ONE_LLM, PER_CONTEXT, PER_QUERY = "best LLM (other split)", "per-context best (hindsight)", "per-query oracle"
N_PARTS = 6  # of the edges of the triangle of preferences: 36 preferences
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Front:
    """What the policies of one row get, one policy for each preference.

    Attributes:
        points: The mean of each objective, over trainings too, shape (preferences, 3).
        n_on_front: How many of these points no other of them dominates.
        hypervolume: Above the lowest value of each objective.
        utility: The mean over preferences of what the policy for each is worth by it.
        gain: That less what the best single LLM by each preference, chosen on the other split, is worth; paired.
        n_trainings: How many there were, where chance has a part.
    """

    points: Floats
    n_on_front: int
    hypervolume: Interval
    utility: Interval
    gain: Interval
    n_trainings: int = 1

    def document(self) -> dict[str, Any]:
        """Return it JSON-plain."""
        numbers = {name: published(getattr(self, name)) for name in ("hypervolume", "utility", "gain")}
        return numbers | {
            "n_on_front": self.n_on_front,
            "n_trainings": self.n_trainings,
            "points": self.points.tolist(),
        }


@dataclass
class Fronts:
    """Everything that a comparison by preferences found.

    Attributes:
        problem: What was routed.
        preferences: Importance of accuracy, cost and latency, shape (preferences, 3).
        seed: Of agents and intervals.
        single_llms: The point of each LLM by name, NaN where the split lacks it, shape (3,) each.
        reference: The lowest value of each objective, shape (3,).
        contestants: Who took part, by row name.
        rows: What they and the references got, by row name.
        failures: What each agent that raised said.
    """

    problem: RoutingProblem
    preferences: Floats
    seed: int
    single_llms: dict[str, Floats]
    reference: Floats
    contestants: dict[str, Contestant]
    rows: dict[str, Front] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON-plain document."""
        table, reward = self.problem.table, self.problem.reward
        return {
            "table": {"name": table.name, "sha256": table.sha256, "notes": list(table.notes)},
            "env": OBJECTIVES,
            "split": self.problem.split,
            "seed": self.seed,
            "objectives": list(NAMES),
            "cost_scale_usd": reward.cost_scale_usd,
            "t_scaling": reward.t_scaling,
            "reference": self.reference.tolist(),
            "preferences": self.preferences.tolist(),
            "llms": {name: point.tolist() for name, point in self.single_llms.items() if np.isfinite(point).all()},
            "agents": [describe(self.contestants[n]) | row.document() for n, row in self.rows.items() if self._took(n)],
            "references": {name: row.document() for name, row in self.rows.items() if not self._took(name)},
            "failures": [describe(self.contestants[name]) | {"error": line} for name, line in self.failures.items()],
        }

    def _took(self, name: str) -> bool:
        return name in self.contestants


def compare_fronts(
    contestants: Sequence[Contestant],
    setting: Setting,
    *,
    training_seeds: int = TRAINING_SEEDS,
    on_progress: OnProgress = lambda name, done, total: None,
) -> Fronts:
    """Judge each agent by the policies it has for preferences that lie evenly, on every query of the split.

    Args:
        contestants: Who takes part: fitted routers.
        setting: What all of them face; its environment is `PickLLM-MO-v0`.
        training_seeds: How often each is trained.
        on_progress: Told, after every policy, the agent, how many it has and how many it will have.

    Raises:
        ValueError: For an agent that was not made for this, a table that lacks costs or latencies, or arguments that
            cannot be. What an agent raises when it is fitted is kept in `Fronts.failures`.
    """
    require_whole("training seeds", training_seeds, 1)
    require_whole("seed", setting.seed, 0)
    setting = replace(setting, options={**setting.options, "reward": "additive"})
    # No weight can be left out here, so what lacks is said before a reward that weighs it is refused.
    require_measured(replace(setting, options={**setting.options, "weights": (1.0, 0.0, 0.0)}).problem().cells)
    problem, preferences = setting.problem(), even_preferences(N_PARTS)
    check_contestants(contestants, setting, problem, 1)
    judge = _Judge(problem, setting, preferences)
    trainings = [Training(number, len(problem.queries_of(MIXED))) for number in range(training_seeds)]
    result = judge.result({contestant.name: contestant for contestant in contestants})
    for contestant in contestants:
        assert isinstance(contestant, AgentContestant)
        if contestant.sees_preferences:  # for its complaints, before anything is fitted
            seeing_preferences(contestant, setting, setting.problem("none"), Training(0, 1))
    for contestant in contestants:
        name, policies, n_all = contestant.name, list[Floats](), len(trainings) * len(preferences)
        try:
            for training in trainings:
                for policy in policies_by_preference(contestant, setting, preferences, training):  # type: ignore[arg-type]
                    policies.append(policy)
                    on_progress(name, len(policies), n_all)
        except Exception as error:
            result.failures[name] = f"{type(error).__name__}: {error}"
            continue
        stacked = np.array(policies).reshape(len(trainings), len(preferences), *policies[0].shape)
        result.rows[name] = judge.front(np.stack([judge.found.values(each) for each in distinct(list(stacked))]))
    result.rows |= {name: judge.of_llms(llms) for name, llms in judge.references().items()}
    return result


class _Judge:
    """Judges policies by what they get of each objective on each query of the split."""

    def __init__(self, problem: RoutingProblem, setting: Setting, preferences: Floats) -> None:
        self.found, self._problem = TradeOffs(problem), problem
        self._preferences, self._seed = preferences, setting.seed
        table = problem.table
        train = RoutingProblem(**{**setting.options, "observation": "none", "split": "train", "context": None})
        learned = TradeOffs(train).single_llms() if len(table.select(None, "train")) else self.found.single_llms()
        self._chosen = np.array([best_of_known((learned @ preference)[None])[0] for preference in preferences])
        self._intervals = FrontIntervals(self.found, problem.contexts, setting.seed)
        self._baseline = self._utility(self._points(self._of_llms(self.references()[ONE_LLM])))

    def result(self, contestants: Mapping[str, Contestant]) -> Fronts:
        """Return a result without rows."""
        singles = dict(zip(self._problem.table.llm_names, self.found.single_llms(), strict=True))
        return Fronts(self._problem, self._preferences, self._seed, singles, self.found.reference, dict(contestants))

    def references(self) -> dict[str, Ints]:
        """Return the LLM that each reference asks by each preference, shape (preferences, judged queries)."""
        contexts = np.repeat(np.arange(len(self.found.sizes)), self.found.sizes)
        by_context = [best_of_known(self.found.by_context @ preference)[contexts] for preference in self._preferences]
        by_query = [best_of_known(self.found.by_query @ preference) for preference in self._preferences]
        return {
            ONE_LLM: np.repeat(self._chosen[:, None], len(contexts), axis=1),
            PER_CONTEXT: np.array(by_context),
            PER_QUERY: np.array(by_query),
        }

    def of_llms(self, llms: Ints) -> Front:
        """Return the row of a reference."""
        return self.front(self._of_llms(llms))

    def front(self, values: Floats) -> Front:
        """Return the row of policies, given what they get, shape (trainings, preferences, judged queries, 3)."""
        points = self._points(values)
        utility, means = self._utility(points), points[0].mean(axis=0)
        return Front(
            points=means,
            n_on_front=int(pareto_front(np.unique(means.round(12), axis=0)).sum()),
            hypervolume=self._intervals.interval(hypervolumes(points, self.found.reference)),
            utility=self._intervals.interval(utility),
            gain=self._intervals.interval(utility - self._baseline),
            n_trainings=len(values),
        )

    def _of_llms(self, llms: Ints) -> Floats:
        return np.asarray(self.found.by_query[np.arange(llms.shape[1]), llms][None])

    def _points(self, values: Floats) -> Floats:
        """Return the points, in the sample and in each resample, shape (1 + resamples, trainings, preferences, 3)."""
        return np.asarray(np.einsum("rq,tpqo->rtpo", self._intervals.weights, values, optimize=True))

    def _utility(self, points: Floats) -> Floats:
        """Return the mean over preferences, shape (1 + resamples, trainings)."""
        return np.asarray(np.einsum("rtpo,po->rt", points, self._preferences) / points.shape[2])
