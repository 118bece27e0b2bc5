"""Encoders that a user might write, and some that are none."""

import numpy as np


def lengths(table):
    """Return how long each text is, and a constant."""
    return np.array([[len(query.prompt), 0.5] for query in table.queries])


def small(table):
    """Return integers within [-1, 1]."""
    return [[query % 3 - 1] for query in range(table.n_queries)]


def one_row_less(table):
    return lengths(table)[1:]


def flat(table):
    return lengths(table)[:, 0]


def empty(table):
    return lengths(table)[:, :0]


def endless(table):
    seen = lengths(table)
    seen[2, 1] = np.inf
    return seen


def huge(table):
    return lengths(table) * 1e300


def texts(table):
    return [[query.prompt] for query in table.queries]


def ragged(table):
    return [[1.0]] * (table.n_queries - 1) + [[1.0, 2.0]]


def nothing(table):
    return None


NUMBER = 3
