"""The checks that run on anyone's agent: what breaks the contract is found, and said."""

from pathlib import Path

import pytest

from llm_routing_env.evaluation import check_agent

HEAD = "import numpy as np\nfrom llm_routing_env.agents import Agent\n\n\n"
BATCHED = """class Mine(Agent):
    observation = "none"

    def __init__(self, task, *, n_sessions=None, seed=None):
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.sums = np.zeros((len(self._rows), task.n_actions))

    def _probabilities(self, observation, allowed):
        allowed = np.ones_like(self.sums, dtype=bool) if allowed is None else allowed
        best = np.where(allowed, self.sums, -np.inf)
        return np.eye(self.task.n_actions)[best.argmax(axis=1)]

    def _learn(self, observation, action, reward, outcome):
        self.sums[self._rows, action] += reward
"""
DUCK = """class Mine:
    def __init__(self, task):
        self.n = task.n_actions

    def select_action(self, observation):
        return 0

    def update(self, observation, action, reward):
        pass
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Return a function that checks the class `Mine` of a text."""
    module = f"mine_{abs(hash(request.node.name))}"  # a module is imported once per process
    monkeypatch.syspath_prepend(tmp_path)

    def of(code: str) -> dict[str, str]:
        (tmp_path / f"{module}.py").write_text(HEAD + code, encoding="utf-8")
        return check_agent(f"{module}:Mine")

    return of


def test_a_whole_agent_passes_all(check):
    assert check(BATCHED) == {}


def test_a_class_of_two_methods_passes_what_it_has(check):
    assert check(DUCK).keys() == {
        "probabilities_are_frequencies",
        "masks_are_kept",
        "a_batch_is_its_sessions",
        "a_loaded_one_goes_on",
    }


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("np.where(allowed, self.sums, -np.inf)", "self.sums", "it asked an LLM that was masked"),
        ("self.sums[self._rows, action] += reward", "self.sums[:, action] += reward.sum()", "from those of its sess"),
        ("return np.eye(self.task.n_actions)", "return 0.5 * np.eye(self.task.n_actions)", "to one but for 5.0e-01"),
        ("        best =", "        self.sums += 1.0\n        best =", "select_action changed sums"),
        ("        best =", "        self.sums = self.sums + np.random.rand()\n        best =", "select_action changed"),
    ],
)
def test_what_breaks_the_contract_is_said(check, written: str, instead: str, said: str):
    assert written in BATCHED
    with pytest.raises((AssertionError, ValueError), match=said):
        check(BATCHED.replace(written, instead))


def test_an_unknown_agent_is_refused():
    with pytest.raises(ValueError, match=r"Unknown agent 'ucb2'\. Did you mean 'ucb1'"):
        check_agent("ucb2")
