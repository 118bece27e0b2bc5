"""`pickllm agents`: which agents there are."""

import json

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llm_routing_env.agents import describe_agents
from llm_routing_env.cli import options
from llm_routing_env.cli.compare_display import print_whole
from llm_routing_env.evaluation.sb3 import describe_sb3
from llm_routing_env.terminal import Terminal


def agents(as_json: options.AsJson = False) -> None:
    """List the agents: their papers, their parameters, and what they see."""
    described = describe_agents() + describe_sb3()
    if as_json:
        print(json.dumps({"agents": described}, indent=2))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("agent", "protocol", "feedback", "sees", "arXiv"):
        table.add_column(heading, no_wrap=True)
    table.add_column("parameters", overflow="fold")
    for agent in described:
        parameters = "\n".join(f"{name}={value!r}" for name, value in agent["parameters"].items())
        paper = agent.get("paper") or ""
        table.add_row(agent["name"], agent["protocol"], agent["feedback"], agent["observation"], paper, parameters)
    print_whole(Terminal(), table)
