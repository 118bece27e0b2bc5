"""What a fitted router does by each preference between accuracy, cost and latency."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from llm_routing_env.agents import Agent, make_agent
from llm_routing_env.agents.parts.task import WITH_PREFERENCE
from llm_routing_env.envs.objectives import Objectives
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.contestants import BATCH_SIZE, AgentContestant, Training, frozen_policy
from llm_routing_env.evaluation.sessions import Floats
from llm_routing_env.evaluation.setting import Setting


def policies_by_preference(
    contestant: AgentContestant, setting: Setting, preferences: Floats, training: Training
) -> Iterator[Floats]:
    """Yield the policy of one training for each preference, each of shape (rows, LLMs).

    An agent that goes by the preference in its observation is fitted once; another one is fitted for each of them anew,
    to the objectives weighed by it.

    Args:
        contestant: The agent, of the protocol "pretrained".
        setting: What it faces, with the additive reward.
        preferences: Shape (preferences, 3).
        training: Which of the trainings.
    """
    if not contestant.sees_preferences:
        for preference in preferences.tolist():
            weighed = replace(setting, options={**setting.options, "weights": preference})
            policy = contestant.run(weighed, training, lambda n_queries: None)
            assert isinstance(policy, np.ndarray)
            yield policy
        return
    problem = setting.problem(contestant.observation.removesuffix(WITH_PREFERENCE))
    agent = seeing_preferences(contestant, setting, problem, training)
    agent.fit(problem.training_table(agent))
    for preference in preferences:
        shown = np.tile(preference.astype(np.float32), (len(problem.observations), 1))
        yield frozen_policy(agent, problem, np.concatenate([problem.observations, shown], axis=1))


def seeing_preferences(
    contestant: AgentContestant, setting: Setting, problem: RoutingProblem, training: Training
) -> Agent:
    """Return an agent that goes by the preference in its observation, not fitted yet.

    Raises:
        ValueError: If the agent cannot be made, or the table lacks costs or latencies.
    """
    task = Objectives(problem, "dirichlet").task
    given = dict(contestant.parameters)
    if not contestant.observation.endswith(WITH_PREFERENCE):
        given["observation"] = task.observation
    seed = setting.agent_seed(contestant.agent, f"training/{training.number}")
    n_sessions = max(min(training.n_queries, BATCH_SIZE), 1)
    return make_agent(contestant.agent, task, n_sessions=n_sessions, seed=seed, **given)
