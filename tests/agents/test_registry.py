"""Agents by name: known ones, unknown ones, and agents from other packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import llm_routing_env.agents as registry
from llm_routing_env.agents import agent_class, describe_agents, make_agent, observation_of
from llm_routing_env.agents.parts.generators import SessionSeeds

PLUGIN = '''
import numpy as np
from llm_routing_env.agents import Agent

class StickToWinner(Agent):
    """Written for one session: repeats an arm while it pays."""
    observation = "context"

    def __init__(self, task, *, seed=None, bar=0.5):
        super().__init__(task, seed=seed)
        self.bar = bar
        self.arm = np.array(0)

    def select_action(self, observation, action_mask=None):
        return int(self.arm)

    def update(self, observation, action, reward, outcome=None, probability=None):
        if reward < self.bar:
            self.arm = np.array((action + 1) % self.task.n_actions)
        self._last_outcome, self._last_probability = outcome, probability

    def action_probabilities(self, observation, action_mask=None):
        return np.eye(self.task.n_actions)[int(self.arm)]

class HandsOnOneSession(Agent):
    """Takes turns, in one session, and hands its keyword arguments on."""

    def __init__(self, task, **kwargs):
        super().__init__(task, **kwargs)
        self.turn = np.array(0)

    def select_action(self, observation, action_mask=None):
        return int(self.turn) % self.task.n_actions

    def update(self, observation, action, reward, outcome=None):
        self.turn = self.turn + 1

class HandsOnSessions(Agent):
    """Asks the LLM that every session was asked last, and hands its keyword arguments on."""

    def __init__(self, task, **kwargs):
        super().__init__(task, **kwargs)
        self.last = np.zeros(len(self._rows), dtype=int)

    def _probabilities(self, observation, allowed):
        return np.eye(self.task.n_actions)[self.last]

    def _learn(self, observation, action, *others):
        self.last = action

class Ordinary(Agent):
    """Takes its hyperparameter as an ordinary argument."""

    def __init__(self, task, epsilon=0.1, *, seed=None):
        super().__init__(task, seed=seed)
        self.epsilon = epsilon

    def select_action(self, observation, action_mask=None):
        return 0

class Duck:
    """Is no agent, but has its two methods: repeats the LLM that earned most."""

    def __init__(self, task, bonus=0.0, seed=None):
        self.seed, self.bonus, self.earned = seed, bonus, [0.0] * task.n_actions

    def select_action(self, observation):
        return self.earned.index(max(self.earned))

    def update(self, observation, action, reward):
        assert (type(action), type(reward)) == (int, float)
        self.earned[action] += reward + self.bonus

class Sees(Agent):
    """Wants vectors."""
    observation = "embedding32"

    def __init__(self, task, *, seed=None):
        super().__init__(task, seed=seed)

class Reads(Agent):
    """Asks the LLM whose number is how many digits the prompt has."""
    observation = "prompt"

    def _probabilities(self, observation, allowed):
        digits = [sum(map(str.isdigit, text)) for text in observation]
        return np.eye(self.task.n_actions)[digits]

class FitsByChance(Agent):
    """Has a weight that is drawn when it is fitted."""
    feedback = "full"

    def __init__(self, task, *, seed=None):
        super().__init__(task, seed=seed)

    def fit(self, training_table):
        self.weight = self._rng.random()

not_an_agent = dict
'''

ROUTER = '''
import random
import numpy as np
from llm_routing_env.agents import Agent

N_FITS = []

class BestOnAverage(Agent):
    """Written for one session: the LLM with the highest mean reward on the training queries, and at times another."""
    feedback = "full"

    def __init__(self, task, *, seed=None):
        super().__init__(task, seed=seed)
        self.dice = random.Random(seed)
        self.counts = None

    def fit(self, training_table):
        N_FITS.append(1)
        self.best = int(training_table.rewards.mean(axis=0).argmax())
        self.counts = [0] * self.task.n_actions

    def select_action(self, observation, action_mask=None):
        return self.best

    def update(self, observation, action, reward):
        self.counts[action] += 1

    def throw(self):
        return self.dice.random(), self._rng.random()
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "someones_agents.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "someones_agents:StickToWinner"
    sys.modules.pop("someones_agents", None)


def test_unknown_agent_names_the_known_ones_and_the_nearest(make_task):
    with pytest.raises(ValueError, match=r"'learning_automata'. Did you mean 'learning_automaton'.*round_robin"):
        make_agent("learning_automata", make_task())


def test_unknown_hyperparameter_names_the_known_ones_and_the_nearest(make_task):
    with pytest.raises(ValueError, match=r"'learning_rat'. Did you mean 'learning_rate'.*threshold"):
        make_agent("learning_automaton", make_task(), learning_rat=0.5)


def test_description_is_plain_json_and_lists_defaults():
    described = {entry["name"]: entry for entry in json.loads(json.dumps(describe_agents()))}
    assert described["learning_automaton"] == {
        "name": "learning_automaton",
        "protocol": "online",
        "feedback": "bandit",
        "observation": "none",
        "paper": "2412.12170",
        "parameters": {
            "learning_rate": 0.2,
            "normaliser": "running_minmax",
            "threshold": 0.01,
            "recommit": None,
            "recommit_delta": 0.05,
            "recommit_threshold": 10.0,
            "prior": "fresh",
        },
    }


def test_an_agent_that_sees_something_else_is_refused_and_told_what_to_do(make_task):
    task = make_task(observation="embedding")
    with pytest.raises(
        ValueError, match=r"linucb sees observation 'embedding32', but the environment gives 'embedding'"
    ) as said:
        make_agent("linucb", task)
    assert """gym.make("PickLLM-v0", observation='embedding32')""" in str(said.value)
    assert "or the agent: observation='embedding'" in str(said.value)
    with pytest.raises(ValueError, match="per_context_q sees observation 'context'") as said:
        make_agent("per_context_q", task, n_sessions=3)
    assert "or the agent" not in str(said.value)
    make_agent("learning_automaton", task)
    make_agent("linucb", make_task(observation="embedding32"))


@pytest.mark.parametrize("n_sessions", [None, 2])
def test_an_agent_that_sees_vectors_may_be_given_others(n_sessions, make_task, tmp_path):
    task = make_task(observation="features")
    agent = make_agent("linucb", task, n_sessions=n_sessions, observation="features", alpha=0.1)
    assert (agent.observation, agent.alpha) == ("features", 0.1)
    assert observation_of("linucb", {"observation": "features"}) == "features"
    agent.save(tmp_path / "agent.npz")
    assert agent_class("linucb").load(tmp_path / "agent.npz", task).observation == "features"
    with pytest.raises(ValueError, match="holds an agent with observation 'features'; expected 'context'"):
        agent_class("linucb").load(tmp_path / "agent.npz", make_task(observation="context"))
    for name in ("ucb1", "per_context_q"):
        with pytest.raises(ValueError, match=f"Unknown hyperparameter of {name} 'observation'"):
            make_agent(name, make_task(), observation="features")


@pytest.mark.parametrize("name", ["linucb", "uniroute", "outcome_linear"])
@pytest.mark.parametrize("observation", ["none", "prompt"])
def test_what_is_no_vector_is_refused_where_one_is_needed(name, observation, make_task):
    with pytest.raises(ValueError, match=f"must be a vector of numbers, .* got '{observation}'"):
        make_agent(name, make_task(), observation=observation)


def test_a_plugin_for_one_session_may_be_given_other_vectors_too(plugin, make_task):
    agent = make_agent("someones_agents:Sees", make_task(observation="context"), n_sessions=2, observation="context")
    assert [row.observation for row in (agent, *agent.agents)] == ["context"] * 3


@pytest.mark.parametrize("n_sessions", [None, 2])
def test_an_agent_of_prompts_takes_texts_only(plugin, n_sessions, make_task):
    agent = make_agent("someones_agents:Reads", make_task(), n_sessions=n_sessions)
    prompts = "What is 2 + 2?" if n_sessions is None else np.array(["What is 2 + 2?", "Why?"], dtype=object)
    np.testing.assert_array_equal(agent.select_action(prompts), 2 if n_sessions is None else [2, 0])
    agent.update(prompts, np.zeros(n_sessions or 1, dtype=int), np.zeros(n_sessions or 1))
    with pytest.raises(ValueError, match=r"observation must be . text\(s\), the prompt of each session"):
        agent.select_action(np.zeros(5))


def test_predict_reads_one_prompt_or_several(plugin, make_task):
    agent = make_agent("someones_agents:Reads", make_task())
    assert agent.predict("2 or 3?")[0] == 2
    np.testing.assert_array_equal(agent.predict(["2 or 3?", "Why?"], deterministic=True)[0], [2, 0])


def test_plugin_routes_one_session(plugin, make_task):
    agent = make_agent(plugin, make_task(), bar=0.2)
    agent.update(None, 0, 0.1)
    assert agent.select_action(None) == 1


def test_plugin_for_one_session_is_saved_and_loaded(plugin, make_task, tmp_path):
    agent = make_agent(plugin, make_task(), bar=0.2)
    agent.update(None, 2, 0.1)
    agent.save(tmp_path / "agent.npz")
    loaded = type(agent).load(tmp_path / "agent.npz", make_task())
    assert (loaded.bar, loaded.select_action(None)) == (0.2, 3)


def test_plugin_for_one_session_is_lifted_to_a_batch(plugin, make_task):
    agent = make_agent(plugin, make_task(), n_sessions=3, seed=0)
    assert agent.observation == "context"
    seen = np.eye(5)[:3]
    outcome = {"cost_usd": np.array([1.0, 2.0, 3.0])}
    agent.update(seen, [0, 1, 3], [0.9, 0.1, 0.1], outcome)
    np.testing.assert_array_equal(agent.select_action(seen), [0, 2, 0])
    np.testing.assert_array_equal(agent.action_probabilities(seen), np.eye(4)[[0, 2, 0]])
    np.testing.assert_array_equal(agent.committed_action, [-1, -1, -1])
    assert agent.agents[1]._last_outcome == {"cost_usd": 2.0}
    agent.update(seen, [0, 1, 3], [0.9, 0.1, 0.1], outcome, probability=[0.5, 0.25, 1.0])
    assert agent.agents[1]._last_probability == 0.25


def test_a_probability_is_told_to_those_who_take_it(plugin, make_task):
    agent = make_agent("someones_agents:Duck", make_task(), n_sessions=2)
    agent.update(None, [0, 1], [0.5, 0.5], probability=[0.5, 0.5])
    with pytest.raises(ValueError, match=r"probability must be 2 number\(s\) above 0 and at most 1"):
        agent.update(None, [0, 1], [0.5, 0.5], probability=[0.5, 0.0])


def test_plugin_that_hands_its_keyword_arguments_on_runs_a_batch_however_it_was_written(plugin, make_task):
    one = make_agent("someones_agents:HandsOnOneSession", make_task(), n_sessions=3, seed=0)
    for turn in range(5):
        np.testing.assert_array_equal(one.select_action(None), [turn % 4] * 3)
        one.update(None, [0, 1, 2], [0.1, 0.2, 0.3])
    assert make_agent("someones_agents:HandsOnOneSession", make_task()).select_action(None) == 0
    many = make_agent("someones_agents:HandsOnSessions", make_task(), n_sessions=3, seed=0)
    many.update(None, [3, 1, 2], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(many.select_action(None), [3, 1, 2])
    assert many.n_sessions == 3
    assert not hasattr(many, "agents")


def test_hyperparameters_may_be_ordinary_arguments(plugin, make_task, tmp_path):
    agent = make_agent("someones_agents:Ordinary", make_task(), epsilon=0.3)
    assert type(agent).hyperparameters() == {"epsilon": 0.1}
    agent.save(tmp_path / "agent.npz")
    assert type(agent).load(tmp_path / "agent.npz", make_task()).epsilon == 0.3
    assert make_agent("someones_agents:Ordinary", make_task(), n_sessions=2, epsilon=0.3).agents[1].epsilon == 0.3


def test_plugin_that_is_fitted_is_fitted_once_for_all_sessions_of_a_batch(
    tmp_path, monkeypatch, make_task, make_training_table
):
    (tmp_path / "someones_router.py").write_text(ROUTER)
    monkeypatch.syspath_prepend(tmp_path)
    table = make_training_table(make_task())
    agent = make_agent("someones_router:BestOnAverage", make_task(), n_sessions=3)
    assert (agent.protocol(), agent.feedback) == ("pretrained", "full")
    agent.fit(table)
    assert len(sys.modules["someones_router"].N_FITS) == 1
    np.testing.assert_array_equal(agent.select_action(np.ones((3, 5))), [table.rewards.mean(axis=0).argmax()] * 3)
    agent.update(np.ones((3, 5)), [0, 1, 1], [0.0, 0.0, 0.0])
    assert [row.counts for row in agent.agents] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
    assert len({draw for row in agent.agents for draw in row.throw()}) == 6
    sys.modules.pop("someones_router")


def test_a_class_that_only_has_the_two_methods_routes_too(plugin, make_task, tmp_path):
    duck = "someones_agents:Duck"
    assert agent_class(duck).hyperparameters() == {"bonus": 0.0}
    agent = make_agent(duck, make_task(), n_sessions=3, seed=0, bonus=1.0)
    agent.update(None, [3, 1, 2], [0.5, 0.5, 0.5], {"cost_usd": np.zeros(3)})
    np.testing.assert_array_equal(agent.select_action(None), [3, 1, 2])
    with pytest.raises(NotImplementedError, match="Duck gives no action probabilities"):
        agent.action_probabilities(None)
    with pytest.raises(ValueError, match=r"Duck\.select_action must take action_mask where LLMs may be unavailable"):
        agent.select_action(None, [1, 1, 0, 1])
    with pytest.raises(NotImplementedError, match="Duck is saved by its own means"):
        make_agent(duck, make_task()).save(tmp_path / "duck.npz")
    with pytest.raises(
        ValueError, match=r"Unknown hyperparameter of someones_agents:Duck 'bonu'. Did you mean 'bonus'"
    ):
        make_agent(duck, make_task(), bonu=1.0)


def test_lifted_sessions_have_seeds_of_their_own(plugin, make_task):
    agents = make_agent(plugin, make_task(), n_sessions=3, seed=0).agents
    assert len({agent._rng.random() for agent in agents}) == 3


def test_a_lifted_sessions_model_does_not_depend_on_those_beside_it(plugin, make_task, make_training_table):
    table = make_training_table(make_task())
    batches = [
        make_agent("someones_agents:FitsByChance", make_task(), n_sessions=len(seeds), seed=SessionSeeds(1, seeds))
        for seeds in ((5, 6), (6,))
    ]
    for batch in batches:
        batch.fit(table)
    beside, alone = (batch.agents[-1] for batch in batches)
    assert beside.weight == alone.weight
    assert beside._rng.random() == alone._rng.random()


def test_lifted_batch_says_how_to_save_it(plugin, make_task, tmp_path):
    with pytest.raises(NotImplementedError, match="save its agents"):
        make_agent(plugin, make_task(), n_sessions=3).save(tmp_path / "agent.npz")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_module:Agent", "No module named 'no_such_module'"),
        ("someones_agents:Missing", "has no attribute 'Missing'"),
        (
            "someones_agents:not_an_agent",
            r"must be a subclass .*, or a class with select_action\(observation\) and update",
        ),
    ],
)
def test_broken_plugins_are_refused(plugin, name, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        agent_class(name)


def test_the_folder_refuses_to_be_a_second_copy():
    root = Path(registry.__file__).parents[1]
    command = [sys.executable, "-c", "import agents"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "Import the agents as `llm_routing_env.agents`" in result.stderr
