"""What lets an agent be saved and go on exactly where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.agents.parts.signatures import hyperparameters_of
from llm_routing_env.agents.parts.state import BoolArray, Stateful
from llm_routing_env.agents.parts.task import RoutingTask

# Set by the base class, or by a subclass in its constructor; a checkpoint's header has what of it must be known.
_NOT_LEARNED = ("task", "n_sessions", "observation", "feedback", "environment", "maximises")


class Saved(Stateful):
    """Gives `Agent` its checkpoints: hyperparameters, generator and arrays, in one file without pickle."""

    observation: str
    feedback: str
    task: RoutingTask
    n_sessions: int | None
    _rng: Any
    _allowed: BoolArray | None
    _is_next: bool
    _checked_mask: Callable[[Any], BoolArray | None]

    @classmethod
    def hyperparameters(cls) -> dict[str, Any]:
        """Return the hyperparameters that the constructor takes after the task, with their defaults."""
        return hyperparameters_of(cls)

    def save(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        """Write the agent to one ``.npz`` file of arrays and JSON, without pickle.

        Args:
            path: The file.
            about: What whoever reads the file must know besides, JSON-plain; the agent itself does not read it.

        Raises:
            ValueError: If it has public attributes that such a file cannot keep.
        """
        self.require_storable([*_NOT_LEARNED, *self.hyperparameters()])
        checkpoint.write(
            path,
            {
                "agent": type(self).__name__,
                "llm_names": self.task.llm_names,
                "n_actions": self.task.n_actions,
                "observation": self.observation,
                "observation_size": self.task.observation_size,
                "n_sessions": self.n_sessions,
                "hyperparameters": self._stored_hyperparameters(),
                "generator": self._rng.bit_generator.state,
                # Of the last choice, whose reward may not have come yet.
                "last_mask": None if self._allowed is None else self._allowed.tolist(),
                "is_next": self._is_next,
                **({} if about is None else {"about": about}),
            },
            self.state(),
        )

    def _stored_hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters' values, each of which must be JSON-plain and have an attribute of its name."""
        values = {}
        for name in self.hyperparameters():
            try:
                values[name] = getattr(self, name)
                json.dumps(values[name])
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{type(self).__name__} cannot be saved: keep the hyperparameter {name!r} in an attribute of that "
                    f"name, as a number, a text, a list or a dict of them ({error})."
                ) from error
        return values

    @classmethod
    def load(cls, path: str | Path, task: RoutingTask) -> Self:
        """Read an agent that `save` wrote; it goes on exactly where it stopped.

        Raises:
            ValueError: If the file holds another agent, or one for other LLMs or observations.
        """
        return cls.restored(path, *checkpoint.read(path), task)

    @classmethod
    def restored(
        cls, path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], task: RoutingTask
    ) -> Self:
        """Return the agent of a file that was read already; see `load`."""
        checkpoint.require_match(path, "agent", header["agent"], cls.__name__)
        checkpoint.require_match(path, "number of LLMs", len(header["llm_names"]), len(task.llm_names))
        checkpoint.require_match(path, "llm_names", tuple(header["llm_names"]), task.llm_names)
        n_actions = header.get("n_actions", len(header["llm_names"]))
        checkpoint.require_match(path, "number of actions", n_actions, task.n_actions)
        if header["observation"] != "none":
            sees = header["observation"]
            checkpoint.require_match(path, "observation", sees, task.observation or sees)
            checkpoint.require_match(path, "observation_size", header["observation_size"], task.observation_size)
        # An agent written for one session takes no n_sessions.
        batch = {} if header["n_sessions"] is None else {"n_sessions": header["n_sessions"]}
        with checkpoint.refusing(path):
            construct: Callable[..., Self] = cls
            agent = construct(task, **batch, **header["hyperparameters"])
            agent.observation = header["observation"]
            # Files of before choices were counted: there was a reward for each.
            counted = {"n_selected": np.full(header["n_sessions"] or 1, arrays["n_updates"])} | dict(arrays)
            agent.restore({name: array.copy() for name, array in counted.items()})
            agent._rng.bit_generator.state = header["generator"]
            agent._allowed = agent._checked_mask(header.get("last_mask"))
            agent._is_next = bool(header.get("is_next"))
        return agent

    def copies(self, n_sessions: int | None, seed: int | None) -> Self:
        """Return a batch of learners of which each knows what this one knows, and goes on with draws of its own.

        Args:
            n_sessions: How many; None: one, without an axis of sessions.
            seed: See `Agent`.

        Raises:
            TypeError: If it is a batch itself, or was fitted: then its model is everybody's, and no session's own.
        """
        if self.n_sessions is not None or self.feedback == "full":
            raise TypeError(f"{type(self).__name__}: only one learner of bandit feedback is copied.")
        construct: Callable[..., Self] = type(self)
        batch = {} if n_sessions is None else {"n_sessions": n_sessions}
        agent = construct(self.task, **batch, seed=seed, **self._stored_hyperparameters())
        agent.observation = self.observation
        # All that it has learned has an axis of sessions, but for numbers that count for all of them.
        agent.restore(
            {
                name: np.repeat(array, n_sessions or 1, axis=0) if array.ndim else array.copy()
                for name, array in self.state().items()
            }
        )
        return agent
