"""Bayesian linear regression with weights that all arms share, and each arm's own, updated query by query."""

from __future__ import annotations

from typing import Self

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray, Stateful

_PRIOR_WEIGHTS = 1.0  # so many own weights is the first variance worth, where a better one is learned


class SharedRegressions(Stateful):
    """Responses x^T (s + d) + N(0, 1), with s ~ N(0, P^-1) of all arms and d ~ N(0, R^-1) of each, both diagonal.

    Exact, without the matrix of all weights at once: let M = (R + sum x x^T)^-1 and b = sum y x over an arm's queries.
    Given s, the arm's weights s + d have the mean M (b + R s) and the covariance M. And s has the precision
    P + sum over arms of (R - R M R), and the mean precision^-1 sum over arms of R M b. A query changes one M, and the
    precision of s, by a matrix of rank one (Sherman-Morrison).

    Attributes:
        ridges: The diagonal of R, shape (sessions, features).
        inverses: M, shape (sessions, arms, features, features).
        sums: b, shape (sessions, arms, features, responses).
        shared_inverses: The covariance of s, shape (sessions, features, features).
        shared_sums: sum of R M b, shape (sessions, features, responses).
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        *,
        ridge: FloatArray,
        shared_ridge: FloatArray,
        discount: float = 1.0,
    ) -> None:
        """Start without data.

        Args:
            shape: Sessions, arms, features, responses.
            ridge: Precision of each weight that is an arm's own, positive, shape (features,).
            shared_ridge: Precision of each weight that arms share, positive, shape (features,).
            discount: What a query still counts a query later, in (0, 1]; below 1 matrices are inverted at every step.
        """
        n_rows, n_actions, size, n_responses = shape
        self.ridges = np.tile(ridge, (n_rows, 1))
        self.inverses = np.tile(np.diag(1 / ridge), (n_rows, n_actions, 1, 1))
        self.sums = np.zeros(shape)
        self.shared_inverses = np.tile(np.diag(1 / shared_ridge), (n_rows, 1, 1))
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
        mean: FloatArray = np.einsum("sai,sair->sar", directions, self.sums + self._weighted(shared)[:, None])
        return mean, np.maximum(np.einsum("sai,si->sa", directions, features), 0.0)

    def update(self, features: FloatArray, action: IntArray, responses: FloatArray) -> None:
        """Add one query per session.

        Args:
            features: x, shape (sessions, features).
            action: Arm that was asked, shape (sessions,).
            responses: y, shape (sessions, responses).
        """
        if self._discount < 1:
            self._rebuild(self._discount, self.ridges)
        inverse, sums = self.inverses[self._rows, action], self.sums[self._rows, action]
        direction = (inverse @ features[:, :, None])[..., 0]
        total = 1 + (features * direction).sum(axis=1)
        surprise = (responses - (direction[:, None] @ sums)[:, 0]) / total[:, None]
        told = self.ridges * direction
        self.shared_sums += told[:, :, None] * surprise[:, None]
        shared = (self.shared_inverses @ told[:, :, None])[..., 0]
        weight = 1 / (total + (shared * told).sum(axis=1))
        self.shared_inverses -= (weight[:, None] * shared)[:, :, None] * shared[:, None]
        self.inverses[self._rows, action] = inverse - (direction / total[:, None])[:, :, None] * direction[:, None]
        self.sums[self._rows, action] = sums + features[:, :, None] * responses[:, None]

    def learn_ridge(self) -> None:
        """Learn how much arms differ beyond the intercept: one precision for all own weights but those of constants.

        A step to where the queries are likeliest (MacKay 1992): the variance of these weights is the sum of their
        squares over how many of them the queries determine. The prior's variance counts as `_PRIOR_WEIGHTS` of them.
        """
        mean, variance = self._own()
        n_determined = (1 - self.ridges[:, None] * variance)[..., 1:].sum(axis=(1, 2))
        squares = np.square(mean)[:, :, 1:].mean(axis=3).sum(axis=(1, 2))
        ridges = self.ridges.copy()
        learned = (n_determined + _PRIOR_WEIGHTS)[:, None] / (squares[:, None] + _PRIOR_WEIGHTS / self._ridge[1:])
        ridges[:, 1:] = learned
        self._rebuild(1.0, ridges)

    def _own(self) -> tuple[FloatArray, FloatArray]:
        """Return mean and variance of d, shapes (sessions, arms, features, responses) and (sessions, arms, features).

        Given s, d has the mean M b + (M R - I) s and the covariance M; s is known up to its own covariance.
        """
        pull = self.inverses * self.ridges[:, None, None] - np.eye(self.ridges.shape[1])
        mean = self.inverses @ self.sums + pull @ (self.shared_inverses @ self.shared_sums)[:, None]
        of_shared = ((pull @ self.shared_inverses[:, None]) * pull).sum(axis=-1)
        return mean, np.einsum("saii->sai", self.inverses) + of_shared

    def keep(self, known: Self, arms: IntArray) -> None:
        """Take over what was learned of fewer arms, whose places among those here are given; the others know s."""
        self.ridges[:] = known.ridges
        self.inverses[:] = np.eye(known.ridges.shape[1]) / known.ridges[:, None, None]
        self.inverses[:, arms] = known.inverses
        self.sums[:, arms] = known.sums
        self.shared_inverses[:], self.shared_sums[:] = known.shared_inverses, known.shared_sums

    def _rebuild(self, kept: float, ridges: FloatArray) -> None:
        """Let every query so far count less, under another precision of what is an arm's own."""
        told = np.linalg.inv(self.inverses) - self._prior()
        self.ridges[:] = ridges
        self.inverses[:] = np.linalg.inv(kept * told + self._prior())
        self.sums *= kept
        n_actions, by_both = self.inverses.shape[1], ridges[:, :, None] * ridges[:, None]
        told_shared = n_actions * self._prior()[:, 0] - by_both * self.inverses.sum(axis=1)
        self.shared_inverses[:] = np.linalg.inv(np.diag(self._shared_ridge) + told_shared)
        self.shared_sums[:] = self._weighted((self.inverses @ self.sums).sum(axis=1))

    def _weighted(self, weights: FloatArray) -> FloatArray:
        """Return R times weights of shape (sessions, features, responses)."""
        return self.ridges[:, :, None] * weights

    def _prior(self) -> FloatArray:
        """Return R, of one arm for all: shape (sessions, 1, features, features)."""
        return self.ridges[:, None, None] * np.eye(self.ridges.shape[1])
