"""README and docs say what the committed results say, and nothing that no script measured."""

import json
import re
from pathlib import Path

import pytest

from llm_routing_env.tables.load import load_table

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = (
    *("results", "weights", "nano", "everyday", "load", "scorers"),
    *("baselines", "reading", "paper", "convergence", "figures", "libraries"),
    *("related", "logged", "asks", "spending", "onboarding", "without_labels", "overhead"),
)
# What prose may say with a number and a unit: what others claim, how intervals are defined, and sizes of files.
STATED = (
    "60 %", "52 %",  # the paper's claims, from secondary sources
    "95 %", "1 %", "4 %", "92 to 98 %",  # how intervals and verdicts are defined; held by tests
    "7 MiB",  # of weights, in the repository
    "1 GB",  # of downloads
    "2 minutes",
    "30 minutes",  # of `make nano`: envs_data/nano, docs/datasheet-nano.md
)  # fmt: skip
FIGURE = re.compile(
    r"\d[\d.,]*(?: to \d[\d.,]*)?\s?(?:%|ms\b|seconds?\b|minutes?\b|times\b|points\b|microseconds\b|[GM]i?B\b)"
)


PUBLISHED = [f"published_{name}" for name in ("cascades", "paretobandit", "logpai", "overruling", "cube_stacking")]


@pytest.mark.parametrize(
    "part",
    [*PARTS, "speed", "live", "pays", "reached", "misses", "lifetimes", "sample_size", "libraries", *PUBLISHED],
)
def test_every_part_is_what_its_script_makes_of_the_committed_results(script, part: str):
    made = getattr(script("readme"), part)()
    shown = [
        block
        for page in PAGES
        for block in re.findall(
            rf"<!-- {part}:start -->\n(.*?)<!-- {part}:end -->", page.read_text(encoding="utf-8"), re.DOTALL
        )
    ]
    assert shown
    assert set(shown) == {made}


def test_no_figure_stands_in_the_prose_that_no_script_produces():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- (\w+):start -->.*?<!-- \1:end -->", "", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = [figure.group() for figure in FIGURE.finditer(" ".join(text.split()))]
    assert [figure for figure in found if figure not in STATED] == []


def test_the_speed_row_names_every_peer_that_was_run(script):
    rows = script("readme_tables").read("peers")["result"]["rows"]
    peers = {row["learner"] for row in rows} - {None, "epsilon_greedy_q", "learning_automaton"}
    assert len(peers) >= 4
    shown = script("readme_figures").figures()
    assert all(f"{peer} " in shown for peer in peers)


def test_a_latency_added_that_may_be_negative_is_none(script):
    added = script("readme_figures")._added
    assert added({"median": -0.0148, "low": -0.03, "high": 0.02}) == "not measurable here"
    assert added({"median": 0.004, "low": 0.002, "high": 0.006}) == "4 [2, 6] ms"


def test_results_on_a_shipped_table_are_of_the_table_that_ships():
    chosen = ("defaults", "peer_defaults")  # on nano's first recording, as docs/agents.md says
    for table in ("nano", "everyday"):
        sha256 = load_table(table).sha256
        paths = [path for path in (ROOT / "benchmarks" / "results").glob("*.json") if table in path.stem.split("_")]
        assert len(paths) > (15 if table == "nano" else 1)
        others = {p.stem for p in paths if json.loads(p.read_text(encoding="utf-8"))["table_sha256"] != sha256}
        assert others == ({f"{name}_nano" for name in chosen} if table == "nano" else set())
