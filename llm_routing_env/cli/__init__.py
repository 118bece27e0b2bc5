"""The `pickllm` command."""

import os
import sys

import typer

from llm_routing_env.agents.parts.plug_ins import found_in
from llm_routing_env.cli import agents, compare, demo, import_tables, inspect, load_curve, record, serve, verify
from llm_routing_env.terminal import Terminal

app = typer.Typer(
    help="Route queries to LLMs with bandits: compare agents, watch a session, serve and record a pool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("compare")(compare.compare)
app.command("inspect")(inspect.inspect)
app.command("verify")(verify.verify)
app.command("agents")(agents.agents)
app.command("serve")(serve.serve)
app.command("record")(record.record)
app.command("embed")(record.embed)
app.command("load-curve")(load_curve.load_curve)
app.add_typer(import_tables.app, name="import")


def main() -> None:
    """Run the command; what the user got wrong ends in one line on standard error and exit code 2."""
    try:
        with found_in(os.getcwd()):  # my_module:MyAgent and the like
            app()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        Terminal(stderr=True, soft_wrap=True).print(f"pickllm: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
