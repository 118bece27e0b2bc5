"""Estimates that lean on a reward model, and correct it by what was logged."""

import numpy as np

from llm_routing_env.evaluation.off_policy.logged import Estimate, Floats, Logged, mean_of, weighted_mean_of

N_THRESHOLDS = 20


def dm(logged: Logged) -> Estimate:
    """The direct method: what the model predicts. As biased as the model, and blind to it: so is its interval."""
    return mean_of(logged.predicted)


def dr(logged: Logged) -> Estimate:
    """Doubly robust (Dudik, Langford and Li 2011).

    mean(predicted + w (r - model)): right in the mean if the propensities or the model are.
    """
    return mean_of(logged.predicted + logged.weights * logged.residuals)


def sndr(logged: Logged) -> Estimate:
    """Doubly robust, the correction self-normalised (Thomas and Brunskill 2016's weighted DR, for one step)."""
    predicted, correction = dm(logged), weighted_mean_of(logged.residuals, logged.weights)
    return Estimate(predicted.mean + correction.mean, predicted.deviations + correction.deviations)


def switch_dr(logged: Logged) -> Estimate:
    """Doubly robust where the weight is at most a threshold, else the model alone (Wang, Agarwal and Dudik 2017)."""
    return mean_of(switched(logged, switch_threshold(logged)))


def switch_threshold(logged: Logged) -> float:
    """Return the threshold of the least estimated variance plus the highest squared bias that it may bring.

    The bias is at most the target's mass beyond the threshold times the range of the values (their section 3.2). The
    thresholds are quantiles of the weights, 0 (the model alone) and the highest weight (plain DR).
    """
    weights, width = logged.weights, float(np.ptp(logged.value))
    thresholds = np.append(0.0, np.unique(np.quantile(weights, np.linspace(0, 1, N_THRESHOLDS + 1), method="higher")))

    def error(threshold: float) -> float:
        variance = switched(logged, threshold).var() / len(weights)
        return float(variance + (width * np.where(weights > threshold, weights, 0.0).mean()) ** 2)

    return float(min(thresholds[::-1], key=error))


def switched(logged: Logged, threshold: float) -> Floats:
    """Return each step's term: corrected by what was got where its weight is at most a threshold, shape (n,)."""
    weights = logged.weights
    return np.asarray(logged.predicted + np.where(weights <= threshold, weights * logged.residuals, 0.0))
