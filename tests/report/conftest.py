"""What several tests of the report share and only read."""

from pathlib import Path

import pytest
from comparisons import hostile, many, small

from llm_routing_env.evaluation import Comparison
from llm_routing_env.report import write_report


@pytest.fixture(scope="package")
def ordinary() -> Comparison:
    return small()


@pytest.fixture(scope="package")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a comparison of which every name is hostile, with an agent that raised."""
    return write_report(hostile(), tmp_path_factory.mktemp("hostile") / "report.html", command="<b>pickllm</b>")


@pytest.fixture(scope="package")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 25 agents on 9 contexts."""
    return write_report(many(), tmp_path_factory.mktemp("large") / "report.html", command="pickllm compare")
