"""LaGR-SEQ's cube stacking (arXiv 2308.13542), with `advisor_gate` as the learner that decides when to ask GPT-4.

    python benchmarks/published/cube_stacking.py cube_stacking.json

The file has GPT-4's recorded answers to stacks of 1 to 8 right cubes, ten each: `Cube_stacking/cache0.0` of
https://github.com/GKthom/LaGRSEQ as JSON. A Q-learner stacks eight cubes in a given order, one a step, and a wrong
cube is taken off again; whenever a cube more is right GPT-4 may be asked for the whole stack, and a right answer is
carried out. The paper shows curves and no numbers, so what is held against is what follows from the answers: they are
right after 3 to 6 cubes, so asking always takes 3 calls an episode, and a perfect gate 1.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from recomputed import Row, checked, publish

from llm_routing_env.agents import RoutingTask, make_agent
from llm_routing_env.agents.advisor_gate import AdvisorGate
from llm_routing_env.agents.parts.ask_view import size_of_asks, write_asks

SHA256 = "04aa84c0995e5e27e8737da3b53d443d410737094809972320f4606e94373fcd"
TARGET = (4, 5, 6, 0, 1, 2, 3, 7)
LEARNER, GPT4 = 0, 1
RIGHT_AFTER = (3, 4, 5, 6)  # cubes
HORIZON, GAMMA, STEP, LEAST_EPSILON = 50, 0.95, 0.1, 0.05  # the repository's
MOST_CALLS = 1.14  # of a gate that learns, in an episode

Answers = dict[tuple[int, ...], list[tuple[int, ...]]]


def main(
    answers: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="cube_stacking.json.")],
    seeds: Annotated[int, typer.Option(min=1, help="Learners.")] = 20,
    episodes: Annotated[int, typer.Option(min=1, help="Stacks of each.")] = 100,
) -> None:
    """Recompute how often GPT-4 is right, and how often it is asked."""
    told: Answers = {}
    for stack, proposed in json.loads(checked(answers, SHA256))["pairs"]:
        told.setdefault(tuple(stack), []).append(tuple(proposed))
    rows = []
    for stack, proposals in sorted(told.items(), key=lambda pair: len(pair[0])):
        right = sum(proposed == TARGET for proposed in proposals) / len(proposals)
        rows.append(
            Row.near(f"GPT-4 right, so many cubes being right: {len(stack)}", float(len(stack) in RIGHT_AFTER), right)
        )
    for name, expected, low, high in (
        ("always", 3.0, 2.9, 3.0),
        ("gate", 1.0, 1.0, MOST_CALLS),
        ("never", 0.0, 0.0, 0.0),
    ):
        calls, right = np.mean([stacked(told, name, seed, episodes) for seed in range(seeds)], axis=0)
        rows.append(Row(f"{name}: calls per episode", expected, float(calls), low, high))
        if calls:
            perfect = 1.0 if name == "gate" else 1 / 3
            rows.append(Row(f"{name}: right per call", perfect, float(right / calls), 0.85 if name == "gate" else 0.3))
    publish("cube_stacking", "LaGR-SEQ: stacking cubes", rows, (SHA256,))


def stacked(told: Answers, asks: str, seed: int, episodes: int) -> tuple[float, float]:
    """Return calls and right answers per episode, of a learner that asks "always", "never", or when its "gate" says."""
    rng, values = np.random.default_rng(seed), {}  # type: ignore[var-annotated]
    gate = make_gate(seed) if asks == "gate" else None
    calls = right = 0
    for episode in range(episodes):
        epsilon = max(1 / (episode + 1), LEAST_EPSILON)
        stack, n_seen = (), 0
        for _ in range(HORIZON):
            stack = learned_step(values, stack, epsilon, rng)
            if len(stack) == len(TARGET):
                break
            if len(stack) <= n_seen or stack not in told:
                continue
            n_seen = len(stack)
            if asks == "always" or (gate is not None and wants(gate, n_seen)):
                is_right = told[stack][rng.integers(len(told[stack]))] == TARGET
                calls, right = calls + 1, right + is_right
                if gate is not None:
                    hear(gate, n_seen, is_right=is_right)
                if is_right:
                    break
    return calls / episodes, right / episodes


def learned_step(values: Any, stack: tuple[int, ...], epsilon: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Put a cube on the stack, or take one off, and learn from it; return the stack, without a wrong cube."""
    worth = values.setdefault(stack, np.zeros(len(TARGET) + 1))
    action = int(rng.integers(len(worth))) if rng.random() <= epsilon else int(worth.argmax())
    while action > 0 and action - 1 in stack:
        action = int(rng.integers(len(worth)))
    new = stack[:-1] if action == 0 else (*stack, action - 1)
    reward = _height(new) - _height(stack) + (new == TARGET)
    after = values.setdefault(new, np.zeros(len(worth)))
    worth[action] += STEP * (reward + GAMMA * after.max() - worth[action])
    return stack if new and new[-1] != TARGET[len(new) - 1] else new


def _height(stack: tuple[int, ...]) -> int:
    return len(stack) * sum(cube == wanted for cube, wanted in zip(stack, TARGET, strict=False))


def make_gate(seed: int) -> AdvisorGate:
    """Return a gate that sees how many cubes are right, and learns from the paper's signal."""
    size = len(TARGET) + size_of_asks(2, 0)
    task = RoutingTask(3, size, ("learner", "gpt-4"), (0.0, 1.0), (-1.0, 1.0))
    gate = make_agent("advisor_gate", task, seed=seed, base="learner", advisor="gpt-4", signal="lagr")
    assert isinstance(gate, AdvisorGate)
    return gate


def wants(gate: AdvisorGate, n_right: int) -> bool:
    """Say whether the gate asks GPT-4; where it does not, it learns that at once."""
    seen = observed(n_right)
    asks = int(gate.select_action(seen)) == GPT4
    if not asks:
        gate.update(seen, LEARNER, 0.0, outcome={"accuracy": 0.0})
    return asks


def hear(gate: AdvisorGate, n_right: int, *, is_right: bool) -> None:
    """Tell the gate what became of its call."""
    gate.update(observed(n_right), GPT4, 0.0, outcome={"accuracy": 0.0})
    accepted = observed(n_right, asked=True)
    gate.update(accepted, GPT4, float(is_right), outcome={"accuracy": float(is_right)})


def observed(n_right: int, *, asked: bool = False) -> np.ndarray:
    """Return the gate's observation: how many cubes are right, and that the learner was asked, perhaps GPT-4 too."""
    order = np.array([[1, 2 if asked else 0]])
    group = np.array([[1, 2 if asked else 0]])
    asks = write_asks(order, group, np.where(order > 0, 0.5, 0.0), (), np.array([False]))[0]
    return np.concatenate([np.eye(len(TARGET))[n_right - 1], asks])


if __name__ == "__main__":
    typer.run(main)
