"""The live backend without servers: `vllm.LLM` engines inside this process.

Light (four small LLMs share one import of vLLM) and without HTTP: the LLMs work one after another, each on all of its
queries at once.
"""

import asyncio
import atexit
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, NamedTuple

from llm_routing_env.backends.chat_completion import Completion
from llm_routing_env.backends.faults import Kind, RequestError
from llm_routing_env.backends.futures import settle
from llm_routing_env.backends.usage import Usage
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving.flags import engine_arguments, memory_advice
from llm_routing_env.tables.queries import Query

# Every engine of the process, by what it was made from, kept until the process ends: dropping one tears down
# process groups that the others share. They are loaded and run in one thread, one after another: each uses the whole
# machine, and its worker threads belong to the thread that made them.
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
_NEEDED = (
    'The in-process backend needs vLLM: pip install "llm-routing-env[vllm]", or the backend "vllm" and its servers.'
)
_ENGINES: dict[str, Any] = {}
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="pickllm-engine")


def engine_answerer(pool: Pool) -> "Callable[[], EngineAnswerer]":
    """Check that a pool can be run here, and return what runs it; engines start at the first query.

    The pool's `serve` flags apply, save those only a server has; its `environment` is set in this process before vLLM
    is imported.

    Raises:
        ValueError: An LLM has no `model` to load here.
        ImportError: vLLM is not installed.
    """
    for llm in pool.llms:
        if not llm.model:
            raise ValueError(f"LLM {llm.name!r} has no `model` to load in this process: use the HTTP backend.")
    if find_spec("vllm") is None:
        raise ImportError(_NEEDED)
    return lambda: EngineAnswerer(pool)


class EngineAnswerer:
    """The engines of a pool. One cannot be interrupted: what is late is given up, but the next ones wait for it."""

    def __init__(self, pool: Pool) -> None:
        """Load the engines, unless the process has them; the event loop waits, since nobody asks yet."""
        self._pool = pool
        self._engines = _THREAD.submit(lambda: [_engine(pool, llm) for llm in pool.llms]).result()
        self._waiting: list[list[_Waiting]] = [[] for _ in pool.llms]

    async def complete(self, llm: int, query: Query) -> Completion:
        """Return an LLM's answer; whatever waits for the same LLM is answered in one batch.

        Raises:
            RequestError: The engine refuses the query, such as too long a prompt.
        """
        loop = asyncio.get_running_loop()
        mine = _Waiting(query, loop.create_future())
        self._waiting[llm].append(mine)
        if len(self._waiting[llm]) == 1:  # once those that are asked at the same time have come too
            loop.call_soon(_THREAD.submit, self._answer_all, llm)
        return await mine.answered

    def _answer_all(self, llm: int) -> None:
        """Answer what waits for an LLM."""
        batch, self._waiting[llm] = self._waiting[llm], []
        batch = [waiting for waiting in batch if not waiting.answered.done()]
        answers = _ask(self._engines[llm], self._pool.llms[llm], [waiting.query for waiting in batch]) if batch else []
        for waiting, answer in zip(batch, answers, strict=True):
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                waiting.answered.get_loop().call_soon_threadsafe(settle, waiting.answered, answer)

    async def close(self) -> None:
        """Let go of the engines; the process keeps them for the next backend."""


class _Waiting(NamedTuple):
    query: Query
    answered: "asyncio.Future[Completion]"


def _ask(engine: Any, llm: LLMSpec, queries: Sequence[Query]) -> Sequence[Completion | Exception]:
    begun = time.monotonic()  # the engine's clock
    try:
        sampling, chats = _sampling(engine, llm), [llm.body(query.chat())["messages"] for query in queries]
        return [_completion(result, begun) for result in engine.chat(chats, sampling, use_tqdm=False)]
    except Exception as error:  # whatever vLLM raises for one prompt is that query's
        if len(queries) > 1:  # one prompt that it refuses stops the others: ask them apart
            return [answer for query in queries for answer in _ask(engine, llm, [query])]
        return [RequestError(" ".join(f"{type(error).__name__}: {error}".split())[:200], Kind.REFUSED)]


def _sampling(engine: Any, llm: LLMSpec) -> Any:
    """Return what an engine's sampling is set to: a server starts from the model's own settings too."""
    sampling = engine.get_default_sampling_params()
    body = llm.body(())
    body["max_tokens"] = body.pop("max_completion_tokens", body.get("max_tokens"))
    for name in body.keys() - {"model", "messages"}:
        if not hasattr(sampling, name):
            raise ValueError(f"request.{name} is for HTTP endpoints: an engine in this process has no such setting.")
        setattr(sampling, name, body[name])
    return sampling


def _completion(result: Any, begun: float) -> Completion:
    output, times = result.outputs[0], result.metrics  # None where a pool has the engine's statistics switched off
    return Completion(
        text=output.text,
        usage=Usage(len(result.prompt_token_ids), len(output.token_ids)),
        ttft_s=float(times.first_token_ts) - begun if times else None,
        finish_reason=output.finish_reason,
        # Without statistics each waits for the last of its batch.
        latency_s=float(times.last_token_ts if times else time.monotonic()) - begun,
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
            raise ImportError(f"{_NEEDED} ({error})") from error
        names = [field.name for field in fields(EngineArgs)]
        # Statistics are what gives the time to first token.
        arguments = {
            "disable_log_stats": False,
            "use_tqdm_on_load": False,
            **engine_arguments(pool, llm, names),
        }
        if not _ENGINES:
            atexit.register(_end_process_groups)
        try:
            return vllm.LLM(model=pool.model_path(llm), **arguments)
        except Exception as error:
            output.seek(0)
            tail = output.read().decode(errors="replace").strip()[-2000:]
            advice = memory_advice([str(error)])
            raise RuntimeError(f"vLLM could not load LLM {llm.name!r}: {error}{advice}\n{tail}") from error


def _end_process_groups() -> None:
    # NCCL's warn on standard error of a process that exits without it. By vLLM's own functions, which forget them too.
    from vllm.distributed import destroy_distributed_environment, destroy_model_parallel

    destroy_model_parallel()
    destroy_distributed_environment()


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
