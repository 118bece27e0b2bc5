"""The defaults of `recommit`: how often the test cries wolf, and how soon it sees a change.

    python benchmarks/recommit.py [--table nano]

Streams of rewards of each context's best LLM in sessions of 200 queries of the train split, under both reward forms. A
false alarm: a session without a change in which the test fires once the agent may be committed, at step 40 or later.
Writes `results/recommit_<table>.json`; chosen: of the settings with at most 1 false alarm in 200 sessions under each
form, the one with the lowest sum of median delays, where the LLM's answers turn wrong (`silent_degradation`) and where
it becomes slow (`slow_motion`).
"""

import itertools
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from results_file import save

from llm_routing_env.agents.parts.recommitting import PageHinkley
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.drawn import draw_sessions, session_seeds
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.load import load_table

Floats = NDArray[np.float64]
DELTAS, THRESHOLDS = (0.05, 0.1, 0.15, 0.2), (3, 4, 5, 6, 8, 10, 12)
EVENTS = {"silent_degradation": 100, "slow_motion": 60}  # the step at which each begins
COMMITTED = 40  # steps that the paper's agents take to commit, or more
MOST_FALSE_ALARMS = 1 / 200


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 200,
    seed: int = 0,
) -> None:
    """Measure every setting, and print the one chosen."""
    cases = list(itertools.product(FORMS, (None, *EVENTS)))
    streams = {(form, event): rewards_of_best(table, form, event, sessions, seed) for form, event in cases}
    found = [
        {"delta": delta, "threshold": threshold} | measured(streams, delta, threshold)
        for delta, threshold in itertools.product(DELTAS, THRESHOLDS)
    ]
    fair = [row for row in found if max(row["false_alarms"].values()) <= MOST_FALSE_ALARMS]
    chosen = min(fair, key=lambda row: sum(delay for of_form in row["delays"].values() for delay in of_form.values()))
    print(f"chosen: {chosen}")
    print(f"wrote {save('recommit', load_table(table), {'chosen': chosen, 'settings': found})}")


def rewards_of_best(table: str, form: str, event: str | None, sessions: int, seed: int) -> Floats:
    """Return each context's best LLM's rewards, as shares of the train split's range, shape (sessions, steps)."""
    problem = RoutingProblem(table, split="train", reward=form, scenario=event)
    streams, (low, high) = [], problem.task.reward_quantiles or problem.task.reward_bounds
    for context in problem.contexts:
        drawn = draw_sessions(problem, session_seeds(seed, context, sessions), context=context, length=200)
        best = int(problem.expected_rewards(context).argmax())
        streams.append(problem.reward_table.rewards[drawn.rows, best, drawn.repeats])
    return np.concatenate(streams) / (high - low)


def measured(streams: dict[tuple[str, str | None], Floats], delta: float, threshold: float) -> dict[str, Any]:
    """Return the share of false alarms by form, and the median delay by form and event; 200 where it is not seen."""
    fired = {key: first_alarms(stream, delta, threshold) for key, stream in streams.items()}
    alarms = {form: float(np.isfinite(fired[form, None]).mean()) for form in FORMS}
    delays: dict[str, dict[str, float]] = {form: {} for form in FORMS}
    for form, (event, step) in itertools.product(FORMS, EVENTS.items()):
        is_hit = (streams[form, event] != streams[form, None]).any(axis=1)  # the favourite is not every context's best
        after = fired[form, event][is_hit]
        delays[form][event] = float(np.median(np.where(after < step, np.inf, np.minimum(after - step, 200))))
    return {"false_alarms": alarms, "delays": delays}


def first_alarms(stream: Floats, delta: float, threshold: float) -> Floats:
    """Return the step at which the test first fires in each session, infinity where it never does."""
    test, arm = PageHinkley(len(stream), 1, delta=delta, threshold=threshold), np.zeros(len(stream), dtype=np.int64)
    changed = np.array([test.add(arm, values) for values in stream.T])[COMMITTED:]
    return np.where(changed.any(axis=0), COMMITTED + changed.argmax(axis=0), np.inf)


if __name__ == "__main__":
    typer.run(main)
