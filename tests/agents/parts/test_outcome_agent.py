"""What agents on outcomes know and measure; each test runs on all of them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo, make_agent
from llm_routing_env.rewards.additive import Additive
from llm_routing_env.rewards.ratio import Ratio

NAMES = ["outcome_thompson", "outcome_ucb", "outcome_linear"]
FORMS = {"additive": Additive, "pickllm": Ratio}
# Settings under which nothing is left to learn of accuracy.
CERTAIN = {
    "outcome_thompson": {"prior_pulls": 1e12},
    "outcome_ucb": {"prior_pulls": 1e12},
    "outcome_linear": {"intercept_deviation": 1e-6, "feature_deviation": 1e-6},
}
pytestmark = pytest.mark.parametrize("name", NAMES)


@dataclass
class Pool:
    """LLMs whose answers always cost and take the same."""

    cost_usd: np.ndarray
    latency_s: np.ndarray
    reward: object

    def task(self, make_task, n_contexts=1, **changes):
        llms = tuple(
            LLMInfo(f"llm{arm}", expected_cost_usd=cost, expected_latency_s=latency)
            for arm, (cost, latency) in enumerate(zip(self.cost_usd, self.latency_s, strict=True))
        )
        return make_task(len(llms), n_contexts, llms=llms, reward=self.reward, **changes)

    def expected(self, accuracy):
        """Return each LLM's mean reward, shape (..., LLMs)."""
        wrong, right = (self.reward(np.full_like(self.cost_usd, end), self.cost_usd, self.latency_s) for end in (0, 1))
        return (1 - accuracy) * wrong + accuracy * right

    def answer(self, action, right):
        """Return reward and outcome."""
        outcome = {"accuracy": right, "cost_usd": self.cost_usd[action], "latency_s": self.latency_s[action]}
        return self.reward(*outcome.values()), outcome


def drawn_pool(rng, n_llms=4, form="additive"):
    kept = {"cost_scale_usd": 1e-3, "max_cost_usd": 1e-2, "max_latency_s": 10.0}
    reward = FORMS[form](form=form, weights=(1.0, 0.5, 0.5), **kept)
    return Pool(10 ** rng.uniform(-5, -3, n_llms), 10 ** rng.uniform(-1, 1, n_llms), reward)


@pytest.fixture
def accuracy_alone(make_task):
    """Return a task of two LLMs, where an answer is worth its accuracy."""
    return make_task(2, 1)


def seen(n_sessions=None):
    return np.ones(1) if n_sessions is None else np.ones((n_sessions, 1))


def told(accuracy, cost_usd=1e-3, latency_s=1.0):
    return {"accuracy": accuracy, "cost_usd": cost_usd, "latency_s": latency_s}


@pytest.mark.parametrize("form", FORMS)
def test_with_accuracy_known_it_is_optimal_at_once(name, form, make_task):
    rng = np.random.default_rng(0)
    for _ in range(30):
        pool, accuracy = drawn_pool(rng, form=form), rng.random(4)
        agent = make_agent(name, pool.task(make_task), seed=0, prior_accuracy=accuracy.tolist(), **CERTAIN[name])
        worth = pool.expected(accuracy)
        assert worth[agent.select_action(seen())] > worth.max() - 1e-3


def open_arms(agent, n_sessions):
    """Return which arms an agent may still ask."""
    if hasattr(agent, "_scores"):
        return agent._scores(seen(n_sessions), None)[2]
    return agent._believed(seen(n_sessions)).open_arms(None)


def test_the_best_llm_is_never_out(name, make_task):
    rng = np.random.default_rng(1)
    n_out = 0
    for problem in range(20):  # of other costs and latencies, each with 50 draws of the accuracies
        pool = drawn_pool(rng, form=["additive", "pickllm"][problem % 2])
        accuracy = rng.random((50, 4))
        best = pool.expected(accuracy).argmax(axis=1)
        agent = make_agent(name, pool.task(make_task), n_sessions=50, seed=problem)
        for _ in range(150):
            action = agent.select_action(seen(50))
            right = (rng.random(50) < accuracy[np.arange(50), action]).astype(float)
            reward, outcome = pool.answer(action, right)
            agent.update(seen(50), action, reward, outcome)
            is_open = open_arms(agent, 50)
            assert is_open[np.arange(50), best].all()
        n_out += (~is_open).sum()
    assert n_out > 100  # and others are: of 4,000


def test_who_is_worse_with_every_answer_right_is_never_asked(name, make_task):
    reward = Additive(
        form="additive", weights=(0.3, 1.0, 0.0), cost_scale_usd=1e-3, max_cost_usd=1e-3, max_latency_s=1.0
    )
    pool = Pool(np.array([1e-4, 1e-3]), np.ones(2), reward)  # wrong and cheap: -0.1; right and dear: -0.7
    agent = make_agent(name, pool.task(make_task), n_sessions=200, seed=0)
    for _ in range(5):
        action = agent.select_action(seen(200))
        assert (action == 0).all()
        agent.update(seen(200), action, *pool.answer(action, np.zeros(200)))
    assert (agent.select_action(seen(200), [0, 1]) == 1).all()  # unless there is no other


@pytest.mark.parametrize(
    ("prior_accuracy", "expected"),
    [(0.5, [0.4, 0.6]), (0.9, [0.8, 0.95]), ([0.2, 0.9], [0.2, 0.9])],  # nobody is sure; what is given of each stands
)
def test_dearer_llms_are_likelier_right_by_the_slope(name, prior_accuracy, expected, make_task):
    task = make_task(2, 1, expected_cost_usd=(1e-4, 1e-2))  # each a factor 10 off the mean
    agent = make_agent(name, task, prior_accuracy=prior_accuracy, price_slope=0.1)
    np.testing.assert_allclose(agent._prior[:, 0], expected)


def test_free_llms_are_taken_for_the_mean_one(name, make_task):
    agent = make_agent(name, make_task(3, 1, expected_cost_usd=(0.0, 1e-4, 1e-2)), price_slope=0.1)
    np.testing.assert_allclose(agent._prior[:, 0], [0.5, 0.4, 0.6])


def test_costs_and_latencies_that_are_not_known_are_taken_for_the_others_mean(name, make_task):
    pool = drawn_pool(np.random.default_rng(0), 3)
    task = pool.task(make_task)
    untold = replace(task.llms[2], expected_cost_usd=None, expected_latency_s=None)
    agent = make_agent(name, replace(task, llms=(*task.llms[:2], untold)))
    mean = [numbers[:2].mean(keepdims=True) for numbers in (pool.cost_usd, pool.latency_s)]
    assert agent._prior[2, 1] == pytest.approx(pool.reward(np.zeros(1), *mean)[0])


def test_nothing_need_be_known_of_what_is_not_weighed(name, accuracy_alone):
    agent = make_agent(name, replace(accuracy_alone, llms=(LLMInfo("llm0"), LLMInfo("llm1"))), seed=0)
    for _ in range(20):
        action = agent.select_action(seen())
        agent.update(seen(), action, float(action), told(float(action), np.nan, np.nan))
    assert agent.action_probabilities(seen())[1] > 0.9


def test_what_a_failed_call_costs_is_learned(name, make_task):
    """Its accuracy is that of a wrong answer, and its reward far below: one in four fails, the others are right."""
    agent = make_agent(name, make_task(2, 1, reward_bounds=(-10.0, 1.0)), seed=0)
    for step in range(40):
        agent.update(seen(), 0, -10.0 if step % 4 == 0 else 1.0, told(float(step % 4 > 0)))
        agent.update(seen(), 1, 0.5, told(0.5))
    assert agent.action_probabilities(seen())[1] > 0.99


def test_a_reward_that_is_curved_in_accuracy_is_learned(name, make_task):
    def squared(accuracy, cost_usd, latency_s):
        return np.square(accuracy)

    agent = make_agent(name, make_task(2, 1, reward=squared), seed=0)
    for step in range(100):
        for arm, accuracy in ((0, 0.6), (1, float(step % 2))):  # 0.36 beside 0.5
            agent.update(seen(), arm, accuracy**2, told(accuracy))
    assert agent.action_probabilities(seen())[1] > 0.9


def test_a_reward_alone_tells_the_accuracy(name, make_task):
    pool = drawn_pool(np.random.default_rng(3))
    agents = [make_agent(name, pool.task(make_task), seed=0) for _ in range(2)]
    for arm, right in [(0, 1.0), (1, 0.0), (0, 0.0), (3, 1.0)]:
        reward, outcome = pool.answer(np.array([arm]), np.array([right]))
        agents[0].update(seen(), arm, reward[0], {key: value[0] for key, value in outcome.items()})
        agents[1].update(seen(), arm, reward[0])
    for key, array in agents[0].state().items():
        np.testing.assert_allclose(agents[1].state()[key], array, rtol=0, atol=1e-12)


def test_rows_that_are_told_outcomes_equal_single_agents(name, make_task):
    pool, rng = drawn_pool(np.random.default_rng(4)), np.random.default_rng(5)
    task = pool.task(make_task, n_contexts=3)
    task = replace(task, reward_bounds=pool.reward.bounds)
    batch = make_agent(name, task, n_sessions=3, seed=0, discount=0.99)
    singles = [make_agent(name, task, seed=0, discount=0.99) for _ in range(3)]
    for _ in range(60):
        contexts, action, right = np.eye(3)[rng.integers(3, size=3)], rng.integers(4, size=3), rng.random(3)
        reward, outcome = pool.answer(action, right)
        reward = np.where(rng.random(3) < 0.2, pool.reward.bounds[0], reward)  # some calls fail
        batch.update(contexts, action, reward, outcome)
        for row, single in enumerate(singles):
            one = {key: value[row] for key, value in outcome.items()}
            single.update(contexts[row], int(action[row]), float(reward[row]), one)
    assert batch.failed_calls.failures.any()
    expected = [single.action_probabilities(x) for single, x in zip(singles, contexts, strict=True)]
    np.testing.assert_allclose(batch.action_probabilities(contexts), expected, rtol=0, atol=1e-12)


def test_who_forgets_follows_an_llm_that_changes(name, accuracy_alone):
    found = {}
    for discount in (1.0, 0.98):
        rng = np.random.default_rng(0)
        agent = make_agent(name, accuracy_alone, n_sessions=50, seed=0, discount=discount)
        for step in range(300):
            action = agent.select_action(seen(50))
            right = (rng.random(50) < np.where(action == 0, 0.9 if step < 150 else 0.1, 0.5)).astype(float)
            agent.update(seen(50), action, right, told(right, np.ones(50), np.ones(50)))
            found[discount, step] = (action == 1).mean()
    assert np.mean([found[0.98, step] for step in range(200, 250)]) > 0.6
    assert np.mean([found[1.0, step] for step in range(200, 250)]) < 0.3


def test_a_new_llm_leaves_the_others_as_they_were(name, make_task):
    pool = drawn_pool(np.random.default_rng(6))
    task = replace(pool.task(make_task), reward_bounds=pool.reward.bounds)
    order = [2, 0, 3]
    few = Pool(pool.cost_usd[order], pool.latency_s[order], pool.reward).task(make_task)
    few = replace(
        few,
        llm_names=tuple(task.llm_names[arm] for arm in order),
        llms=tuple(task.llms[arm] for arm in order),
        reward_bounds=task.reward_bounds,
    )
    small, whole = (make_agent(name, known, seed=0, price_slope=0.0) for known in (few, task))
    for place, right in [(0, 1.0), (1, 0.0), (2, 0.0), (0, 0.0), (1, 1.0)]:
        reward, outcome = pool.answer(np.array([order[place]]), np.array([right]))
        small.update(seen(), place, reward, outcome)
        whole.update(seen(), order[place], reward, outcome)
    small.update(seen(), 1, pool.reward.bounds[0])  # a failed call
    whole.update(seen(), order[1], pool.reward.bounds[0])
    grown = small.add_llm(task)
    for key, array in whole.state().items():
        np.testing.assert_allclose(grown.state()[key], array, rtol=0, atol=1e-12)
    np.testing.assert_allclose(grown.action_probabilities(seen()), whole.action_probabilities(seen()), atol=1e-9)


@pytest.mark.parametrize("cost_usd", [1e-7, 1e-4, 1.0])
def test_of_the_known_llms_it_believes_what_it_did_whatever_the_new_one_costs(name, cost_usd, make_task):
    small = drawn_pool(np.random.default_rng(2), n_llms=3)
    large = Pool(np.append(small.cost_usd, cost_usd), np.append(small.latency_s, 1.0), small.reward)
    agent = make_agent(name, small.task(make_task), seed=0)
    for step in range(300):
        reward, outcome = small.answer(step % 3, float(step % 2))
        agent.update(seen(), step % 3, reward, outcome)
    grown = agent.add_llm(large.task(make_task))
    np.testing.assert_allclose(grown._prior[:3], agent._prior, atol=1e-12)
    assert 0.05 <= grown._prior[3, 0] <= 0.95
    again = grown.add_llm(large.task(make_task))  # what is known of each is a list by now
    np.testing.assert_allclose(again._prior, grown._prior, atol=1e-12)


def test_an_llm_cannot_be_taken_away(name, make_task):
    agent = make_agent(name, make_task(3, 1))
    with pytest.raises(ValueError, match="task must be one that still has llm2, got 'llm0, llm1'"):
        agent.add_llm(make_task(2, 1))


def test_a_task_without_reward_function_is_refused(name, accuracy_alone):
    with pytest.raises(ValueError, match=r"task.reward must be the reward as a function of accuracy, cost_usd and lat"):
        make_agent(name, replace(accuracy_alone, reward=None))


def test_actions_that_are_not_llms_are_refused(name, make_task):
    task = replace(make_task(2, 1), n_actions=3)
    with pytest.raises(ValueError, match="task must be one whose actions are its 2 LLMs, got 'n_actions=3'"):
        make_agent(name, task)


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"prior_accuracy": 1.5}, r"prior_accuracy must be a number in \[0, 1\], or 2 of them, got 1.5"),
        ({"prior_accuracy": "high"}, r"prior_accuracy must be a number in \[0, 1\], or 2 of them, got 'high'"),
        ({"prior_accuracy": [0.5, 0.5, 0.5]}, r"prior_accuracy must be a number in \[0, 1\], or 2 of them"),
        ({"price_slope": float("nan")}, "price_slope must be finite, got nan"),
        ({"discount": 0.0}, r"discount must be in \(0, 1\], got 0.0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(name, hyperparameters, said, accuracy_alone):
    with pytest.raises(ValueError, match=said):
        make_agent(name, accuracy_alone, **hyperparameters)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"accuracy": 1.0}, r"outcome must be accuracy, cost_usd, latency_s, or None, got \['accuracy'\]"),
        (told(np.nan), r"outcome\['accuracy'\] must be finite, got \[nan\]"),
    ],
)
def test_outcomes_that_say_too_little_are_refused(name, outcome, said, accuracy_alone):
    agent = make_agent(name, accuracy_alone)
    with pytest.raises(ValueError, match=said):
        agent.update(seen(), 0, 1.0, outcome)
