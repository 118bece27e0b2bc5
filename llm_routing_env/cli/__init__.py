"""The `pickllm` command."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from llm_routing_env.agents.parts.plug_ins import found_in
from llm_routing_env.cli import (
    agents,
    assign,
    compare,
    demo,
    export,
    import_log,
    import_tables,
    inspect,
    load_curve,
    ope,
    record,
    serve,
    train,
    verify,
)
from llm_routing_env.stopping import IncompleteError, Terminated, exit_code, sigterm_raises, what_was_kept
from llm_routing_env.terminal import Terminal


class _Commands(TyperGroup):
    """The commands; one that is interrupted says what is kept."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:  # typer would end without a word
            _say(what_was_kept(stop))
            raise typer.Exit(exit_code(stop)) from None


app = typer.Typer(
    cls=_Commands,
    help="Route queries to LLMs with bandits: compare agents, watch a session, serve and record a pool.",
    epilog="Exit codes: 0 done; 1 done in part, what is kept is said; 2 bad input, or nothing could be done; "
    "130 and 143 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("compare")(compare.compare)
app.command("train")(train.train)
app.command("assign")(assign.assign_queries)
app.command("inspect")(inspect.inspect)
app.command("verify")(verify.verify)
app.command("ope")(ope.ope)
app.command("agents")(agents.agents)
app.command("serve")(serve.serve)
app.command("record")(record.record)
app.command("embed")(record.embed)
app.command("load-curve")(load_curve.load_curve)
app.add_typer(import_tables.app, name="import")
app.command("import-log")(import_log.import_log)
app.add_typer(export.app, name="export")


def main() -> None:
    """Run the command; whatever keeps it from its end is one line on standard error, and the exit code says which."""
    try:
        with found_in(os.getcwd()), sigterm_raises(Terminated):  # my_module:MyAgent and the like
            app()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        _say(f"pickllm: {error}", style="red")
        sys.exit(1 if isinstance(error, IncompleteError) else 2)


def _say(line: str, style: str = "") -> None:
    Terminal(stderr=True, soft_wrap=True).print(line, style=style, markup=False, highlight=False)
