"""Streams that change topic, and steps that are drawn per session: by hand, and on average by theory."""

import re
from typing import Any

import numpy as np
import pytest
from gymnasium.utils import seeding
from tables import queries, random_table, records

from llm_routing_env.backends import Request, TableBackend, ask
from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.session import Session
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=9, n_repeats=2)  # art, biology, chess
A = TABLE.llm_names[0]


def problem(*events: dict[str, Any], **options: Any) -> RoutingProblem:
    return RoutingProblem(TABLE, scenario=list(events) or None, observation="none", split="all", **options)


def session(of: RoutingProblem, context: str | None = "art", seed: int = 0) -> Session:
    return of.draw_session(seeding.np_random(seed)[0], context)


def topics(of: Session) -> list[str]:
    return [TABLE.contexts[number] for number in TABLE.query_contexts[of.queries]]


def shift(context: str, step: Any, **more: Any) -> dict[str, Any]:
    return {"event": "context_shift", "context": context, "step": step, **more}


def test_from_a_step_on_queries_come_from_another_context_and_before_it_as_ever():
    without, shifted = session(problem()), session(problem(shift("chess", 4)))
    assert topics(shifted) == ["art"] * 4 + ["chess"] * 5
    np.testing.assert_array_equal(shifted.queries[:4], without.queries[:4])
    np.testing.assert_array_equal(shifted.repeats, without.repeats)
    assert len(set(shifted.queries.tolist())) == 9  # none twice
    assert shifted.phases.tolist() == [0] * 4 + [1] * 5


@pytest.mark.parametrize(("own", "following"), [("art", "biology"), ("chess", "art"), ("mixed", "art")])
def test_the_next_context_is_the_one_after_the_sessions_own(own: str, following: str):
    assert set(topics(session(problem(shift("next", 3)), own))[3:]) == {following}


def test_a_shift_to_the_sessions_own_context_changes_nothing_and_one_beyond_the_end_neither():
    for event in (shift("art", 3), shift("chess", 9), shift("chess", 10**6)):
        np.testing.assert_array_equal(session(problem(event)).queries, session(problem()).queries)


def test_a_context_that_runs_out_begins_again_and_the_session_is_as_long_as_ever():
    drawn = session(problem(shift("chess", 5)), "mixed")
    assert len(drawn) == 27
    chess = drawn.queries[5:]
    assert set(TABLE.query_contexts[chess].tolist()) == {2}
    assert len(set(chess[:9].tolist())) == 9
    np.testing.assert_array_equal(chess, np.resize(chess[:9], 22))


def test_a_stream_goes_on_where_it_left_off_and_may_widen_to_all():
    drawn = session(problem(shift("chess", 2), shift("art", 4), shift("mixed", 6)))
    np.testing.assert_array_equal(drawn.queries[[0, 1, 4, 5]], session(problem()).queries[:4])
    assert topics(drawn)[2:4] == ["chess"] * 2
    assert len(set(topics(session(problem(shift("mixed", 0))))[:9])) > 1


def test_a_gradual_shift_raises_the_chance_in_equal_stages():
    gradual = problem(shift("chess", 2, over=4))
    assert gradual.first_steps.tolist() == [0, 2, 3, 4, 5, 6]
    assert [topic.get("chess", 0) for topic in gradual.course.topics] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    is_chess = np.mean([np.array(topics(session(gradual, seed=s))) == "chess" for s in range(2000)], axis=0)
    np.testing.assert_allclose(is_chess, [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1], atol=0.05)  # 4.5 standard errors


def test_steps_are_drawn_from_their_range_and_nothing_else_changes():
    event = {"event": "price", "llm": A, "step": [2, 4], "until": [6, 7], "factor": 2}
    drawn = [session(problem(event), seed=s) for s in range(600)]
    np.testing.assert_array_equal(drawn[0].queries, session(problem()).queries)
    np.testing.assert_array_equal(drawn[0].repeats, session(problem()).repeats)
    begins, ends = (np.array([int((each.phases < phase).sum()) for each in drawn]) for phase in (1, 2))
    for found, expected in ((begins, [2, 3, 4]), (ends, [6, 7])):
        values, counts = np.unique(found, return_counts=True)
        assert values.tolist() == expected
        np.testing.assert_allclose(counts / 600, 1 / len(expected), atol=0.09)
    assert abs(np.corrcoef(begins, ends)[0, 1]) < 0.2


def test_a_drawn_step_moves_all_stages_of_an_event_together():
    event = {"event": "latency", "llm": A, "step": [0, 3], "factor": 2, "over": 2}
    for seed in range(20):
        begins = [int((session(problem(event), seed=seed).phases < phase).sum()) for phase in (1, 2, 3)]
        assert begins == [begins[0] + stage for stage in range(3)]
        assert 0 <= begins[0] <= 3


@pytest.mark.parametrize("length", [3, 7, 9])
@pytest.mark.parametrize("context", ["art", "mixed"])
def test_weights_are_how_often_sessions_come_to_each_query_in_each_phase(context: str, length: int):
    of = problem(
        shift("next", [1, 3], over=1),
        {"event": "price", "llm": A, "step": [5, 6], "factor": 2},
        shift("chess", 8),
    )
    counts, n_sessions = np.zeros((len(of.first_steps), TABLE.n_queries)), 3000
    for seed in range(n_sessions):
        drawn = session(of, context, seed)
        np.add.at(counts, (drawn.phases[:length], drawn.queries[:length]), 1 / length / n_sessions)
    weights = of.query_weights(context, length)
    n_met = (weights.sum(axis=0) > 0).sum()
    assert weights.sum() == pytest.approx(n_met)
    np.testing.assert_allclose(weights / n_met, counts, atol=0.01)
    np.testing.assert_allclose(of.course.shares(length), counts.sum(axis=1), atol=0.01)


class TableLLMs:
    """LLMs that answer as a table has it."""

    name, llm_names = "vllm", TABLE.llm_names

    def ask_many(self, requests: list[Request]) -> Any:
        """Answer."""
        recorded = TableBackend(TABLE, TABLE.scorer)
        return enumerate(ask(recorded, request.query, request.llm) for request in requests)

    def close(self) -> None:
        """Have nothing to release."""


def test_live_sessions_draw_the_same_queries_and_phases():
    events = [shift("next", [1, 3], over=2), {"event": "outage", "llm": A, "step": [7, 8]}]
    arguments: dict[str, Any] = {"table": TABLE, "observation": "none", "split": "all", "scenario": events}
    live, recorded = PickLLMEnv(backend=TableLLMs(), **arguments), PickLLMEnv(**arguments)
    for seed in range(5):
        infos = [env.reset(seed=seed)[1] for env in (live, recorded)]
        for _ in range(9):
            assert infos[0]["query_id"] == infos[1]["query_id"]
            np.testing.assert_array_equal(live.action_masks(), recorded.action_masks())
            infos = [env.step(1)[4] for env in (live, recorded)]
            assert infos[0]["regret"] == infos[1]["regret"]


def test_a_table_of_one_context_has_no_next_one():
    asked = queries(6, ("art",))
    table = OutcomeTable.from_records(asked, ["x", "y"], records(asked, ["x", "y"], 1, [[[1e-5]]], 0.1), {})
    with pytest.raises(ValueError, match="goes on to the next context, but 'art' is the only one"):
        RoutingProblem(table, scenario="topic_change", observation="none")


PRICE = {"event": "price", "llm": A, "factor": 2}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([shift("ches", 2)], "Unknown context 'ches'. Did you mean 'chess'?"),
        ([shift(3, 2)], "event 1 (context_shift): context must be a name, got 3"),
        ([shift("chess", -1)], "step must be a whole number, 0 or more"),
        ([shift("chess", 2, over=-1)], "over must be a whole number of steps, 0 or more, got -1"),
        ([shift("chess", 2, until=4)], "until has no meaning here: another context_shift ends it"),
        ([{"event": "context_shift", "step": 2}], "the event 'context_shift' needs 'context'"),
        ([shift("chess", 2, llm=A)], "Unknown argument 'llm'"),
        ([PRICE | {"step": [3, 2]}], "whole number, 0 or more, up to 1000000000, or [low, high] of them, got [3, 2]"),
        ([PRICE | {"step": [1, 2, 3]}], "or [low, high] of them, got [1, 2, 3]"),
        ([PRICE | {"step": [-1, 3]}], "or [low, high] of them, got [-1, 3]"),
        ([PRICE | {"step": [1, True]}], "or [low, high] of them, got [1, True]"),
        ([PRICE | {"step": "soon"}], "or [low, high] of them, got 'soon'"),
        ([PRICE | {"step": [2, 5], "until": [5, 6]}], "until must be after step 5, got [5, 6]"),
        ([PRICE | {"step": [2, 5]}, shift("chess", 5)], "the steps of event 1 (price) and event 2 (context_shift) are"),
        ([PRICE | {"step": [2, 5]}, PRICE | {"step": [2, 5]}], "drawn from ranges that overlap"),
        ([shift("chess", 2, over=8), PRICE | {"step": [4, 5]}], "drawn from ranges that overlap"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(events: Any, said: str):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        problem(*events)
    assert "\n" not in str(caught.value)
