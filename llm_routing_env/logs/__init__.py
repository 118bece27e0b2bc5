"""Logs of bandit feedback: what was chosen, with which probability, and what came of it; one row per step."""

from llm_routing_env.logs.file import read_log
from llm_routing_env.logs.log import Log
from llm_routing_env.logs.steps import LogSteps, VectorLogSteps

__all__ = ["Log", "LogSteps", "VectorLogSteps", "read_log"]
