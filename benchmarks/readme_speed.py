"""The README's tables of speed, from the committed results."""

from typing import Any

from readme_tables import markdown, read


def speed() -> str:
    """Return what pulls, starting and a large table cost."""
    return "\n".join((_many_sessions(), _one_session(), _starting(), _memory()))


def _many_sessions() -> str:
    result = read("throughput")["result"]
    groups: dict[tuple[int, str], dict[str, Any]] = {}
    for row in result["rows"]:
        what = f"info `{row['info']}`" if row["what"] == "environment" else row["what"].removeprefix("environment + ")
        groups.setdefault((row["sessions"], row["observation"]), {})[what] = row
    columns = [what for what in next(iter(groups.values())) if what != "bare gather"]
    lines = [
        (
            f"{sessions:,}",
            f"`{observation}`",
            *(f"{by[what]['pulls_per_s'] / 1e6:.3g} ({_percent(by[what]['of_bare_gather'])})" for what in columns),
            f"{1e6 * by[columns[0]]['reset_s_per_session']:.0f} us",
        )
        for (sessions, observation), by in groups.items()
    ]
    heads = [what if what.startswith("info") else f"with `{what}`" for what in columns]
    note = (
        f"Many sessions at once (`python benchmarks/throughput.py`): million pulls per second on one thread of a "
        f"{result['cores']}-core machine, resets apart; agents with info `none`. In brackets, as a share of the bare "
        "numpy gather of the same rewards and embeddings.\n\n"
    )
    return note + markdown(("sessions", "observation", *heads, "reset of one"), lines) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"


def _one_session() -> str:
    result = read("peers")["result"]
    lines = []
    for row in result["rows"]:
        learner = f"`{row['learner']}`" if row["info"] or row["learner"] not in result["peers"] else row["learner"]
        loop = f"gym.make, {row['observation']}, {row['info']}" if row["info"] else row["loop"]
        ratios = (f"{row[key]:.2g}" if key in row else "" for key in ("ours_in_gym_over_this", "ours_alone_over_this"))
        version = result["peers"].get(row["learner"]) or ""
        lines.append(
            (f"{learner if row['learner'] else 'none'} {version}".strip(), loop, f"{row['pulls_per_s']:,.0f}", *ratios)
        )
    note = (
        "One session (`python benchmarks/peers.py`): pulls per second, and how many times as many our "
        "`epsilon_greedy_q` makes, through gym.make with observation and info none, and alone. All route the same "
        f"{result['pulls']} queries, epsilon-greedy with {result['epsilon']}.\n\n"
    )
    return note + markdown(("learner", "loop", "pulls/s", "ours in gym.make / this", "ours alone / this"), lines) + "\n"


def _starting() -> str:
    result = read("startup")["result"]
    lines = [
        (row["process"], *(f"{1e3 * row[key]:.0f} ms" for key in ("best_s", "median_s")), f"{row['of_cartpole']:.2g}")
        for row in result["rows"]
    ]
    note = f"Whole processes, {result['runs']} of each (`python benchmarks/startup.py`): import and make.\n\n"
    return note + markdown(("process", "best", "median", "of CartPole-v1"), lines) + "\n"


def _memory() -> str:
    rows = read("memory")["result"]["rows"]
    sizes = {row["rows"]: row["file_mb"] for row in rows if row["rows"]}
    peaks = {(row["rows"], row["process"]): f"{row['peak_mb']:.0f} MB" for row in rows}
    processes = list(dict.fromkeys(row["process"] for row in rows if row["rows"]))
    lines = [(f"{n:,}", f"{mb:.1f} MB", *(peaks[n, process] for process in processes)) for n, mb in sizes.items()]
    bare = ", ".join(f"{row['process']} {row['peak_mb']:.0f} MB" for row in rows if not row["rows"])
    note = (
        f"Peak memory of a process (`python benchmarks/memory.py`); without a table: {bare}. The tables are nano, "
        "repeated: their files compress well, and longer texts take more.\n\n"
    )
    return note + markdown(("rows of the table", "file", *processes), lines) + "\n"


def overhead() -> str:
    """Return how much longer a step of the vector takes in each scenario than without."""
    rows = read("scenario_overhead")["result"]
    sizes = list(dict.fromkeys(row["sessions"] for row in rows))
    more = {(row["scenario"], row["sessions"]): f"{row['step']['median'] - 1:+.0%}" for row in rows}
    names = dict.fromkeys(row["scenario"] for row in rows)
    lines = [(f"`{name}`", *(more[name, size] for size in sizes)) for name in names]
    header = ("scenario", *(f"{size:,} sessions" for size in sizes))
    note = f"Median of {rows[0]['rounds']} rounds on an idle machine of two cores. `none` is no scenario beside itself."
    return f"{markdown(header, lines)}\n\n{note}\n"


def asks_speed() -> str:
    """Return how many LLMs are asked in a second where several may be asked about a query."""
    rows = read("asks")["result"]["rows"]
    sessions = max(row["sessions"] for row in rows)
    asks = [row["asks_per_s"] / 1e6 for row in rows if row["sessions"] == sessions]
    alone = [row["steps_per_s"] for row in rows if row["sessions"] == 1]
    asked, steps = (f"{min(many):{form}} to {max(many):{form}}" for many, form in ((asks, ".2f"), (alone, ",.0f")))
    return (
        f"{sessions:,} sessions at once make {asked} million asks a CPU second of one thread, with and without "
        f"embeddings, infos and parallel asks; the scalar environment makes {steps} steps "
        "(`python benchmarks/asks.py`).\n"
    )
