"""Where jobs run: in this process, or on a Ray cluster. Both give the same numbers to the last bit."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.evaluation.contestants import Result
from llm_routing_env.evaluation.jobs import Attempt, Failure, Job
from llm_routing_env.evaluation.ray_engine import RayEngine
from llm_routing_env.evaluation.setting import Setting

ENGINES = ("local", "ray")
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
    if name == "ray":
        return RayEngine(address)
    if address is not None:
        raise ValueError(f"The address {address!r} is for the ray engine: give engine='ray' too.")
    return run_local


def run_local(jobs: Iterable[Job], setting: Setting, on_step: OnStep) -> Iterator[tuple[Job, Result | Failure]]:
    """Run one job after the other; a contestant that failed is not asked again."""
    failed = set()
    for job in jobs:
        name = job.contestant.name
        if name in failed:
            continue
        with Attempt() as attempt:
            attempt.result = job.contestant.run(job.setting(setting), job.work, partial(on_step, name))
        if isinstance(attempt.result, Failure):
            failed.add(name)
        yield job, attempt.result
