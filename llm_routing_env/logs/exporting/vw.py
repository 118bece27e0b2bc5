"""A log as text for `vw --cb_adf`: a shared line, a line for each LLM that could be asked, a blank line."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.logs.exporting.checks import require_weighable
from llm_routing_env.logs.exporting.observed import Observed

_RESERVED = re.compile(r"[\s:|]")


def write_vw(seen: Observed, path: Path) -> int:
    """Write one example per row, and return how many; its cost is the reward's negative.

    Features: the observation in the namespace "query", by place, zeros left out; the LLM's name in "llm". The line of
    the LLM that was asked begins with `0:cost:probability`.

    Raises:
        ValueError: A row without propensity or reward, or observations that are texts.
    """
    log = seen.log
    require_weighable(seen)
    names = ["|llm " + _RESERVED.sub("_", name) for name in log.llm_names]
    if len(set(names)) < len(names):
        raise ValueError(f"Two LLMs would have one name in Vowpal Wabbit's text: {', '.join(log.llm_names)}.")
    shared: dict[int, str] = {}
    with replacing(path) as new, new.open("w", encoding="utf-8") as file:
        for row, place in enumerate(seen.places.tolist()):
            if place not in shared:
                shared[place] = _features(seen.vectors[place])
            label = f"0:{-log.reward[row]:.9g}:{log.propensity[row]:.9g} "
            asked = range(log.n_llms) if log.mask is None else np.flatnonzero(log.mask[row]).tolist()
            lines = [label + names[llm] if llm == log.action[row] else names[llm] for llm in asked]
            file.write("\n".join([f"shared |query {shared[place]}", *lines, "", ""]))
    return len(log)


def _features(vector: NDArray[np.float32]) -> str:
    return " ".join(f"{place}:{vector[place]:.6g}" for place in np.flatnonzero(vector).tolist())
