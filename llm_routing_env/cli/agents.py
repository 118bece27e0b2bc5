"""`pickllm agents`: which agents there are."""

import json

from rich.console import Console
from rich.table import Table

from llm_routing_env.agents import describe_agents
from llm_routing_env.cli import options
from llm_routing_env.evaluation.sb3 import describe_sb3


def agents(as_json: options.AsJson = False) -> None:
    """List the agents, their parameters, and what they see."""
    described = describe_agents() + describe_sb3()
    if as_json:
        print(json.dumps({"agents": described}, indent=2))
        return
    table = Table("agent", "protocol", "feedback", "sees", "parameters", title="Agents")
    for agent in described:
        parameters = ", ".join(f"{name}={value!r}" for name, value in agent["parameters"].items())
        table.add_row(agent["name"], agent["protocol"], agent["feedback"], agent["observation"], parameters)
    Console().print(table)
