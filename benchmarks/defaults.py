"""The defaults of every agent, chosen one way: a declared grid, tried on nano's train split with equal budgets.

    python benchmarks/defaults.py [--agents ucb1,softmax]

Each candidate routes as many sessions per context as the budget leaves it, of 200 queries as in every comparison,
under both reward forms; the one that closes the largest share of the gap to the oracle, on the average of the two,
becomes the default. Agents on outcomes are made to live through many sessions, and 200 queries would choose settings
that hardly explore: they are tried in sessions through the whole split too, contexts mixed, and the average is of all
four. Agents that are fitted learn from one half of the split and are tried on the other. What the literature says is
the "textbook" setting, and stands beside it in the results. A test holds the code to `results/defaults_nano.json`.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from readme_tables import RESULTS
from results_file import save
from rich.progress import Progress

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.envs.problem import MIXED
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.tuning import Grid, Tuned, tune
from llm_routing_env.rewards.forms import FORMS
from llm_routing_env.tables.load import load_table

GRIDS: dict[str, dict[str, list[Any]]] = {
    "learning_automaton": {"learning_rate": [0.05, 0.1, 0.2, 0.3], "normaliser": ["running_minmax", "running_max"]},
    "epsilon_greedy_q": {"step_size": [0.1, 0.3, "sample_mean"], "epsilon_decay": [0.85, 0.9, 0.95]},
    "linear_reward_penalty": {"learning_rate": [0.1, 0.2, 0.3], "penalty_ratio": [0.01, 0.05, 0.1]},
    "pursuit": {"learning_rate": [0.05, 0.1, 0.2], "initial_pulls": [2, 3, 5]},
    "explore_then_commit": {"pulls_per_arm": [2, 3, 5, 7, 10, 15]},
    "softmax": {"temperature": [0.02, 0.05, 0.1, 0.15, 0.2, 0.3]},
    "gradient_bandit": {"step_size": [0.4, 0.8, 1.6, 3.2, 6.4]},
    "ucb1": {"c": [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0]},
    "kl_ucb": {"log_log_factor": [0.0, 1.0, 3.0]},
    "thompson_beta": {"prior_successes": [0.5, 1.0, 2.0], "prior_failures": [1.0, 2.0, 4.0]},
    "thompson_gaussian": {"scale": [0.1, 0.2, 0.3, 0.5, 0.7, 1.0]},
    "exp3": {"exploration": [0.05, 0.1, 0.2, 0.3, 0.5]},
    "sliding_window_ucb": {"window": [100, 150, 200], "exploration": [0.02, 0.05, 0.2]},
    "discounted_ucb": {"discount": [0.99, 0.998, 0.9995], "exploration": [0.01, 0.02, 0.05]},
    "linucb": {"alpha": [0.25, 0.5, 1.0], "ridge": [0.3, 1.0, 3.0]},
    "lin_ts": {"scale": [0.05, 0.1, 0.3], "ridge": [0.1, 0.3, 1.0]},
    "neural_linear": {"scale": [0.1, 0.3, 0.5], "hidden_units": [8, 16]},
    "knn_bandit": {"n_neighbours": [5, 10, 20], "epsilon": [0.005, 0.02, 0.05]},
    "per_context_q": {"step_size": [0.1, 0.3, 0.5], "epsilon_decay": [0.85, 0.9, 0.95]},
    "outcome_thompson": {"scale": [0.35, 0.5, 0.7, 1.0], "price_slope": [0.0, 0.1], "pseudo_pulls": [4.0, 8.0, 16.0]},
    "outcome_ucb": {"exploration": [0.03, 0.1, 0.3, 1.0], "price_slope": [0.0, 0.1], "pseudo_pulls": [4.0, 8.0, 16.0]},
    "outcome_linear": {"scale": [0.1, 0.2, 0.3, 0.45], "price_slope": [0.0, 0.1]},
    "mlp_router": {"hidden_units": [25, 50, 100], "weight_decay": [0.3, 1.0, 3.0]},
    "matrix_factorisation": {"rank": [2, 3, 4], "noise": [0.02, 0.05, 0.1]},
    "awr_router": {"beta": [0.02, 0.05, 0.1, 0.2]},
    "ipo_router": {"beta": [0.02, 0.05, 0.1, 0.5]},
    "llm_bandit": {"rank": [2, 4, 8, 16]},
    "pairwise_mf": {"rank": [16, 32, 64], "noise": [0.02, 0.05, 0.1]},
}
LIVES_LONG = ("outcome_thompson", "outcome_ucb", "outcome_linear")
# Where a grid has no say: these choose for themselves on the train split, have nothing to choose, no label to choose
# by, or are for budgets and preferences, of which the reward's gap says nothing.
WITHOUT = (
    "barp",
    "budget_pacer",
    "knn_router",
    "linear_router",
    "uniroute",
    "hull_router",
    "smoothie",
    "tier_router",
    "zero_router",
    "random",
    "round_robin",
    "fixed",
    "cheapest",
)
# Auer et al. 2002 (ucb1, exp3), Garivier and Moulines 2011, Sutton and Barto 2018 (softmax, gradient bandit, epsilon
# decaying by 1 % a query), Oommen and Agache 2001 (pursuit), Narendra and Thathachar 1989; where they leave it open,
# what was the default here before any tuning.
TEXTBOOK: dict[str, dict[str, Any]] = {
    "learning_automaton": {"learning_rate": 0.1, "normaliser": "running_minmax"},
    "epsilon_greedy_q": {"step_size": 0.1, "epsilon_decay": 0.99},
    "linear_reward_penalty": {"learning_rate": 0.1, "penalty_ratio": 0.1},
    "pursuit": {"learning_rate": 0.05, "initial_pulls": 10},
    "explore_then_commit": {"pulls_per_arm": 10},
    "softmax": {"temperature": 0.1},
    "gradient_bandit": {"step_size": 0.4},
    "ucb1": {"c": 2.0},
    "kl_ucb": {"log_log_factor": 0.0},
    "thompson_beta": {"prior_successes": 1.0, "prior_failures": 1.0},
    "thompson_gaussian": {"scale": 0.5},
    "exp3": {"exploration": 0.1},
    "sliding_window_ucb": {"window": 100, "exploration": 0.6},
    "discounted_ucb": {"discount": 0.99, "exploration": 0.6},
    "linucb": {"alpha": 0.5, "ridge": 1.0},
    "lin_ts": {"scale": 0.3, "ridge": 1.0},
    "neural_linear": {"scale": 0.3, "hidden_units": 16},
    "knn_bandit": {"n_neighbours": 10, "epsilon": 0.1},
    "per_context_q": {"step_size": 0.1, "epsilon_decay": 0.99},
    "outcome_thompson": {"scale": 1.0, "price_slope": 0.0, "pseudo_pulls": 8.0},
    "outcome_ucb": {"exploration": 1.0, "price_slope": 0.0, "pseudo_pulls": 8.0},
    "outcome_linear": {"scale": 0.45, "price_slope": 0.0},
    "mlp_router": {"hidden_units": 100, "weight_decay": 1.0},
    "matrix_factorisation": {"rank": 2, "noise": 0.05},
    "awr_router": {"beta": 0.05},
    "ipo_router": {"beta": 0.05},
    "llm_bandit": {"rank": 128},
    "pairwise_mf": {"rank": 128, "noise": 0.1},
}


def main(
    agents: Annotated[str, typer.Option(help="Agents, separated by commas; the others keep their results.")] = ",".join(
        GRIDS
    ),
    budget: Annotated[int, typer.Option(help="Sessions per context, agent and reward form.")] = 360,
    seed: int = 0,
) -> None:
    """Try every candidate of every agent and write what was chosen."""
    path = RESULTS / "defaults_nano.json"
    found: dict[str, Any] = {}
    if path.is_file():
        import json

        found = json.loads(path.read_text(encoding="utf-8"))["result"]
    with Progress() as progress:
        for name in progress.track(agents.split(","), description="tuning"):
            forms = tried(name, GRIDS[name], budget, seed, lives_long=name in LIVES_LONG)
            found[name] = document(TEXTBOOK[name], forms)
            print(f"{name}: {found[name]['chosen']}")
    print(f"wrote {save('defaults', load_table('nano'), {name: found[name] for name in GRIDS if name in found})}")


def tried(
    name: str, grid: Grid, budget: int, seed: int, *, lives_long: bool = False, blocks: Path | None = None
) -> dict[str, Tuned]:
    """Return what came of a grid under each reward form, and where agents live long in sessions of both lengths."""

    def of(**options: str) -> Tuned:
        length = load_table("nano").n_queries if "context" in options else SESSION_LENGTH
        setting = Setting({"table": "nano", **options}, length, seed)
        return tune({name: grid}, setting, budget, blocks_folder=blocks)[name]

    found = {form: of(reward=form) for form in FORMS}
    return found | ({f"{form}, mixed": of(reward=form, context=MIXED) for form in FORMS} if lives_long else {})


def document(textbook: dict[str, Any], forms: dict[str, Tuned]) -> dict[str, Any]:
    """Return what was tried for an agent and what was chosen: the best on the average of all settings."""
    gaps = {form: [gap["mean"] if gap else None for gap in tuned.gaps_closed] for form, tuned in forms.items()}
    scores = np.mean([[-np.inf if gap is None else gap for gap in of_form] for of_form in gaps.values()], axis=0)
    candidates = next(iter(forms.values())).candidates
    return {
        "textbook": textbook,
        "chosen": candidates[int(np.argmax(scores))],
        "sessions": next(iter(forms.values())).n_sessions,
        "candidates": [
            {"parameters": values, "gap_closed": {form: gaps[form][number] for form in gaps}}
            for number, values in enumerate(candidates)
        ],
    }


if __name__ == "__main__":
    typer.run(main)
