"""Logs as data, and agents that learn from them."""

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, Agent, LoggedData, TrainingTable, agent_class, make_agent
from llm_routing_env.agents.parts.leave_one_out import merit
from llm_routing_env.agents.parts.lifting import LiftedAgent
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression

BANDITS = sorted(name for name in AGENTS if agent_class(name).feedback != "full")
FITTED = sorted(name for name in AGENTS if "logged" in agent_class(name).protocols() and name not in BANDITS)


def random_log(task, n_rows=40, seed=0, **changes):
    rng = np.random.default_rng(seed)
    given = {
        "observations": np.eye(task.observation_size)[rng.integers(task.observation_size, size=n_rows)],
        "actions": rng.integers(task.n_actions, size=n_rows),
        "rewards": rng.random(n_rows),
        "propensities": np.full(n_rows, 1 / task.n_actions),
        "outcomes": {
            "accuracy": rng.integers(0, 2, n_rows) * 1.0,
            "cost_usd": rng.uniform(1e-4, 1e-3, n_rows),
            "latency_s": rng.uniform(0.1, 1, n_rows),
        },
    }
    return LoggedData(**{**given, **changes})


@pytest.mark.parametrize("n_sessions", [None, 3])
@pytest.mark.parametrize("name", BANDITS)
def test_a_log_teaches_what_the_same_updates_teach(name, n_sessions, make_task):
    task = make_task()
    logged = random_log(task)
    told, lived = (make_agent(name, task, n_sessions=n_sessions, seed=0) for _ in range(2))
    told.fit_log(logged)
    for row in range(len(logged)):
        n = n_sessions or 1
        seen, action, reward = (
            np.repeat(values[[row]], n, axis=0) for values in (logged.observations, logged.actions, logged.rewards)
        )
        outcome = {name: np.repeat(values[row], n) for name, values in logged.outcomes.items()}
        lived.update(seen if n_sessions else seen[0], action, reward, outcome, probability=np.full(n, 0.25))
    learned = lived.state()
    learned.pop("has_past", None)  # for budget_pacer a log stands for its burn-in
    for key, array in learned.items():
        np.testing.assert_array_equal(told.state()[key], array, key)


def test_each_session_may_have_a_log_of_its_own(make_task):
    task = make_task()
    logs = [random_log(task, seed=seed) for seed in range(3)]
    batch = make_agent("linucb", task, n_sessions=3, seed=0)
    batch.fit_log(logs)
    for row, log in enumerate(logs):
        single = make_agent("linucb", task, seed=0)
        single.fit_log(log)
        np.testing.assert_allclose(batch.regressions.responses[row], single.regressions.responses[0], atol=1e-12)
    with pytest.raises(ValueError, match="expected 1 log, or 3, got 2"):
        batch.fit_log(logs[:2])
    with pytest.raises(ValueError, match="must be of one length"):
        batch.fit_log([*logs[:2], random_log(task, n_rows=7)])


def test_a_rule_that_waits_for_every_llm_is_told_who_could_be_asked(make_task):
    task = make_task(3)
    masks = np.tile([True, True, False], (4, 1))
    log = random_log(task, 4, actions=np.array([0, 1, 0, 1]), rewards=np.array([1.0, 0.0] * 2), masks=masks)
    agent = make_agent("explore_then_commit", task, pulls_per_arm=2)
    agent.fit_log(log)
    assert agent.committed_action == 0


class Counts(Agent):
    """Counts what it is told; written for one session, and for updates without a probability."""

    def __init__(self, task, *, seed=None):
        super().__init__(task, seed=seed)
        self.counts, self.begun = np.zeros(task.n_actions), np.zeros(1)

    def update(self, observation, action, reward, outcome=None):
        assert type(action) is int
        self.counts[action] += 1

    def begin_session(self):
        self.begun += 1


def test_agents_for_one_session_learn_from_logs_and_hear_of_each_session(make_task):
    task = make_task()
    log = random_log(task, 6, actions=np.array([0, 0, 1, 1, 1, 3]), sessions=np.array([0, 0, 0, 4, 4, 5]))
    batch = make_agent(f"{__name__}:Counts", task, n_sessions=2, seed=0)
    assert isinstance(batch, LiftedAgent)
    batch.fit_log(log)
    batch.begin_session()
    for agent in batch.agents:
        np.testing.assert_array_equal(agent.counts, [2, 3, 0, 1])
        assert agent.begun == 4
    batch.fit_log([log, log])
    np.testing.assert_array_equal(batch.agents[1].counts, [4, 6, 0, 2])


def test_the_routers_that_can_learn_from_a_log_do_and_the_other_says_that_it_cannot(make_task):
    assert FITTED == ["awr_router", "knn_router", "linear_router", "mlp_router", "zero_router"]
    task = make_task()
    for name in FITTED:
        agent = make_agent(name, task, n_sessions=2, seed=0)
        agent.fit_log(random_log(task, 200))
        np.testing.assert_allclose(agent.action_probabilities(np.eye(5)[:2]).sum(axis=1), 1)
        with pytest.raises(TypeError, match="one model for all sessions"):
            agent.fit_log([random_log(task), random_log(task)])
    with pytest.raises(TypeError, match="MatrixFactorisation is fitted on every LLM's outcomes of each query"):
        make_agent("matrix_factorisation", task).fit_log(random_log(task))


@pytest.mark.parametrize("name", ["linear_router", "knn_router", "mlp_router"])
def test_a_row_of_half_the_probability_counts_as_two(name, make_task):
    """What is learned from rows of propensity 1/2 and 1/4 is what is learned where the latter stand there twice."""
    task, rng = make_task(2), np.random.default_rng(3)
    log = random_log(task, 40, propensities=rng.choice([0.25, 0.5], 40), observations=rng.normal(size=(40, 5)))
    twice = np.repeat(np.arange(40), np.where(log.propensities == 0.25, 2, 1))
    fields = ("observations", "actions", "rewards")
    doubled = random_log(
        task,
        len(twice),
        **{name: getattr(log, name)[twice] for name in fields},
        outcomes={"accuracy": np.ones(len(twice))},
    )
    given = {"linear_router": {"ridge": 1e-6}, "knn_router": {"n_neighbours": 10**6}, "mlp_router": {"n_epochs": 1}}
    agents = [make_agent(name, task, seed=0, **given[name]) for _ in range(2)]
    for agent, data in zip(agents, (log, doubled), strict=True):
        agent.fit_log(data)
    if name == "mlp_router":  # its steps differ; what it starts from is each LLM's weighted mean reward
        means = [data.table(2).means("rewards") for data in (log, doubled)]
        np.testing.assert_allclose(*means)
        return
    seen = rng.normal(size=(5, 5))
    np.testing.assert_allclose(*(agent._scores(seen) for agent in agents), atol=1e-5)


def test_weights_undo_the_choices_of_who_logged(make_task):
    """A logger that asks the second LLM where it fails: its plain mean is far too low, the weighted one is right."""
    task, rng = make_task(2, observation_size=1), np.random.default_rng(0)
    n_rows = 20_000
    is_hard = rng.random(n_rows) < 0.5
    chance = np.where(is_hard, 0.9, 0.1)  # of asking the second LLM
    actions = (rng.random(n_rows) < chance).astype(np.int64)
    log = LoggedData(
        observations=np.zeros((n_rows, 1)),
        actions=actions,
        rewards=np.where(actions == 1, np.where(is_hard, 0.0, 1.0), 0.3),
        propensities=np.where(actions == 1, chance, 1 - chance),
        outcomes={"accuracy": np.ones(n_rows)},
    )
    assert log.rewards[actions == 1].mean() < 0.2
    agent = make_agent("linear_router", task)
    agent.fit_log(log)
    np.testing.assert_allclose(agent._scores(np.zeros((1, 1)))[0], [0.3, 0.5], atol=0.02)
    assert agent.select_action(np.zeros(1)) == 1


def test_weighted_leave_one_out_is_what_leaving_out_gives():
    rng = np.random.default_rng(1)
    inputs, targets, weights = rng.normal(size=(12, 3)), rng.normal(size=(12, 2)), rng.uniform(0.5, 3, 12)
    inputs[5] = inputs[4]
    groups = np.array([0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10])
    (predicted,) = predictions_left_out(inputs, targets, groups, [0.7], weights)
    for group in range(11):
        rest, left = groups != group, groups == group
        coefficients = ridge_regression(inputs[rest], targets[rest], 0.7, weights[rest])
        expected = coefficients[0] + inputs[left] @ coefficients[1:]
        np.testing.assert_allclose(predicted[left], expected, atol=1e-10)


def test_of_a_log_the_error_is_compared():
    nan = np.nan
    rewards = np.array([[1.0, nan], [nan, 0.5]])
    table = TrainingTable(
        np.zeros((2, 1)), rewards, rewards, rewards * nan, rewards * nan, weights=np.array([1.5, 0.5])
    )
    assert merit(np.array([[0.0, 9.0], [-np.inf, 1.5]]), table) == pytest.approx(-(1.5 * 1 + 0.5 * 1))
    full = TrainingTable(np.zeros((2, 1)), *[np.array([[1.0, 0.0], [0.2, 0.5]])] * 4)
    assert merit(np.array([[0.0, 9.0], [0.0, 9.0]]), full) == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": np.ones(39)}, "rewards must have 40 rows, as actions have, got 39"),
        ({"rewards": np.full(40, np.nan)}, "rewards must be finite, got nan in row 0"),
        ({"propensities": np.zeros(40)}, "propensities must be above 0 and at most 1, got 0.0 in row 0"),
        ({"propensities": np.full(40, np.nan)}, "propensities must be above 0 and at most 1, got nan in row 0"),
        ({"propensities": np.full(40, 1.1)}, "propensities must be above 0 and at most 1, got 1.1 in row 0"),
        ({"actions": np.full(40, -1)}, "actions must be LLMs, counted from 0, got -1 in row 0"),
        ({"masks": np.tile([0, 0, 0, 0], (40, 1))}, "actions must be allowed by their masks"),
        ({"outcomes": {"accuracy": np.ones(3)}}, r"outcomes\['accuracy'\] must have 40 rows"),
    ],
)
def test_what_cannot_be_is_refused(changes, message, make_task):
    with pytest.raises(ValueError, match=message):
        random_log(make_task(), **changes)


def test_a_log_in_which_an_llm_was_never_asked_fits_no_router(make_task):
    log = random_log(make_task(), actions=np.zeros(40, dtype=np.int64))
    with pytest.raises(ValueError, match="each LLM must have a training query, got none for LLM 1"):
        make_agent("linear_router", make_task()).fit_log(log)
    with pytest.raises(ValueError, match="actions must be from 0 to 1, got 3"):
        random_log(make_task(), actions=np.full(40, 3)).table(2)
    with pytest.raises(ValueError, match="outcomes must have the accuracy of each row"):
        random_log(make_task(), outcomes={}).table(4)
