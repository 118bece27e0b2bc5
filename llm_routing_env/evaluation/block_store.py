"""Finished blocks of a comparison on disk, so that an interrupted one goes on where it stopped."""

import hashlib
import inspect
import json
import zipfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env import __version__
from llm_routing_env.agents.parts.plug_ins import import_plug_in
from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.contestants import Lives, Result, Training, describe
from llm_routing_env.evaluation.jobs import Job
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.setting import Setting

_POLICY = "policy"


class BlockStore:
    """One ``.npz`` file per finished block, named by a hash of everything that its numbers depend on."""

    def __init__(self, folder: Path, setting: Setting, world: str) -> None:
        """Open a folder; it is made with the first block.

        Args:
            folder: Where the blocks lie.
            setting: What the agents face.
            world: Hash of what the agents meet, see `RoutingProblem.fingerprint`.
        """
        self.folder = folder
        facts = _deciding(setting) | {"live": _deciding(setting.live) if setting.live else None}
        facts["past"] = setting.past.facts()
        options = {name: value for name, value in setting.options.items() if name not in ("table", "scenario")}
        self._setting = facts | {"options": options, "world": world, "version": __version__}

    def load(self, job: Job) -> Result | None:
        """Return what a finished job led to; None if there is none, or its file is damaged."""
        try:
            with np.load(self._path(job), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if isinstance(job.work, Training):
                return np.asarray(arrays[_POLICY])
            if isinstance(job.work, Lives):
                return [_log(_under(f"{number}.", arrays)) for number in range(len(job.work.blocks))]
            return _log(arrays)
        except (FileNotFoundError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, job: Job, result: Result) -> None:
        """Write what a job led to; a crash leaves no half of it under its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(job)) as new, new.open("wb") as file:
            np.savez(file, **_arrays(result))

    def journal(self, job: Job) -> Path:
        """Return where the live outcomes of a block are kept."""
        return journals_of(self.folder).absolute() / f"{self._digest(job)}.sqlite"  # a worker's folder is another

    def _path(self, job: Job) -> Path:
        return self.folder / f"{self._digest(job)}.npz"

    def _digest(self, job: Job) -> str:
        identity: dict[str, Any] = {
            "setting": self._setting,
            "contestant": describe(job.contestant),
            "code": [_code_sha256(name) for name in (job.contestant.agent, *job.contestant.observation.split("+"))],
            "work": asdict(job.work),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _deciding(facts: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that decide numbers."""
    return {f.name: getattr(facts, f.name) for f in fields(facts) if f.compare}


def _log(arrays: dict[str, Any]) -> SessionLog:
    measures = _under("measures.", arrays)
    return SessionLog(measures=measures, **{name: array for name, array in arrays.items() if "." not in name})


def _under(prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _arrays(result: Result) -> dict[str, Any]:
    if isinstance(result, np.ndarray):
        return {_POLICY: result}
    if not isinstance(result, SessionLog):
        return {f"{n}.{name}": array for n, log in enumerate(result) for name, array in _arrays(log).items()}
    arrays = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "measures"}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    return arrays | {f"measures.{name}": array for name, array in result.measures.items()}


def journals_of(folder: Path) -> Path:
    """Return the folder of the journals that belong to a folder of blocks."""
    return folder.with_name("journals")


def _code_sha256(name: str) -> str:
    """Return the hash of a plug-in's source, whose blocks are worth nothing once it was edited."""
    module_name, colon, _ = name.partition(":")
    if not colon:
        return ""
    return hashlib.sha256(inspect.getsource(import_plug_in(module_name)).encode()).hexdigest()
