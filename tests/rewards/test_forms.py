"""What every form of the reward holds to, forms of one's own, and what is refused."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import queries, random_table, records
from typer.testing import CliRunner

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.cli import app
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.audit import warnings
from llm_routing_env.rewards.forms import DEFAULT_WEIGHTS, FORMS, make_reward
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table()
SLOWER_MAY_BE_BETTER = {"pickllm"}  # where the gain is negative
WEIGHTS = [(1.0, 0.5, 0.5), (1.0, 0.0, 2.0), (0.0, 1.0, 0.0), (0.3, 3.0, 0.1)]
outcomes = st.tuples(st.floats(0, 1), st.floats(0, 9e-5), st.floats(0.001, 0.29))
of_every_form = pytest.mark.parametrize("name", FORMS)
of_every_weighting = pytest.mark.parametrize("weights", WEIGHTS)


@of_every_form
@of_every_weighting
@given(outcome=outcomes)
def test_rewards_are_finite_and_within_the_bounds(name, weights, outcome):
    form = make_reward(TABLE, name, weights)
    low, high = form.bounds
    assert low - 1e-9 <= form(*outcome) <= high + 1e-9


@of_every_form
@of_every_weighting
@given(outcome=outcomes, share=st.floats(0, 1))
def test_more_accuracy_is_never_worse_and_neither_cost_nor_latency_better(name, weights, outcome, share):
    form, (accuracy, cost_usd, latency_s) = make_reward(TABLE, name, weights), outcome
    reward = form(*outcome)
    assert form(accuracy + share * (1 - accuracy), cost_usd, latency_s) >= reward - 1e-12
    assert form(accuracy, cost_usd * (1 + share), latency_s) <= reward + 1e-12
    if name not in SLOWER_MAY_BE_BETTER:
        assert form(accuracy, cost_usd, latency_s * (1 + share)) <= reward + 1e-12


@of_every_form
def test_arrays_are_rewarded_as_their_numbers_are(name):
    form = make_reward(TABLE, name, t_scaling=2.0)
    accuracy, cost_usd, latency_s = np.random.default_rng(0).uniform(1e-5, 1, (3, 5))
    each = [form(*outcome) for outcome in zip(accuracy, cost_usd, latency_s, strict=True)]
    np.testing.assert_allclose(form(accuracy, cost_usd, latency_s), each, rtol=1e-15)


@of_every_form
def test_the_terms_have_the_names_of_the_weights(name):
    form = make_reward(measured(), name, extra_terms={"bias": 0.3})
    assert set(form.terms(1.0, 1e-5, 0.1, {"bias": 1.0})) == set(form.weight_by_term)
    assert form.weight_by_term == {"accuracy": 1.0, "cost": 0.5, "latency": 0.5, "bias": 0.3}


@of_every_form
def test_another_weight_changes_its_term_only(name):
    form = make_reward(measured(), name, extra_terms={"bias": 0.3})
    assert form.with_weight("cost", 2.0).weights == (1.0, 2.0, 0.5)
    assert form.with_weight("bias", 2.0).extra_terms == {"bias": 2.0}
    assert form.with_weight("bias", 2.0).weights == form.weights == DEFAULT_WEIGHTS


def test_slopes_by_hand():
    """The ratio of a gain of 0.8 - 0.2 - 0.1 to a latency of 2; the sum of the same terms."""
    terms = {"accuracy": np.array([0.8]), "cost": np.array([0.2]), "latency": np.array([2.0]), "bias": np.array([0.1])}
    expected = {
        "pickllm": {"accuracy": 1 / 2, "cost": -1 / 2, "latency": -0.5 / 2**2, "bias": -1 / 2},
        "additive": {"accuracy": 1.0, "cost": -1.0, "latency": -1.0, "bias": -1.0},
    }
    for name, slopes in expected.items():
        found = make_reward(measured(), name, extra_terms={"bias": 0.3}).slopes(terms)
        assert {term: float(slope[0]) for term, slope in found.items()} == pytest.approx(slopes, abs=1e-9)


def test_a_term_of_zero_has_a_slope_too():
    terms = {"accuracy": 0.0, "cost": 0.0, "latency": 0.5}
    slopes = make_reward(TABLE, "pickllm").slopes(terms)
    assert slopes == pytest.approx({"accuracy": 2.0, "cost": -2.0, "latency": 0.0}, abs=1e-9)
    unweighed = make_reward(TABLE, "pickllm", (1.0, 0.5, 0.0)).slopes(terms | {"latency": 0.0})
    assert unweighed == pytest.approx({"accuracy": 1.0, "cost": -1.0, "latency": 0.0}, abs=1e-9)


def measured() -> OutcomeTable:
    asked = queries(3)
    rows = [row | {"measure_bias": 1.0} for row in records(asked, ["a", "b"], 1.0, [[1e-4], [2e-4]], [[0.1], [0.2]])]
    return OutcomeTable.from_records(asked, ["a", "b"], rows, {})


# -- forms of one's own


def test_a_form_of_ones_own_by_module_and_class():
    # a = 1, c = 0.5, l = 100 ms: (1 - 0.5 * 0.5) / (1 + 0.5 * 2)
    form = make_reward(measured(), "my_rewards:Scaled")
    assert form(1.0, 1e-4, 0.1) == pytest.approx(0.375)
    # wrong for 2e-4 dollars, which count as 1, or right for nothing; either way in 10 ms
    assert form.bounds == pytest.approx((-0.5 / 1.5, 1 / 1.5))
    assert form.formula == "(1 × accuracy − 0.5 × cost / 0.0002 $) / (1 + 0.5 × log10(latency in ms))"
    assert form.form == "my_rewards:Scaled"


def test_environments_and_the_audit_take_it():
    arguments = {"table": measured(), "observation": "none", "reward": "my_rewards:Scaled"}
    env = gym.make("PickLLM-v0", **arguments)
    env.reset(seed=0)
    assert env.step(0)[1] == pytest.approx(0.375)
    vector = gym.make_vec("PickLLM-v0", num_envs=2, **arguments)
    vector.reset(seed=0)
    np.testing.assert_allclose(vector.step(np.zeros(2, dtype=int))[1], 0.375)
    assert warnings(RoutingProblem(**arguments), {}) == []


def test_the_command_takes_it(tmp_path):
    measured().write(tmp_path / "t.parquet")
    command = ["inspect", str(tmp_path / "t.parquet"), "--reward", "my_rewards:Scaled", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert '"reward": "my_rewards:Scaled"' in done.output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ratio", r"Unknown reward 'ratio'.* Known: pickllm, additive\. Your own form: my_package.my_module:MyForm"),
        ("no_such_module:Form", "Cannot load reward 'no_such_module:Form': No module named"),
        ("my_rewards:Missing", "Cannot load reward 'my_rewards:Missing': module 'my_rewards' has no attribute"),
        (":Form", "Cannot load reward ':Form'"),
        ("my_rewards:NoForm", r"'my_rewards:NoForm' must be a subclass of llm_routing_env\.rewards\.base\.Reward"),
        ("my_rewards:function", "must be a subclass of"),
        ("my_rewards:Unbounded", "Reward 'my_rewards:Unbounded' lacks bounds, formula: see"),
        ("my_rewards:OneBound", r"bounds of the reward 'my_rewards:OneBound' must be two finite numbers.*, got 1\.0"),
        ("my_rewards:EndlessBounds", r"got \(0\.0, inf\)"),
        ("my_rewards:FallingBounds", r"got \(1\.0, 0\.0\)"),
        ("my_rewards:WordyBounds", "got \\('low', 'high'\\)"),
    ],
)
def test_what_is_no_form_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        make_reward(TABLE, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": (1.0, -0.5, 0.5)}, "weights must be three finite numbers"),
        ({"weights": (0.0, 0.0, 0.0)}, "not all 0"),
        ({"weights": (1.0, float("nan"), 0.5)}, "weights must be"),
        ({"weights": (1.0, 0.5)}, "weights must be three"),
        ({"weights": (0.0, 0.0, 1.0)}, r"is the same whatever the outcome: .* another form \(additive\)"),
        ({"t_scaling": 0.0}, "t_scaling must be"),
        ({"cost_scale_usd": -1.0}, "cost_scale_usd must be"),
        ({"extra_terms": {"bias": 1.0}}, "Unknown measure 'bias'"),
    ],
)
def test_a_reward_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_reward(TABLE, **arguments)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("cost_usd", r"weighs cost \(0.5\).* records none: .* --weights 1,0,0.25, .* with --cost-column\."),
        ("latency_s", r"weighs latency \(0.25\).* --weights 1,0.5,0, .* --latency-column or --latency-from\."),
    ],
)
def test_a_measure_that_is_weighed_but_not_recorded_is_refused_with_what_to_do(column, message):
    asked = queries(2, ["art"])
    rows = [row | {column: None} for row in records(asked, ["a"], 1.0, 1e-5, [0.1])]
    table = OutcomeTable.from_records(asked, ["a"], rows, {})
    with pytest.raises(ValueError, match=message):
        make_reward(table, weights=(1, 0.5, 0.25))


@of_every_form
def test_where_every_llm_is_free_the_cost_is_nothing(name):
    asked = queries(2, ["art"])
    table = OutcomeTable.from_records(asked, ["a"], records(asked, ["a"], 1.0, 0.0, [0.1]), {})
    free = make_reward(table, name)
    assert free.terms(1.0, 0.0, 0.1) == {"accuracy": 1.0, "cost": 0.0, "latency": 1.0}


def test_the_unit_of_cost_is_the_dearest_llms_mean():
    assert TABLE.cost_scale_usd == pytest.approx(TABLE.cost_usd.mean(axis=(0, 2)).max())
    assert make_reward(TABLE).cost_scale_usd == TABLE.cost_scale_usd
