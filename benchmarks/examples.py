"""Every library's example, run as it stands: `make examples`.

Each runs on one thread in the venv that has its library, and says what its policy earned beside a random one.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from results_file import save

from llm_routing_env.tables.load import load_table

EXAMPLES = Path(__file__).parents[1] / "examples"
TOGETHER, ALONE = "together", "rllib"  # the venvs
VERSIONS = "import sys, importlib.metadata as m; print(*[m.version(name) for name in sys.argv[1:]])"
PLAIN = "test split"


class Example(NamedTuple):
    """A file of `examples/`: what a reader would look for, whose versions count, and how it is judged."""

    file: str
    library: str
    packages: tuple[str, ...]
    learner: str
    judged: str = PLAIN
    venv: str = TOGETHER


LIBRARIES = (
    Example("sb3", "Stable-Baselines3", ("stable-baselines3",), "PPO"),
    Example("sb3_contrib_masks", "sb3-contrib", ("sb3-contrib",), "MaskablePPO", "scenario `outage`, masked"),
    Example("zoo", "RL Baselines3 Zoo", ("rl_zoo3",), "PPO"),
    Example("cleanrl_dqn", "CleanRL's style", ("torch", "gymnasium"), "DQN"),
    Example("tianshou_dqn", "Tianshou", ("tianshou",), "DQN"),
    Example("torchrl_dqn", "TorchRL", ("torchrl",), "DQN"),
    Example("rllib_ppo", "RLlib", ("ray", "gymnasium"), "PPO", venv=ALONE),
    Example("mo_gymnasium_linear", "MO-Gymnasium", ("mo-gymnasium",), "DQN on `LinearReward`", "reward `additive`"),
    Example("d3rlpy_minari", "Minari and d3rlpy", ("minari", "d3rlpy"), "CQL, offline"),
    Example("coba_experiment", "coba", ("coba",), "Vowpal Wabbit's epsilon-greedy", "all its queries, while it learns"),
    Example("vowpal_wabbit", "Vowpal Wabbit", ("vowpalwabbit",), "`--cb_explore`"),
)


def run(example: Example, venvs: Path) -> dict[str, Any]:
    """Run an example, and return its row; what it says goes on to standard error.

    Raises:
        SystemExit: If it fails, or says no result.
    """
    python = venvs / example.venv / "bin" / "python"
    versions = subprocess.run(
        [python, "-c", VERSIONS, *example.packages], capture_output=True, text=True, check=True
    ).stdout.split()
    done = subprocess.run(
        [python, f"{example.file}.py"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=EXAMPLES,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"reward"')]
    if done.returncode or len(lines) != 1:
        raise SystemExit(f"examples/{example.file}.py ended with {done.returncode} and no result:\n{done.stdout}")
    row = example._asdict() | {"versions": dict(zip(example.packages, versions, strict=True))}
    del row["packages"], row["venv"]
    print(example.file, lines[0], file=sys.stderr)
    return row | json.loads(lines[0])


def main() -> None:
    """Run them one after another, and write `results/examples_nano.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venvs", type=Path, help=f"the folder of the venvs {TOGETHER} and {ALONE}")
    venvs = parser.parse_args().venvs.absolute()
    rows = [run(example, venvs) for example in LIBRARIES]
    save("examples", load_table("nano"), {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": rows})


if __name__ == "__main__":
    main()
