"""Who is best, and by how much, where the stream of queries changes topic in the course of a session: by hand."""

from typing import Any

import numpy as np
import pytest
from tables import queries, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import choose_references, compare
from llm_routing_env.tables.table import OutcomeTable

# x is right in art and never in chess, y the other way round; 9 queries each, a third of them of the train split.
ASKED = queries(9, ("art", "chess"))
IS_ART = np.array([query.context == "art" for query in ASKED])
RIGHT = np.stack([IS_ART, ~IS_ART], axis=1)[:, :, None].astype(float)
TABLE = OutcomeTable.from_records(ASKED, ("x", "y"), records(ASKED, ("x", "y"), RIGHT, 1e-5, [[[0.1]]]), {})


def shifted(step: Any) -> dict[str, Any]:
    event = {"event": "context_shift", "context": "chess", "step": step}
    return {"table": TABLE, "scenario": [event], "split": "all", "context": "art"}


@pytest.mark.parametrize(("step", "best", "share"), [(3, "y", 6 / 9), (6, "x", 6 / 9), ([2, 6], "y", 5 / 9)])
def test_the_best_llm_is_of_what_the_session_meets(step: Any, best: str, share: float):
    problem = RoutingProblem(**shifted(step), observation="none")
    assert choose_references(problem, ["art"], {"art": 9}).best_fixed == best
    found = compare(["random"], **shifted(step), n_sessions=4, length=9, seed=0)
    accuracy = {name: metrics["art"]["accuracy"]["mean"] for name, metrics in found.metrics.items()}
    assert accuracy[f"always {best}"] == pytest.approx(share)
    assert accuracy["per-context best"] == pytest.approx(1)
    regret = found.metrics[f"always {best}"]["art"]["regret"]["mean"]
    means = problem.expected_rewards("art")
    assert regret == pytest.approx(9 * (1 - share) * abs(means[0] - means[1]))


def test_learners_are_judged_on_the_queries_that_came():
    found = compare(["fixed"], parameters={"fixed": {"llm": "x"}}, **shifted(3), n_sessions=4, length=9, seed=0)
    assert found.metrics["fixed"]["art"]["accuracy"]["mean"] == pytest.approx(3 / 9)
    assert found.metrics["fixed"]["art"]["reward_minus_best_fixed"]["mean"] < 0
