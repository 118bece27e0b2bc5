"""Run agents over sessions, and judge them beside what could be had."""

from llm_routing_env.evaluation.agent_checks import CHECKS, check_agent
from llm_routing_env.evaluation.comparison import compare
from llm_routing_env.evaluation.references import References, choose_references
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import SessionLog, run_sessions

__all__ = [
    "CHECKS",
    "Comparison",
    "References",
    "SessionLog",
    "check_agent",
    "choose_references",
    "compare",
    "run_sessions",
]
