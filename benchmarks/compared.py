"""What `pickllm compare` says, kept for README and docs: one file for each command.

    python benchmarks/compared.py [NAME ...]

Writes `results/compare_NAME.json`: the whole sessions of all contexts together, with the references, in six digits.
"""

import json
import shlex
import subprocess
import sys
from typing import Annotated

import typer
from results_file import FOLDER, of_all_contexts, rounded, write

PAST = "awr_router@logged,papers=awr_router@logged,linear_router@logged,awr_router --param papers.advantage=return"
COMMANDS = {
    "nano_pickllm": "pickllm compare",
    "nano_additive": "pickllm compare --reward additive",
    "everyday_pickllm": "pickllm compare --table everyday",
    "nano_logged_pickllm": f"pickllm compare --training-seeds 3 --agents {PAST}",
    "nano_logged_additive": f"pickllm compare --training-seeds 3 --reward additive --agents {PAST}",
    "nano_budget": (
        "pickllm compare --max-usd-per-query 3e-5 --weights 1,0,0 --reward additive --sessions 20 --agents "
        "hull_router,budget_pacer@lifelong,budget_pacer@logged,zero_router,linucb@lifelong"
    ),
}


def main(names: Annotated[list[str] | None, typer.Argument(help="Which of them; without, all.")] = None) -> None:
    """Run the commands one after the other, and keep what they say."""
    if unknown := set(names or ()) - set(COMMANDS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: known are {', '.join(COMMANDS)}.")
    for name in names or COMMANDS:
        arguments = shlex.split(COMMANDS[name])[1:]
        made = subprocess.run(
            [sys.executable, "-m", "llm_routing_env", *arguments, "--json"], check=True, stdout=subprocess.PIPE
        )
        path = FOLDER / f"compare_{name}.json"
        document = json.loads(made.stdout)
        source = {"compared_by": COMMANDS[name], "table_sha256": document["table"]["sha256"]}
        kept = {key: value for key, value in of_all_contexts(document).items() if key not in ("life_curves", "run")}
        write(path, source, rounded(kept))
        print(f"wrote {path}")


if __name__ == "__main__":
    typer.run(main)
