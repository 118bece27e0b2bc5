"""What forgetting is good for, and what it costs: Garivier and Moulines 2011, on Bernoulli arms of known laws."""

import numpy as np

from llm_routing_env.agents import make_agent

STEPS, SESSIONS = 1000, 60
# Equal exploration: sqrt(0.2 ln t / n) in each.
FORGETTING = {
    "sliding_window_ucb": {"window": 200, "exploration": 0.2},
    "discounted_ucb": {"discount": 0.99, "exploration": 0.05},
}


def regrets(make_task, *, swaps):
    """Return the mean regret of a session of each agent; after half of it the two arms may swap."""
    found = {}
    for name, given in ({"ucb1": {"c": 0.2}} | FORGETTING).items():
        agent = make_agent(name, make_task(2), n_sessions=SESSIONS, seed=1, normaliser="bounds", **given)
        rng = np.random.default_rng(0)
        chances, regret = np.array([0.8, 0.4]), 0.0
        for step in range(STEPS):
            if swaps and step == STEPS // 2:
                chances = chances[::-1]
            actions = agent.select_action(None)
            agent.update(None, actions, (rng.random(SESSIONS) < chances[actions]).astype(float))
            regret += (chances.max() - chances[actions]).mean()
        found[name] = regret
    return found


def test_after_a_swap_those_that_forget_beat_ucb1(make_task):
    found = regrets(make_task, swaps=True)
    assert all(found[name] < 0.7 * found["ucb1"] for name in FORGETTING), found


def test_while_nothing_changes_ucb1_beats_those_that_forget(make_task):
    found = regrets(make_task, swaps=False)
    assert all(found["ucb1"] < 0.7 * found[name] for name in FORGETTING), found
