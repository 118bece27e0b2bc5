"""The README's speed figures that were set out to be reached, beside what was, and the live ones by load."""

from typing import Any

from readme_tables import markdown, read

Row = dict[str, Any]
OURS = ("epsilon_greedy_q", "learning_automaton")


def figures() -> str:
    """Return each figure aimed at, what was measured, and the command that measures it."""
    lines = [*_one_session(), *_many_sessions(), *_live(), *_starting()]
    return markdown(("work", "aimed at", "measured", "`python benchmarks/`"), lines) + "\n"


def live() -> str:
    """Return the live vector environment beside vLLM's own benchmark client."""
    result = read("live_overhead")["result"]
    lines = [
        (
            f"{row['in_flight']}",
            row["client"],
            f"{row['requests_per_s']:.0f}",
            f"{1e3 * row['p50_s']:.0f} ms",
            f"{1e3 * row['p95_s']:.0f} ms",
            _spread(row["throughput_of_reference"], 1, ""),
            _added(row["added_p50_s"]),
        )
        for row in result["rows"]
    ]
    note = (
        f"Live, one vLLM server of `{result['llm']}` on the same {result['cores']} cores, by requests in flight "
        f"(`python benchmarks/live_overhead.py`): medians of {result['rounds']} rounds in turns; in brackets the "
        "least and the most of them. vLLM's client always streams; `lockstep` has no more sessions than requests in "
        "flight. Client and server share the cores: where the latency added is within its noise of 0 or below, the "
        "reference client's own work is what shows, and it is said to be not measurable.\n\n"
    )
    heads = ("in flight", "client", "requests/s", "p50", "p95", "of vLLM's client's", "p50 added")
    return note + markdown(heads, lines) + "\n"


def _one_session() -> list[tuple[str, ...]]:
    rows = read("peers")["result"]["rows"]
    env = _find(rows, learner=None, observation="embedding", info="full")["pulls_per_s"]
    ours = _find(rows, learner="epsilon_greedy_q", loop="gym.make", observation="none")["pulls_per_s"]
    peers = {row["learner"]: row["pulls_per_s"] for row in rows if row["learner"] not in (None, *OURS)}
    others = ", ".join(f"{name} {speed:,.0f}" for name, speed in peers.items())
    return [
        ("one session through gym.make, full info", "200,000 steps/s", f"{env:,.0f} steps/s", "peers.py"),
        ("one session, agent + env", "faster than the peers", f"{ours:,.0f} pulls/s; {others}", "peers.py"),
    ]


def _many_sessions() -> list[tuple[str, ...]]:
    rows = read("throughput")["result"]["rows"]
    coba = _find(read("peers")["result"]["rows"], learner="coba")["pulls_per_s"]
    agents = ("epsilon_greedy_q", "learning_automaton")
    speeds = {
        n: [_of(rows, n, "none", f"environment + {name}", "none")["pulls_per_s"] for name in agents]
        for n in (1024, 8192)
    }
    pulls = "; ".join(
        f"{n:,} sessions: {' and '.join(f'{speed / 1e6:.1f} M ({speed / coba:.0f}x)' for speed in of_agents)}"
        for n, of_agents in speeds.items()
    )
    lines = [("epsilon-greedy, automaton + env, info none", "10 M pulls/s, or 200x coba", pulls, "throughput.py")]
    for what, observation, info, aim in (
        ("env step of the bare gather, info none", "none", "none", "25 %"),
        ("env step of the bare gather, info numbers", "none", "numbers", "8 %"),
        ("embedding observations, of np.take", "embedding", "none", "80 %"),
    ):
        shares = {n: _of(rows, n, observation, "environment", info)["of_bare_gather"] for n in (1024, 8192)}
        reached = "; ".join(f"{n:,} sessions: {100 * share:.0f} %" for n, share in shares.items())
        lines.append((what, aim, reached, "throughput.py"))
    return lines


def _live() -> list[tuple[str, ...]]:
    rows = read("live_overhead")["result"]["rows"]
    row = _find(rows, in_flight=32, client="environment, streaming")
    throughput, added = _spread(row["throughput_of_reference"], 100, " %"), _added(row["added_p50_s"])
    return [
        (
            "live, 32 in flight, of vLLM's client",
            "95 % of it, 2 ms added to p50",
            f"{throughput}; {added}",
            "live_overhead.py",
        )
    ]


def _starting() -> list[tuple[str, ...]]:
    rows = read("startup")["result"]["rows"]
    made, reset = (_find(rows, process=f"PickLLM-v0{more}")["of_cartpole"] for more in ("", ", and reset"))
    return [("import + make, of CartPole's", "2x", f"{made:.2f}x; with the first reset {reset:.2f}x", "startup.py")]


def _of(rows: list[Row], sessions: int, observation: str, what: str, info: str) -> Row:
    return _find(rows, sessions=sessions, observation=observation, what=what, info=info)


def _find(rows: list[Row], **wanted: Any) -> Row:
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def _added(seconds: dict[str, float]) -> str:
    """Return the latency added; client and server share the cores, so one that may be negative measures neither."""
    return "not measurable here" if seconds["low"] < 0 else _spread(seconds, 1e3, " ms")


def _spread(value: dict[str, float], factor: float, unit: str) -> str:
    median, low, high = (f"{factor * value[key]:.3g}" for key in ("median", "low", "high"))
    return f"{median} [{low}, {high}]{unit}"
