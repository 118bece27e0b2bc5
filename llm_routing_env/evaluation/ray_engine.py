"""Jobs on a Ray cluster: a lost worker's job is run again, results arrive as they are ready."""

from collections.abc import Callable, Iterable, Iterator

from llm_routing_env.agents.parts.plug_ins import found_in, plug_in_folder
from llm_routing_env.evaluation.contestants import Result
from llm_routing_env.evaluation.jobs import Attempt, Failure, Job
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.ray_cluster import MAX_RETRIES, connect


class RayEngine:
    """Runs jobs on a Ray cluster, one CPU each."""

    def __init__(self, address: str | None = None) -> None:
        """Connect; see `llm_routing_env.ray_cluster.connect` for the address and the errors."""
        self._ray = connect(address)

    def __call__(
        self, jobs: Iterable[Job], setting: Setting, on_step: Callable[[str, int], None]
    ) -> Iterator[tuple[Job, Result | Failure]]:
        """Run the jobs in any order; see `run_local`."""
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_run)
        shared = ray.put(setting)
        running = {remote.remote(job, shared, plug_in_folder()): job for job in jobs}
        try:
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                job = running.pop(ready)
                result = ray.get(ready)
                on_step(job.contestant.name, job.work.n_queries)
                yield job, result
        finally:  # an interrupted comparison leaves no work behind on a cluster that others use
            for reference in running:
                ray.cancel(reference, force=True)


def _run(job: Job, setting: Setting, folder: str | None) -> Result | Failure:
    with found_in(folder), Attempt() as attempt:
        attempt.result = job.contestant.run(job.setting(setting), job.work, lambda n_queries: None)
    return attempt.result
