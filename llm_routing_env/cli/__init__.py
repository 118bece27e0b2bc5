"""The `pickllm` command."""

import os
import shutil
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from llm_routing_env import __version__
from llm_routing_env.agents.parts.plug_ins import found_in
from llm_routing_env.stopping import IncompleteError, Terminated, exit_code, sigterm_raises, what_was_kept
from llm_routing_env.terminal import Terminal

# Where each command is, and its line in `pickllm --help`, which imports none of them.
COMMANDS = {
    "demo": ("demo:demo", "Watch one session, query by query."),
    "compare": ("compare:compare", "Compare agents on the same sessions, beside what could be had."),
    "train": ("train:train", "Let an agent learn, and keep what it learned in one file."),
    "assign": ("assign:assign_queries", "Assign a batch of queries to LLMs, for a budget or an accuracy."),
    "inspect": ("inspect:inspect", "Say whether a table has anything to learn."),
    "verify": ("verify:verify", "Compute a table's scores and costs again."),
    "ope": ("ope:ope", "Estimate from a log what another policy would have got."),
    "agents": ("agents:agents", "List the agents, their parameters, and what they see."),
    "serve": ("serve:serve", "Start a pool's vLLM servers."),
    "record": ("record:record", "Ask every LLM every query, and write the outcome table."),
    "embed": ("embed:embed", "Compute the embeddings of a table's queries, or of its responses."),
    "load-curve": ("load_curve:load_curve", "Measure how load slows the LLMs of a table."),
    "import": ("import_tables:app", "Make a table of results that somebody else recorded."),
    "import-log": ("import_log:import_log", "Make a log of choices that somebody else's router made."),
    "export": ("export:app", "Write what other programs read."),
}


# Typer's boxes need characters beyond ASCII, and on a narrow terminal they would cut the names of options.
_HAS_BOXES = shutil.get_terminal_size().columns >= 72 and str(sys.stdout.encoding).lower().startswith("utf")
_MARKUP: Any = "rich" if _HAS_BOXES else None
_UsageError: Any = typer.BadParameter.__base__  # click's, or typer's own copy of it


class _Commands(TyperGroup):
    """The commands, imported when they are called; one that is interrupted says what is kept."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else _imported(name), rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:  # typer would end without a word
            _say(what_was_kept(stop))
            raise typer.Exit(exit_code(stop)) from None


def _imported(name: str) -> TyperCommand | TyperGroup:
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    group = typer.Typer(add_completion=False)
    if not isinstance(found, typer.Typer):
        group.command(name)(found)
    else:
        group = found
    group.rich_markup_mode = _MARKUP
    return typer.main.get_command(group)  # type: ignore[return-value]


app = typer.Typer(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
)


def _described() -> None:
    """Stand for a command in the list of them."""


for _name, (_, _line) in COMMANDS.items():
    app.command(_name, help=_line)(_described)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"pickllm {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done; 1 done in part, what is kept is said; 2 bad input, or nothing could be done; "
    "130 and 143 interrupted. verify: 1 if a number differs.",
)
def _pickllm(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Route queries to LLMs with bandits: compare agents, watch a session, serve and record a pool.

    Example: pickllm compare --agents learning_automaton,ucb1 --sessions 20
    """


def main() -> None:
    """Run the command; whatever keeps it from its end is one line on standard error, and the exit code says which."""
    try:
        with found_in(os.getcwd()), sigterm_raises(Terminated):  # my_module:MyAgent and the like
            # By this name, whoever started it: completion is installed by it.
            sys.exit(app(prog_name="pickllm", standalone_mode=False))
    except _UsageError as error:
        _say_misused(error)
        sys.exit(2)
    except (ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        said = (str(error) or type(error).__name__, *getattr(error, "__notes__", ()))
        _say(f"pickllm: {' '.join(said)}", style="red")
        sys.exit(1 if isinstance(error, IncompleteError) else 2)


def _say_misused(error: Any) -> None:
    """Say what is wrong with a command line in one line; typer would draw a box around it."""
    said = error.format_message()
    if "NoArgs" in type(error).__name__:  # it says the help, which may be out already
        print(said, end="\n" if said else "", file=sys.stderr)
        return
    message = " ".join(said.split()).rstrip(".")
    command = error.ctx.command_path if error.ctx else "pickllm"  # an option without its value is said without
    _say(f"pickllm: {message}: try {command} -h.", style="red")


def _say(line: str, style: str = "") -> None:
    Terminal(stderr=True, soft_wrap=True).print(line, style=style, markup=False, highlight=False)
