"""Wrappers that log every step of an environment of this package, on recorded outcomes or live."""

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from llm_routing_env.envs.actions import masked_error
from llm_routing_env.envs.facts import OUTCOME, TERMS
from llm_routing_env.envs.feedback import is_withheld
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.logs.columns import TERM
from llm_routing_env.logs.facts import asked_columns, problem_facts
from llm_routing_env.logs.spool import GrowingLog

_ROWS = 1024  # that are held back on recorded outcomes, which can be had again; a live one is written at once
_ROUNDING = 1e-6
Mask = NDArray[np.bool_]
if TYPE_CHECKING:
    _VectorWrapper = gym.vector.VectorWrapper[Any, Any, Any, Any]
else:  # takes no types before Gymnasium 1.4
    _VectorWrapper = gym.vector.VectorWrapper


class LogSteps(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Logs every step of `PickLLM-v0` or `PickLLMLive-v0`; `close` completes the file, see docs/logs.md.

    `log_propensity(p)` before a step tells with which probability its action was chosen.
    """

    def __init__(self, env: gym.Env[Any, Any], path: str | Path, *, agent: str = "agent") -> None:
        """Wrap an environment; outermost, so that rewards are logged as the agent is told them: none that comes late.

        Args:
            env: The environment.
            path: The log to write, which must not be there yet.
            agent: Who chooses.

        Raises:
            ValueError: The environment is none of this package, or tells nothing in `info`.
            FileExistsError: A log is there, or one that was interrupted.
        """
        RecordConstructorArgs.__init__(self, path=path, agent=agent)
        gym.Wrapper.__init__(self, env)
        self._log = _Logged(env, path, agent)
        self._session, self._step = -1, 0
        self._propensity, self._tells_later = np.nan, is_withheld(env)
        weakref.finalize(self, self._log.close)  # an interrupted program closes it too

    def log_propensity(self, propensity: float) -> None:
        """Tell the probability of the next step's action.

        Raises:
            ValueError: It is none, above 0 and at most 1.
        """
        self._propensity = float(_checked(np.asarray(propensity)))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a session."""
        self._session, self._step, self._propensity = self._session + 1, 0, np.nan
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Route a query, and log what came of it; one that the budget refused was not routed.

        Raises:
            ValueError: For an action that is masked: live it would fail, and a log cannot hold it.
        """
        env: Any = self.env.unwrapped
        cells, propensity, self._propensity = np.array([env.waiting_cell]), self._propensity, np.nan
        self._log.require_available(env.action_masks()[None], np.array([action]))
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not terminated:
            columns: dict[str, list[Any]] = {"session": [self._session], "step": [self._step], "action": [int(action)]}
            columns |= {"propensity": [propensity], "reward": [np.nan if self._tells_later else float(reward)]}
            columns |= {name: [info[name]] for name in OUTCOME} | {"error": [info.get("error")]}
            terms = {name: [term] for name, term in info[TERMS].items()}
            self._step += 1  # whether or not the disk takes it
            self._log.append(cells, columns, terms)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Complete the log, and close the environment."""
        try:
            self._log.close()
        finally:
            self.env.close()


class VectorLogSteps(_VectorWrapper):
    """The same of many sessions at once, as `gym.make_vec` makes them; sessions count in the order of their start."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], path: str | Path, *, agent: str = "agent") -> None:
        """See `LogSteps`."""
        super().__init__(env)
        self._log = _Logged(env, path, agent)
        self._sessions = np.zeros(self.num_envs, dtype=np.int64)
        self._steps = np.zeros(self.num_envs, dtype=np.int64)
        self._n_started, self._propensities = 0, np.full(self.num_envs, np.nan)
        weakref.finalize(self, self._log.close)

    def log_propensity(self, propensities: NDArray[np.float64]) -> None:
        """Tell the probability of each session's next action, shape (sessions,).

        Raises:
            ValueError: One is none, above 0 and at most 1, or there is not one per session.
        """
        self._propensities = _checked(np.array(propensities, dtype=np.float64))
        if self._propensities.shape != (self.num_envs,):
            raise ValueError(f"expected {self.num_envs} propensities, got the shape {self._propensities.shape}.")

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start sessions: all, or those of `options["reset_mask"]`."""
        found = self.env.reset(seed=seed, options=options)
        mask = (options or {}).get("reset_mask")
        started = np.ones(self.num_envs, dtype=bool) if mask is None else np.asarray(mask)
        self._propensities[started] = np.nan  # told for a step that was not taken
        self._begin(started)
        return found

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Route a query of every session that has not ended, and log what came of it; see `LogSteps.step`."""
        env: Any = self.env.unwrapped
        cells, restarting, actions = env.waiting_cells, env.ended, np.asarray(actions)
        self._log.require_available(env.action_masks() | restarting[:, None], actions)
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        routed = ~restarting & ~terminated
        numbers = {"session": self._sessions.copy(), "step": self._steps.copy(), "propensity": self._propensities}
        self._count(routed, restarting, terminated | truncated)  # whether or not the disk takes what follows
        if routed.any():
            columns = {**numbers, "action": actions, "reward": rewards}
            columns |= {name: _told(infos, name) for name in (*OUTCOME, "error")}
            terms = {name: _told(infos, name, TERMS) for name in self._log.terms}
            columns, terms = ({n: np.asarray(each)[routed] for n, each in part.items()} for part in (columns, terms))
            self._log.append(cells[routed], columns, terms)
        return observations, rewards, terminated, truncated, infos

    def close(self, **kwargs: Any) -> None:
        """Complete the log, and close the environment."""
        try:
            self._log.close()
        finally:
            self.env.close(**kwargs)

    def _count(self, routed: Mask, restarting: Mask, ended: Mask) -> None:
        """Go on to the next step of each session, of which those that restarted or ended are others."""
        self._steps += routed
        self._propensities = np.full(self.num_envs, np.nan)
        self._begin(restarting)
        if self.metadata["autoreset_mode"] is gym.vector.AutoresetMode.SAME_STEP:
            self._begin(ended)

    def _begin(self, started: Mask) -> None:
        n_started = int(started.sum())
        self._sessions[started] = self._n_started + np.arange(n_started)
        self._steps[started] = 0
        self._n_started += n_started


class _Logged:
    """The log of an environment's steps."""

    def __init__(self, env: Any, path: str | Path, agent: str) -> None:
        if not any(hasattr(type(env.unwrapped), name) for name in ("waiting_cell", "waiting_cells")):
            raise ValueError(f"LogSteps logs the environments of this package, got {type(env.unwrapped).__name__}.")
        if hasattr(env.unwrapped, "reward_space"):
            raise ValueError(
                "LogSteps logs one reward a step, whose weights stand in the log, and PickLLM-MO-v0 has three, weighed "
                "outside: take PickLLM-v0 with reward='additive' and weights=."
            )
        if not env.unwrapped.task.actions_are_llms:
            raise ValueError("LogSteps logs one LLM for each query, and PickLLM-Multi-v0 may ask several.")
        if env.unwrapped.info_kind == "none":
            raise ValueError("LogSteps logs what info tells: make the environment with info='numbers' or 'full'.")
        self._problem: RoutingProblem = env.unwrapped.problem
        facts = {"env": env.spec.id if env.spec is not None else type(env.unwrapped).__name__}
        self.terms = list(self._problem.reward.weight_by_term)
        self._agent, self._most_held = agent, 1 if self._problem.is_live else _ROWS
        self._process = os.getpid()
        self._held: list[dict[str, Any]] = []
        self._n_held = 0
        self._file = GrowingLog(path, problem_facts(self._problem, **facts), self.terms)

    def require_available(self, masks: Mask, actions: NDArray[np.int64]) -> None:
        """Raise ValueError for an action that is masked; what is no action at all is the environment's to refuse."""
        if masks.all():
            return
        for mask, action in zip(masks, actions.tolist(), strict=False):
            if action in range(len(mask)) and not mask[action]:
                raise masked_error(action, self._problem.task.llm_names[action])

    def append(self, cells: NDArray[np.int64], columns: Mapping[str, Any], terms: Mapping[str, Any]) -> None:
        """Append a step of some sessions, whose queries' first cells are these."""
        self._held.append({"cell": cells, **columns, **{f"{TERM}{name}": values for name, values in terms.items()}})
        self._n_held += len(cells)
        if self._n_held >= self._most_held:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        if not self._held:
            return
        columns: dict[str, Any] = {
            name: np.concatenate([np.asarray(step[name]) for step in self._held]) for name in self._held[0]
        }
        of_all, actions, errors = self._problem.cells, columns["action"], columns.pop("error")
        _, n_llms, n_repeats = of_all.accuracy.shape
        rows, repeats = np.divmod(columns.pop("cell") // n_llms, n_repeats)
        is_error = np.array([bool(error) for error in errors])
        failed = is_error if self._problem.is_live else of_all.failed[rows, actions, repeats]
        named = {"agent": (np.zeros(len(rows), dtype=np.int64), [self._agent])}
        named["llm"] = (actions, list(self._problem.task.llm_names))
        self._file.append(asked_columns(self._problem, rows) | named | columns | {"failed": failed})
        self._held, self._n_held = [], 0  # now: a disk that is full may have room later

    def close(self) -> None:
        """Complete the file; what a fork inherits is its parent's to complete."""
        if os.getpid() != self._process:
            return
        self.flush()
        self._file.close()


def _told(infos: Mapping[str, Any], name: str, within: str | None = None) -> Any:
    """Return what each session was told in a step, that of those that ended under "final_info"; None where nothing."""
    last = infos.get("final_info", {})
    now, then = (each if within is None else each.get(within, {}) for each in (infos, last))
    if name not in now and name not in then:
        return np.full(len(next(each for key, each in infos.items() if key.startswith("_"))), None)
    if name not in then:
        return now[name]
    return then[name] if name not in now else np.where(then[f"_{name}"], then[name], now[name])


def _checked(propensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities of what was chosen; what single precision rounds to above 1 is 1.

    Raises:
        ValueError: One is 0 or below, above 1, or NaN.
    """
    if not ((propensities > 0) & (propensities <= 1 + _ROUNDING)).all():
        raise ValueError(f"a propensity must be above 0 and at most 1, got {propensities!r}.")
    return np.minimum(propensities, 1.0)
