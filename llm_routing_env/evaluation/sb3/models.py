"""What the contestants need of Stable-Baselines3 and torch, both imported when first needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from llm_routing_env.agents import Agent, RoutingTask
from llm_routing_env.agents.parts.distributions import epsilon_greedy, restrict, softmax, uniform_over_best
from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.evaluation.sb3.defaults import OBSERVATION, SB3_ALGORITHMS

_BASE = ("stable_baselines3.common.base_class", "BaseAlgorithm")


def is_sb3(name: str) -> bool:
    """Say whether a name, with or without a protocol, is that of an algorithm of Stable-Baselines3.

    Keys of `SB3_ALGORITHMS` are, and ``my_package.my_module:MyClass`` where the class is derived from `BaseAlgorithm`.
    """
    algorithm = name.partition("@")[0]
    if algorithm in SB3_ALGORITHMS:
        return True
    try:
        bases = load("agent", algorithm).__mro__ if ":" in algorithm else ()
    except (ValueError, AttributeError):  # no algorithm; as an agent it is refused with the reason
        return False
    # By name: Stable-Baselines3 takes seconds to import, and need not be there.
    return any((base.__module__, base.__name__) == _BASE for base in bases)


def sb3_class(algorithm: str) -> Any:
    """Return the class of a key of `SB3_ALGORITHMS`, or the one that ``my_package.my_module:MyClass`` names.

    Raises:
        ImportError: If Stable-Baselines3 is not installed.
    """
    if algorithm not in SB3_ALGORITHMS:
        return load("agent", algorithm)
    try:
        import stable_baselines3
    except ImportError as error:
        raise ImportError('stable-baselines3 is not installed: pip install "llm-routing-env[sb3]".') from error
    return getattr(stable_baselines3, SB3_ALGORITHMS[algorithm])


def load_model(algorithm: str, path: str | Path) -> Any:
    """Read a model that Stable-Baselines3 saved. Such files hold pickles: load only those you trust.

    Raises:
        ValueError: If there is no such file, or it holds no model of the algorithm.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no saved model {str(path)!r}.")
    try:
        return sb3_class(algorithm).load(path, device="cpu")
    except Exception as error:  # another algorithm's file fails wherever its contents first differ
        raise ValueError(f"{path} is not a model saved by {sb3_class(algorithm).__name__}: {error}") from error


def action_distribution(model: Any, observations: ArrayLike) -> FloatArray:
    """Return the probabilities with which a model would now choose while it learns.

    Args:
        model: One whose policy has a distribution (PPO, A2C): that; another (DQN): epsilon-greedy with its current
            epsilon.
        observations: Shape (observations, size).

    Returns:
        Shape (observations, LLMs).
    """
    import torch

    rows = np.asarray(observations, dtype=np.float32)
    if hasattr(model.policy, "get_distribution"):
        model.policy.set_training_mode(False)
        with torch.no_grad():
            logits = model.policy.get_distribution(model.policy.obs_to_tensor(rows)[0]).distribution.logits
        return softmax(logits.cpu().numpy().astype(np.float64))
    greedy, _ = model.policy.predict(rows, deterministic=True)
    values = np.eye(int(model.action_space.n))[greedy]
    # Until it starts to learn, DQN draws uniformly, whatever its epsilon is.
    is_waiting = model.num_timesteps < getattr(model, "learning_starts", 0)
    epsilon = 1.0 if is_waiting else getattr(model, "exploration_rate", 0.0)
    return epsilon_greedy(values, epsilon, None)


class FrozenPolicy(Agent):
    """A trained model as an agent that learns no more."""

    observation = OBSERVATION
    feedback = "none"

    def __init__(self, task: RoutingTask, *, n_sessions: int, seed: int, model: Any, deterministic: bool) -> None:
        """Wrap a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            model: Of Stable-Baselines3, with discrete actions.
            deterministic: Whether it asks the LLM it deems best, rather than drawing one from its distribution.

        Raises:
            ValueError: If the model was trained for other observations or another number of LLMs.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        for what, found, expected in (
            ("observations of shape", model.observation_space.shape, (task.observation_size,)),
            ("a number of LLMs of", model.action_space.n, task.n_actions),
        ):
            if found != expected:
                raise ValueError(f"The model was trained for {what} {found}, but the comparison has {expected}.")
        self.model = model
        self.deterministic = deterministic

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        probabilities = action_distribution(self.model, observation)
        return uniform_over_best(probabilities, allowed) if self.deterministic else restrict(probabilities, allowed)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: for networks this small, handing work to others takes longer than doing it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
