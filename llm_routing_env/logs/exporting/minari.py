"""A log as a data set of Minari, the Gymnasium ecosystem's format for offline reinforcement learning."""

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from llm_routing_env import __version__
from llm_routing_env.logs.exporting.observed import Observed
from llm_routing_env.observations.observed import space_of
from llm_routing_env.tables.shipped import named_tables

_INFOS = ("propensity", "accuracy", "cost_usd", "latency_s")
_NAME = re.compile(r"[-\w]+-v\d+")


def write_minari(seen: Observed, folder: Path) -> int:
    """Write one episode per session into a folder that is not there yet, and return how many; needs no network.

    The folder is called as the data set is, such as "pickllm/random-v0": with MINARI_DATASETS_PATH set to the folder
    above "pickllm", `minari.load_dataset("pickllm/random-v0")` loads it. Its last part is the data set's name.

    Every episode ends truncated. The observation after the last step is that of the last query once more: which query
    would have come is not in the log. Infos hold propensity, accuracy, cost_usd and latency_s, one step later than
    the action, as infos are told; action_mask (LLMs), where there is one, is of the query that waits.

    Raises:
        ImportError: If Minari is not installed.
        ValueError: The folder's name is none of a data set, or a row has no reward.
        FileExistsError: The folder is there.
    """
    require_minari()
    log = seen.log
    if not _NAME.fullmatch(folder.name):
        raise ValueError(f"{folder}: a data set of Minari is called like random-v0, with a version: name it so.")
    if np.isnan(log.reward).any():
        raise ValueError(f"{int(np.isnan(log.reward).sum())} of {len(log)} rows have no reward: Minari needs one.")
    if folder.exists():
        raise FileExistsError(f"{folder} exists: a data set is never written over; give another name.")
    (folder / "data").mkdir(parents=True)
    try:
        return _write(seen, folder.absolute())  # what Minari is given relative it looks for within itself
    except BaseException:
        shutil.rmtree(folder)
        raise


def require_minari() -> None:
    """Raise ImportError if Minari is not installed."""
    try:
        import minari  # noqa: F401
    except ImportError as error:
        raise ImportError('Data sets of Minari need minari: pip install "llm-routing-env[logs]".') from error


def _write(seen: Observed, folder: Path) -> int:
    import minari
    from minari.dataset.minari_storage import MinariStorage

    log = seen.log
    storage = MinariStorage.new(
        folder / "data", space_of(seen.vectors), gym.spaces.Discrete(log.n_llms), _spec(seen), data_format="arrow"
    )
    storage.update_metadata(
        {
            "dataset_id": _dataset_id(folder),
            "minari_version": minari.__version__,
            "algorithm_name": log.agents[0],
            "description": f"Routing of queries to LLMs, logged by llm-routing-env {__version__}.",
        }
    )
    storage.update_episodes(_episodes(seen))
    return int(storage.total_episodes)


def _dataset_id(folder: Path) -> str:
    """Return the id by which `load_dataset` finds the folder: with the folder above it, where its name can be one."""
    above = folder.absolute().parent.name
    return f"{above}/{folder.name}" if re.fullmatch(r"[-\w]{2,}", above) else folder.name


def _episodes(seen: Observed) -> Iterator[Any]:
    from minari.data_collector.episode_buffer import EpisodeBuffer

    log = seen.log
    firsts = np.flatnonzero(log.step == 0)
    for first, end in zip(firsts.tolist(), [*firsts[1:].tolist(), len(log)], strict=True):
        rows = np.arange(first, end)
        shown = np.append(rows, end - 1)  # and the last query once more
        infos: dict[str, Any] = {name: [np.nan, *getattr(log, name)[rows].tolist()] for name in _INFOS}
        if log.mask is not None:
            infos["action_mask"] = log.mask[shown].astype(np.int8)
        yield EpisodeBuffer(
            observations=seen.vectors[seen.places[shown]],
            actions=log.action[rows],
            rewards=log.reward[rows],
            terminations=np.zeros(len(rows), dtype=bool),
            truncations=rows == end - 1,
            infos=infos,
        )


def _spec(seen: Observed) -> EnvSpec | None:
    """Return what makes the environment again, for `recover_environment`; None where not everything is known."""
    facts, table = seen.log.metadata, seen.table
    if table is None or facts["backend"] != "table" or table.name not in named_tables():
        return None
    reward = facts["reward"]
    arguments = {name: facts[name] for name in ("scorer", "scenario", "context", "split")}
    arguments |= {name: reward[name] for name in ("weights", "t_scaling", "cost_scale_usd", "extra_terms")}
    arguments |= {"table": table.name, "observation": seen.kind, "reward": reward["form"]}
    given = {name: value for name, value in arguments.items() if value is not None and value != {}}
    spec = copy.deepcopy(gym.spec("PickLLM-v0"))  # the registered one stays as it is
    spec.kwargs, spec.max_episode_steps = given, int(seen.log.step.max()) + 1
    return spec
