"""Returns of sessions on the shipped table, kept: what a seed gives today it gives tomorrow.

A change that means to alter them bumps the environment's version and records them anew:

    python tests/envs/test_golden.py
"""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import llm_routing_env  # noqa: F401  (registers the environments)
from llm_routing_env.agents import AGENTS, make_agent, observation_of
from llm_routing_env.evaluation.agent_checks import QUICK
from llm_routing_env.observations.encoders import ENCODERS

GOLDEN = Path(__file__).with_name("golden.json")
FORMS = ("pickllm", "additive")
LENGTH, SEED = 60, 3


def of_agent(name: str, reward: str) -> float:
    """Return what an agent earns in one session."""
    observation = observation_of(name, {})
    env = gym.make("PickLLM-v0", max_episode_steps=LENGTH, observation=observation, reward=reward)
    agent = make_agent(name, env.unwrapped.task, seed=SEED, **QUICK.get(name, {}))
    if agent.protocol() == "pretrained":
        table = env.unwrapped.problem.training_table(agent)
        agent.fit(table.part(queries=slice(None, None, 6)))  # all contexts, and soon fitted
    seen, _ = env.reset(seed=SEED)
    total, ended = 0.0, False
    while not ended:
        action = agent.select_action(seen)
        following, gained, _, ended, _ = env.step(action)
        agent.update(seen, action, gained)
        seen, total = following, total + gained
    return total


def of_observation(kind: str) -> dict[str, Any]:
    """Return what random choices earn, in a session and in four side by side, and the sum of what is seen."""
    env = gym.make("PickLLM-v0", max_episode_steps=LENGTH, observation=kind)
    actions = np.random.default_rng(SEED).integers(4, size=(LENGTH, 4))
    seen, _ = env.reset(seed=SEED)
    total, shown = 0.0, []
    for action in actions[:, 0]:
        shown.append(float(len(seen)) if isinstance(seen, str) else float(np.sum(seen, dtype=np.float64)))
        seen, gained, *_ = env.step(int(action))
        total += gained
    found = {"return": total, "seen": float(np.sum(shown))}
    if kind == "prompt":
        return found
    envs = gym.make_vec("PickLLM-v0", num_envs=4, max_episode_steps=LENGTH, observation=kind)
    envs.reset(seed=SEED)
    return found | {"returns": np.sum([envs.step(row)[1] for row in actions], axis=0).tolist()}


def kept() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("reward", FORMS)
@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_earns_what_it_earned(name: str, reward: str):
    assert of_agent(name, reward) == pytest.approx(kept()["agents"][name][reward], rel=0, abs=1e-12 * LENGTH)


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_observation_shows_what_it_showed(kind: str):
    found, expected = of_observation(kind), kept()["observations"][kind]
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-9 if name == "seen" else 0, abs=1e-12 * LENGTH), name


if __name__ == "__main__":
    agents = {name: {form: of_agent(name, form) for form in FORMS} for name in AGENTS}
    observations = {kind: of_observation(kind) for kind in ENCODERS}
    GOLDEN.write_text(json.dumps({"agents": agents, "observations": observations}, indent=1) + "\n", encoding="utf-8")
