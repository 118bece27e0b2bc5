"""Figures inside the page: text stays text, names do not clash, no style attributes."""

from xml.etree import ElementTree

import pytest

from llm_routing_env.evaluation.plots.style import Plot, label, new_axis
from llm_routing_env.report.svg import inline_svg


def drawn(name: str, text: str = "plain") -> ElementTree.Element:
    figure, axis = new_axis()
    axis.plot([0, 1], [0.1, 0.3], marker="o", ls="--")
    axis.fill_between([0, 1], [0, 0], [1, 1], alpha=0.3)
    axis.set_title(label(text))
    svg = inline_svg(Plot(name, f"About {name}", "", figure))
    assert svg is not None
    return ElementTree.fromstring(svg)


@pytest.mark.parametrize("text", ["<b>&amp;</b>", "$\\alpha$ & $", "日本語", "\"quoted\" & 'so'"])
def test_text_is_drawn_as_it_is(text: str):
    assert text in [element.text for element in drawn("a", text).iter("text")]


def test_two_figures_share_no_names():
    names = [{element.get("id") for element in drawn(name).iter() if element.get("id")} for name in ("a", "b")]
    assert names[0]
    assert not names[0] & names[1]


def test_every_reference_is_found():
    root = drawn("a")
    names = {element.get("id") for element in root.iter()}
    clips = {value[5:-1] for element in root.iter() if (value := element.get("clip-path"))}
    uses = {element.get("href", "")[1:] for element in root.iter("use")}
    assert clips
    assert uses
    assert clips | uses <= names


def test_it_has_a_name_for_screen_readers_and_no_style_of_its_own():
    root = drawn("a")
    assert (root.get("role"), root.get("aria-label")) == ("img", "About a")
    assert not [element for element in root.iter() if element.tag in ("style", "metadata") or element.get("style")]
    assert {element.get("font-size") for element in root.iter("text")} == {"10", "12"}


def test_a_plot_without_a_figure_has_none():
    assert inline_svg(Plot("a", "About a", "Not drawn: nothing there.")) is None
