"""`pickllm agents`: which agents there are."""

import json

from rich.markup import escape

from llm_routing_env.agents import describe_agents
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.evaluation.sb3 import describe_sb3
from llm_routing_env.terminal import Terminal

HEADINGS = ("agent", "protocol", "feedback", "sees", "arXiv", "parameters")


def agents(as_json: options.AsJson = False) -> None:
    """List the agents: their papers, their parameters, and what they see.

    Example: pickllm agents --json
    """
    described = describe_agents() + describe_sb3()
    if as_json:
        print(json.dumps({"agents": described}, indent=2))
        return
    rows = [
        [
            *(agent[key] for key in ("name", "protocol", "feedback", "observation")),
            agent.get("paper") or "",
            escape("\n".join(f"{name}={value!r}" for name, value in agent["parameters"].items())),
        ]
        for agent in described
    ]
    print_table(Terminal(), HEADINGS, rows, left=HEADINGS)
