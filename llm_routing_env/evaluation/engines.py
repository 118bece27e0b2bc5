"""Where blocks of sessions run: in this process, or on a Ray cluster. Both give the same numbers to the last bit."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from llm_routing_env.backends.budget import BudgetError
from llm_routing_env.evaluation.contestants import Block, Contestant, Training
from llm_routing_env.evaluation.sessions import Floats, SessionLog
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.text import unknown_name

ENGINES = ("local", "ray")
Result = SessionLog | Floats


@dataclass(frozen=True)
class Job:
    """A contestant, and the sessions that it is to run or the training that it is to be judged by.

    Attributes:
        contestant: The contestant.
        work: The sessions, or the training.
        journal: Where the sessions' live outcomes are kept.
    """

    contestant: Contestant
    work: Block | Training
    journal: Path | None = None

    def run(self, setting: Setting, on_step: Callable[[int], None]) -> Result:
        """Return the log of the sessions, or the policy that training led to."""
        if isinstance(self.work, Block):
            return self.contestant.run(setting, self.work, on_step)
        policy = self.contestant.train(setting, self.work.number)
        on_step(self.work.n_queries)
        return policy


@dataclass(frozen=True)
class Failure:
    """What an agent raised, in one line."""

    line: str


# Told a contestant's name and how many queries it has just routed.
OnStep = Callable[[str, int], None]
Engine = Callable[[Iterable[Job], Setting, OnStep], Iterator[tuple[Job, Result | Failure]]]


def make_engine(name: str, address: str | None = None) -> Engine:
    """Return the engine of a name.

    Args:
        name: "local" or "ray".
        address: Of the Ray cluster; None starts one on this machine.

    Raises:
        ValueError: For an unknown name, or an address that the local engine has no use for.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name == "local":
        if address is not None:
            raise ValueError(f"The address {address!r} is for the ray engine: give engine='ray' too.")
        return run_local
    from llm_routing_env.evaluation.ray_engine import RayEngine

    return RayEngine(address)


def run_local(jobs: Iterable[Job], setting: Setting, on_step: OnStep) -> Iterator[tuple[Job, Result | Failure]]:
    """Run one job after the other; a contestant that failed is not asked again."""
    failed = set()
    for job in jobs:
        name = job.contestant.name
        if name in failed:
            continue
        result = run_job(job, setting, _counting(on_step, name))
        if isinstance(result, Failure):
            failed.add(name)
        yield job, result


def run_job(job: Job, setting: Setting, on_step: Callable[[int], None]) -> Result | Failure:
    """Run a job; what the agent raises is the result, so that the others go on."""
    try:
        return job.run(replace(setting, journal=job.journal), on_step)
    except BudgetError as error:
        return Failure(f"{error}")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        return Failure(f"{type(error).__name__}: {' '.join(str(error).split())} ({place})")


def _counting(on_step: OnStep, name: str) -> Callable[[int], None]:
    return lambda n_queries: on_step(name, n_queries)
