"""One learner lives through the train split, or is fitted on it, and is kept in a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.utils import seeding

from llm_routing_env.agents import AGENTS, ASKING_AGENTS, Agent, agent_class, make_agent, observation_of
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.registry import require_hyperparameters
from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.past import past_seed, read_past
from llm_routing_env.evaluation.router import Learned, Router, learned_on
from llm_routing_env.evaluation.setting import ROUTING, Setting
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.train_split import train_split

OURS = "the command's to give: --seed decides"  # what no agent's hyperparameter is
JUDGED = "test"  # the split that no past may have queries of
OnProgress = Callable[[int, int], None]  # told how many queries were routed, and how many will be


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Attributes:
        agent: The agent.
        learned: What it learned on, in all.
        n_queries: Queries that it learned from now.
        mean_reward: Of the queries that it routed now; None where it routed none.
    """

    agent: Agent
    learned: Learned
    n_queries: int
    mean_reward: float | None = None


def train(
    agent: str | Router,
    *,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    n_queries: int | None = None,
    log: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
    **problem: Any,
) -> Trained:
    """Let an agent learn on the train split of a table, of bandit feedback as one lifelong learner would.

    It routes each query once, contexts mixed, in random order; after the last one, again in another order. Agents
    of full information are fitted on all outcomes of the split instead.

    Args:
        agent: A registered name; or a router, which goes on where it stopped.
        seed: Of the agent, and of the order of the queries; a router keeps its own.
        parameters: Hyperparameters; a router keeps its own.
        n_queries: How many it routes now; None: up to the end of the split.
        log: File of a log that it learns from instead.
        on_progress: Told after every query.
        problem: Arguments of `PickLLMEnv`: table, reward, weights, scorer, ...

    Raises:
        ValueError: For what cannot be, such as a router of other LLMs.
    """
    require_whole("seed", seed, 0)
    resumed = agent if isinstance(agent, Router) else None
    name = resumed.learned.agent if resumed else str(agent)
    require_routing(name)
    if name not in AGENTS:
        hint = "Files name no code that would be run: train an agent of your own in Python, and agent.save it."
        raise unknown_name("agent", name, AGENTS, hint)
    given = {} if parameters is None else dict(parameters)
    require_hyperparameters(name, given, OURS)
    observation = resumed.observation if resumed else observation_of(name, given)
    _require_possible(name, n_queries, log)
    setting = Setting(problem, seed=resumed.learned.seed if resumed else seed)
    train_split(load_table(setting.table), "there is nothing to learn from")
    faced = setting.before().problem(observation)
    if resumed:
        learner = resumed.learner(faced)
        of_here = resumed.learned.table["sha256"] == faced.table.sha256
        n_before, n_routed = resumed.learned.queries, resumed.learned.routed if of_here else 0
        _require_more(resumed, learner)
    else:
        learner = make_agent(name, faced.task, seed=setting.agent_seed(name, "life/0"), **given)
        n_before = n_routed = 0
    routed, rewards = 0, list[float]()
    if log is not None:
        past = read_past(log, faced, judged=JUDGED)
        learner.fit_log(past)
        n_new = len(past.actions)
    elif learner.feedback == "full":
        if resumed is None:
            learner.fit(faced.training_table(learner))
        n_new = len(faced.queries_of(MIXED))
    else:
        n_train = len(faced.queries_of(MIXED))
        n_new = routed = n_train - n_routed % n_train if n_queries is None else n_queries
        for done, reward in enumerate(_live(learner, faced, setting.seed, n_routed, n_new), start=1):
            rewards.append(reward)
            on_progress(done, n_new)
    learned = learned_on(faced, name, queries=n_before + n_new, routed=n_routed + routed, seed=setting.seed)
    return Trained(learner, learned, n_new, float(np.mean(rewards)) if rewards else None)


def require_routing(name: str) -> None:
    """Raise ValueError for an agent that was not made for `PickLLM-v0`, as nothing here but comparisons has another."""
    environment = agent_class(name).environment if name in AGENTS | ASKING_AGENTS else ROUTING
    if environment != ROUTING:
        raise ValueError(
            f"{name} was made for {environment}, and this is {ROUTING}: pickllm compare --env {environment} has it."
        )


def _require_possible(name: str, n_queries: int | None, log: str | None) -> None:
    if n_queries is not None and (type(n_queries) is not int or n_queries < 1):
        raise ValueError(f"--lifetime-queries must be 1 or more and a whole number, got {n_queries!r}.")
    if log is not None and n_queries is not None:
        raise ValueError("--from-log gives a past, and so does --lifetime-queries: leave one out.")
    if agent_class(name).feedback == "full" and n_queries is not None:
        raise ValueError(
            f"{name} is fitted on every LLM's outcome of the whole train split: leave --lifetime-queries out."
        )
    if log is not None and "logged" not in agent_class(name).protocols():
        raise ValueError(f"{name} learns nothing from a log: leave --from-log out.")


def _require_more(router: Router, agent: Agent) -> None:
    """Refuse to fit again what is fitted once, unless its pool has grown."""
    if agent.feedback == "full" and len(router.header["llm_names"]) == agent.task.n_actions:
        raise ValueError(
            f"{router.path} holds a {router.learned.agent}, which is fitted once and for all: without --resume it is "
            "fitted anew."
        )


def _live(agent: Agent, problem: RoutingProblem, seed: int, n_before: int, n_queries: int) -> Iterator[float]:
    """Let an agent route further queries of its life, and yield the reward of each.

    Args:
        agent: For one session.
        problem: Of the train split, with the agent's observations.
        seed: Of the life: the first time it goes through the split it does so as the first lifelong learner would.
        n_before: How many queries it has routed.
        n_queries: How many it is to route.
    """
    n_train = len(problem.queries_of(MIXED))
    for lived in range(n_before, n_before + n_queries):
        times, step = divmod(lived, n_train)
        if step == 0 or lived == n_before:
            session = problem.draw_session(seeding.np_random(past_seed(seed, 0, times))[0], MIXED)
        if step == 0:
            agent.begin_session()
        query, repeat = int(session.queries[step]), int(session.repeats[step])
        mask = None if session.available is None else session.available[step]
        observation = problem.observations[query]
        action = agent.select_action(observation, mask)
        cell = (query, action, repeat)
        reward, cells = float(problem.reward_table.rewards[cell]), problem.cells
        measures = {"accuracy": cells.accuracy, "cost_usd": cells.cost_usd, "latency_s": cells.latency_s}
        agent.update(observation, action, reward, {name: float(values[cell]) for name, values in measures.items()})
        yield reward
