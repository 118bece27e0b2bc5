"""The report: complete, self-contained, the same each time, and safe whatever names it shows."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from comparisons import HOSTILE, small, without
from tables import queries, records

from llm_routing_env.evaluation import Comparison
from llm_routing_env.report import write_report
from llm_routing_env.tables.table import OutcomeTable

COMMAND = "pickllm compare --agents epsilon_greedy_q,random,cheapest --out results"
VOID = {"meta", "img", "br", "wbr", "link", "input"}


class Page(HTMLParser):
    """Every tag with its attributes, and the text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.inlined: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.inlined[self.open[-1]] = data
        else:
            self.text += data


def written(result: Comparison, folder: Path) -> str:
    return write_report(result, folder / "report.html", command=COMMAND).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source(ordinary: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(ordinary, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_it_says_what_was_asked_what_was_found_and_how_to_repeat_it(page: Page, ordinary: Comparison):
    names = [*ordinary.contestants, *ordinary.references.actions, *ordinary.logs["random"]]
    facts = [COMMAND, ordinary.problem.table.sha256, "(1 × accuracy − 0.5 × cost", "gymnasium", "numpy", "python"]
    for expected in [*names, *ordinary.verdicts.values(), *facts]:
        assert expected in page.text


def test_it_shows_each_agents_mean_reward_with_its_interval(page: Page, ordinary: Comparison):
    for name in ordinary.agents:
        reward = ordinary.metrics[name]["all"]["reward"]
        assert f"{reward['mean']:.3f} [{reward['low']:.3f}, {reward['high']:.3f}]" in page.text


def test_elements_are_closed_and_names_are_unique_and_found(page: Page):
    assert page.open == []
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes.get(name) or "" for _, attributes in page.tags for name in ("href", "clip-path")]
    used = {name for link in links for name in re.findall(r"#([\w.-]+)", link)}
    assert used
    assert used <= set(names)


def test_it_needs_nothing_else(page: Page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "image")
        assert not {"src", "style", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page.inlined["style"]
    assert "@import" not in page.inlined["style"]


def test_the_policy_allows_this_style_and_this_script_only(page: Page):
    (policy,) = [found["content"] for tag, found in page.tags if "http-equiv" in found]
    digests = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for name, text in page.inlined.items()
    }
    assert dict(part.split(" ", 1) for part in (policy or "").split("; ")) == {
        "default-src": "'none'",
        "style-src": digests["style"],
        "script-src": digests["script"],
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_same_result_gives_the_same_page(source: str, ordinary: Comparison, tmp_path: Path):
    assert written(ordinary, tmp_path) == source


def test_hostile_names_are_text(hostile_report: Path):
    page = Page(hostile_report.read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {"img", "b"} & {tag for tag, _ in page.tags}
    for name in (*HOSTILE, "<b>pickllm</b>"):
        assert name in page.text
    assert not {"\x07", "\u202e"} & set(page.text)


def test_an_agent_that_raised_says_so_among_the_verdicts_and_in_its_row(hostile_report: Path):
    page = Page(hostile_report.read_text(encoding="utf-8"))
    assert f"{HOSTILE[2]} failed and has no results: RuntimeError: <b>no answer</b>" in page.text
    assert "failed: RuntimeError: <b>no answer</b>" in page.text


def test_without_any_result_it_still_shows_the_references(tmp_path: Path):
    page = Page(written(small(["comparisons:Broken"]), tmp_path))
    assert "No agent ran to the end: nothing to draw." in page.text
    assert "per-query oracle" in page.text


@pytest.mark.parametrize(
    "options",
    [{"n_sessions": 1}, {"context": "art"}, {"agents": ["random"], "context": "mixed"}, {"length": 1}],
    ids=str,
)
def test_every_shape_of_comparison_renders(options: dict, tmp_path: Path):
    page = Page(written(small(**options), tmp_path))
    assert page.open == []
    assert "nan" not in page.text.replace("finance", "")


def test_failed_calls_stand_in_a_table_and_what_was_said_is_text(ordinary: Comparison, tmp_path: Path):
    rows = records(asked := queries(24), ("good", "bad"), [[[1.0], [0.0]]], 1e-5, 0.1)
    for row in rows:
        if row["llm"] == "bad":
            row |= {"error": "<b>HTTP 400</b>\x07", "response": None}
    failing = small(["round_robin"], table=OutcomeTable.from_records(asked, ("good", "bad"), rows, {}))
    page = Page(written(failing, tmp_path))
    # Four sessions of 12 queries in each of three contexts, half of them to each LLM.
    assert "Failed calls: 'bad' 72 of 72 (first: <b>HTTP 400</b>\\x07)" in page.text
    assert "72 of 72" in page.text.partition("Calls that failed")[2]
    assert "b" not in {tag for tag, _ in page.tags}
    assert "Calls that failed" not in Page(written(ordinary, tmp_path)).text


def test_unknown_regret_is_a_dash_and_a_sentence(ordinary: Comparison, tmp_path: Path):
    page = Page(written(without(ordinary, "regret", "regret", "optimal_arm_rate"), tmp_path))
    assert page.text.count("the true best LLM is not known") == 2
    assert "–" in page.text


def test_many_agents_and_contexts_stay_small(large_report: Path):
    assert large_report.stat().st_size < 3_000_000
    page = Page(large_report.read_text(encoding="utf-8"))
    for name in ("MyContextualAgent24", "context 8", "llm-10"):
        assert name in page.text
