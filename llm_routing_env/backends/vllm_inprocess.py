"""The live backend without servers: `vllm.LLM` engines inside this process.

Light (four small LLMs share one import of vLLM) and without HTTP: the LLMs work one after another, each on all of its
queries at once.
"""

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any

from llm_routing_env.backends.base import MAX_IN_FLIGHT, Answers, Request, check_concurrency
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving.flags import engine_arguments
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

# Every engine of the process, by what it was made from, kept until the process ends: dropping one tears down
# process groups that the others share. One lock for all, for the same reason.
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
_ENGINES: dict[str, Any] = {}
_LOCK = threading.Lock()


class VLLMInProcessBackend:
    """Asks the LLMs of a pool in this process, at temperature 0; engines start at the first query.

    The pool's `serve` flags apply, save those only a server has; its `environment` is set in this process
    before vLLM is imported. Backends of one process share their engines.
    """

    def __init__(self, pool: Pool, *, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        """Check that the pool can be run here; nothing is loaded yet.

        Args:
            pool: The LLMs to ask; one with a `max_in_flight` of its own never gets more at once.
            max_in_flight: Most queries that an LLM gets at once.

        Raises:
            ValueError: An LLM has no `model` to load, or `max_in_flight` is below 1.
        """
        check_concurrency(None, max_in_flight)
        for llm in pool.llms:
            if not llm.model:
                raise ValueError(f"LLM {llm.name!r} has no `model` to load in this process: use the HTTP backend.")
        self.pool = pool
        self._max_in_flight = max_in_flight
        self._engines: list[Any] = []

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""
        return self.pool.llm_names

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM; `repeat` has no meaning here.

        What the engine refuses, such as too long a prompt, is in the outcome's `error`.
        """
        return dict(self.ask_many([Request(query, llm, repeat)]))[0]

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        """Ask several queries, each LLM all of its own at once; see `LiveBackend`.

        An engine in this process cannot be interrupted: what ends after the deadline is an error, but is waited for.

        Raises:
            ValueError: If `concurrency` is below 1 or above `max_in_flight`.
        """
        check_concurrency(concurrency, self._max_in_flight)
        return self._ask_in_turn(enumerate(requests), concurrency)

    def _ask_in_turn(self, numbered: Iterator[tuple[int, Request]], concurrency: int | None) -> Answers:
        while taken := list(islice(numbered, concurrency)):
            for llm, spec in enumerate(self.pool.llms):
                mine = iter([(number, request.query.prompt) for number, request in taken if request.llm == llm])
                while batch := list(islice(mine, spec.max_in_flight or self._max_in_flight)):
                    numbers, prompts = zip(*batch, strict=True)
                    yield from zip(numbers, self._ask_at_once(llm, prompts), strict=True)

    def _ask_at_once(self, llm: int, prompts: Sequence[str]) -> list[Outcome]:
        with _LOCK:
            if not self._engines:
                self._engines = [_engine(self.pool, spec) for spec in self.pool.llms]
            return _ask(self._engines[llm], self.pool.llms[llm], prompts, self.pool.deadline_s)

    def close(self) -> None:
        """Let go of the engines; the process keeps them for the next backend."""
        self._engines = []


def _ask(engine: Any, llm: LLMSpec, prompts: Sequence[str], deadline_s: float) -> list[Outcome]:
    # A server starts from the model's own sampling settings too; so the two give the same text.
    sampling = engine.get_default_sampling_params()
    sampling.temperature, sampling.max_tokens = 0.0, llm.max_tokens
    begun = time.monotonic()  # the engine's clock
    try:
        results = engine.chat([[{"role": "user", "content": prompt}] for prompt in prompts], sampling, use_tqdm=False)
    except Exception as error:  # whatever vLLM raises for one prompt is that outcome's
        if len(prompts) > 1:  # one prompt that it refuses stops the others: ask them apart
            return [outcome for prompt in prompts for outcome in _ask(engine, llm, [prompt], deadline_s)]
        latency_s = time.monotonic() - begun
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return [Outcome("", 0, 0, llm.cost_usd(0, 0, latency_s), latency_s, error=text)]
    return [_outcome(result, llm, begun, deadline_s) for result in results]


def _outcome(result: Any, llm: LLMSpec, begun: float, deadline_s: float) -> Outcome:
    # Without the engine's statistics (a pool may switch them off) each waits for the last of its batch.
    latency_s = (result.metrics.last_token_ts if result.metrics else time.monotonic()) - begun
    prompt_tokens, completion_tokens = len(result.prompt_token_ids), len(result.outputs[0].token_ids)
    is_late = latency_s > deadline_s
    return Outcome(
        response="" if is_late else result.outputs[0].text,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_usd=llm.cost_usd(prompt_tokens, completion_tokens, latency_s),
        latency_s=latency_s,
        error=f"no response within the deadline of {deadline_s:g} s" if is_late else None,
        ttft_s=float(result.metrics.first_token_ts) - begun if result.metrics else None,
    )


def _engine(pool: Pool, llm: LLMSpec) -> Any:
    key = json.dumps([pool.model_path(llm), dict(pool.serve) | dict(llm.serve)], sort_keys=True)
    if key not in _ENGINES:
        _ENGINES[key] = _start(pool, llm)
    return _ENGINES[key]


def _start(pool: Pool, llm: LLMSpec) -> Any:
    os.environ.update({**pool.environment, **llm.environment})
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    with _quiet() as output:
        try:
            import vllm
            from vllm.engine.arg_utils import EngineArgs
        except ImportError as error:
            raise ImportError(
                f'The in-process backend needs vLLM: pip install "llm-routing-env[vllm]" ({error}).'
            ) from error
        names = [field.name for field in fields(EngineArgs)]
        # Statistics are what gives the time to first token.
        arguments = {
            "disable_log_stats": False,
            "use_tqdm_on_load": False,
            **engine_arguments(pool, llm, names),
        }
        try:
            return vllm.LLM(model=pool.model_path(llm), **arguments)
        except Exception as error:
            output.seek(0)
            tail = output.read().decode(errors="replace").strip()[-2000:]
            raise RuntimeError(f"vLLM could not load LLM {llm.name!r}: {error}\n{tail}") from error


def _flush() -> None:
    # What Python still holds back belongs on the side of the redirection where it was printed.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Send what the process prints, also from C++, to a temporary file for the length of the block."""
    _flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
        try:
            yield output
        finally:
            _flush()
            for stream, original in zip((1, 2), kept, strict=True):
                os.dup2(original, stream)
                os.close(original)
