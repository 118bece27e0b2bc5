"""What asking will come to, against sums by hand."""

import numpy as np
import pytest
from tables import records

from llm_routing_env.pools.estimate import Estimate, dollars, each_llm, one_llm
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

URL = "http://somewhere/v1"
CHEAP = LLMSpec("cheap", 1.0, 2.0, base_url=URL, max_tokens=100)
DEAR = LLMSpec("dear", 10.0, 20.0, base_url=URL, max_tokens=200)
POOL = Pool("two", (CHEAP, DEAR), max_retries=1)
QUERIES = QuerySet(Query(f"q{n}", "art", "test", "x" * n, ("y",)) for n in (40, 400))
TEMPLATE_TOKENS = 256  # what `worst_usd` adds for a chat template
# A token for every four bytes, and the longest answer.
CHEAP_USD = [(10 * 1 + 100 * 2) / 1e6, (100 * 1 + 100 * 2) / 1e6]
DEAR_USD = [(10 * 10 + 200 * 20) / 1e6, (100 * 10 + 200 * 20) / 1e6]
# A token for every byte, the template, the longest answer; sent once, whatever the pool's retries.
CHEAP_MOST_USD = [((size + TEMPLATE_TOKENS) * 1 + 100 * 2) / 1e6 for size in (40, 400)]
DEAR_MOST_USD = [((size + TEMPLATE_TOKENS) * 10 + 200 * 20) / 1e6 for size in (40, 400)]


def test_a_recording_asks_every_llm_every_query():
    found = each_llm(POOL, QUERIES, 3)
    assert found.n_requests == 3 * 2 * 2
    assert found.low_usd == found.high_usd == pytest.approx(3 * (sum(CHEAP_USD) + sum(DEAR_USD)))
    assert found.most_usd == pytest.approx(3 * (sum(CHEAP_MOST_USD) + sum(DEAR_MOST_USD)))
    assert found.is_charged


def test_where_one_llm_is_asked_the_cheapest_and_the_dearest_bound_it():
    found = one_llm(POOL, QUERIES, np.array([5.0, 1.0]))
    assert found.n_requests == 6
    assert found.low_usd == pytest.approx(5 * CHEAP_USD[0] + CHEAP_USD[1])
    assert found.high_usd == pytest.approx(5 * DEAR_USD[0] + DEAR_USD[1])
    assert found.most_usd == pytest.approx(5 * DEAR_MOST_USD[0] + DEAR_MOST_USD[1])


def test_all_of_a_chat_is_sent_so_all_of_it_counts():
    chat = Query("q", "art", "test", "x" * 40, ("y",), (("system", "x" * 360), ("user", "x" * 40)))
    assert one_llm(POOL, [chat], 1).low_usd == pytest.approx(CHEAP_USD[1])


def table(*names: str, tokens: int = 20, error: str | None = None) -> OutcomeTable:
    """Return a table of which every call read so many tokens and wrote 5."""
    rows = records(QUERIES, names, np.ones((2, len(names), 2)), 1e-9, 0.1)
    rows = [row | {"prompt_tokens": tokens} for row in rows]
    for row in rows[:2]:  # the first query's calls of the first LLM
        row |= {"error": error, "prompt_tokens": 0, "completion_tokens": 0} if error else {}
    return OutcomeTable.from_records(QUERIES, names, rows, {})


def test_a_table_of_the_same_llms_knows_what_they_read_and_write():
    cheap_usd = (20 * 1 + 5 * 2) / 1e6  # by the pool's prices: those of the table may be old
    assert one_llm(POOL, QUERIES, 1, recorded=table("cheap", "dear")).low_usd == pytest.approx(2 * cheap_usd)
    failing = table("cheap", "dear", error="HTTP 500")
    assert one_llm(POOL, QUERIES, 1, recorded=failing).low_usd == pytest.approx(2 * cheap_usd)
    for other in (table("cheap", "another"), table("cheap", "dear", tokens=0)):
        assert one_llm(POOL, QUERIES, 1, recorded=other).low_usd == pytest.approx(sum(CHEAP_USD))


def test_an_llm_that_is_paid_by_the_hour_costs_its_time():
    hourly = LLMSpec("cheap", 0.0, 0.0, base_url=URL, hardware_usd_per_hour=36.0)
    pool = Pool("one", (hourly,), deadline_s=60.0, max_retries=0)
    found = one_llm(pool, QUERIES, 1)
    assert found.low_usd == found.most_usd == pytest.approx(2 * 0.6)  # a minute each
    assert one_llm(pool, QUERIES, 1, recorded=table("cheap")).low_usd == pytest.approx(2 * 0.001)


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_an_llm_s_own_settings_count_not_the_pool_s(key: str):
    own = LLMSpec("own", 2.0, 8.0, base_url=URL, max_tokens=256, max_retries=9, system="s" * 8000, request={key: 4000})
    found = each_llm(Pool("one", (own,), max_retries=0), [Query("q", "art", "test", "x" * 40, ("y",))], 1)
    assert found.low_usd == pytest.approx((2010 * 2 + 4000 * 8) / 1e6)  # 8,040 bytes read, 4,000 tokens written
    assert found.most_usd == pytest.approx(((8040 + TEMPLATE_TOKENS) * 2 + 4000 * 8) / 1e6)


def test_so_does_its_own_deadline_where_it_is_paid_by_the_hour():
    slow = LLMSpec("slow", 0.0, 0.0, base_url=URL, hardware_usd_per_hour=36.0, deadline_s=600.0)
    found = one_llm(Pool("one", (slow,), deadline_s=60.0), QUERIES, 1)
    assert found.low_usd == found.most_usd == pytest.approx(2 * 6.0)  # ten minutes each


def test_only_endpoints_that_somebody_else_runs_are_charged():
    here = Pool("here", (LLMSpec("cheap", 1.0, 2.0, model="m"),))
    free = Pool("free", (LLMSpec("cheap", 0.0, 0.0, base_url=URL), LLMSpec("dear", 1.0, 2.0, model="m")))
    assert not one_llm(here, QUERIES, 1).is_charged
    assert one_llm(here, QUERIES, 1).most_usd > 0
    assert not one_llm(free, QUERIES, 1).is_charged


def test_estimates_add_up_and_read_as_people_write():
    total = Estimate(1000, 0.5, 1.0, 4.0) + Estimate(200, 0.5, 2.0, 8.0, is_charged=True)
    assert total == Estimate(1200, 1.0, 3.0, 12.0, is_charged=True)
    top = "if every answer is as long as it may be; requests that are sent again come on top)"
    assert str(total) == f"1,200 requests, about $1.00 to $3.00 ($12.00 {top}"
    assert str(Estimate(1, 0.5, 0.5, 4.0)) == f"1 request, about $0.50 ($4.00 {top}"
    assert str(Estimate(2)) == "2 requests, at no price"
    assert [dollars(usd) for usd in (0, 0.000123, 0.0123, 99.5, 1234.5)] == [
        *("$0", "$0.00012", "$0.01", "$99.50", "$1,234")
    ]


def test_what_a_request_costs_at_most_may_be_said():
    own = LLMSpec("own", 1.0, 2.0, base_url=URL, omit=["max_tokens"], max_request_usd=0.0001)
    found = each_llm(Pool("one", (own,)), QUERIES, 1)
    assert found.most_usd == pytest.approx(2 * 0.0001)
    assert found.high_usd <= found.most_usd
