"""Turns a figure into SVG that can stand inside a page beside others."""

import re
import warnings
from io import BytesIO
from xml.etree import ElementTree

from markupsafe import Markup

from llm_routing_env.evaluation.plots.style import Plot

PIXELS_PER_POINT = 4 / 3
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT_SIZE = re.compile(r"([\d.]+)px")


def inline_svg(plot: Plot) -> Markup | None:
    """Return a figure as an SVG element; None where there is none.

    Text stays text, coordinates are rounded to a hundredth of a point, names of elements are unique in a page, and
    style attributes become plain ones, so that the page's policy can forbid inline styles.
    """
    if plot.figure is None:
        return None
    root = ElementTree.fromstring(_saved(plot))
    for parent in root.iter():
        for child in [child for child in parent if child.tag.rpartition("}")[2] in ("metadata", "style")]:
            parent.remove(child)
    used = {name for element in root.iter() for name in re.findall(r"#([\w.]+)", " ".join(_references(element)))}
    for element in root.iter():
        _rewrite(element, plot.name, used)
    width = float(root.attrib.pop("width").removesuffix("pt")) * PIXELS_PER_POINT
    del root.attrib["height"], root.attrib["version"]
    # Screen readers get the title here and the caption as text; the labels of ticks alone would tell them nothing.
    root.attrib |= {"width": f"{width:.0f}", "role": "img", "aria-label": plot.title}
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _saved(plot: Plot) -> bytes:
    import matplotlib

    buffer = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pickllm"}), warnings.catch_warnings():
        # The browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        plot.figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _references(element: ElementTree.Element) -> list[str]:
    return [value for name, value in element.attrib.items() if name.endswith("href") or name == "clip-path"]


def _rewrite(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    """Make one element fit for an HTML page: no namespaces, no style attribute, own names, short numbers."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    element.attrib.clear()
    if attributes.get("id") in used:
        element.set("id", f"{prefix}-{attributes['id']}")
    for declaration in attributes.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name in ("font", "font-size"):  # the family is the page's
            size = _FONT_SIZE.search(value)
            attributes["font-size"] = size.group(1) if size else "10"
        elif name and not name.startswith("font-"):
            attributes[name] = value
    for name, value in attributes.items():
        if name != "id":
            short = _LONG_NUMBER.sub(lambda number: f"{float(number.group()):.2f}", value)
            element.set(name, re.sub(r"#(?=[mp][0-9a-f]{10})", f"#{prefix}-", short).replace("\n", ""))
    if element.tag != "text" and element.text:
        element.text = element.text.strip()
    element.tail = None
