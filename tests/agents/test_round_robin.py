"""Turn-taking."""

from llm_routing_env.agents import make_agent


def ask(agent, mask=None):
    action = agent.select_action(None, mask)
    agent.update(None, action, 0.0)
    return action


def test_arms_take_turns(make_task):
    agent = make_agent("round_robin", make_task(3))
    assert [ask(agent) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_turns_are_taken_before_rewards_come(make_task):
    agent = make_agent("round_robin", make_task(3))
    assert [agent.select_action(None) for _ in range(4)] == [0, 1, 2, 0]


def test_unavailable_arms_are_passed_over(make_task):
    agent = make_agent("round_robin", make_task(3))
    assert [ask(agent, [1, 0, 1]) for _ in range(6)] == [0, 2, 2, 0, 2, 2]
