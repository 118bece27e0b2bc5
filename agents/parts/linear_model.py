"""Ridge regression of the reward on the query: per session and arm, updated query by query, or on many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Stateful


class ArmRegressions(Stateful):
    """For each arm, A = ridge I + sum x x^T and b = sum r x over the queries that it was asked.

    Attributes:
        inverses: A^-1, shape (sessions, arms, features, features).
        responses: b, shape (sessions, arms, features).
    """

    def __init__(self, n_rows: int, n_actions: int, n_features: int, ridge: float) -> None:
        """Start without data.

        Args:
            n_rows: Number of sessions.
            n_actions: Number of arms.
            n_features: Length of a feature vector.
            ridge: Weight of the penalty on the coefficients, positive.
        """
        self.inverses = np.tile(np.eye(n_features) / ridge, (n_rows, n_actions, 1, 1))
        self.responses = np.zeros((n_rows, n_actions, n_features))
        self._ridge = ridge
        self._rows = np.arange(n_rows)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return each arm's expected reward theta^T x and its uncertainty sqrt(x^T A^-1 x).

        Args:
            features: x, shape (sessions, features).

        Returns:
            Two arrays of shape (sessions, arms).
        """
        # One matrix per session, arms stacked: one product instead of one per arm, and twice as fast.
        n_rows, n_actions, size = self.responses.shape
        stacked = self.inverses.reshape(n_rows, n_actions * size, size)
        directions = (stacked @ features[:, :, None]).reshape(n_rows, n_actions, size)
        mean = (directions * self.responses).sum(axis=2)
        variance = (directions * features[:, None, :]).sum(axis=2)
        return mean, np.sqrt(np.maximum(variance, 0.0))

    def update(self, features: FloatArray, action: IntArray, reward: FloatArray) -> None:
        """Add one query per session by the Sherman-Morrison formula.

        Args:
            features: Shape (sessions, features).
            action: Arm that was asked, shape (sessions,).
            reward: Its reward, shape (sessions,).
        """
        inverse = self.inverses[self._rows, action]
        direction = (inverse @ features[:, :, None])[..., 0]
        gain = direction / (1 + (features * direction).sum(axis=1))[:, None]
        inverse -= gain[:, :, None] * direction[:, None, :]
        self.inverses[self._rows, action] = inverse
        self.responses[self._rows, action] += reward[:, None] * features

    def refit(self, features: FloatArray, actions: IntArray, rewards: FloatArray) -> None:
        """Start again from many queries at once, for features that have changed.

        Args:
            features: Shape (sessions, queries, features).
            actions: Arms that were asked, shape (sessions, queries).
            rewards: Their rewards, shape (sessions, queries).
        """
        for arm in range(self.responses.shape[1]):
            asked = np.where((actions == arm)[:, :, None], features, 0.0)
            precision = self._ridge * np.eye(features.shape[2]) + asked.transpose(0, 2, 1) @ asked
            self.inverses[:, arm] = np.linalg.inv(precision)
            self.responses[:, arm] = (asked * rewards[:, :, None]).sum(axis=1)


def ridge_regression(
    inputs: FloatArray, targets: FloatArray, ridge: float | FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return the coefficients with the least squared error plus ``ridge`` times their own squares.

    Args:
        inputs: Shape (queries, features).
        targets: Shape (queries, outputs); queries where an output is NaN do not count for it.
        ridge: Weight of the penalty, positive; one for all outputs, or shape (outputs,). Intercepts are not penalised.
        weights: Of the queries' squared errors, positive, shape (queries,); None: 1.

    Returns:
        The intercepts as first row, shape (1 + features, outputs).
    """
    ridges = np.broadcast_to(ridge, targets.shape[1])
    weights = np.ones(len(inputs)) if weights is None else weights
    if np.isnan(targets).any():
        coefficients = np.empty((1 + inputs.shape[1], targets.shape[1]))
        for rows, outputs in _alike(targets, ridges):
            part = inputs[rows], targets[rows][:, outputs], float(ridges[outputs[0]]), weights[rows]
            coefficients[:, outputs] = ridge_regression(*part)
        return coefficients
    centre, mean = _mean(inputs, weights), _mean(targets, weights)
    roots = np.sqrt(weights)[:, None]
    deviations = roots * (inputs - centre)
    penalised = deviations.T @ deviations + ridges[0] * np.eye(inputs.shape[1])
    slopes = np.linalg.solve(penalised, deviations.T @ (roots * (targets - mean)))
    return np.concatenate([[mean - centre @ slopes], slopes])


def _alike(targets: FloatArray, ridges: FloatArray) -> Iterator[tuple[BoolArray, IntArray]]:
    """Yield the queries that have a target, and the outputs of which that is so and whose penalty is one.

    One matrix serves all of them: of a table that lacks a few outcomes that is what takes the time.
    """
    kinds = np.concatenate([~np.isnan(targets), ridges[None]])
    _, first, kind = np.unique(kinds, axis=1, return_index=True, return_inverse=True)
    for number, output in enumerate(first):
        yield ~np.isnan(targets[:, output]), np.flatnonzero(kind.reshape(-1) == number)


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    mean: FloatArray = (weights[:, None] * values).sum(axis=0) / weights.sum()
    return mean


def predictions_left_out(
    inputs: FloatArray,
    targets: FloatArray,
    groups: IntArray,
    ridges: Sequence[float],
    weights: FloatArray | None = None,
) -> Iterator[FloatArray]:
    """For each penalty, yield what `ridge_regression` predicts for every query, fitted without its group.

    Args:
        inputs: Shape (queries, features).
        targets: Shape (queries, outputs); queries where an output is NaN do not count for it.
        groups: Numbers that say which queries have the same inputs, at least two of them; shape (queries,).
        ridges: Penalties, positive.
        weights: See `ridge_regression`.

    Yields:
        Shape (queries, outputs); minus infinity where there is no target.
    """
    weights = np.ones(len(inputs)) if weights is None else weights
    if not np.isnan(targets).any():
        yield from _left_out(inputs, targets, groups, ridges, weights)
        return
    parts = list(_alike(targets, np.zeros(targets.shape[1])))
    found = [_left_out(inputs[r], targets[r][:, o], groups[r], ridges, weights[r]) for r, o in parts]
    for predicted in zip(*found, strict=True):
        table = np.full(targets.shape, -np.inf)
        for (rows, outputs), part in zip(parts, predicted, strict=True):
            table[np.ix_(rows, outputs)] = part
        yield table


def _left_out(
    inputs: FloatArray, targets: FloatArray, groups: IntArray, ridges: Sequence[float], weights: FloatArray
) -> Iterator[FloatArray]:
    """Yield what `predictions_left_out` does, in closed form.

    Without a group, whose inputs are the same, weigh m together and have the leverage h per weight, the residuals e
    become e + h sum(w e) / (1 - m h). Without another group there is nothing to predict from: then it is the mean.
    """
    groups = np.unique(groups, return_inverse=True)[1]
    roots, mean = np.sqrt(weights)[:, None], _mean(targets, weights)
    deviations = roots * (inputs - _mean(inputs, weights))
    if groups.max() == 0:
        yield from repeat(np.tile(mean, (len(inputs), 1)), len(ridges))
        return
    eigenvalues, axes = np.linalg.eigh(deviations.T @ deviations)
    rotated = deviations @ axes
    responses = rotated.T @ (roots * (targets - mean))
    rotated /= roots
    sizes = np.bincount(groups, weights=weights)[groups]
    for ridge in ridges:
        shrunk = 1 / (np.maximum(eigenvalues, 0.0) + ridge)
        residuals = targets - mean - rotated @ (shrunk[:, None] * responses)
        leverage = 1 / weights.sum() + np.square(rotated) @ shrunk
        sums = np.zeros((len(inputs), targets.shape[1]))
        np.add.at(sums, groups, weights[:, None] * residuals)
        yield targets - residuals - (leverage / (1 - sizes * leverage))[:, None] * sums[groups]


def with_intercept(observation: FloatArray) -> FloatArray:
    """Put a 1 in front of the features, so that an arm's mean needs no help from the query; shape (..., 1 + size)."""
    return np.concatenate([np.ones((*observation.shape[:-1], 1)), observation], axis=-1)
