"""The table of docs/reliability.md: what the live path was to hold to, and what was measured of it."""

from typing import Any

from readme_tables import markdown, read


def live_path() -> str:
    """Return what the live path was to hold to, and what was measured."""
    result = read("live_path")["result"]
    lines = [_spending(result), _trouble(result), _waiting(result), _live_memory(result), _functions(result), _live()]
    return markdown(("what", "asked", "measured"), lines) + "\n"


def _spending(result: dict[str, Any]) -> tuple[str, ...]:
    found = result["a server that counts 100 times the tokens"]
    is_held = found["overshoot_usd"] <= found["one_request_of_each_llm_usd"] + 1e-9 and found["said"]
    return (
        "a server that counts 100 times the tokens, two LLMs, 64 in flight",
        "at most one request of each LLM too much, and said",
        f"${found['overshoot_usd']:.3f} over ${found['max_usd']:g}, where one of each is "
        f"${found['one_request_of_each_llm_usd']:.3f}{_missed(is_held)}",
    )


def _trouble(result: dict[str, Any]) -> tuple[str, ...]:
    found = result["1,000 outcomes through trouble"]
    failed, lost = (sum(each[key] for each in found.values()) for key in ("failed", "lost"))
    seconds = ", ".join(f"{name}: {each['seconds']:.0f} s" for name, each in found.items())
    measured = f"{failed} failed, {lost} lost{_missed(failed == lost == 0)}; {seconds}"
    return "1,000 outcomes through each of four kinds of trouble", "0 failed, 0 lost", measured


def _waiting(result: dict[str, Any]) -> tuple[str, ...]:
    found = result["64 in flight, 20 ms a request"]
    low, high = (100 * pick(found["ratios"]) for pick in (min, max))
    return (
        "recording with 64 in flight from a server of 20 ms",
        "90 % of the rate without waiting for the disk",
        f"{100 * found['ratio']:.0f} % ({low:.0f} to {high:.0f} % in {len(found['ratios'])} pairs, with the disk): "
        f"{found['outcomes_per_s']:,.0f} a second{_missed(found['ratio'] >= 0.9)}",
    )


def _live_memory(result: dict[str, Any]) -> tuple[str, ...]:
    outcomes, peak = result["memory"]["outcomes"], result["memory"]["peak_mb"]
    work = f"memory of recording {outcomes:,} outcomes of 400 characters"
    return work, "below 400 MB", f"{peak:.0f} MB{_missed(peak < 400)}"


def _functions(result: dict[str, Any]) -> tuple[str, ...]:
    functions, files = result["a live step"]["functions"], result["a live step"]["files"]
    is_met = functions <= 25 and files <= 7
    why = "" if is_met else "; lanes, budget and faults are kept apart because each is tested apart"
    measured = f"{functions} in {files} files{_missed(is_met)}{why}"
    return "functions between `step` and the socket", "25 in 7 files", measured


def _live() -> tuple[str, ...]:
    result = read("live_overhead")["result"]
    of = {row["client"]: row["throughput_of_reference"] for row in result["rows"] if row["in_flight"] == 32}
    shares = (_of_rounds(of[client]) for client in ("environment, streaming", "environment"))
    measured = " streaming, ".join(shares) + f" not, in {result['rounds']} rounds"
    is_met = of["environment, streaming"]["median"] >= 0.95
    work = "live at 32 in flight beside vLLM's own client (`benchmarks/live_overhead.py`)"
    return work, "95 % of its requests a second, streaming as it does", measured + _missed(is_met)


def _of_rounds(share: dict[str, float]) -> str:
    median, low, high = (100 * share[key] for key in ("median", "low", "high"))
    return f"{median:.0f} % ({low:.0f} to {high:.0f} %)"


def _missed(is_met: object) -> str:
    return "" if is_met else ": **missed**"
