"""Events and what they do to agents, by hand: LLMs that earn 1, 0.5 and 0, and agents that change at a step."""

from dataclasses import replace

import numpy as np
import pytest
from tables import queries, records

from llm_routing_env.agents import Agent
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.plots import draw
from llm_routing_env.evaluation.recovery import WINDOW, Event, Recoveries, events_of
from llm_routing_env.evaluation.statistics import Resamples
from llm_routing_env.report.recovery import effect_cells, recovery_cells, recovery_heads
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

LENGTH, STEP = 100, 50
DOWN = [{"event": "outage", "llm": "good", "step": STEP, "until": 80, "hidden": True}]


class Follower(Agent):
    """Asks the first LLM, and the third from a step on, until another."""

    def __init__(self, task, *, n_sessions=None, seed=None, leaves=STEP, returns=LENGTH):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.leaves, self.returns = leaves, returns

    def _probabilities(self, observation, allowed):
        arm = 2 if self.leaves <= self.n_selected.now < self.returns else 0
        return np.tile(np.eye(3)[arm], (len(self._rows), 1))


class Learner(Agent):
    """Asks the first LLM until it was wrong so often, then the third."""

    def __init__(self, task, *, n_sessions=None, seed=None, patience=10):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.patience, self.wrong = patience, np.zeros(len(self._rows))

    def _probabilities(self, observation, allowed):
        return np.eye(3)[np.where(self.wrong >= self.patience, 2, 0)]

    def _learn(self, observation, action, reward, outcome):
        self.wrong += reward == 0


def ranked_table():
    asked = queries(110, ("art", "chess"))
    right = np.broadcast_to(np.array([1.0, 0.5, 0.0])[:, None], (len(asked), 3, 1))
    return OutcomeTable.from_records(
        asked, ["good", "fair", "poor"], records(asked, ["good", "fair", "poor"], right, 1e-5, 0.1), {}
    )


TABLE = ranked_table()


def swap(cells):
    """From step 50 the good LLM is the poor one, and the other way round."""
    return [(0, cells), (STEP, replace(cells, accuracy=cells.accuracy[:, ::-1]))]


def compared(scenario, *late, **options):
    """Return a comparison of learners that are so many queries late; 0: they never ask the first LLM."""
    names = {f"late{steps}": steps for steps in late}
    return compare(
        [f"{name}={__name__}:Learner" for name in names],
        parameters={name: {"patience": steps} for name, steps in names.items()},
        **{"table": TABLE, "weights": (1, 0, 0), "split": "all", "n_sessions": 3, "length": LENGTH} | options,
        scenario=scenario,
    )


def test_regret_before_and_after_and_the_way_back():
    """At random 0.5 is lost per query; the late one loses 1 for each query that it is late.

    Over 20 queries from k after the event on that is (late - k) / 20 / 0.5, at most 0.1 from k = late - 1 on.
    """
    result = compared(swap, 1, 10, 31, 32, 50)
    assert result.events == [[Event(STEP, STEP, LENGTH)]]
    for late, hurt, back, queries_ in (
        (1, 0, 0, None),
        (10, 1, 1, 9),
        (31, 1, 1, 30),
        (32, 1, 0, None),
    ):
        found = result.recovery[f"late{late}"]
        assert found.before["mean"] == 0
        assert found.after["mean"] == pytest.approx(late / 50)
        (effect,) = found.effects
        assert (effect.hurt["mean"], effect.back["mean"], effect.queries["mean"]) == (hurt, back, queries_), late
        assert found.to_failed["mean"] is None
    assert recovery_heads(result) == ["regret before", "regret after", "hurt at step 50", "back", "after"]
    assert [recovery_cells(result, name)[2:] for name in ("late1", "late10", "late50")] == [
        ["0 %", "0 %", "–"],
        ["100 %", "100 %", "9"],
        ["100 %", "0 %", "> 30"],
    ]


def test_queries_sent_to_an_llm_that_is_down():
    result = compared(DOWN, 10)
    found = result.recovery["late10"]
    assert [event.first for events in result.events for event in events] == [50, 80]
    assert found.to_failed["mean"] == pytest.approx(10 / 30)
    assert recovery_heads(result)[-1] == "sent to LLMs that were down"
    assert recovery_cells(result, "late10")[-1].startswith("33 [")


def test_a_session_that_was_bad_before_is_not_hurt_by_what_makes_nothing_worse():
    """It asks the poor LLM all along: all is lost that there is, twice what is at random; and then nothing."""
    (effect,) = compared(swap, 0).recovery["late0"].effects
    assert effect.hurt["mean"] == 0


def test_without_an_event_there_is_nothing_to_tell():
    for scenario in (None, [DOWN[0] | {"step": LENGTH, "until": None}]):
        result = compared(scenario, 10)
        assert result.events == []
        assert "recovery" not in result.document()
        assert "regret_rate" not in [plot.name for plot in draw(result)]


def test_an_event_too_near_the_end_says_nothing():
    (effect,) = compared([DOWN[0] | {"step": LENGTH - WINDOW + 1, "until": None}], 10).recovery["late10"].effects
    assert effect is None
    assert effect_cells(effect, [Event(81, 81, LENGTH)]) == ["–", "–", "–"]


def test_changes_nearby_are_one_event():
    changes = np.zeros(200, dtype=int)
    for step in (60, 79, 98, 130):  # 19, 19 and 32 apart
        changes[step] = 1
    assert events_of(changes.cumsum()) == [Event(60, 98, 130), Event(130, 130, 200)]
    assert events_of(np.zeros(200, dtype=int)) == []


def test_the_document_is_plain_and_the_figure_has_its_lines():
    result = compared(DOWN, 10, 20)
    recovery = result.document()["recovery"]
    assert recovery["events"][0] == [{"first": 50, "last": 50, "end": 80, "most": 10}]
    # From the LLM that fails to the poor one: both get nothing.
    assert recovery["agents"]["late10"]["effects"][0]["hurt"]["mean"] == 1
    assert recovery["agents"]["late10"]["effects"][0]["queries"]["mean"] is None
    plot = next(plot for plot in draw(result) if plot.name == "regret_rate")
    (axis,) = plot.figure.axes
    assert {line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"} == {50, 80}


def test_a_mean_over_some_values_is_that_of_those():
    rng = np.random.default_rng(0)
    values, asked = rng.random((8, 12)), rng.integers(9, size=(8, 12))
    resamples = Resamples(9, 0)
    everywhere = resamples.mean_where(values, asked, np.ones((8, 12), dtype=bool)).interval()
    assert everywhere == pytest.approx(resamples.mean(values, asked, "sessions").interval())
    where = np.arange(12) < 7
    some = resamples.mean_where(values, asked, np.tile(where, (8, 1))).interval()
    assert some == pytest.approx(resamples.mean(values[:, where], asked[:, where], "sessions").interval())


def test_contexts_of_other_lengths_count_where_the_event_can_be_judged():
    """The last session of 65 queries ends before a window fits after step 50."""
    asked = QuerySet(
        Query(f"{context}-{i}", context, "test", f"{context} {i}", ("yes",))
        for context, n in {"long": 100, "short": 65}.items()
        for i in range(n)
    )
    right = np.broadcast_to(np.array([1.0, 0.5, 0.0])[:, None], (165, 3, 1))
    llms = ["good", "fair", "poor"]
    table = OutcomeTable.from_records(asked, llms, records(asked, llms, right, 1e-5, 0.1), {})
    result = compared(swap, 10, 50, table=table)
    (late, never) = (result.recovery[name].effects[0] for name in ("late10", "late50"))
    assert late.queries["mean"] == 9
    assert effect_cells(never, result.events[0])[2] == "> 30"


def beside_quiet(scenario, agent, **parameters):
    """Return what the first event did to an agent: as told by these sessions alone, and beside those without it."""
    options = {"table": TABLE, "weights": (1, 0, 0), "split": "all", "n_sessions": 3, "length": LENGTH}
    agents, given = [f"one={__name__}:{agent}"], {"one": parameters}
    result, quiet = (compare(agents, parameters=given, scenario=each, **options) for each in (scenario, None))
    recoveries = Recoveries(result.problem, result.drawn, result.seed, quiet.drawn)
    told = [recoveries.of(result.logs["one"], without, learns=True) for without in (None, quiet.logs["one"])]
    assert told[0].after == told[1].after  # what is lost is told all the same
    effects = [found.effects[0] for found in told]
    return tuple((effect.hurt["mean"], effect.back["mean"], effect.queries["mean"]) for effect in effects)


def test_who_gets_worse_without_the_event_too_is_not_hurt_by_it():
    """The price stays what it was; it asks the poor LLM for 15 queries all the same, and loses 1 at each."""
    nothing = [{"event": "price", "llm": "good", "step": STEP, "factor": 1.0}]
    alone, beside = beside_quiet(nothing, "Follower", returns=STEP + 15)
    assert alone == (1, 1, 14)
    assert beside == (0, 0, None)


def test_who_gets_worse_by_the_event_is_hurt_and_back_as_ever():
    """It would have stayed with the good LLM, and loses 1 at each of the 10 queries until it leaves the poor one."""
    assert beside_quiet(swap, "Learner", patience=10) == ((1, 1, 9), (1, 1, 9))


@pytest.mark.parametrize(("late", "hurt"), [(9, 0), (10, 0), (11, 1)])
def test_hurt_is_to_lose_more_than_without_the_event(late, hurt):
    """It leaves the first LLM after so many of 20 queries; of the 10 lost at random it loses `late`, else 20 - late."""
    alone, beside = beside_quiet(swap, "Follower", leaves=STEP + late)
    assert (alone[0], beside[0]) == (1, hurt)


def test_of_who_fails_without_the_scenario_nothing_is_said(monkeypatch):
    from llm_routing_env.evaluation.conclude import note_recovery

    options = {"n_sessions": 3, "table": "nano", "context": "math", "scenario": "outage"}
    result = compare(["random", "ucb1"], **options)
    quiet = compare(["random", "ucb1"], **{**options, "scenario": None})
    quiet.failures["ucb1"] = "RuntimeError: no"
    note_recovery(result, quiet)
    assert all(effect is None for effect in result.recovery["ucb1"].effects)
    assert any(effect is not None for effect in result.recovery["random"].effects)
