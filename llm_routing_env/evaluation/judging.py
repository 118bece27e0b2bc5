"""Judge what agents and references did: every metric with its interval, for each context and for all together."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import metrics
from llm_routing_env.evaluation.drawn import Drawn
from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval
from llm_routing_env.evaluation.policies import Policies, always, expected
from llm_routing_env.evaluation.references import (
    BEST_FIXED,
    CHOSEN_FIXED,
    ORACLE,
    References,
    choose_references,
    mean_of_rows,
)
from llm_routing_env.evaluation.samples import Sample, by_lifetime, quantile, sample_of_log, sample_of_policies
from llm_routing_env.evaluation.sessions import Floats, Ints, SessionLog
from llm_routing_env.evaluation.statistics import (
    LEARNING,
    LIFETIMES,
    SESSIONS,
    Estimate,
    Resamples,
    interval,
    medians,
    pooled,
    share_of,
)

POOLED = "all"
RANDOM = "uniformly at random"


def references_of(problem: RoutingProblem, drawn: Mapping[str, Drawn], contexts: Sequence[str]) -> References:
    """Return the references of some of the contexts, on the sessions that were drawn."""
    return choose_references(problem, contexts, {context: drawn[context].queries.shape[1] for context in contexts})


class Judge:
    """Judges rows on the same queries and, where they learn while they route, on the same sessions.

    A row is frozen (it has policies, and its means are exact) or it is known by the logs of its sessions. Two frozen
    rows are compared query by query, any others on the sessions. Beside a row that one learner lived several sessions
    of, those of the same lifetime are resampled together.

    Attributes:
        references: What could be had, by group: all contexts together (`POOLED`), and each context for itself.
        learners: Rows that learn while they route.
    """

    def __init__(self, problem: RoutingProblem, drawn: Mapping[str, Drawn], seed: int) -> None:
        """Choose the references.

        Args:
            problem: What is routed.
            drawn: The sessions, by context.
            seed: Of the intervals.
        """
        contexts = list(drawn)
        groups = {POOLED: contexts} | {context: [context] for context in contexts}
        self.references = {group: references_of(problem, drawn, judged) for group, judged in groups.items()}
        self._problem, self._drawn, self._groups = problem, drawn, groups
        self._weights = {context: problem.query_weights(context, self._length(context)) for context in contexts}
        self._met = {context: np.flatnonzero(weights.any(axis=0)) for context, weights in self._weights.items()}
        self._resamples = {context: Resamples(len(met), seed, context) for context, met in self._met.items()}
        self._logs: dict[str, Mapping[str, SessionLog]] = {}
        self.learners: set[str] = set()
        self._lifetimes: dict[str, int] = {}
        chances = problem.comparable / np.maximum(problem.comparable.sum(axis=1, keepdims=True), 1)
        self._policies: dict[str, Policies] = {RANDOM: chances[None]}
        self._means: dict[tuple[str, str, str, str, bool, int | None], Estimate] = {}

    def add_log(self, name: str, logs: Mapping[str, SessionLog], *, learns: bool, lifetimes: int | None = None) -> None:
        """Take note of an agent's sessions.

        Args:
            name: The row's name.
            logs: By context.
            learns: Whether it learns in them.
            lifetimes: How many learners share them, see `by_lifetime`; None: each session has its own.
        """
        self._logs[name] = logs
        if lifetimes is not None:
            self._lifetimes[name] = lifetimes
        if learns:
            self.learners.add(name)

    def add_policies(self, name: str, policies: Policies) -> None:
        """Take note of a frozen agent's policies."""
        self._policies[name] = policies

    def judge(self, name: str) -> dict[str, dict[str, Interval]]:
        """Return every metric of an agent or reference, by group."""
        samples = {
            group: {c: self._sample(name, c, group) for c in contexts} for group, contexts in self._groups.items()
        }
        return {group: self._metrics(name, group, of_group) for group, of_group in samples.items()}

    def sources(self, name: str) -> tuple[str, ...]:
        """Return what an agent's or reference's intervals speak of: queries, and sessions or training seeds."""
        context = self._groups[POOLED][0]
        return self._mean(name, "reward", context, POOLED, in_sessions=False).sources

    def routing(self, name: str) -> dict[str, dict[str, float]]:
        """Return the share of queries sent to each LLM, by group and LLM."""
        shares = {
            group: np.mean([self._sample(name, context, group).asked for context in contexts], axis=0)
            for group, contexts in self._groups.items()
        }
        names = self._problem.task.llm_names
        return {group: dict(zip(names, share.tolist(), strict=True)) for group, share in shares.items()}

    def difference(self, name: str, other: str, group: str = POOLED, measure: str = "reward") -> Interval:
        """Return how much more of a measure a row gets per query than another, paired.

        Args:
            name: The row's name.
            other: The other one's.
            group: All contexts, or one.
            measure: "reward", "accuracy", "cost_usd" or "latency_s".
        """
        return self._difference(name, other, group, measure).interval()

    def mean(self, name: str, measure: str, group: str = POOLED) -> Interval:
        """Return a row's mean of a measure per query, see `difference` for the arguments."""
        means = [
            self._mean(name, measure, context, group, in_sessions=name in self._logs) for context in self._groups[group]
        ]
        return self._widened(pooled(means), name).interval()

    def gain_over(self, name: str, shares: Mapping[str, float], group: str = POOLED) -> Interval:
        """Return how much more reward a row gets per query than a mixture of others, paired.

        Args:
            name: The row's name.
            shares: Of the queries that each of the others routes, with the sum 1.
            group: All contexts, or one.
        """
        parts = [self._difference(name, other, group) * share for other, share in shares.items()]
        total = parts[0]
        for part in parts[1:]:
            total -= part * -1.0
        return total.interval()

    def share_saved(self, name: str, other: str, measure: str, group: str = POOLED) -> Interval:
        """Return how much less of a measure a row takes than another, as a share of what the other takes, paired."""
        means = zip(*self._paired(name, other, group, measure), strict=True)
        ours, theirs = (self._widened(pooled(of_row), name, other) for of_row in means)
        if not (ours.is_known and theirs.is_known):
            return {**NOTHING, "mean": 1 - ours.mean / theirs.mean}
        return interval(1 - ours.draws() / theirs.draws())

    def _metrics(self, name: str, group: str, samples: Mapping[str, Sample]) -> dict[str, Interval]:
        best = self._difference(name, BEST_FIXED, group)
        found = {metric: self._of_queries(name, metric, samples).interval() for metric in metrics.OF_QUERIES}
        found |= self._latency_quantiles(samples)
        found |= {
            "reward_minus_best_fixed": best.interval(),
            "reward_minus_chosen_fixed": self.difference(name, CHOSEN_FIXED, group),
            "reward_minus_random": self.difference(name, RANDOM, group),
            "oracle_gap_closed": self._gap_closed(best, group),
        }
        return found | self._of_sessions(name, group)

    def _of_queries(self, name: str, metric: str, samples: Mapping[str, Sample]) -> Estimate:
        measure = metrics.OF_QUERIES[metric]
        estimates = []
        for context, sample in samples.items():
            mean = self._resamples[context].mean(sample.values[measure], sample.queries, sample.units, sample.weights)
            estimates.append(mean * (self._length(context) if metric in metrics.SUMMED else 1.0))
        return self._widened(pooled(estimates), name)

    def _latency_quantiles(self, samples: Mapping[str, Sample]) -> dict[str, Interval]:
        calls, weights = (
            np.concatenate(parts) for parts in zip(*(s.latencies_s for s in samples.values()), strict=True)
        )
        found = {name: quantile(calls, weights, share) for name, share in metrics.LATENCY_QUANTILES.items()}
        return {name: {**NOTHING, "mean": None if math.isnan(value) else value} for name, value in found.items()}

    def _gap_closed(self, gain: Estimate, group: str) -> Interval:
        gap = self._difference(ORACLE, BEST_FIXED, group)
        low = gap.interval()["low"]
        # The share of a gap that may be none would have an interval without end.
        if low is None or low <= ROUNDING:
            return NOTHING
        if not gain.is_known:
            return {**NOTHING, "mean": gain.mean / gap.mean}
        return share_of(gain, gap)

    def _of_sessions(self, name: str, group: str) -> dict[str, Interval]:
        names = (*metrics.OF_SESSIONS, metrics.MEDIAN_COMMIT)
        if name not in self._logs:
            return dict.fromkeys(names, NOTHING)
        contexts, logs = self._groups[group], self._logs[name]
        values = [
            metrics.of_sessions(logs[c], *self._expected_rewards(c), self._best_fixed_rewards(c, group))
            for c in contexts
        ]
        units, lifetimes = SESSIONS, self._lifetimes.get(name)
        if lifetimes is not None:
            units = LIFETIMES
            values = [{m: by_lifetime(v, lifetimes).mean(axis=1) for m, v in of_one.items()} for of_one in values]
        found = {
            metric: pooled(
                [self._resamples[c].mean_of_units(v[metric], units) for c, v in zip(contexts, values, strict=True)]
            ).interval()
            for metric in metrics.OF_SESSIONS
        }
        steps = [metrics.queries_to_commit(logs[c]) for c in contexts]
        median = medians(steps, [self._resamples[c] for c in contexts])
        if lifetimes is not None:  # sessions of one life are no draws of their own
            median = {**NOTHING, "mean": median["mean"]}
        return found | {metrics.MEDIAN_COMMIT: median}

    def _expected_rewards(self, context: str) -> tuple[Floats, Floats]:
        """Return what each LLM is expected to get over a session, shape (LLMs,), and in the last step of each.

        Of the last step the shape is (sessions, LLMs), NaN where an LLM cannot be asked.
        """
        problem, weights = self._problem, self._weights[context]
        means, rows = problem.reward_table.query_means, self._drawn[context].rows[:, -1]
        only = np.eye(len(weights))[:, :, None]  # one phase, and of the others nothing
        by_phase = np.array([mean_of_rows(means, weights * of_phase) for of_phase in only])
        at_the_end = np.where(problem.cells.available[rows], by_phase[rows // problem.table.n_queries], np.nan)
        return mean_of_rows(means, weights), at_the_end

    def _best_fixed_rewards(self, context: str, group: str) -> Floats:
        """Return the mean reward of the best fixed LLM in each session of a context, shape (sessions,)."""
        drawn = self._drawn[context]
        llms = self.references[group].actions[BEST_FIXED][drawn.rows]
        return np.asarray(self._problem.reward_table.rewards[drawn.rows, llms, drawn.repeats].mean(axis=1))

    def _difference(self, name: str, other: str, group: str, measure: str = "reward") -> Estimate:
        pairs = self._paired(name, other, group, measure)
        return self._widened(pooled([ours - theirs for ours, theirs in pairs]), name, other)

    def _paired(self, name: str, other: str, group: str, measure: str) -> list[tuple[Estimate, Estimate]]:
        """Return each context's means of two rows, both on the sessions where one is known by sessions only."""
        on_sessions = name in self._logs or other in self._logs
        lifetimes = self._lifetimes.get(name) or self._lifetimes.get(other)
        return [
            (
                self._mean(name, measure, context, group, on_sessions, lifetimes),
                self._mean(other, measure, context, group, on_sessions, lifetimes),
            )
            for context in self._groups[group]
        ]

    def _widened(self, estimate: Estimate, *names: str) -> Estimate:
        return estimate.widened(LEARNING) if self.learners.intersection(names) else estimate

    def _mean(
        self, name: str, measure: str, context: str, group: str, in_sessions: bool, lifetimes: int | None = None
    ) -> Estimate:
        of_group = group if name in (BEST_FIXED, CHOSEN_FIXED) else POOLED
        key = (name, measure, context, of_group, in_sessions, lifetimes)
        if key not in self._means:
            sample = self._sample(name, context, group)
            if lifetimes is not None and sample.units == SESSIONS:
                sample = sample.by_lifetime(lifetimes)
            exact = self._resamples[context].mean(sample.values[measure], sample.queries, sample.units, sample.weights)
            is_exact = name in self._logs or not in_sessions
            of_sessions = (name, measure, context, group, lifetimes)
            self._means[key] = exact if is_exact else self._in_sessions(*of_sessions, exact)
        return self._means[key]

    def _in_sessions(
        self, name: str, measure: str, context: str, group: str, lifetimes: int | None, exact: Estimate
    ) -> Estimate:
        """Return what frozen policies get on the sessions that others learned in; training seeds move it as ever."""
        drawn, cells = self._drawn[context], self._problem.cells
        rows, at = np.unique(drawn.rows, return_inverse=True)
        policies = self._policies_of(name, group)[:, rows]
        measured = {
            "reward": self._problem.reward_table.rewards,
            "accuracy": cells.accuracy,
            "cost_usd": cells.cost_usd,
            "latency_s": cells.latency_s,
        }
        values = expected(policies, measured[measure][rows]).mean(axis=0)
        met = values[at.reshape(drawn.rows.shape), drawn.repeats]
        places, units = self._places(context), SESSIONS
        if lifetimes is not None:
            met, places, units = by_lifetime(met, lifetimes), by_lifetime(places, lifetimes), LIFETIMES
        mean = self._resamples[context].mean(met, places, units)
        return Estimate(mean.mean, {**exact.parts, **mean.parts})

    def _sample(self, name: str, context: str, group: str) -> Sample:
        if name in self._logs:
            sample = sample_of_log(self._problem, self._logs[name][context], self._places(context))
            return sample.by_lifetime(self._lifetimes[name]) if name in self._lifetimes else sample
        return sample_of_policies(self._problem, self._policies_of(name, group), context, self._length(context))

    def _places(self, context: str) -> Ints:
        """Return the queries of each session, as places among those that sessions of the context meet."""
        return np.searchsorted(self._met[context], self._drawn[context].queries)

    def _policies_of(self, name: str, group: str) -> Policies:
        actions = self.references[group].actions
        return always(actions[name], self._problem.table.n_llms) if name in actions else self._policies[name]

    def _length(self, context: str) -> int:
        return int(self._drawn[context].queries.shape[1])
