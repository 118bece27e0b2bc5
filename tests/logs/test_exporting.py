"""Logs as other libraries read them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.cli import main
from llm_routing_env.logs import Log, read_log
from llm_routing_env.logs.exporting.minari import write_minari
from llm_routing_env.logs.exporting.obp import write_obp
from llm_routing_env.logs.exporting.observed import Observed, observed
from llm_routing_env.logs.exporting.vw import write_vw
from llm_routing_env.logs.file import write_log

TABLE = random_table()


def log_of(n_sessions: int = 1, **changes: Any) -> Log:
    """Return sessions of three steps on three LLMs, one of them with a name that Vowpal Wabbit would misread."""
    n_rows = 3 * n_sessions
    numbers, zeros = np.full(n_rows, 0.5), np.zeros(n_rows, dtype=np.int64)
    facts = {"llms": ["a", "b", "c"], "table": None, "backend": "table", "observation": "context"}
    columns: dict[str, Any] = {
        "metadata": facts,
        "llm_names": ("a", "b:c d", "e"),
        "agents": ("uniform",),
        "agent": zeros,
        "contexts": ("art", "chess"),
        "context": np.tile([1, 0, 1], n_sessions),
        "query_ids": tuple(TABLE.query_ids[row] for row in (4, 0, 61)),
        "query": np.tile([0, 1, 2], n_sessions),
        "session": np.repeat(np.arange(n_sessions), 3),
        "step": np.tile([0, 1, 2], n_sessions),
        "action": np.tile([0, 1, 2], n_sessions),
        "propensity": np.tile([0.5, 0.25, 1.0], n_sessions),
        "reward": np.tile([1.5, -0.25, 0.0], n_sessions),
        "accuracy": numbers,
        "cost_usd": numbers,
        "latency_s": numbers,
        "prompt_tokens": numbers,
        "completion_tokens": numbers,
        "failed": zeros > 0,
        "phase": zeros,
    }
    return Log(**columns | changes)


MASK = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=bool)


def test_the_text_of_vowpal_wabbit(tmp_path: Path):
    assert write_vw(observed(log_of(mask=MASK)), tmp_path / "log.txt") == 3
    assert (tmp_path / "log.txt").read_text() == (
        "shared |query 1:1\n0:-1.5:0.5 |llm a\n|llm b_c_d\n\n"
        "shared |query 0:1\n|llm a\n0:0.25:0.25 |llm b_c_d\n|llm e\n\n"
        "shared |query 1:1\n0:-0:1 |llm e\n\n"
    )


def test_vowpal_wabbit_learns_from_every_example(tmp_path: Path):
    vowpalwabbit = pytest.importorskip("vowpalwabbit")
    write_vw(observed(log_of(n_sessions=20)), tmp_path / "log.txt")
    workspace = vowpalwabbit.Workspace("--cb_adf --quiet")
    for example in (tmp_path / "log.txt").read_text().split("\n\n")[:-1]:
        workspace.learn(example.split("\n"))
    assert workspace.get_weighted_examples() == 60
    workspace.finish()


def test_two_llms_that_vowpal_wabbit_cannot_tell_apart(tmp_path: Path):
    with pytest.raises(ValueError, match="Two LLMs would have one name"):
        write_vw(observed(log_of(llm_names=("a b", "a:b", "c"))), tmp_path / "log.txt")


def test_the_bandit_feedback_of_obp(tmp_path: Path):
    assert write_obp(observed(log_of(mask=MASK)), tmp_path / "log.npz") == 3
    feedback = dict(np.load(tmp_path / "log.npz", allow_pickle=False))
    assert (int(feedback["n_rounds"]), int(feedback["n_actions"])) == (3, 3)
    assert feedback["context"].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert feedback["action_context"].tolist() == np.eye(3).tolist()
    assert feedback["action"].tolist() == [0, 1, 2]
    assert feedback["position"].tolist() == [0, 0, 0]
    assert feedback["reward"].tolist() == [1.5, -0.25, 0.0]
    assert feedback["pscore"].tolist() == [0.5, 0.25, 1.0]
    assert feedback["action_mask"].tolist() == MASK.tolist()


def on_table(**changes: Any) -> Log:
    facts = log_of().metadata | {"table": {"name": "random", "sha256": TABLE.sha256}}
    return log_of(metadata=facts, **changes)


def test_observations_are_made_again_from_the_table(tmp_path: Path):
    TABLE.write(tmp_path / "random.parquet")
    log = log_of()
    from llm_routing_env.tables.load import load_table

    facts = log.metadata | {"table": {"name": "random", "sha256": load_table(tmp_path / "random.parquet").sha256}}
    log = log_of(metadata=facts)
    seen = observed(log, table=str(tmp_path / "random.parquet"))
    assert seen.vectors[seen.places].tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    prompts = observed(log, observation="prompt", table=str(tmp_path / "random.parquet"))
    assert prompts.vectors[prompts.places].tolist() == ["art question 4?", "art question 0?", "chess question 1?"]
    with pytest.raises(ValueError, match="The observation 'prompt' is text"):
        write_obp(prompts, tmp_path / "log.npz")


@pytest.mark.parametrize(
    ("log", "options", "message"),
    [
        (on_table(), {}, "The log is of the table random: say where it lies with --table"),
        (on_table(), {"table": "nano"}, r"of the table random \(sha256 .*, not of nano"),
        (on_table(), {"observation": "array"}, "an array of the user's own, which no log keeps"),
        (log_of(), {"observation": "embedding"}, "Unknown observation 'embedding'.*all that it can tell"),
        (log_of(), {"agent": "nobody"}, "Unknown agent in the log 'nobody'"),
    ],
)
def test_what_cannot_be_seen_again(log: Log, options: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        observed(log, **options)


def test_nothing_is_weighed_without_propensity_and_reward(tmp_path: Path):
    for column, message in {
        "propensity": "1 of 3 rows have no propensity",
        "reward": "session 0 of uniform has no reward",
    }.items():
        log = log_of(**{column: np.array([1.0, np.nan, 1.0])})
        for write, name in ((write_vw, "log.txt"), (write_obp, "log.npz")):
            with pytest.raises(ValueError, match=message):
                write(observed(log), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_minari_loads_what_was_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    log = log_of(n_sessions=2, mask=np.tile(MASK, (2, 1)))
    assert write_minari(observed(log), Path("pickllm/uniform-v0")) == 2
    dataset = minari.load_dataset("pickllm/uniform-v0")
    assert (len(dataset), dataset.total_steps) == (2, 6)
    for episode in dataset.iterate_episodes():
        assert episode.observations.tolist() == [[0, 1], [1, 0], [0, 1], [0, 1]]
        assert (episode.actions.tolist(), episode.rewards.tolist()) == ([0, 1, 2], [1.5, -0.25, 0.0])
        assert (episode.terminations.tolist(), episode.truncations.tolist()) == ([False] * 3, [False, False, True])
        assert episode.infos["propensity"][1:].tolist() == [0.5, 0.25, 1.0]
        assert episode.infos["action_mask"][:3].tolist() == MASK.tolist()
    assert not (tmp_path / "home").exists()
    with pytest.raises(FileExistsError, match="a data set is never written over"):
        write_minari(observed(log), tmp_path / "pickllm" / "uniform-v0")
    with pytest.raises(ValueError, match="called like random-v0"):
        write_minari(observed(log), tmp_path / "uniform")


def test_minari_makes_the_environment_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    minari = pytest.importorskip("minari")
    log = tmp_path / "log.parquet"
    demo(log, "--agent", "linucb", "--scenario", "price_cut", "--reward", "additive")
    run("export", "minari", log, tmp_path / "linucb-v0")
    env = minari.MinariDataset(tmp_path / "linucb-v0" / "data").recover_environment()
    expected = {"scenario": "price_cut", "reward": "additive", "observation": "context+embedding32"}
    assert {"observation"} < expected.keys() <= env.spec.kwargs.keys()
    assert env.spec.kwargs["scenario"] == "price_cut"
    assert env.spec.max_episode_steps == 6
    episode = next(iter(minari.MinariDataset(tmp_path / "linucb-v0" / "data").iterate_episodes()))
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(episode.observations[0], observation)
    assert env.step(int(episode.actions[0]))[1] == episode.rewards[0]


def run(*arguments: Any) -> None:
    from typer.testing import CliRunner

    from llm_routing_env.cli import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.exception


def demo(path: Path, *options: str) -> None:
    run("demo", "--length", 6, "--log", path, *options)


def test_a_demo_logs_the_probabilities_before_the_choice(tmp_path: Path):
    demo(tmp_path / "log.parquet", "--agent", "round_robin")  # whose next choice is another one afterwards
    log = read_log(tmp_path / "log.parquet")
    assert (log.action.tolist(), log.propensity.tolist()) == ([0, 1, 2, 3, 0, 1], [1.0] * 6)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    demo(tmp_path / "log.parquet", "--agent", "random")
    log = read_log(tmp_path / "log.parquet")
    assert (len(log), log.agents, set(log.propensity.tolist())) == (6, ("random",), {0.25})
    run("export", "vw", tmp_path / "log.parquet", tmp_path / "log.txt", "--observation", "context")
    assert (tmp_path / "log.txt").read_text().count("shared |query ") == 6
    run("export", "obp", tmp_path / "log.parquet", tmp_path / "log.npz", "--observation", "embedding32")
    assert np.load(tmp_path / "log.npz")["context"].shape == (6, 32)
    both = tmp_path / "both.parquet"
    write_log(log_of(n_sessions=2, agents=("x", "y"), agent=np.repeat([0, 1], 3), session=np.zeros(6, dtype=int)), both)
    for arguments, line in {
        ("vw", tmp_path / "log.parquet", "log.csv"): "log.csv: the file must be called *.txt.",
        ("obp", both, "log.npz"): "The log has the agents x, y: choose one with --agent.",
    }.items():
        monkeypatch.setattr("sys.argv", ["pickllm", "export", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        assert line in capsys.readouterr().err.replace("\n", " ")


def test_observed_is_of_one_agent():
    seen = observed(log_of())
    assert isinstance(seen, Observed)
    assert seen.kind == "context"
