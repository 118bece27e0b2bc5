"""Bayesian linear regression with weights that all arms share, and each arm's own, updated query by query."""

from __future__ import annotations

from typing import Self

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray, Stateful


class SharedRegressions(Stateful):
    """Responses x^T (s + d) + N(0, 1), with s ~ N(0, I / shared_ridge) of all arms and d ~ N(0, I / ridge) of each.

    Exact, without the matrix of all weights at once: let M = (ridge I + sum x x^T)^-1 and b = sum y x over an arm's
    queries. Given s, the arm's weights s + d have the mean M (b + ridge s) and the covariance M. And s has the
    precision shared_ridge I + sum over arms of (ridge I - ridge^2 M), and the mean precision^-1 sum over arms of
    ridge M b. A query changes one M, and the precision of s, by a matrix of rank one (Sherman-Morrison).

    Attributes:
        inverses: M, shape (sessions, arms, features, features).
        sums: b, shape (sessions, arms, features, responses).
        shared_inverses: The covariance of s, shape (sessions, features, features).
        shared_sums: sum of ridge M b, shape (sessions, features, responses).
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        *,
        ridge: float,
        shared_ridge: float,
        discount: float = 1.0,
    ) -> None:
        """Start without data.

        Args:
            shape: Sessions, arms, features, responses.
            ridge: Precision of what is an arm's own, positive.
            shared_ridge: Precision of what arms share, positive.
            discount: What a query still counts a query later, in (0, 1]; below 1 matrices are inverted at every step.
        """
        n_rows, n_actions, size, n_responses = shape
        self.inverses = np.tile(np.eye(size) / ridge, (n_rows, n_actions, 1, 1))
        self.sums = np.zeros(shape)
        self.shared_inverses = np.tile(np.eye(size) / shared_ridge, (n_rows, 1, 1))
        self.shared_sums = np.zeros((n_rows, size, n_responses))
        self._ridge, self._shared_ridge, self._discount = ridge, shared_ridge, discount
        self._rows = np.arange(n_rows)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return each arm's expected responses, and the variance of its own part.

        What all arms share moves them together and so hardly changes which is best: its variance is left out.

        Args:
            features: x, shape (sessions, features).

        Returns:
            x^T E[s + d], shape (sessions, arms, responses), and x^T M x, shape (sessions, arms).
        """
        n_rows, n_actions, size, _ = self.sums.shape
        # One matrix per session, arms stacked: one product instead of one per arm.
        stacked = self.inverses.reshape(n_rows, n_actions * size, size)
        directions = (stacked @ features[:, :, None]).reshape(n_rows, n_actions, size)
        shared = self.shared_inverses @ self.shared_sums
        mean: FloatArray = np.einsum("sai,sair->sar", directions, self.sums + self._ridge * shared[:, None])
        return mean, np.maximum(np.einsum("sai,si->sa", directions, features), 0.0)

    def update(self, features: FloatArray, action: IntArray, responses: FloatArray) -> None:
        """Add one query per session.

        Args:
            features: x, shape (sessions, features).
            action: Arm that was asked, shape (sessions,).
            responses: y, shape (sessions, responses).
        """
        if self._discount < 1:
            self._forget()
        ridge, inverse, sums = self._ridge, self.inverses[self._rows, action], self.sums[self._rows, action]
        direction = (inverse @ features[:, :, None])[..., 0]
        total = 1 + (features * direction).sum(axis=1)
        surprise = (responses - (direction[:, None] @ sums)[:, 0]) / total[:, None]
        self.shared_sums += ridge * direction[:, :, None] * surprise[:, None]
        shared = (self.shared_inverses @ direction[:, :, None])[..., 0]
        weight = ridge**2 / (total + ridge**2 * (shared * direction).sum(axis=1))
        self.shared_inverses -= (weight[:, None] * shared)[:, :, None] * shared[:, None]
        self.inverses[self._rows, action] = inverse - (direction / total[:, None])[:, :, None] * direction[:, None]
        self.sums[self._rows, action] = sums + features[:, :, None] * responses[:, None]

    def keep(self, known: Self, arms: IntArray) -> None:
        """Take over what was learned of fewer arms, whose places among those here are given; the others know s."""
        self.inverses[:, arms] = known.inverses
        self.sums[:, arms] = known.sums
        self.shared_inverses[:], self.shared_sums[:] = known.shared_inverses, known.shared_sums

    def _forget(self) -> None:
        """Let every query count less, and the priors as before."""
        kept, ridge, identity = self._discount, self._ridge, np.eye(self.inverses.shape[-1])
        self.inverses[:] = np.linalg.inv(kept * np.linalg.inv(self.inverses) + (1 - kept) * ridge * identity)
        self.sums *= kept
        told = np.sum(ridge * identity - ridge**2 * self.inverses, axis=1)
        self.shared_inverses[:] = np.linalg.inv(self._shared_ridge * identity + told)
        self.shared_sums[:] = ridge * (self.inverses @ self.sums).sum(axis=1)
