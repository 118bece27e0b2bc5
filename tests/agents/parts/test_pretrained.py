"""What every router that is fitted before it routes must do, whatever it learns."""

from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.parts.consensus import squared_distances

PRETRAINED = sorted(name for name in AGENTS if agent_class(name).feedback == "full")
LEARNED_ONLINE = {"n_selected", "n_updates", "commitments"}


def model_of(agent):
    return {key: array for key, array in agent.state().items() if key not in LEARNED_ONLINE}


@pytest.fixture
def table_won_by(make_training_table):
    """Return a function that draws a table on which one LLM beats all others in every respect, on every query."""

    def make(task, winner):
        wins = np.tile(np.arange(task.n_actions) == winner, (60, 1)).astype(float)
        # The winner responds what lies between the others' responses.
        said = np.eye(task.n_actions) * (np.arange(task.n_actions) != winner)[:, None]
        distances = squared_distances(np.broadcast_to(said, (*wins.shape, task.n_actions)))
        return make_training_table(task, rewards=wins, accuracy=wins, cost_usd=2 - wins, response_distances=distances)

    return make


def test_there_are_pretrained_routers_and_only_they_are_labelled_so():
    assert {"knn_router", "linear_router", "mlp_router", "matrix_factorisation", "zero_router"} <= set(PRETRAINED)
    assert {name for name in AGENTS if agent_class(name).protocol() == "pretrained"} == set(PRETRAINED)


@pytest.mark.parametrize("name", PRETRAINED)
def test_an_unfitted_router_says_what_to_call(name, make_task, tmp_path):
    agent = make_agent(name, make_task())
    agent.save(tmp_path / "agent.npz")
    for unfitted in (agent, type(agent).load(tmp_path / "agent.npz", make_task())):
        for act in (unfitted.select_action, unfitted.action_probabilities, unfitted.predict):
            with pytest.raises(
                RuntimeError, match=rf"{type(agent).__name__} is not fitted: call fit\(training_table\)"
            ):
                act(np.ones(5))


@pytest.mark.parametrize("name", PRETRAINED)
def test_updates_teach_a_fitted_router_nothing(name, make_task, make_ready):
    agent = make_ready(name, make_task(), n_sessions=3, seed=0)
    before = {key: array.copy() for key, array in model_of(agent).items()}
    for _ in range(20):
        agent.update(np.ones((3, 5)), [0, 1, 2], [100.0, -100.0, 0.0])
    for key, array in model_of(agent).items():
        np.testing.assert_array_equal(array, before[key])


@pytest.mark.parametrize("name", PRETRAINED)
def test_same_seed_gives_the_same_model_whatever_the_number_of_sessions(name, make_task, make_ready):
    single, batch = (model_of(make_ready(name, make_task(), n_sessions=n, seed=4)) for n in (None, 3))
    for key, array in single.items():
        np.testing.assert_array_equal(array, batch[key])


@pytest.mark.parametrize("name", PRETRAINED)
def test_fitting_again_forgets_the_first_table(name, make_task, table_won_by):
    task = make_task()
    agent = make_agent(name, task, seed=0)
    for winner in (2, 1):
        agent.fit(table_won_by(task, winner))
        assert agent.select_action(np.ones(5)) == winner


@pytest.mark.parametrize("name", PRETRAINED)
def test_tables_for_another_task_are_refused(name, make_task, make_training_table):
    agent = make_agent(name, make_task())
    with pytest.raises(ValueError, match=rf"{type(agent).__name__}: training_table must be of 4 LLMs, got 3"):
        agent.fit(make_training_table(make_task(3)))
    wider = make_training_table(make_task(observation_size=7))
    if agent.observation == "none":
        agent.fit(wider)
    else:
        with pytest.raises(ValueError, match=r"training_table must be of observations of size 5, got 7"):
            agent.fit(wider)


def with_holes(table, rng):
    """Return the table without a third of its cells, every query keeping one."""
    missing = rng.random(table.rewards.shape) < 1 / 3
    missing[:, 0] &= ~missing.all(axis=1)
    measures = ("rewards", "accuracy", "cost_usd", "latency_s")
    unpaired = missing[:, :, None] | missing[:, None, :]
    return replace(
        table,
        **{name: np.where(missing, np.nan, getattr(table, name)) for name in measures},
        response_distances=np.where(unpaired, np.nan, table.response_distances),
    )


@pytest.mark.parametrize("name", PRETRAINED)
def test_an_llm_is_fitted_on_the_queries_that_it_was_asked(name, make_task, table_won_by):
    """What is left of the table still says that one LLM beats all others."""
    task = make_task()
    agent = make_agent(name, task, n_sessions=200, seed=0)
    agent.fit(with_holes(table_won_by(task, 2), np.random.default_rng(0)))
    rows = np.random.default_rng(1).normal(size=(200, 5))
    assert (agent.select_action(rows / np.linalg.norm(rows, axis=1, keepdims=True)) == 2).mean() > 0.95


@pytest.mark.parametrize("name", PRETRAINED)
def test_what_an_llm_was_not_asked_is_not_guessed_from_zeros(name, make_task, make_training_table):
    """Adding a constant to all rewards changes no choice; zeros in place of what is missing would."""
    task = make_task()
    table = with_holes(make_training_table(task, n_queries=90), np.random.default_rng(0))
    agents = [make_agent(name, task, n_sessions=90, seed=0) for _ in range(2)]
    agents[0].fit(table)
    agents[1].fit(replace(table, rewards=table.rewards + 50.0))
    np.testing.assert_array_equal(*[agent.action_probabilities(table.observations).argmax(axis=1) for agent in agents])


@pytest.mark.parametrize("name", PRETRAINED)
def test_one_training_query_is_enough(name, make_task, make_ready, make_training_table):
    task = make_task()
    agent = make_ready(name, task, table=make_training_table(task, n_queries=1))
    assert agent.action_probabilities(np.ones(5)).sum() == pytest.approx(1)
