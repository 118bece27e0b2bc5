"""What agents have behind them when they are judged as "logged" or "lifelong": a log, or queries of the train split."""

import hashlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_routing_env.agents import LoggedData
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.tables.train_split import train_split

if TYPE_CHECKING:
    from llm_routing_env.logs import Log

LIVES, LOGGED = "lifelong", "logged"


@dataclass(frozen=True)
class Past:
    """What lies before the sessions that are judged.

    Attributes:
        lifetimes: How many learners live, see `lives_of`; None: as many as sessions per context.
        lifetime_queries: Queries of the train split that each of them routes first; None: all, once.
        lifetimes_from: File of a log that they learn from instead; None: they route themselves.
        log: File of the log that "logged" agents learn from; None: one of uniform choices, see `uniform_log`.
    """

    lifetimes: int | None = None
    lifetime_queries: int | None = None
    lifetimes_from: str | None = None
    log: str | None = None

    def check(
        self, protocols: set[str], problem: RoutingProblem, n_sessions: int, *, of_files: Collection[str] = ()
    ) -> None:
        """Raise ValueError where a past cannot be, or nobody would have it.

        Args:
            protocols: Of those who are compared.
            problem: What is judged.
            n_sessions: Per context.
            of_files: Protocols of routers from files, which bring their past.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        for name, protocol in _USED_BY.items():
            have_it = protocols | set(of_files) if name == "lifetimes" else protocols
            if name in given and protocol not in have_it:
                raise ValueError(
                    f"{_option(name)} is of {protocol} agents, and none takes part: name one, as ucb1@{protocol}."
                )
        n_train = len(problem.table.select(None, "train"))
        if LIVES in protocols | set(of_files):
            self._check_lifetimes(n_train, n_sessions)
            if problem.is_live:
                raise ValueError("Lifelong agents are judged on recorded outcomes: leave --backend out, or @lifelong.")
        files = {LOGGED: self.log, LIVES: self.lifetimes_from}
        have_past = protocols & ({LOGGED} if self.lifetime_queries == 0 else {LOGGED, LIVES})
        if have_past and problem.split != "test":
            raise ValueError(
                f"logged and lifelong agents learn on the train split, so they can only be judged on the test split: "
                f"give split='test', not {problem.split!r}."
            )
        for protocol in sorted(have_past):
            path = files[protocol]
            if path is not None:
                read_past(path, problem)
            else:
                train_split(problem.table, "there is no past to learn from")

    def _check_lifetimes(self, n_train: int, n_sessions: int) -> None:
        for name, least in (("lifetimes", 1), ("lifetime_queries", 0)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ValueError(f"{_option(name)} must be {least} or more and a whole number, got {value!r}.")
        if self.lifetimes is not None and n_sessions % self.lifetimes:
            raise ValueError(
                f"--lifetimes must divide the {n_sessions} sessions per context, each of which is lived once, "
                f"got {self.lifetimes}."
            )
        if (self.lifetime_queries or 0) > n_train:
            raise ValueError(
                f"--lifetime-queries must be at most {n_train}, as many as the train split has, got "
                f"{self.lifetime_queries}."
            )
        if self.lifetimes_from is not None and self.lifetime_queries is not None:
            raise ValueError("--lifetimes-from gives a past, and so does --lifetime-queries: leave one out.")

    def facts(self) -> dict[str, Any]:
        """Return what is given of it, JSON-plain, with the hashes of its files."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        hashes = {
            f"{name}_sha256": hashlib.sha256(Path(str(given[name])).read_bytes()).hexdigest()
            for name in ("lifetimes_from", "log")
            if name in given
        }
        return given | hashes


_USED_BY: Mapping[str, str] = {
    **dict.fromkeys(("lifetimes", "lifetime_queries", "lifetimes_from"), LIVES),
    "log": LOGGED,
}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def past_rng(seed: int, purpose: str) -> np.random.Generator:
    """Return what a past is drawn from: the same for all agents."""
    return np.random.default_rng([seed, zlib.crc32(f"past/{purpose}".encode())])


def past_seed(seed: int, life: int, times: int = 0) -> int:
    """Return the seed of the session in which a lifetime routes the train split, for the first time or once more."""
    again = f"/{times}" if times else ""
    return int(past_rng(seed, f"life/{life}{again}").integers(2**32))


def uniform_log(problem: RoutingProblem, rng: np.random.Generator) -> LoggedData:
    """Return the log of a router that asked each query of the train split of one LLM, drawn uniformly, in random order.

    Args:
        problem: What was routed, with the observations of the agent that is to learn.
        rng: Draws the order of the queries, the LLMs and the repeats.
    """
    train = problem.table.select(None, "train")
    queries = rng.permutation(train[problem.comparable[train].any(axis=1)])
    masks = problem.comparable[queries]
    chances = masks / masks.sum(axis=1, keepdims=True)
    actions = (chances.cumsum(axis=1)[:, :-1] <= rng.random(len(queries))[:, None]).sum(axis=1)
    cells = (queries, actions, rng.integers(problem.table.n_repeats, size=len(queries)))
    return LoggedData(
        observations=problem.observations[queries],
        prompts=problem.prompts[queries],
        actions=actions,
        rewards=problem.reward_table.rewards[cells],
        propensities=chances[np.arange(len(queries)), actions],
        masks=None if masks.all() else masks,
        outcomes={
            "accuracy": problem.cells.accuracy[cells],
            "cost_usd": problem.cells.cost_usd[cells],
            "latency_s": problem.cells.latency_s[cells],
        },
        steps=np.arange(len(queries)),
    )


@lru_cache(maxsize=1)
def _read_log(path: str, changed_ns: tuple[int, ...]) -> "Log":
    """Read a log, unless it is the one that was read last: every block of sessions asks for it."""
    from llm_routing_env.logs import read_log  # comparisons without one start sooner so

    return read_log(path)


def read_past(path: str, problem: RoutingProblem, *, judged: str | None = None) -> LoggedData:
    """Read a log as what agents can learn from.

    Args:
        path: The file.
        problem: The problem, with their observations.
        judged: The split that they will be judged on; None: the problem's.

    Raises:
        ValueError: The log is of other LLMs, another table, reward or scorer, has no propensities, or has queries of
            the split that is judged.
    """
    from llm_routing_env.logs.spool import unfinished

    files = (Path(path), unfinished(path))
    log = _read_log(path, tuple(file.stat().st_mtime_ns for file in files if file.exists()))
    queries = log.require_table(problem.table)
    log.require_propensities()
    if log.llm_names != problem.task.llm_names:
        raise ValueError(f"{path} is of the LLMs {', '.join(log.llm_names)}: not those of {problem.table.name}.")
    _require_reward(path, log, problem)
    split = judged or problem.split
    is_judged = np.isin(queries, problem.table.select(None, split))
    if is_judged.any():
        raise ValueError(
            f"{int(is_judged.sum())} of the {len(log)} rows of {path} are of the {split} split, on which agents "
            "are judged: log the train split, pickllm compare --split train --log-steps."
        )
    return LoggedData(
        observations=problem.observations[queries],
        prompts=problem.prompts[queries],
        actions=log.action,
        rewards=log.reward,
        propensities=log.propensity,
        masks=log.mask,
        outcomes={name: getattr(log, name) for name in ("accuracy", "cost_usd", "latency_s")},
        sessions=log.session_of_row,
        steps=log.step,
    )


def _require_reward(path: str, log: "Log", problem: RoutingProblem) -> None:
    """Refuse a log whose rewards, or what counts as accuracy, are not the problem's."""
    own, reward = log.metadata.get("reward") or {}, problem.reward
    if (own.get("form"), own.get("weights")) != (reward.form, list(reward.weights)):
        raise ValueError(
            f"{path} was made with the reward {own.get('form')!r} and weights {own.get('weights')}, not with "
            f"{reward.form!r} and {list(reward.weights)}: give the log's --reward and --weights."
        )
    if log.metadata.get("scorer") != problem.scorer:
        raise ValueError(
            f"{path} was made with the scorer {log.metadata.get('scorer')!r}, not with {problem.scorer!r}: give the "
            "log's --scorer."
        )
    for name in ("t_scaling", "cost_scale_usd", "extra_terms"):
        logged, faced = own.get(name), reward.facts()[name]
        is_used = name != "cost_scale_usd" or reward.weights[1]  # it may be NaN where nothing is weighed by it
        if is_used and logged != faced:
            raise ValueError(
                f"{path} was made with the reward's {name} {logged!r}, not with {faced!r}: give {name}={logged!r} in "
                "Python, or log the table again."
            )
