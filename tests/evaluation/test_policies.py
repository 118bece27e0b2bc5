"""Frozen policies: exact expectations, and the sessions that they would give."""

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.drawn import draw_sessions
from llm_routing_env.evaluation.policies import always, distinct, expected, policies_log
from llm_routing_env.evaluation.samples import quantile, sample_of_log, sample_of_policies
from llm_routing_env.evaluation.sessions import run_sessions
from llm_routing_env.evaluation.statistics import TRAINING_SEEDS

TABLE = random_table(per_context=40)
PROBLEM = RoutingProblem(TABLE, observation="none")


class AlwaysTwo(Agent):
    """Asks LLM 2."""

    def _probabilities(self, observation, allowed):
        return np.eye(4)[np.full(len(observation), 2)]


def test_frozen_policies_face_the_sessions_that_agents_face():
    env = PickLLMVectorEnv(4, 20, "DISABLED", TABLE, observation="none")
    seeds = [3, 1, 4, 1]
    drawn = draw_sessions(env.problem, seeds, context="art", length=20)
    frozen = policies_log(env.problem, always(np.full(TABLE.n_queries, 2), 4), drawn, np.random.default_rng(0))
    run = run_sessions(env, AlwaysTwo(env.task, n_sessions=4), seeds, contexts=["art"] * 4)
    np.testing.assert_array_equal(run.rewards, frozen.rewards)
    for name, values in run.measures.items():
        np.testing.assert_allclose(values, frozen.measures[name], atol=1e-12, err_msg=name)


def test_what_a_policy_leaves_open_is_drawn_as_often_as_it_says():
    policy = np.tile([0.5, 0.0, 0.2, 0.3], (1, TABLE.n_queries, 1))
    drawn = draw_sessions(PROBLEM, range(200), context="art", length=20)
    log = policies_log(PROBLEM, policy, drawn, np.random.default_rng(1))
    shares = np.bincount(log.actions.ravel(), minlength=4) / log.actions.size
    np.testing.assert_allclose(shares, [0.5, 0.0, 0.2, 0.3], atol=0.03)
    assert shares[1] == 0.0
    np.testing.assert_array_equal(log.propensities, policy[0, 0][log.actions])


def test_each_training_routes_sessions_of_its_own():
    both = np.concatenate([always(np.full(TABLE.n_queries, llm), 4) for llm in (1, 3)])
    drawn = draw_sessions(PROBLEM, range(4), context="art", length=5)
    actions = policies_log(PROBLEM, both, drawn, np.random.default_rng(0)).actions
    assert actions[:, 0].tolist() == [1, 3, 1, 3]


def test_expectations_by_hand():
    policy = np.array([[[0.25, 0.75], [1.0, 0.0]]])
    np.testing.assert_allclose(expected(policy, np.array([[4.0, 8.0], [1.0, np.nan]])), [[7.0, 1.0]])
    by_repeat = np.array([[[4.0, 0.0], [8.0, 4.0]], [[1.0, 2.0], [9.0, 9.0]]])
    np.testing.assert_allclose(expected(policy, by_repeat), [[[7.0, 3.0], [1.0, 2.0]]])


def test_a_frozen_policys_means_are_those_of_endless_sessions():
    rng = np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(4), size=(2, TABLE.n_queries))
    exact = sample_of_policies(PROBLEM, policies, "chess", 20)
    assert exact.units == TRAINING_SEEDS
    length = len(PROBLEM.queries_of("chess"))  # so that every session has every query
    drawn = draw_sessions(PROBLEM, range(3000), context="chess", length=length)
    log = policies_log(PROBLEM, policies, drawn, rng)
    places = np.searchsorted(PROBLEM.queries_of("chess"), drawn.queries)
    seen = sample_of_log(PROBLEM, log, places)
    for name, values in exact.values.items():
        assert values.mean() == pytest.approx(seen.values[name].mean(), rel=0.01, abs=0.005), name
    np.testing.assert_allclose(exact.asked, seen.asked, atol=0.005)
    for share in (0.5, 0.95):
        assert quantile(*exact.latencies_s, share) == pytest.approx(quantile(*seen.latencies_s, share), rel=0.05)


def test_quantiles_by_hand():
    values, weights = np.array([3.0, 1.0, 2.0, 9.0]), np.array([0.25, 0.25, 0.5, 0.0])
    assert [quantile(values, weights, share) for share in (0.25, 0.5, 0.75, 0.76, 1.0)] == [1.0, 2.0, 2.0, 3.0, 3.0]
    assert np.isnan(quantile(np.array([1.0, np.nan]), np.array([0.5, 0.5]), 0.5))


def test_trainings_without_chance_are_one():
    same, other = always(np.zeros(5, dtype=int), 2)[0], always(np.ones(5, dtype=int), 2)[0]
    assert len(distinct([same, same, same])) == 1
    assert len(distinct([same, other])) == 2
