"""What asking live LLMs will come to, before anything is sent: requests and US dollars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable

BYTES_PER_TOKEN = 4  # of English, about
Floats = NDArray[np.float64]
Tokens = tuple[int, int, float]  # read, written, and the seconds it took


@dataclass(frozen=True)
class Estimate:
    """What some asks come to.

    Attributes:
        n_requests: How many requests are sent, if none has to be sent again.
        low_usd: About what they cost, if the cheapest LLM gets all those whose LLM is still open.
        high_usd: The same for the dearest LLM.
        most_usd: What they cost if every answer is as long as it may be. How often requests fail and are sent again
            is not known before, and of those that broke off some are billed: that comes on top.
        is_charged: Whether an endpoint that was not started on this machine has a price.
    """

    n_requests: int = 0
    low_usd: float = 0.0
    high_usd: float = 0.0
    most_usd: float = 0.0
    is_charged: bool = False

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.n_requests + other.n_requests,
            self.low_usd + other.low_usd,
            self.high_usd + other.high_usd,
            self.most_usd + other.most_usd,
            self.is_charged or other.is_charged,
        )

    def __str__(self) -> str:
        n_requests = f"{self.n_requests:,} request{'s' * (self.n_requests != 1)}"
        if self.most_usd == 0:
            return f"{n_requests}, at no price"
        about = dict.fromkeys((dollars(self.low_usd), dollars(self.high_usd)))
        longest = f"{dollars(self.most_usd)} if every answer is as long as it may be"
        return f"{n_requests}, about {' to '.join(about)} ({longest}; requests that are sent again come on top)"


def dollars(usd: float) -> str:
    """Return US dollars as people write them: cents, or two digits of what is less than one."""
    if usd == 0:
        return "$0"
    return f"${usd:.2g}" if usd < 0.01 else f"${usd:,.2f}" if usd < 100 else f"${usd:,.0f}"


def each_llm(
    pool: Pool, queries: Sequence[Query], times: int | Floats, *, recorded: OutcomeTable | None = None
) -> Estimate:
    """Return what it comes to that every LLM is asked every query, as a recording does.

    Args:
        pool: The LLMs.
        queries: What they are asked.
        times: How often each LLM is asked each query; one number, or one per query.
        recorded: A table that knows, if it is of the same LLMs, how much they read and write; else a prompt counts
            as a token for every four bytes, and every answer as long as it may be.
    """
    counts = np.broadcast_to(np.asarray(times, dtype=np.float64), len(queries))
    about, worst = _prices(pool, queries, recorded)
    low = float((counts @ about).sum())
    return _estimate(pool, counts.sum() * len(pool.llms), low, low, float((counts @ worst).sum()), worst)


def one_llm(
    pool: Pool, queries: Sequence[Query], times: int | Floats, *, recorded: OutcomeTable | None = None
) -> Estimate:
    """Return what it comes to that each query is asked of one LLM, it is not known which; see `each_llm`."""
    counts = np.broadcast_to(np.asarray(times, dtype=np.float64), len(queries))
    about, worst = _prices(pool, queries, recorded)
    by_llm = counts @ about
    return _estimate(
        pool, counts.sum(), float(by_llm.min()), float(by_llm.max()), float(counts @ worst.max(axis=1)), worst
    )


def _estimate(pool: Pool, n_requests: float, low: float, high: float, most_usd: float, worst: Floats) -> Estimate:
    is_charged = any(llm.base_url and of_llm.any() for llm, of_llm in zip(pool.llms, worst.T, strict=True))
    return Estimate(round(n_requests), min(low, most_usd), min(high, most_usd), most_usd, is_charged)


def _prices(pool: Pool, queries: Sequence[Query], recorded: OutcomeTable | None) -> tuple[Floats, Floats]:
    """Return about what one request costs, and the most that it can, each of shape (queries, LLMs)."""
    chats = ["".join(message["content"] for message in query.chat()) for query in queries]
    sizes = np.array([len(chat.encode()) for chat in chats])
    # Only the size of a prompt counts, and few differ: a price for each prompt would take minutes for a million.
    _, firsts, size_of = np.unique(sizes, return_index=True, return_inverse=True)
    known = _recorded_tokens(pool, recorded)
    shape = (len(firsts), len(pool.llms))
    about, worst = np.zeros(shape), np.zeros(shape)
    for number, first in enumerate(firsts.tolist()):
        for place, (llm, tokens) in enumerate(zip(pool.llms, known, strict=True)):
            worst[number, place] = llm.worst_usd(chats[first], pool.deadline_s)
            about[number, place] = llm.cost_usd(*(tokens or _guessed_tokens(pool, llm, int(sizes[first]))))
    return about[size_of], worst[size_of]


def _guessed_tokens(pool: Pool, llm: LLMSpec, n_bytes: int) -> Tokens:
    """Return what a call with a prompt of so many bytes comes to by what is sent: at full length."""
    n_read = -(-(n_bytes + len(llm.system.encode())) // BYTES_PER_TOKEN)
    return n_read, llm.most_tokens, llm.deadline_s or pool.deadline_s


def _recorded_tokens(pool: Pool, recorded: OutcomeTable | None) -> list[Tokens | None]:
    """Return what each LLM reads and writes in a call that does not fail, by a table; None where it does not know."""
    if recorded is None or recorded.llm_names != pool.llm_names:
        return [None] * len(pool.llms)
    return [_mean_tokens(recorded, number, llm) for number, llm in enumerate(pool.llms)]


def _mean_tokens(table: OutcomeTable, number: int, llm: LLMSpec) -> Tokens | None:
    good = table.present[:, number, None] & ~table.failed[:, number]
    if not good.any():
        return None
    read, written = (table.integers(name)[:, number][good].mean() for name in ("prompt_tokens", "completion_tokens"))
    latency_s = float(table.latency_s[:, number][good].mean())
    is_known = math.isfinite(latency_s) if llm.hardware_usd_per_hour > 0 else read > 0
    return (round(read), round(written), latency_s) if is_known else None
