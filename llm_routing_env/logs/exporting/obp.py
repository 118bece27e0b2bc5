"""A log as the bandit feedback of Open Bandit Pipeline (Saito et al., arXiv 2008.07146)."""

from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.logs.exporting.checks import require_weighable
from llm_routing_env.logs.exporting.observed import Observed


def write_obp(seen: Observed, path: Path) -> int:
    """Write OBP's keys into an .npz, and return the number of rounds.

    Keys: n_rounds, n_actions, context (rounds, size), action_context (LLMs, LLMs: one-hot), action, position (0: one
    LLM is asked a round), reward, pscore; where some LLM could not be asked also action_mask (rounds, LLMs), which OBP
    itself does not know.

    Raises:
        ValueError: A row without propensity or reward, or observations that are texts.
    """
    log = seen.log
    require_weighable(seen)
    feedback: dict[str, Any] = {
        "n_rounds": len(log),
        "n_actions": log.n_llms,
        "context": seen.vectors[seen.places],
        "action_context": np.eye(log.n_llms),
        "action": log.action,
        "position": np.zeros(len(log), dtype=np.int64),
        "reward": log.reward,
        "pscore": log.propensity,
    }
    if log.mask is not None:
        feedback["action_mask"] = log.mask
    with replacing(path) as new, new.open("wb") as file:
        np.savez_compressed(file, **feedback)
    return len(log)
