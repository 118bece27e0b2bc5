"""The routing bandit with a reward of three numbers, by MO-Gymnasium's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.envs.objectives import Objectives, additive_only
from llm_routing_env.envs.options import ProblemOptions
from llm_routing_env.envs.pickllm import Observation, PickLLMEnv
from llm_routing_env.tables.table import OutcomeTable


class PickLLMMOEnv(PickLLMEnv):
    """Route a stream of queries to LLMs, and get accuracy, cost and latency back as a vector, not yet weighed.

    ## Description

    The sessions of `PickLLM-v0` on recorded outcomes: with equal seeds the same queries, repeats and masks. Only the
    reward is a vector, so that a policy for every trade between accuracy, cost and latency can be looked for. It
    follows MO-Gymnasium: `env.unwrapped.reward_space` says where the reward lies, and its wrappers and vectors work
    (`mo_gymnasium.wrappers.LinearReward` makes a scalar of it). MO-Gymnasium itself is not needed.

    ## Action Space

    `Discrete(n_llms)`: the index of the LLM in `env.unwrapped.task.llm_names`.

    ## Observation Space

    As in `PickLLM-v0`; with a `preference` three more numbers at its end, from 0 to 1 with the sum 1: the importance
    of accuracy, cost and latency in this session. Then `observation` must be vectors, not `"prompt"`.

    ## Rewards

    With a = accuracy in [0, 1], c = cost / `cost_scale_usd`, l = latency in ms (at least 10), an array of float64:

    | number | value | range |
    | --- | --- | --- |
    | 0 | a | 0 to 1 |
    | 1 | -c | from the highest cost to 0 |
    | 2 | -log10(l) / t_scaling | from the highest latency to -1 / t_scaling |

    Its product with the weights (w_a, w_c, w_l) is the reward `"additive"` of `PickLLM-v0`. A failed call gets the
    lowest value of each. The environment never weighs by the preference: that is the agent's, or a wrapper's.

    ## Starting State

    As in `PickLLM-v0`; then, with `preference="dirichlet"`, the preference, evenly from all there are. It comes from
    a child of `self.np_random`, so that the sessions are the same with and without one.

    ## Episode End

    As in `PickLLM-v0`.

    ## Information

    As in `PickLLM-v0` with `reward="additive"` and these `weights`, which `reward_terms`, `regret`, `oracle_regret`
    and `optimal_action`, `task`, `expected_rewards` and pictures go by; the vector does not. `env.unwrapped.preference`
    is the preference of the session, shape (3,), or None.

    ## Arguments

    Those of `PickLLM-v0` but the ones of live LLMs, `extra_terms`, and any `reward` but `"additive"`; and:

    | name | default | meaning |
    | --- | --- | --- |
    | `preference` | `None` | `"dirichlet"`: drawn at reset; three numbers that sum to 1: given; `None`: not seen |

    ## Vectorized environment

    `gym.make_vec("PickLLM-MO-v0", num_envs=1024)` gives `PickLLMMOVectorEnv`, with rewards of shape (sessions, 3).

    ## References

    Felten et al.: A Toolkit for Reliable Benchmarking and Research in Multi-Objective Reinforcement Learning,
    NeurIPS 2023 (MO-Gymnasium).

    ## Version History

    v0: initial version.
    """

    def __init__(
        self,
        table: str | Path | OutcomeTable = ProblemOptions.table,
        *,
        preference: str | Sequence[float] | None = None,
        info: str = "full",
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """See the class for the arguments.

        Raises:
            ValueError: As `PickLLMEnv`; for another form of the reward, further terms or live LLMs, a preference that
                is none, and a table that lacks costs or latencies.
        """
        options = additive_only(options, ("backend", "info", "render_mode"))
        super().__init__(table, info=info, render_mode=render_mode, **options)
        self._objectives = Objectives(self.problem, preference)
        self.reward_space = self._objectives.reward_space
        self.reward_dim = 3  # what MO-Gymnasium's MOMaxAndSkipObservation looks for
        self.observation_space: spaces.Box = self._objectives.observation_space  # type: ignore[assignment]
        self.task = self._objectives.task
        self.preference: NDArray[np.float64] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a session; see `PickLLMEnv`."""
        observation, info = super().reset(seed=seed, options=options)
        self.preference = self._objectives.preference(self.np_random)
        return self._joined(observation), info

    def step(  # type: ignore[override]  # the reward is a vector, as MO-Gymnasium has it
        self, action: np.int64 | int
    ) -> tuple[Observation, NDArray[np.float64], bool, bool, dict[str, Any]]:
        """Route the current query to LLM `action`; the reward has the shape (3,). See `PickLLMEnv`."""
        first_cell = self.waiting_cell
        observation, _, terminated, truncated, info = super().step(action)
        # A copy: MO-Gymnasium's wrappers write into it.
        reward = self._objectives.rewards[first_cell + int(np.asarray(action).item())].copy()
        return self._joined(observation), reward, terminated, truncated, info

    def _joined(self, observation: Observation) -> Observation:
        if self.preference is None:
            return observation
        return np.append(observation, self.preference).astype(np.float32)
