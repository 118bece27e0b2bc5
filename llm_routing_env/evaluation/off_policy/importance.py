"""Estimates that weigh what was logged by how much likelier the target policy is to do it; no reward model."""

import math

import numpy as np

from llm_routing_env.evaluation.off_policy.logged import Estimate, Logged, mean_of, weighted_mean_of


def ips(logged: Logged) -> Estimate:
    """Inverse propensity scoring (Horvitz and Thompson 1952; Dudik, Langford and Li 2011).

    mean(w r): without bias wherever the logging policy may ask whom the target asks, and as noisy as the weights are.
    """
    return mean_of(logged.weights * logged.value)


def clipped_ips(logged: Logged) -> Estimate:
    """IPS whose weights end at the square root of n (Ionides 2008): less noise for a bias towards 0."""
    return mean_of(np.minimum(logged.weights, math.sqrt(len(logged.value))) * logged.value)


def snips(logged: Logged) -> Estimate:
    """Self-normalised IPS (Swaminathan and Joachims 2015).

    sum(w r) / sum(w): within the range of the rewards, the same whatever is added to all of them; a bias of order 1/n.
    """
    return weighted_mean_of(logged.value, logged.weights)
