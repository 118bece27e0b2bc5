"""Forms of the reward, by name. To add one: its file, one line in `FORMS`, its test."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.rewards.additive import Additive
from llm_routing_env.rewards.base import TERMS, Reward
from llm_routing_env.rewards.ratio import Ratio
from llm_routing_env.tables.table import OutcomeTable

FORMS: dict[str, type[Reward]] = {"pickllm": Ratio, "additive": Additive}
DEFAULT_FORM = "pickllm"
DEFAULT_WEIGHTS = (1.0, 0.5, 0.5)


def form_class(name: str) -> type[Reward]:
    """Return the class of a registered form, or of anyone's form named ``my_package.my_module:MyForm``.

    Raises:
        ValueError: If there is no such form, it is no subclass of `Reward`, or it lacks what a form must say.
    """
    if name not in FORMS and ":" not in name:
        raise unknown_name("reward", name, FORMS, "Your own form: my_package.my_module:MyForm.")
    found = FORMS.get(name) or load("reward", name)
    if not (isinstance(found, type) and issubclass(found, Reward)):
        raise ValueError(f"Reward {name!r} must be a subclass of llm_routing_env.rewards.base.Reward, got {found!r}.")
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(found.__abstractmethods__))
        raise ValueError(f"Reward {name!r} lacks {lacking}: see llm_routing_env.rewards.base.Reward.")
    return found


def make_reward(
    table: OutcomeTable,
    form: str = DEFAULT_FORM,
    weights: Sequence[float] = DEFAULT_WEIGHTS,
    *,
    t_scaling: float = 1.0,
    cost_scale_usd: float | None = None,
    extra_terms: Mapping[str, float] | None = None,
    deadline_s: float = 0.0,
) -> Reward:
    """Return the reward for a table, with bounds from its highest cost and latency.

    Args:
        table: Gives cost scale, bounds, and says which measures exist.
        form: One of `FORMS`, or ``my_package.my_module:MyForm``.
        weights: Accuracy, cost, latency.
        t_scaling: Divides log10(latency in ms).
        cost_scale_usd: The cost that counts as 1; by default the table's (mean cost of its dearest LLM).
        extra_terms: Weight by name of a `measure_<name>` column.
        deadline_s: Live calls may take this long: widens the bounds.

    Raises:
        ValueError: For an unknown form or measure, a weight that cannot be one, or one on a measure the table lacks,
            a reward that nothing changes, or bounds that are none.
    """
    made, checked = form_class(form), _check_weights(weights)
    _check_recorded(table, checked)
    _check_extra_terms(table, extra_terms or {})
    max_cost_usd = _highest(table.cost_usd)
    # Where every LLM is free no unit makes a difference.
    usual = table.cost_scale_usd if max_cost_usd != 0 else 1.0
    scale = usual if cost_scale_usd is None else cost_scale_usd
    if checked[1] and not 0 < scale < math.inf:
        raise ValueError(f"cost_scale_usd must be a finite number above 0, got {scale}.")
    if not 0 < t_scaling < math.inf:
        raise ValueError(f"t_scaling must be a finite number above 0, got {t_scaling}.")
    reward = made(
        form=form,
        weights=checked,
        t_scaling=t_scaling,
        cost_scale_usd=scale,
        max_cost_usd=max_cost_usd,
        max_latency_s=max(_highest(table.latency_s), deadline_s),
        extra_terms=dict(extra_terms or {}),
        max_measures={name: _highest(values) for name, values in table.measures.items()},
    )
    _check_made(reward)
    return reward


def make_reward_of(
    form: str,
    weights: Sequence[float],
    *,
    cost_usd: NDArray[np.float64],
    latency_s: NDArray[np.float64],
    cost_scale_usd: float,
) -> Reward:
    """Return the reward of outcomes that are no table's, with bounds from the highest cost and latency among them.

    Args:
        form: See `make_reward`.
        weights: Accuracy, cost, latency.
        cost_usd: Of every outcome, NaN where it is not known.
        latency_s: The same.
        cost_scale_usd: The cost that counts as 1.

    Raises:
        ValueError: As `make_reward`; a measure that is weighed must be known of every outcome.
    """
    made, checked = form_class(form), _check_weights(weights)
    for place, (name, values) in enumerate((("cost", cost_usd), ("latency", latency_s)), start=1):
        lost = int(np.isnan(values).sum())
        if checked[place] and lost:
            without = ",".join(f"{0 if place == number else weight:g}" for number, weight in enumerate(checked))
            raise ValueError(
                f"The reward weighs {name} ({checked[place]:g}), which {lost} of {len(values)} rows lack: leave it out "
                f"with --weights {without}."
            )
    highest = (_highest(cost_usd), _highest(latency_s))
    reward = made(
        form=form,
        weights=checked,
        cost_scale_usd=cost_scale_usd,
        max_cost_usd=highest[0],
        max_latency_s=highest[1],
    )
    _check_made(reward)
    return reward


def _highest(values: NDArray[np.float64]) -> float:
    """Return the highest of the values that are there, NaN if there is none."""
    return float(np.fmax.reduce(values, axis=None))


def _check_made(reward: Reward) -> None:
    if reward.is_constant:
        raise ValueError(
            f"With the weights {reward.weights} the reward {reward.form!r} is the same whatever the outcome: weigh "
            f"something else too, or take another form ({', '.join(name for name in FORMS if name != reward.form)})."
        )
    bounds: Any = reward.bounds
    try:
        low, high = map(float, bounds)
    except (TypeError, ValueError):
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            f"The bounds of the reward {reward.form!r} must be two finite numbers, the lowest reward and a higher one, "
            f"got {bounds!r}."
        )


def _check_recorded(table: OutcomeTable, weights: tuple[float, float, float]) -> None:
    """Check that the table records what is weighed, and say how to go on where it does not."""
    ways = (
        ("cost", table.cost_usd, "--cost-column"),
        ("latency", table.latency_s, "--latency-column or --latency-from"),
    )
    for number, (name, values, flags) in enumerate(ways, start=1):
        lacks = np.isnan(values)
        if not weights[number] or not lacks.any():
            continue
        if lacks.all():
            without = ",".join(f"{0 if place == number else weight:g}" for place, weight in enumerate(weights))
            raise ValueError(
                f"The reward weighs {name} ({weights[number]:g}), but the table {table.name} records none: leave it "
                f"out with --weights {without}, or give it to `pickllm import` with {flags}."
            )
        # A cell without accuracy was never asked, so nothing is missing there.
        lost = int((lacks & ~np.isnan(table.accuracy(table.scorer))).sum())
        if lost:
            raise ValueError(f"The reward weighs {name}, but {lost} outcomes of the table {table.name} have none.")


def _check_extra_terms(table: OutcomeTable, extra_terms: Mapping[str, float]) -> None:
    for name, weight in extra_terms.items():
        if name not in table.measures:
            raise unknown_name("measure", name, table.measures)
        if name in TERMS:
            raise ValueError(f"extra_terms names {name!r}, which the reward has already: rename the measure's column.")
        if not math.isfinite(weight):
            raise ValueError(f"extra_terms[{name!r}] must be a finite number, got {weight}.")


def _check_weights(weights: Sequence[float]) -> tuple[float, float, float]:
    values: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    if values.shape != (3,) or not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise ValueError(
            f"weights must be three finite numbers, 0 or more and not all 0 (accuracy, cost, latency), got {weights}."
        )
    return float(values[0]), float(values[1]), float(values[2])
