"""Generators: a session's draws are its own, in any company."""

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.parts.generators import SessionSeeds, make_generators, seeds_of

ONLINE = [name for name in AGENTS if agent_class(name).protocol() == "online"]


def test_as_a_number_it_is_the_seed_of_what_is_shared():
    seeds = SessionSeeds(7, [1, 2])
    assert seeds == 7
    assert seeds.sessions == (1, 2)
    assert np.random.default_rng(seeds).random() == np.random.default_rng(7).random()


def test_one_seed_is_one_generator():
    of_sessions, common = make_generators(3)
    assert of_sessions is common


def test_each_session_draws_what_it_would_draw_alone():
    def draws(sessions: list[int]):
        generator, _ = make_generators(SessionSeeds(0, sessions))
        n = len(sessions)
        shapes = np.arange(1.0, 1.0 + 2 * n).reshape(n, 2) % 3 + 0.5
        uniform, normal = generator.random(n), generator.standard_normal((n, 3))
        return uniform, normal, generator.beta(np.full((n, 2), 2.0), np.ones((n, 2))), shapes

    together, alone = draws([5, 6, 7]), draws([6])
    for several, one in zip(together[:3], alone[:3], strict=True):
        assert len(several) == 3
        np.testing.assert_array_equal(several[1], one[0])
    assert together[0][0] != together[0][2]


def test_what_is_drawn_for_all_does_not_depend_on_who_they_are():
    one, other = (make_generators(SessionSeeds(4, sessions))[0] for sessions in ([1], [2, 3]))
    np.testing.assert_array_equal(one.normal(size=(2, 2)), other.normal(size=(2, 2)))


def test_an_agent_for_one_session_gets_the_sessions_own_seed():
    assert list(seeds_of(SessionSeeds(4, [1, 2]), 2)) == [1, 2]
    assert len(set(seeds_of(4, 3))) == 3


@pytest.mark.parametrize("name", ONLINE)
def test_agents_choose_the_same_in_any_company(name: str, make_task):
    """Five sessions at once, and each alone: the same choices for 30 queries, to the last one."""
    task, seeds, rng = make_task(n_actions=4), list(range(100, 105)), np.random.default_rng(0)
    seen, rewards = rng.normal(size=(30, 5, task.observation_size)), rng.normal(size=(30, 5, 4))
    together = make_agent(name, task, n_sessions=5, seed=SessionSeeds(1, seeds))
    alone = [make_agent(name, task, n_sessions=1, seed=SessionSeeds(1, [seed])) for seed in seeds]
    for step in range(30):
        actions = together.select_action(seen[step])
        each = [agent.select_action(seen[step, [row]])[0] for row, agent in enumerate(alone)]
        assert actions.tolist() == each
        gained = rewards[step, np.arange(5), actions]
        together.update(seen[step], actions, gained)
        for row, agent in enumerate(alone):
            agent.update(seen[step, [row]], actions[[row]], gained[[row]])


def test_a_batch_with_a_seed_per_session_is_not_saved(tmp_path, make_task):
    agent = make_agent("random", make_task(n_actions=3), n_sessions=2, seed=SessionSeeds(0, [1, 2]))
    with pytest.raises(NotImplementedError, match="construct it with one seed"):
        agent.save(tmp_path / "agent.npz")
