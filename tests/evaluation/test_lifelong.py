"""Lifelong learners: who lives through which sessions, and what is said of them."""

import json
from dataclasses import replace
from io import StringIO
from typing import ClassVar

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.agents import Agent
from llm_routing_env.cli.compare_display import print_comparison
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.contestants import AgentContestant
from llm_routing_env.evaluation.engines import run_local
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.life_curves import LifeCurve, _ends
from llm_routing_env.evaluation.lifelong import lives_of
from llm_routing_env.evaluation.past import Past
from llm_routing_env.evaluation.plots import draw
from llm_routing_env.evaluation.samples import by_lifetime
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.report.words import about_intervals
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal

TABLE = random_table(per_context=40)
N_TRAIN = len(TABLE.select(None, "train"))


class Diary(Agent):
    """Notes how many queries its life had when each session began."""

    notes: ClassVar[list[int]] = []

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        Diary.notes = []

    def _probabilities(self, observation, allowed):
        return np.full((len(self._rows), self.task.n_actions), 1 / self.task.n_actions)

    def begin_session(self):
        Diary.notes.append(int(self.n_updates))


@pytest.mark.parametrize("agent", ["learning_automaton", "ucb1", "per_context_q", "thompson_beta", "exp3"])
def test_a_life_of_one_session_without_a_past_is_that_of_a_fresh_learner(agent):
    entries = [agent, f"{agent}@lifelong"]
    result = compare(entries, context="chess", n_sessions=12, length=15, table=TABLE, lifetime_queries=0)
    online, lifelong = (result.logs[name]["chess"] for name in entries)
    for name in ("actions", "rewards", "final_probabilities", "commit_steps"):
        np.testing.assert_array_equal(getattr(lifelong, name), getattr(online, name))
    assert result.pairs[agent][f"{agent}@lifelong"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    means = [result.metrics[name]["all"]["reward"]["mean"] for name in entries]
    assert means[0] == pytest.approx(means[1], abs=1e-12)


def test_a_life_goes_through_the_train_split_once_then_through_its_sessions():
    name = f"{__name__}:Diary"
    compare([f"{name}@lifelong"], n_sessions=4, length=15, table=TABLE)
    assert Diary.notes == [0, N_TRAIN, N_TRAIN + 15, N_TRAIN + 30]
    compare([f"{name}@lifelong"], n_sessions=4, length=15, table=TABLE, lifetimes=2, lifetime_queries=7)
    assert Diary.notes == [0, *(7 + 15 * turn for turn in range(6))]


@pytest.mark.parametrize("n_lifetimes", [None, 6, 2])
def test_each_session_is_lived_once_and_lives_share_no_session(n_lifetimes):
    setting = Setting({"table": TABLE}, length=30, past=Past(n_lifetimes, 5))
    problem = RoutingProblem(TABLE, observation="none")
    seeds = {context: list(range(100 * number, 100 * number + 6)) for number, context in enumerate(problem.contexts)}
    blocks = lives_of(problem, setting, seeds, size=4)
    lived, pasts = [], []
    for lives in blocks:
        pasts += lives.past.seeds
        for turn, numbers in zip(lives.turns, lives.sessions, strict=True):
            for life, row in enumerate(zip(turn.contexts, turn.seeds, numbers, strict=True)):
                lived.append((*row, lives.past.seeds[life]))
    assert len(set(pasts)) == (n_lifetimes or 6)
    assert sorted((context, seed) for context, seed, _, _ in lived) == sorted(
        (context, seed) for context, given in seeds.items() for seed in given
    )
    whose = {}
    for context, seed, number, past in lived:
        assert seeds[context][number] == seed
        whose.setdefault(past, set()).add(number % (n_lifetimes or 6))
    assert all(len(numbers) == 1 for numbers in whose.values())  # sessions l, l + L, ... of every context


def test_sessions_of_several_lengths_come_in_turns_of_one_length():
    table = random_table(per_context=40)
    few = np.flatnonzero(table.query_contexts == 0)[:25]
    kept = np.concatenate([few, np.flatnonzero(table.query_contexts > 0)])
    table = table.resplit(kept, table.is_train[kept])
    result = compare(["ucb1@lifelong", "random"], n_sessions=6, length=20, table=table)
    shapes = {context: log.actions.shape for context, log in result.logs["ucb1@lifelong"].items()}
    assert shapes == {context: log.actions.shape for context, log in result.logs["random"].items()}
    assert len({length for _, length in shapes.values()}) == 2


def lives_of_lengths(lengths, n_lives, size=100):
    """Return the lives of one session of each context, of which the contexts have so many test queries."""
    asked = queries(3 * max(lengths), contexts="abcdef"[: len(lengths)])
    kept = []
    for number, length in enumerate(lengths):
        of_context = number * 3 * max(lengths) + np.arange(3 * max(lengths))
        kept += [*of_context[of_context % 3 > 0][:length].tolist(), int(of_context[0])]  # and one to train on
    table = OutcomeTable.from_records(asked, ["x", "y"], records(asked, ["x", "y"], [[[1], [0]]], 1e-3, 0.1), {})
    table = table.resplit(np.sort(kept), table.is_train[np.sort(kept)])
    problem = RoutingProblem(table, observation="none")
    seeds = {context: list(range(n_lives)) for context in problem.contexts}
    return lives_of(problem, Setting({"table": table}), seeds, size)


@pytest.mark.parametrize("lengths", [[4, 8, 8], [4, 8, 6], [4, 4, 8]])
def test_no_context_comes_at_the_same_place_in_all_lifetimes(lengths):
    """Three contexts, six lifetimes: sessions of each length are in each place in as many of them."""
    at = {length: np.zeros(3) for length in lengths}
    for lives in lives_of_lengths(lengths, 6):
        for place, turn in enumerate(lives.turns):
            at[turn.length][place] += len(turn.contexts)
    for length, counts in at.items():
        np.testing.assert_array_equal(counts, 6 * lengths.count(length) / 3)


def test_lives_run_together_that_come_to_the_lengths_in_one_order():
    assert [len(lives.sessions[0]) for lives in lives_of_lengths([8, 8, 8], 6)] == [6]
    assert [len(lives.sessions[0]) for lives in lives_of_lengths([8, 8, 8], 6, size=4)] == [3, 3]
    assert [len(lives.sessions[0]) for lives in lives_of_lengths([4, 8, 8], 6)] == [2, 2, 2]


def test_a_context_that_only_one_llm_knows_is_no_progress():
    """One LLM is right in the short context alone: always asking it is as good at each time of a life."""
    asked = queries(60)
    right = np.array([[float(q.context != "chess"), float(q.context == "chess")] for q in asked])[:, :, None]
    table = OutcomeTable.from_records(asked, ["most", "chess"], records(asked, ["most", "chess"], right, 1e-3, 0.1), {})
    kept = np.flatnonzero((table.query_contexts < 2) | (np.arange(len(asked)) < 140))
    table = table.resplit(kept, table.is_train[kept])
    rows = {"knows": {"llm": "chess"}}
    given = {"n_sessions": 12, "table": table, "lifetime_queries": 0, "reward": "additive", "weights": (1, 0, 0)}
    curve = compare(["knows=fixed@lifelong"], parameters=rows, **given).life_curves["knows"]
    gain = curve.reward - curve.best_fixed
    # 13 of 93 queries are of chess, there it earns 1 more, elsewhere 1 less; each third of a life is of all contexts.
    for third in np.array_split(gain, 3):
        assert third.mean() == pytest.approx(13 / 93 - 80 / 93, abs=0.12)


@pytest.mark.parametrize(
    ("n_past", "n_queries", "ends"),
    [
        (0, 400, range(10, 401, 10)),
        (0, 30, range(1, 31)),
        (45, 400, [10, 20, 30, 40, 45, *range(55, 400, 10), 400]),  # half a run stands for itself
        (44, 398, [10, 20, 30, 44, *range(54, 390, 10), 398]),  # less does not
    ],
)
def test_a_life_is_cut_into_runs_of_which_none_is_short(n_past, n_queries, ends):
    np.testing.assert_array_equal(_ends(n_past, n_queries), ends)


def test_lives_do_not_depend_on_how_many_run_together_nor_on_who_else_is_compared(monkeypatch):
    given = {"n_sessions": 6, "length": 15, "table": TABLE, "lifetimes": 3}

    def rows(agents):
        document = compare(agents, **given).document()
        return json.dumps([row for row in document["agents"] if row["name"] == "thompson_beta@lifelong"])

    expected = rows(["thompson_beta@lifelong"])
    monkeypatch.setattr(AgentContestant, "block_size", 2)
    assert rows(["random", "thompson_beta@lifelong", "per_context_q@lifelong"]) == expected


def test_intervals_speak_of_lifetimes_and_agree_with_those_of_sessions_where_each_has_its_own():
    """One context and one session a life: the same draws under two names."""
    result = compare(
        ["ucb1", "ucb1@lifelong"], context="art", n_sessions=30, length=15, table=TABLE, lifetime_queries=0
    )
    assert result.sources["ucb1"] == ("queries", "sessions")
    assert result.sources["ucb1@lifelong"] == ("queries", "lifetimes")
    widths = [result.metrics[name]["all"]["reward"] for name in result.agents]
    widths = [found["high"] - found["low"] for found in widths]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)


def test_sessions_of_one_life_are_resampled_together():
    values = np.arange(12).reshape(6, 2)
    np.testing.assert_array_equal(by_lifetime(values, 3), [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]])
    np.testing.assert_array_equal(by_lifetime(values[:, 0], 2), [[0, 4, 8], [2, 6, 10]])
    few, many = (compare(["ucb1@lifelong"], n_sessions=24, length=15, table=TABLE, lifetimes=n) for n in (4, 24))
    assert few.sessions_behind("ucb1@lifelong") == 4
    assert many.sessions_behind("ucb1@lifelong") == 24
    assert few.verdicts["ucb1@lifelong"].startswith("no verdict: 4 lifetimes, and intervals of fewer than 10 mislead")
    assert "no verdict" not in many.verdicts["ucb1@lifelong"]


def test_an_interrupted_life_goes_on_from_what_is_kept(tmp_path):
    setting = Setting({"table": TABLE}, length=15, past=Past(3))
    competitors = contestants(["ucb1@lifelong"], {})
    whole = run_comparison(competitors, setting, 6)

    def never(jobs, setting, on_step):
        assert list(jobs) == []
        yield from ()

    run_comparison(competitors, setting, 6, engine=run_local, blocks_folder=tmp_path / "blocks")
    again = run_comparison(competitors, setting, 6, engine=never, blocks_folder=tmp_path / "blocks")
    assert json.dumps(again.document()) == json.dumps(whole.document())
    other = replace(setting, past=Past(3, 9))
    with pytest.raises(AssertionError):
        run_comparison(competitors, other, 6, engine=never, blocks_folder=tmp_path / "blocks")


def curve(gain, half_width=0.1, n_past=0):
    gain = np.array(gain)
    return LifeCurve(
        10 * np.arange(1, len(gain) + 1), n_past, gain + 1.0, np.ones(len(gain)), np.full(len(gain), half_width)
    )


def crossing(*given, **more):
    return curve(*given, **more).crosses_after(is_clear_gain=True)


def test_a_learner_gets_ahead_where_it_is_clearly_above_twice_and_above_from_there_on():
    assert crossing([-0.5, 0.05, 0.2, 0.3, 0.2]) == 30
    assert crossing([0.2, 0.2, 0.2]) == 10
    assert crossing([-0.2, 0.2, 0.0, 0.2, 0.0]) is None  # never twice in a row
    assert crossing([0.2, 0.2, -0.9, -0.9]) is None  # it does not stay
    assert crossing([0.9, 0.9, 0.9, -0.1, -0.1], n_past=30) is None  # not where it is judged
    assert crossing([0.2, 0.2], half_width=np.nan) is None


def test_nobody_gets_ahead_whose_gain_is_not_clear():
    assert curve([0.2, 0.2, 0.2]).crosses_after(is_clear_gain=False) is None


def test_the_band_is_of_students_t():
    """One context, no past, 15 queries a life: each is a run, and the logs have what the band is made of."""
    best = compare(["random"], context="art", n_sessions=3, length=15, table=TABLE).references.best_fixed
    given = {"context": "art", "n_sessions": 3, "length": 15, "table": TABLE, "lifetime_queries": 0}
    result = compare(["ucb1@lifelong", "best=fixed@lifelong"], parameters={"best": {"llm": best}}, **given)
    gain = result.logs["ucb1@lifelong"]["art"].rewards - result.logs["best"]["art"].rewards
    expected = 4.3027 * gain.std(axis=0, ddof=1) / np.sqrt(3)  # Student's 97.5 % quantile of 2 degrees of freedom
    np.testing.assert_allclose(result.life_curves["ucb1@lifelong"].half_width, expected, rtol=1e-4, atol=1e-12)


def said_of(result):
    """Return what the terminal and the figure say of who gets ahead."""
    console = Terminal(file=StringIO(), width=300)
    print_comparison(console, result)
    (plot,) = (plot for plot in draw(result) if plot.name == "life_curves")
    return console.file.getvalue(), plot.caption


def test_few_lifetimes_show_nobody_ahead():
    """A table where the context decides: two lives are as much ahead as ten, and do not show it."""
    asked = queries(60)
    right = np.eye(3)[np.repeat([0, 1, 2], 60)][:, :, None]
    table = OutcomeTable.from_records(asked, ["a", "b", "c"], records(asked, ["a", "b", "c"], right, 1e-3, 0.1), {})
    few, enough = (compare(["per_context_q@lifelong"], n_sessions=10, lifetimes=n, table=table) for n in (2, 10))
    for said in said_of(few):
        assert "ahead of it after" not in said
        assert "ahead after" not in said
    assert "Fewer than 10 lifetimes do not show who gets ahead" in said_of(few)[1]
    assert "per_context_q@lifelong in a life of 180 queries: gets ahead after" in said_of(enough)[0]
    assert "per_context_q@lifelong gets ahead of it after" in said_of(enough)[1]
    assert "other lifetimes on these queries and not of other queries" in said_of(enough)[1]
    kept = [result.document()["life_curves"]["per_context_q@lifelong"]["crosses_after"] for result in (few, enough)]
    assert kept[0] is None
    assert kept[1] is not None


def test_where_there_is_no_clear_gain_it_is_said_so():
    terminal, caption = said_of(compare(["random@lifelong"], n_sessions=10, length=15, table=TABLE))
    assert "random@lifelong in a life of" in terminal
    assert "does not clearly get ahead" in terminal
    assert "random@lifelong does not clearly get ahead of it" in caption


def test_the_curve_is_of_the_past_and_the_sessions_judged_and_the_line_of_the_same_queries():
    best = compare(["random"], n_sessions=6, length=15, table=TABLE).references.best_fixed
    other = next(name for name in TABLE.llm_names if name != best)
    rows = {"best": {"llm": best}, "another": {"llm": other}}
    entries = [f"{row}=fixed@lifelong" for row in rows]
    result = compare(entries, parameters=rows, n_sessions=6, length=15, table=TABLE)
    found, other = (result.life_curves[row] for row in rows)
    assert (found.n_past, found.ends[-1]) == (N_TRAIN, N_TRAIN + 3 * 15)
    assert N_TRAIN in found.ends
    np.testing.assert_allclose(found.reward, found.best_fixed, atol=1e-12)
    np.testing.assert_array_equal(other.best_fixed, found.best_fixed)
    assert found.crosses_after(is_clear_gain=True) is None


def test_a_comparison_says_what_a_life_is_and_draws_it():
    result = compare(["ucb1@lifelong", "random"], n_sessions=4, length=15, table=TABLE, lifetimes=2)
    said = " ".join(about_intervals(result))
    assert (
        f"lifelong: 2 learners, each through {N_TRAIN} queries of the train split in random order, then judged" in said
    )
    assert "through 2 sessions of each context in random order" in said
    (plot,) = (plot for plot in draw(result) if plot.name == "life_curves")
    assert "2 lifetimes" in plot.caption
    document = result.document()
    assert document["past"] == {"lifetimes": 2}
    assert document["life_curves"]["ucb1@lifelong"]["queries_before_judged"] == N_TRAIN
    assert json.loads(json.dumps(document)) == document
    without = compare(["random"], n_sessions=4, length=15, table=TABLE).document()
    assert not {"past", "life_curves"} & without.keys()


@pytest.mark.parametrize(
    ("agent", "given", "message"),
    [
        ("ucb1@lifelong", {"lifetimes": 4}, "--lifetimes must divide the 6 sessions per context"),
        ("ucb1@lifelong", {"lifetimes": 0}, "--lifetimes must be 1 or more and a whole number, got 0"),
        ("ucb1@lifelong", {"lifetime_queries": -1}, "--lifetime-queries must be 0 or more"),
        ("ucb1@lifelong", {"lifetime_queries": 10**6}, f"--lifetime-queries must be at most {N_TRAIN}"),
        ("ucb1@lifelong", {"split": "train"}, "they can only be judged on the test split"),
        (
            "ucb1",
            {"lifetimes": 3},
            "--lifetimes is of lifelong agents, and none takes part: name one, as ucb1@lifelong",
        ),
        ("ucb1@lifelon", {}, "Unknown protocol of ucb1 'lifelon'. Did you mean 'lifelong'"),
        ("ucb1@", {}, "Unknown protocol of ucb1 ''"),
        ("ucb1@pretrained", {}, "ucb1 takes no part as pretrained, only as online or lifelong or logged"),
        ("linear_router@lifelong", {}, "linear_router takes no part as lifelong, only as pretrained or logged"),
        ("ubc1@lifelong", {}, "Unknown agent 'ubc1'. Did you mean 'ucb1'"),
    ],
)
def test_what_cannot_be_lived_is_refused(agent, given, message):
    with pytest.raises(ValueError, match=message):
        compare([agent], **{"n_sessions": 6, "length": 10, "table": TABLE, **given})


def test_a_table_without_train_split_has_no_past():
    test = TABLE.select(None, "test")
    table = TABLE.resplit(test, np.zeros(len(test), dtype=bool))
    with pytest.raises(ValueError, match="has no train split: there is no past to learn from"):
        compare(["ucb1@lifelong"], n_sessions=4, length=10, table=table)
    assert compare(["ucb1@lifelong"], n_sessions=4, length=10, table=table, lifetime_queries=0).agents
