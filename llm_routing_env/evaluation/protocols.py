"""How agents take part in a comparison; tables never mix these without their label."""

from collections.abc import Sequence

from llm_routing_env.agents.parts.names import unknown_name

PROTOCOLS = {
    "online": "a fresh learner per session, judged on every query that it routes",
    "lifelong": "one learner through many sessions, that goes on learning from what it is answered",
    "logged": "it learned from a bandit log of the train split before it is judged on the test split",
    "saved": "as a file has it, learning nothing more, judged on the test split",
    "pretrained": "fitted on the train split, judged on the test split",
}


def require_offered(agent: str, protocol: str, offered: Sequence[str]) -> None:
    """Raise ValueError unless an agent can take part so."""
    if protocol not in PROTOCOLS:
        raise unknown_name(f"protocol of {agent}", protocol, offered)
    if protocol not in offered:
        raise ValueError(f"{agent} takes no part as {protocol}, only as {' or '.join(offered)}.")
