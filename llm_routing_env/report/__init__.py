"""The report of a comparison: one HTML file that needs nothing else, no network either."""

from llm_routing_env.report.page import write_report

__all__ = ["write_report"]
