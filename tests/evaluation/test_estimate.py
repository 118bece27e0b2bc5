"""What a live comparison is said to come to is what it then sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counting_server import CountingServer, counting_server
from tables import write_random_table

from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.estimate import estimated
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.tuning import estimated_tuning, tune

COST_USD = 14e-6  # 10 tokens read and 2 written, as the server counts
PROMPTS = ("art question 29?", "chess question 1?")  # about as long as any


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    monkeypatch.chdir(tmp_path)
    with counting_server() as running:
        llm = f'base_url = "{running.base_url}"\nmax_tokens = 5\n'
        llm += "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n"
        tables = "".join(f'[[llm]]\nname = "llm-{number}"\n{llm}' for number in range(4))
        Path("pool.toml").write_text(f'name = "counted"\nmax_retries = 0\n{tables}')
        write_random_table(tmp_path)
        yield running


def setting(length: int = 10) -> Setting:
    return Setting({"table": "random.parquet"}, length, live=live_access("vllm", "pool.toml", "local"))


@pytest.mark.parametrize("length", [10, 50])  # a context has 20 queries
def test_it_counts_the_requests_that_are_sent(server: CountingServer, length: int):
    here, agents = setting(length), contestants(["round_robin", "random"], {})
    found = estimated(here, len(agents), 2)
    assert not server.answers
    result = run_comparison(agents, here, 2)
    assert found.n_requests == len(server.answers) == 2 * 2 * 3 * min(length, 20)
    # The table's calls read 10 tokens and wrote 5, at the same prices for all four LLMs.
    assert found.low_usd == found.high_usd == pytest.approx(found.n_requests * 20e-6)
    most_usd = found.most_usd / found.n_requests
    assert min(map(len, PROMPTS)) - 2 <= most_usd * 1e6 - 256 - 5 * 2 <= max(map(len, PROMPTS)) + 8
    assert result.budget is not None
    assert result.budget.spent_usd == pytest.approx(found.n_requests * COST_USD)


def test_tuning_is_counted_too(server: CountingServer):
    grids, here = {"ucb1": {"c": [0.1, 2]}}, setting()
    found = estimated_tuning(grids, here, 4, parameters={})
    assert not server.answers
    tune(grids, here, 4)
    # Two candidates, two sessions of each of three contexts, the 10 queries that a context has in the train split.
    assert found.n_requests == len(server.answers) == 2 * 2 * 3 * 10
    with pytest.raises(ValueError, match="2 candidates for 1 tuning session"):
        estimated_tuning(grids, here, 1, parameters={})


def test_what_is_recorded_costs_nothing(server: CountingServer):
    recorded = Setting({"table": "random.parquet"}, 10)
    assert estimated(recorded, 3, 2).n_requests == 0
    assert estimated_tuning({"ucb1": {"c": [1]}}, recorded, 4, parameters={}).n_requests == 0
