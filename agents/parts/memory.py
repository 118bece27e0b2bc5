"""The last queries of every session: what was seen, who was asked, what it earned."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray, Stateful


class Memory(Stateful):
    """Keeps the last ``capacity`` queries, overwriting the oldest.

    Attributes:
        observations: Shape (sessions, capacity, observation size).
        actions: Arms that were asked, shape (sessions, capacity).
        rewards: Their rewards, shape (sessions, capacity).
        n_added: Number of queries added so far, shape ().
    """

    def __init__(self, n_rows: int, capacity: int, observation_size: int = 0) -> None:
        """Start empty.

        Args:
            n_rows: Number of sessions.
            capacity: How many queries to keep for each.
            observation_size: Length of one observation vector.
        """
        self.observations = np.zeros((n_rows, capacity, observation_size))
        self.actions = np.zeros((n_rows, capacity), dtype=np.int64)
        self.rewards = np.zeros((n_rows, capacity))
        self.n_added = np.zeros((), dtype=np.int64)

    def add(self, observation: FloatArray, action: IntArray, reward: FloatArray) -> None:
        """Store one query per session; shapes (sessions, observation size), (sessions,) and (sessions,)."""
        slot = self.n_added % self.actions.shape[1]
        self.observations[:, slot] = observation
        self.actions[:, slot] = action
        self.rewards[:, slot] = reward
        self.n_added += 1

    def recall(self) -> tuple[FloatArray, IntArray, FloatArray]:
        """Return the observations, actions and rewards that are held, in no particular order."""
        held = slice(min(int(self.n_added), self.actions.shape[1]))
        return self.observations[:, held], self.actions[:, held], self.rewards[:, held]

    def oldest(self) -> tuple[IntArray, FloatArray] | None:
        """Return the actions and rewards that the next query overwrites, or None while there is room."""
        capacity = self.actions.shape[1]
        if self.n_added < capacity:
            return None
        slot = self.n_added % capacity
        return self.actions[:, slot], self.rewards[:, slot]
