"""`pickllm demo`: one session, query by query."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from gymnasium.utils import seeding
from rich.markup import escape

from llm_routing_env.agents import AGENTS, Agent, agent_class, make_agent, observation_of
from llm_routing_env.agents.parts.registry import require_hyperparameters
from llm_routing_env.agents.parts.signatures import given_mask
from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.cli.confirm import confirm
from llm_routing_env.envs.facts import MASK
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.router import SUFFIX, Router, read_router
from llm_routing_env.evaluation.sessions import tells_chances
from llm_routing_env.evaluation.train import OURS, require_routing
from llm_routing_env.logs import LogSteps
from llm_routing_env.pools.estimate import Estimate, one_llm
from llm_routing_env.stopping import IncompleteError
from llm_routing_env.terminal import Terminal
from llm_routing_env.text import printable

BAR = 12
_SHOWN = ("prompt", "llm", "response", "error", "accuracy", "cost_usd", "latency_s")


def demo(
    agent: Annotated[str, typer.Option(help="Registered agent, module:Class, or router.npz.")] = "learning_automaton",
    length: Annotated[int, typer.Option(help="Queries of the session.")] = 60,
    table: options.Table = options.TABLE,
    context: options.Context = None,
    split: options.Split = options.SPLIT,
    reward: options.RewardForm = options.FORM,
    weights: options.Weights = options.WEIGHTS,
    scenario: options.ScenarioName = None,
    backend: options.Backend = "table",
    pool: options.Pool = None,
    max_usd: options.MaxUSD = None,
    max_requests: options.MaxRequests = None,
    yes: options.Yes = False,
    param: options.Parameters = None,
    seed: options.Seed = 0,
    log: Annotated[Path | None, typer.Option(help="Also log every step, to a parquet file (docs/logs.md).")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Print one session: who was asked, what it answered, what it cost, what the agent now believes.

    Example: pickllm demo --agent thompson_gaussian --context math --length 20
    """
    router = read_router(agent) if agent.endswith(SUFFIX) else None
    require_routing(agent)
    require_whole("seed", seed, 0)
    given = _hyperparameters(agent, param, router)
    env = gym.make(
        "llm_routing_env:PickLLM-v0",
        max_episode_steps=length,
        table=table,
        context=context,
        split=split,
        reward=reward,
        weights=options.parse_weights(weights),
        scenario=scenario,
        backend=backend,
        pool=pool,
        max_usd=max_usd,
        max_requests=max_requests,
        observation=router.observation if router else observation_of(agent, given),
    )
    if backend != "table":
        estimate = _estimated(env.get_wrapper_attr("problem"), seed, length)
        confirm(estimate, max_usd=max_usd, max_requests=max_requests, yes=yes)
    task = env.get_wrapper_attr("task")
    if router is not None:
        learner = router.learner(env.get_wrapper_attr("problem"))
        learner.begin_session()
    else:
        learner = make_agent(agent, task, seed=seed, **given)
    if log is not None:
        env = LogSteps(env, log, agent=agent)
    console = Terminal(quiet=as_json)
    observation, info = env.reset(seed=seed)
    console.print(f"[bold]{escape(agent)}[/] routes {length} queries of one context: {escape(info['context'])}\n")
    done = _route(env, learner, observation, info.get(MASK), console)
    env.close()
    if log is not None and done.steps:
        console.print(f"wrote {log}", markup=False, highlight=False, soft_wrap=True)
    document = {"agent": agent, "context": info["context"], "seed": seed, "steps": done.steps}
    document |= _summary(learner, done.last_seen, task.llm_names, done.steps)
    if as_json:
        print(json.dumps(document, indent=2))
    _print_summary(console, document)
    done.require(is_live=backend != "table")


def _hyperparameters(agent: str, param: list[str] | None, router: Router | None) -> dict[str, Any]:
    """Return the agent's own; a router has those that it learned with.

    Raises:
        ValueError: For some that are none, for a router, or for an agent that has to be fitted first.
    """
    if router is None and agent in AGENTS and agent_class(agent).feedback == "full":
        fitted = f"pickllm train {agent} --out router.npz, then --agent router.npz"
        raise ValueError(f"{agent} is fitted before it routes: {fitted}.")
    given = options.parse_parameters(param, [agent]).get(agent, {})
    require_hyperparameters(agent, given, OURS)
    if router is not None and given:
        raise ValueError(f"{agent} keeps the hyperparameters that it learned with: leave --param out.")
    return given


@dataclass(frozen=True)
class _Done:
    """What came of a session.

    Attributes:
        steps: What each step gave.
        last_seen: The observation that nothing was chosen for.
        n_sent: How often live LLMs were asked.
        stopped: Why it ended too early; None: it did not.
    """

    steps: list[dict[str, Any]]
    last_seen: Any
    n_sent: int
    stopped: str | None

    def require(self, *, is_live: bool) -> None:
        """Raise what a session is that was stopped, or of which every live call failed."""
        if self.stopped is not None:
            stop = f"The session was stopped: {self.stopped}. A larger budget lets it go on to its end."
            raise IncompleteError(stop) if self.steps else RuntimeError(stop)
        if is_live and all(step["error"] for step in self.steps):
            failure = f"Every call failed, the first with: {self.steps[0]['error']}"
            raise IncompleteError(failure) if self.n_sent else RuntimeError(failure)


def _route(env: gym.Env[Any, Any], learner: Agent, observation: Any, mask: Any, console: Terminal) -> _Done:
    """Route a session that has begun to its end, and print every step."""
    steps: list[dict[str, Any]] = []
    n_sent, terminated, truncated = 0, False, False
    info: dict[str, Any] = {}
    while not truncated:
        chances = _chances(learner, observation, mask) if isinstance(env, LogSteps) else None
        action = learner.select_action(observation, **given_mask(learner.select_action, mask))
        if isinstance(env, LogSteps) and chances is not None:
            env.log_propensity(float(chances[action]))
        following, reward, terminated, truncated, info = env.step(action)
        if terminated:
            break
        outcome = {key: info[key] for key in ("accuracy", "cost_usd", "latency_s")}
        learner.update(observation, action, float(reward), outcome=outcome)
        observation, mask = following, info.get(MASK)
        n_sent += info.get("n_attempts", 1)
        steps.append({name: _plain(info[name]) for name in _SHOWN} | {"reward": float(reward)})
        console.print(_line(info, float(reward)), highlight=False, soft_wrap=True)
    return _Done(steps, observation, n_sent, info["error"] if terminated else None)


def _chances(learner: Agent, observation: Any, mask: Any) -> Any:
    """Return the probabilities of the next choice, before it is made: some are others after; None where not told."""
    if not tells_chances(type(learner)):
        return None
    return learner.action_probabilities(observation, **given_mask(learner.action_probabilities, mask))


def _estimated(problem: RoutingProblem, seed: int, length: int) -> Estimate:
    """Return what the session that a seed draws comes to."""
    assert problem.pool is not None  # a backend that is given by name asks one
    session = problem.draw_session(seeding.np_random(seed)[0], problem.context)
    asked = [problem.table.queries[query] for query in session.queries[:length].tolist()]
    return one_llm(problem.pool, asked, 1, recorded=problem.table)


def _line(info: dict[str, Any], reward: float) -> str:
    prompt, llm, said = (
        escape(printable(text)) for text in (info["prompt"], info["llm"], info["error"] or info["response"])
    )
    colour = "green" if info["accuracy"] > 0.5 else "red"
    return (
        f"{prompt}\n   [bold]{llm}[/]: [{colour}]{said}[/]  "
        f"[dim]${info['cost_usd']:.2e}, {info['latency_s'] * 1000:.0f} ms, reward {reward:.2f}[/]"
    )


def _plain(value: Any) -> Any:
    """Return a number of numpy's as Python's, which JSON can hold."""
    return value.item() if hasattr(value, "item") else value


def _summary(learner: Any, observation: Any, llm_names: tuple[str, ...], steps: list[dict[str, Any]]) -> dict[str, Any]:
    committed = learner.committed_action
    return {
        "beliefs": dict(zip(llm_names, map(float, learner.action_probabilities(observation)), strict=True)),
        "committed_to": llm_names[committed] if committed >= 0 else None,
        "total_reward": sum(step["reward"] for step in steps),
        "cost_usd": sum(step["cost_usd"] for step in steps),
    }


def _print_summary(console: Terminal, document: dict[str, Any]) -> None:
    beliefs = document["beliefs"].items()
    rows = [[escape(name), f"{chance:.3f}", "█" * round(BAR * chance)] for name, chance in beliefs]
    print_table(console, ("LLM", "probability", ""), rows, title="What the agent now believes", left=("",))
    if document["committed_to"] is not None:
        console.print(f"\ncommitted to {escape(document['committed_to'])}", highlight=False)
    console.print(f"\ntotal reward {document['total_reward']:.2f}, cost ${document['cost_usd']:.3g}", highlight=False)
