"""Puts words, tables and figures into one page."""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.plots import Plot, draw
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.verdicts import headroom
from llm_routing_env.report.recovery import ABOUT_RECOVERY
from llm_routing_env.report.spending import ABOUT_SPENDING, spending_title
from llm_routing_env.report.svg import inline_svg
from llm_routing_env.report.tables import (
    agent_rows,
    context_table,
    failed_table,
    pair_table,
    recovery_table,
    routing_table,
    shown_columns,
    spending_table,
)
from llm_routing_env.report.words import about_intervals, facts, failed_calls, question, versions
from llm_routing_env.text import printable

TEMPLATES = Path(__file__).parent / "templates"


def write_report(result: Comparison, path: Path, *, command: str) -> Path:
    """Write the report of a comparison as one HTML file: the same bytes for the same result and versions.

    Args:
        result: What was found.
        path: The file; its folder exists.
        command: The command line that made the result.
    """
    pooled = {name: result.metrics[name][POOLED] for name in result.references.actions}
    return write_page(
        "report.html",
        path,
        draw(result),
        command=command,
        question=question(result),
        headroom=headroom(pooled, result.references.best_fixed, result.references.chosen_fixed),
        intervals=about_intervals(result),
        verdicts=result.verdicts,
        failures=result.failures,
        failed_calls=failed_calls(result),
        columns=shown_columns(result),
        rows=agent_rows(result),
        contexts=context_table(result),
        routing=routing_table(result),
        failed=failed_table(result),
        spending=spending_table(result),
        spending_title=spending_title(result) if result.spending else "",
        about_spending=ABOUT_SPENDING,
        recovery=recovery_table(result),
        about_recovery=ABOUT_RECOVERY,
        pairs=pair_table(result),
        facts=facts(result),
    )


def write_page(template: str, path: Path, plots: Iterable[Plot], **content: Any) -> Path:
    """Write one HTML file that needs no other: the template with its style, its script, and the figures.

    Args:
        template: Its name.
        path: The file; its folder exists.
        plots: The figures.
        content: What the template shows; the command line that made it is `command`.
    """
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("report.css", "sort.js"))
    page = (
        page_environment()
        .get_template(template)
        .render(
            style=style,
            script=script,
            policy=security_policy(style, script),
            plots=[(plot, inline_svg(plot)) for plot in plots],
            versions=versions(),
            **content,
        )
    )
    with replacing(path) as new:
        new.write_text(page, encoding="utf-8", errors="replace")
    return path


def page_environment() -> Environment:
    """Return what fills in the templates: everything is escaped, and no control character stays."""
    environment = Environment(
        loader=PackageLoader("llm_routing_env.report"),
        autoescape=True,
        finalize=_without_control_characters,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def security_policy(style: str, script: str) -> str:
    """Return a content security policy that allows this very style and script: nothing else, and no request."""

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    allowed = f"style-src {digest(style)}; script-src {digest(script)}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _breakable(name: str) -> Markup:
    """Return a name that may go on in the next line after a separator, module:Class above all."""
    return Markup("<wbr>").join(re.split(r"(?<=[:._/-])", printable(name)))


def _without_control_characters(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
