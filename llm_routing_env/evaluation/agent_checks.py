"""What every agent must do, as checks that run on anyone's: `check_agent("my_agent:MyAgent")`.

A check takes an agent's name, raises AssertionError where the agent breaks it, and SkipTest, which pytest knows, where
the agent lacks what is checked.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents import Agent, RoutingTask, TrainingTable, agent_class, make_agent
from llm_routing_env.agents.parts.adapting import AdaptedAgent
from llm_routing_env.agents.parts.consensus import FEWEST
from llm_routing_env.agents.parts.lifting import handles_batches
from llm_routing_env.agents.parts.signatures import takes
from llm_routing_env.evaluation.made_tasks import make_task, make_training_table, observations_for

_N_LLMS = 4  # of a task that `make_task` makes
QUICK = {"barp": {"n_steps": 100}}  # what takes long to fit is fitted in fewer steps


def check_agent(name: str) -> dict[str, str]:
    """Run all checks of `CHECKS` on an agent, on made-up tasks: in a second or two, and without a table.

    Args:
        name: ``my_module:MyAgent``, or a registered agent's.

    Returns:
        Why a check was left out, by its name: the agent lacks what it is about.

    Raises:
        AssertionError: For the first check that the agent does not pass.
        ValueError: If there is no such agent, or it refuses what it is given.
    """
    left_out = {}
    for check in CHECKS:
        try:
            check(name)
        except SkipTest as reason:
            left_out[check.__name__] = str(reason)
    return left_out


def any_number_of_llms(name: str) -> None:
    """It routes among 1, 2 and 50 LLMs; one that compares their responses, among three or more."""
    for n_actions in (FEWEST, 50) if agent_class(name).needs_responses else (1, 2, 50):
        task, rng = make_task(n_actions), np.random.default_rng(0)
        agent = make_ready(name, task, n_sessions=2)
        for observation in observations_for(name, task, 2 * n_actions + 5, 2, rng):
            action = np.asarray(agent.select_action(observation))
            _require(bool(((action >= 0) & (action < n_actions)).all()), f"of {n_actions} LLMs it asked {action}")
            agent.update(observation, action, rng.random(2))
        chances = probabilities_of(agent, observation)
        if chances is not None:
            _require_sum_of_one(chances)


def the_same_seed_repeats_it(name: str) -> None:
    """The same seed gives the same actions."""
    task = make_task()
    (agent, observation), (again, _) = trained(name, task, 64), trained(name, task, 64)
    same = np.array_equal(agent.select_action(observation), again.select_action(observation))
    _require(same, "two with the same seed chose otherwise: draw from self._rng only")


def acting_teaches_nothing(name: str) -> None:
    """Choosing, and looking at probabilities, changes nothing that was learned."""
    agent, observation = trained(name, make_task(), 8)
    before = {key: array.copy() for key, array in agent.state().items()}
    agent.select_action(observation)
    probabilities_of(agent, observation)
    for key, array in agent.state().items():
        _require(np.array_equal(array, before[key] + (key == "n_selected")), f"select_action changed {key}")


def probabilities_are_frequencies(name: str) -> None:
    """Its probabilities sum to one, and its actions come with these frequencies."""
    agent, observation = trained(name, make_task(), 1000)
    chances = _probabilities_or_skip(agent, observation)
    _require_sum_of_one(chances)
    frequencies = np.bincount(agent.select_action(observation), minlength=_N_LLMS) / len(chances)
    far = float(np.abs(chances[0] - frequencies).max())
    _require(far <= 0.05, f"an LLM was asked {far:.2f} more or less often than action_probabilities says")


def masks_are_kept(name: str) -> None:
    """An LLM that cannot be asked is never asked, and has probability 0."""
    skip_without_masks(name)
    n_sessions = 500
    agent, observation = trained(name, make_task(), n_sessions)
    masks = np.random.default_rng(0).integers(0, 2, size=(n_sessions, _N_LLMS), dtype=np.int8)
    masks[:, 0] |= masks.sum(axis=1) == 0
    asked = masks[np.arange(n_sessions), agent.select_action(observation, masks)]
    _require(bool((asked == 1).all()), "it asked an LLM that was masked")
    chances = probabilities_of(agent, observation, masks)
    if chances is not None:
        _require(bool((chances[masks == 0] == 0).all()), "a masked LLM has a probability above 0")
        _require_sum_of_one(chances)


def a_batch_is_its_sessions(name: str) -> None:
    """A row of a batch has the probabilities of an agent that learned that session alone, to 1e-12."""
    task, n_rounds, n_sessions = make_task(), 60, 3
    rng = np.random.default_rng(3)
    seen = observations_for(name, task, n_rounds, n_sessions, rng)
    actions = rng.integers(0, task.n_actions, size=(n_rounds, n_sessions))
    rewards = rng.normal(size=(n_rounds, n_sessions))
    batch = make_ready(name, task, n_sessions=n_sessions)
    _probabilities_or_skip(batch, seen[0])
    singles = [make_ready(name, task) for _ in range(n_sessions)]
    for step in range(n_rounds):
        batch.update(seen[step], actions[step], rewards[step])
        for row, single in enumerate(singles):
            single.update(seen[step, row], int(actions[step, row]), float(rewards[step, row]))
        if step % 7 == 0:
            alone = np.array([single.action_probabilities(seen[step, row]) for row, single in enumerate(singles)])
            far = float(np.abs(batch.action_probabilities(seen[step]) - alone).max())
            _require(far <= 1e-12, f"a batch's probabilities are {far:.1e} from those of its sessions alone")
    committed = np.array([single.committed_action for single in singles])
    _require(np.array_equal(batch.committed_action, committed), "a batch commits otherwise than its sessions alone")


def a_loaded_one_goes_on(name: str) -> None:
    """Saved between a choice and its reward, and loaded, it goes on as if nothing had been."""
    for n_sessions in (None, 3):
        skip_what_is_saved_elsewhere(name, n_sessions)
        task, rng = make_task(), np.random.default_rng(5)
        agent = make_ready(name, task, n_sessions=n_sessions, seed=11)
        seen = observations_for(name, task, 60, n_sessions or 1, rng)
        seen = seen[:, 0] if n_sessions is None else seen
        rewards = rng.random(60) if n_sessions is None else rng.random((60, n_sessions))
        mask = {} if not _takes_masks(name) else {"action_mask": [1] * (task.n_actions - 1) + [0]}
        for step in range(30):
            agent.update(seen[step], agent.select_action(seen[step]), rewards[step])
        action = agent.select_action(seen[30], **mask)  # its reward comes after it was saved
        loaded = _saved_and_loaded(name, agent, task)
        for step in range(30, 60):
            agent.update(seen[step], action, rewards[step])
            loaded.update(seen[step], action, rewards[step])
            if step < 59:
                action = agent.select_action(seen[step + 1])
                _require(np.array_equal(loaded.select_action(seen[step + 1]), action), "once loaded it chose otherwise")
        for key, array in agent.state().items():
            _require(np.array_equal(loaded.state()[key], array), f"once loaded it learned another {key}")


CHECKS: tuple[Callable[[str], None], ...] = (
    any_number_of_llms,
    the_same_seed_repeats_it,
    acting_teaches_nothing,
    probabilities_are_frequencies,
    masks_are_kept,
    a_batch_is_its_sessions,
    a_loaded_one_goes_on,
)


def make_ready(
    name: str, task: RoutingTask, *, table: TrainingTable | None = None, seed: int | None = 0, **options: Any
) -> Agent:
    """Return an agent, fitted where it must be: on a table, or one that is drawn."""
    agent = make_agent(name, task, seed=seed, **(QUICK.get(name, {}) | options))
    if agent.feedback == "full":
        asked = np.array([f"question {number}" for number in range(60)], dtype=object)
        seen: dict[str, Any] = {"observations": asked} if agent.observation == "prompt" else {}
        agent.fit(table or make_training_table(task, **seen))
    return agent


def trained(name: str, task: RoutingTask, n_sessions: int, n_rounds: int = 12, seed: int = 0) -> tuple[Agent, Any]:
    """Return an agent whose sessions all saw, did and earned the same, and the next observation."""
    rng = np.random.default_rng(7)
    agent = make_ready(name, task, n_sessions=n_sessions, seed=seed)
    seen = np.repeat(observations_for(name, task, n_rounds + 1, 1, rng), n_sessions, axis=1)
    for observation in seen[:-1]:
        action = np.full(n_sessions, rng.integers(task.n_actions))
        agent.update(observation, action, np.full(n_sessions, rng.random()))
    return agent, seen[-1]


def probabilities_of(agent: Agent, *arguments: Any) -> NDArray[np.float64] | None:
    """Return its action probabilities; None of an agent that only selects."""
    try:
        return agent.action_probabilities(*arguments)
    except NotImplementedError:
        return None


def skip_without_masks(name: str) -> None:
    """Raise SkipTest for an agent that takes no masks."""
    if not _takes_masks(name):
        raise SkipTest("its select_action takes no action_mask")


def _takes_masks(name: str) -> bool:
    agent_type = agent_class(name)
    written = agent_type.adapted if issubclass(agent_type, AdaptedAgent) else agent_type
    return takes(written.select_action, "action_mask")


def skip_what_is_saved_elsewhere(name: str, n_sessions: int | None) -> None:
    """Raise SkipTest for an agent that has no checkpoint of this package's kind."""
    if issubclass(agent_class(name), AdaptedAgent):
        raise SkipTest("it is no subclass of Agent, and saved by its own means")
    if n_sessions is not None and not handles_batches(agent_class(name)):
        raise SkipTest("it is written for one session: the agents of a batch are saved one by one")


def _saved_and_loaded(name: str, agent: Agent, task: RoutingTask) -> Agent:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agent.npz"
        try:
            agent.save(path)
        except ValueError as refusal:  # it keeps what no checkpoint can
            raise SkipTest(str(refusal)) from None
        return agent_class(name).load(path, task)


def _probabilities_or_skip(agent: Agent, observation: Any) -> NDArray[np.float64]:
    chances = probabilities_of(agent, observation)
    if chances is None:
        raise SkipTest("it gives no action probabilities")
    return chances


def _require_sum_of_one(chances: NDArray[np.float64]) -> None:
    far = float(np.abs(chances.sum(axis=1) - 1).max())
    _require(far <= 1e-12, f"its probabilities sum to one but for {far:.1e}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
