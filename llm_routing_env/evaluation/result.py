"""Everything that a comparison found."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs.delay import Delay
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import Contestant, describe
from llm_routing_env.evaluation.drawn import Drawn
from llm_routing_env.evaluation.failed_calls import Calls, one_after_another, side_by_side
from llm_routing_env.evaluation.intervals import Interval, published
from llm_routing_env.evaluation.judging import POOLED, Judge
from llm_routing_env.evaluation.life_curves import LifeCurve
from llm_routing_env.evaluation.past import Past
from llm_routing_env.evaluation.recovery import TOLERANCE, WINDOW, Event, Recovery
from llm_routing_env.evaluation.references import ORACLE, References
from llm_routing_env.evaluation.sessions import N_ASKS, SessionLog
from llm_routing_env.evaluation.spending import Spending, spending_of
from llm_routing_env.evaluation.statistics import LIFETIMES, SESSIONS
from llm_routing_env.evaluation.verdicts import is_clear_gain, no_verdict, paired_verdict
from llm_routing_env.rewards.reference_free import proxy_notes
from llm_routing_env.rewards.unread import not_read
from llm_routing_env.tables.notes import DEAD


@dataclass
class Comparison:
    """Everything a comparison found.

    Attributes:
        problem: What was routed.
        references: The policies that know the table, for all contexts together.
        seed: Of sessions, agents and intervals.
        n_sessions: Per context.
        length: Queries per session at most.
        seeds: The environment's seed of each session, by context.
        drawn: The sessions, by context.
        judge: Who judged them: answers what is not among the metrics.
        contestants: Who took part, by row name.
        logs: By agent or reference, then context.
        metrics: By agent or reference, then context ("all": pooled, contexts weighted equally).
        routing: The share of queries sent to each LLM, by agent or reference, then context ("all"), then LLM.
        calls: The calls of each LLM, those that failed among them, by agent or reference, then context, then LLM.
        sources: What the intervals speak of, by agent or reference: "queries", "sessions", "training seeds".
        pairs: For each two agents, how much more reward the first gets than the second, paired.
        verdicts: For each agent, in words whether it beats the best fixed LLM.
        failures: For each agent that raised, what it said; it has no logs.
        unfinished: Those of them that the budget stopped: with a larger one they go on.
        events: What changes in the course of sessions, see `Recoveries`; empty where nothing does.
        recovery: What each agent did about that.
        life_curves: What lifelong agents earned over their lives, by row name.
        past: What lies before the sessions of logged and lifelong agents.
        budget: What the requests of a live comparison may cost, and did; None where it is not known.
        feedback_delay: By how many steps rewards reached the agents late; None: they came at once.
    """

    problem: RoutingProblem
    references: References
    seed: int
    n_sessions: int
    length: int
    seeds: dict[str, list[int]]
    drawn: dict[str, Drawn] = field(repr=False, compare=False)
    judge: Judge = field(repr=False, compare=False)
    contestants: dict[str, Contestant] = field(default_factory=dict)
    logs: dict[str, dict[str, SessionLog]] = field(default_factory=dict)
    metrics: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)
    routing: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    calls: dict[str, dict[str, dict[str, Calls]]] = field(default_factory=dict)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: dict[str, dict[str, Interval]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    events: list[list[Event]] = field(default_factory=list)
    recovery: dict[str, Recovery] = field(default_factory=dict)
    life_curves: dict[str, LifeCurve] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    budget: Budget | None = None
    feedback_delay: Delay | None = None

    @property
    def agents(self) -> list[str]:
        """Row names of the agents that ran to the end, in order."""
        return [name for name in self.contestants if name not in self.failures]

    @property
    def ranked(self) -> list[str]:
        """Those of them that maximise what rows are ranked by."""
        return [name for name in self.agents if self.contestants[name].maximises == "reward"]

    @cached_property
    def unread(self) -> list[str]:
        """A line on whose final answers could not be read, and scored 0; or on a score that knows no reference."""
        line = not_read(self.problem.table, self.problem.scorer)
        return [line] if line else proxy_notes(self.problem.scorer)

    @property
    def n_lifetimes(self) -> int:
        """How many learners share the sessions of a lifelong row."""
        return self.past.lifetimes or self.n_sessions

    @property
    def asks(self) -> dict[str, tuple[float, float]]:
        """Of agents that may ask several LLMs about a query: asks per query, and the share of queries with several."""
        counts = {name: [log.measures.get(N_ASKS) for log in self.logs.get(name, {}).values()] for name in self.agents}
        return {
            name: (float(np.mean([c.mean() for c in of_one])), float(np.mean([(c > 1).mean() for c in of_one])))
            for name, each in counts.items()
            if (of_one := [c for c in each if c is not None])
        }

    @cached_property
    def spending(self) -> dict[str, Spending]:
        """What agents and references spend against `max_usd_per_query`; empty where there is no such budget."""
        budget = self.problem.max_usd_per_query
        if budget is None:
            return {}
        rows = [*self.agents, *self.references.actions]
        each = {name: spending_of(self.judge, name, budget) for name in rows if name not in self.dead_llms}
        return {name: found for name, found in each.items() if found is not None}

    @property
    def some_commit(self) -> bool:
        """Whether some agent settled on one LLM in some session: else nothing is to be told of that."""
        return any((log.commitments >= 0).any() for name in self.agents for log in self.logs[name].values())

    @property
    def lengths(self) -> dict[str, int]:
        """Queries that each session of a context really has."""
        return {context: min(self.length, len(self.problem.queries_of(context))) for context in self.seeds}

    @property
    def dead_llms(self) -> dict[str, float]:
        """Single LLMs' row names, where nearly every recorded call failed, with the share that did."""
        shares = self.problem.table.failed_share
        return {f"always {name}": share for name, share in shares.items() if share >= DEAD}

    @property
    def failed_calls(self) -> dict[str, Calls]:
        """The calls of all agents, of each LLM of which some failed."""
        calls = one_after_another([self.calls_of(name) for name in self.agents])
        return {llm: of_llm for llm, of_llm in calls.items() if of_llm.n_failed}

    @property
    def down_llms(self) -> list[str]:
        """Live LLMs of which nearly every call failed; recorded ones are as they were recorded."""
        return [llm for llm, calls in self.failed_calls.items() if calls.is_down] if self.problem.is_live else []

    @property
    def cut_calls(self) -> dict[str, Calls]:
        """The calls of all agents, of each LLM of which some live answers were cut at `max_tokens`."""
        calls = one_after_another([self.calls_of(name) for name in self.agents])
        return {llm: of_llm for llm, of_llm in calls.items() if of_llm.n_cut}

    def calls_of(self, name: str, context: str = POOLED) -> dict[str, Calls]:
        """Return the calls of each LLM, by an agent or a reference, in one context or in all."""
        return side_by_side(list(self.calls[name].values())) if context == POOLED else self.calls[name][context]

    def sessions_behind(self, *names: str) -> int | None:
        """Return how many sessions per context rows' intervals rest on; None where they rest on no session.

        Those of one lifetime count as one.
        """
        if self.are_lives(*names):
            return self.n_lifetimes
        return self.n_sessions if any(SESSIONS in self.sources[name] for name in names) else None

    def are_lives(self, *names: str) -> bool:
        """Return whether rows' intervals speak of lifetimes."""
        return any(LIFETIMES in self.sources[name] for name in names)

    def is_clear_gain(self, name: str) -> bool:
        """Return whether a row is marked as clearly better than the best fixed LLM: those that maximise the reward."""
        contestant = self.contestants.get(name)
        is_ranked = contestant is None or (contestant.maximises == "reward" and not self.down_llms)
        return is_ranked and is_clear_gain(self.metrics[name][POOLED], self.sessions_behind(name))

    def against(self, name: str, other: str) -> str:
        """Say how an agent compares with another one, paired.

        Raises:
            KeyError: If one of them has no results.
        """
        if self.down_llms:
            return no_verdict(self.down_llms)
        gap = self.metrics[ORACLE][POOLED]["reward_minus_best_fixed"]["mean"]
        behind, are_lives = self.sessions_behind(name, other), self.are_lives(name, other)
        return paired_verdict(self.pairs[name][other], other, gap, behind, are_lives=are_lives)

    def document(self) -> dict[str, Any]:
        """Return the result as one JSON-plain document."""
        table = self.problem.table
        document = {
            "table": {"name": table.name, "sha256": table.sha256, "notes": [*table.notes, *self.unread]},
            "reward": self.problem.reward.form,
            "weights": list(self.problem.reward.weights),
            "scorer": self.problem.scorer,
            "split": self.problem.split,
            "scenario": self.problem.scenario,
            "seed": self.seed,
            "sessions": self.n_sessions,
            "length": self.length,
            "lengths": self.lengths,
            "queries": {context: len(self.problem.queries_of(context)) for context in self.seeds},
            "contexts_not_judged": list(self.problem.contexts_not_judged),
            "best_fixed_llm": {"in_hindsight": self.references.best_fixed, "chosen": self.references.chosen_fixed},
            "references": {name: self._row(name) for name in self.references.actions},
            "agents": [
                {**describe(self.contestants[name]), "context": context, **found}
                for name in self.agents
                for context, found in self._row(name).items()
            ],
            "verdicts": self.verdicts,
            "pairs": {a: {b: published(value) for b, value in of_a.items()} for a, of_a in self.pairs.items()},
            "failed_calls": {llm: calls.document() for llm, calls in self.failed_calls.items()},
            "failures": [describe(self.contestants[name]) | {"error": line} for name, line in self.failures.items()],
        }
        if self.events:
            document["recovery"] = {
                "window": WINDOW,
                "tolerance": TOLERANCE,
                "events": [[asdict(event) | {"most": event.most} for event in events] for events in self.events],
                "agents": {name: found.document() for name, found in self.recovery.items()},
            }
        if self.asks:
            document["asks"] = {name: {"mean": mean, "several": several} for name, (mean, several) in self.asks.items()}
        if self.spending:
            document["spending"] = {
                "max_usd_per_query": self.problem.max_usd_per_query,
                "rows": {name: found.document() for name, found in self.spending.items()},
            }
        if self.feedback_delay is not None:
            document["feedback_delay"] = asdict(self.feedback_delay)
        if facts := self.past.facts():
            document["past"] = facts
        if self.life_curves:
            document["life_curves"] = {
                name: curve.document() | {"crosses_after": curve.crosses_after(is_clear_gain=self.is_clear_gain(name))}
                for name, curve in self.life_curves.items()
            }
        if self.budget is not None:
            document["budget"] = self.budget.document()
        return document

    def _row(self, name: str) -> dict[str, dict[str, Any]]:
        return {
            context: {
                "intervals_over": list(self.sources[name]),
                "metrics": {metric: published(value) for metric, value in found.items()},
                "routing": self.routing[name][context],
                "calls": {llm: calls.document() for llm, calls in self.calls_of(name, context).items()},
            }
            for context, found in self.metrics[name].items()
        }
