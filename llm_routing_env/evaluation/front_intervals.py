"""95 % intervals of what policies by preference get, over other queries and other trainings."""

import numpy as np

from llm_routing_env.evaluation.intervals import Interval
from llm_routing_env.evaluation.sessions import Floats
from llm_routing_env.evaluation.statistics import MIN_QUERIES, QUERIES, TRAINING_SEEDS, Estimate, Part, Resamples
from llm_routing_env.evaluation.trade_offs import TradeOffs


class FrontIntervals:
    """Resamples the queries of each context, and the trainings; the same draws for every row.

    Attributes:
        weights: How much each query counts in the sample, then in each resample, shape (1 + resamples, judged).
    """

    def __init__(self, found: TradeOffs, contexts: tuple[str, ...], seed: int) -> None:
        """Draw the queries.

        Args:
            found: What is judged.
            contexts: The names of its contexts.
            seed: Of the draws.
        """
        self._resamples, self._n_least = Resamples(0, seed), min(found.sizes)
        rows = []
        for name, size in zip(contexts, found.sizes, strict=True):
            moved = Resamples(size, seed, name).counts(QUERIES, size).T - 1
            # Resampling n draws shows the spread of n - 1.
            rows.append(1 + moved * np.sqrt(size / max(size - 1, 1)))
        drawn = np.concatenate(rows, axis=1)
        self.weights = np.concatenate([np.ones((1, drawn.shape[1])), drawn]) * found.weights

    def interval(self, values: Floats) -> Interval:
        """Return the mean over trainings, and what other queries and other trainings would move it, as two parts.

        Args:
            values: What each training gets in the sample and in each resample of queries, shape (1 + resamples,
                trainings); one training where chance has no part in it.
        """
        means = values.mean(axis=1)
        # The smallest context's, which the freedom of all together is never below.
        freedom = self._n_least - 1 if self._n_least >= MIN_QUERIES else 0
        parts = {QUERIES: Part(means[1:] - means[0], freedom)}
        if values.shape[1] > 1:
            parts |= self._resamples.mean_of_units(values[0], TRAINING_SEEDS).parts
        return Estimate(float(means[0]), parts).interval()


def hypervolumes(points: Floats, reference: Floats) -> Floats:
    """Return the hypervolume of many sets of points in three objectives, see `pareto.hypervolume`, side by side.

    Args:
        points: Shape (..., points, 3).
        reference: Shape (3,).
    """
    above = np.maximum(points - reference, 0.0)  # what is not above it in one objective has no volume
    above = np.take_along_axis(above, np.argsort(-above[..., 2], axis=-1)[..., None], axis=-2)
    by_first = np.argsort(-above[..., 0], axis=-1)
    first, second = (np.take_along_axis(above[..., number], by_first, axis=-1) for number in (0, 1))
    depths, widths = -np.diff(above[..., 2], append=0.0), -np.diff(first, append=0.0)
    volumes = np.zeros(above.shape[:-2])
    for n in range(above.shape[-2]):  # the slice below the n + 1 highest points
        heights = np.maximum.accumulate(np.where(by_first <= n, second, 0.0), axis=-1)
        volumes += depths[..., n] * (widths * heights).sum(axis=-1)
    return volumes
