"""Logs of bandit feedback: what was chosen, with which probability, and what came of it; one row per step."""

from llm_routing_env.logs.file import read_log
from llm_routing_env.logs.log import Log

__all__ = ["Log", "read_log"]
