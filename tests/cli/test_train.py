"""`pickllm train` as it is typed, and what compare and demo make of its file."""

import json

import numpy as np
import pytest
from tables import write_random_table
from typer.testing import CliRunner

from llm_routing_env.cli import app, main
from llm_routing_env.evaluation.router import read_router

RUNNER = CliRunner()


def run(*arguments):
    done = RUNNER.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "140"})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    path = tmp_path_factory.mktemp("routers") / "router.npz"
    run(
        "train",
        "outcome_thompson",
        "--out",
        path,
        "--lifetime-queries",
        "40",
        "--param",
        "outcome_thompson.pseudo_pulls=4",
    )
    return path


def test_it_goes_on_from_a_file_and_says_what_was_learned(router, tmp_path):
    out = tmp_path / "more.npz"
    document = json.loads(run("train", "--resume", router, "--out", out, "--lifetime-queries", "10", "--json"))
    assert (document["queries"], document["queries_now"]) == (50, 10)
    assert document["parameters"]["pseudo_pulls"] == 4
    said = run("train", "--resume", out, "--out", out, "--lifetime-queries", "5")
    assert "outcome_thompson learned from 5 queries of nano, mean reward" in said
    assert "50 before" in said
    assert read_router(out).learned.queries == 55


def test_compare_and_demo_take_the_file(router):
    entries = f"{router},{router}@lifelong,mine={router}"
    said = run("compare", "--agents", entries, "--sessions", "2", "--length", "10")
    assert "saved: as a file has it" in said
    assert "lifelong, from a file: 2 learners, each from what its file knows" in said
    assert "and of one training" in said
    demo = run("demo", "--agent", router, "--length", "3")
    assert "What the agent now believes" in demo


def test_a_run_is_not_repeated_with_another_file(router, tmp_path, monkeypatch, capsys):
    path, results = tmp_path / "router.npz", tmp_path / "results.json"
    path.write_bytes(router.read_bytes())
    results.write_text(run("compare", "--agents", path, "--sessions", "2", "--length", "10", "--json"))
    run("compare", "--from", results)
    run("train", "--resume", path, "--out", path, "--lifetime-queries", "3")
    assert "has changed since the run" in refused(monkeypatch, capsys, "compare", "--from", results)


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["pickllm", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--out", "new.npz"], "Name an agent"),
        (["train", "ucb1", "--out", "new.bin"], "must end in .npz"),
        (["train", "ucb1", "--out", "ROUTER"], "is there already"),
        (["train", "ucb1", "--out", "nowhere/new.npz"], "there is no folder nowhere"),
        (["train", "uct1", "--out", "new.npz"], "Did you mean 'ucb1'"),
        (["train", "smoothie_pick", "--out", "new.npz"], "smoothie_pick was made for PickLLM-Multi-v0"),
        (["demo", "--agent", "advisor_gate"], "advisor_gate was made for PickLLM-Multi-v0"),
        (["demo", "--agent", "barp"], "barp is fitted before it routes: pickllm train barp --out router.npz"),
        (["train", "ucb1", "--resume", "ROUTER", "--out", "new.npz"], "leave AGENT out"),
        (["train", "--resume", "ROUTER", "--seed", "1", "--out", "new.npz"], "leave --seed out"),
        (["train", "--resume", "none.npz", "--out", "new.npz"], "none.npz"),
        (["train", "--resume", "ROUTER", "--out", "new.npz", "--reward", "additive"], "give its --reward"),
        (["train", "ucb1", "--out", "new.npz", "--lifetime-queries", "0"], "1 or more"),
        (["train", "ucb1", "--out", "new.npz", "--param", "linucb.alpha=2"], "ucb1"),
        (["compare", "--agents", "ROUTER", "--weights", "1,0,1"], "give its --reward and --weights"),
        (["compare", "--agents", "ROUTER@online"], "only as saved or lifelong"),
        (["compare", "--agents", "BROKEN"], "is not an agent's checkpoint"),
        (["demo", "--agent", "BROKEN"], "is not an agent's checkpoint"),
        (["demo", "--agent", "ROUTER", "--reward", "additive"], "give its --reward"),
        (["compare", "--agents", "ROUTER", "--table", "OTHER"], "here there is no tiny-0.1m"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(router, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.npz").write_bytes(router.read_bytes()[:300])
    other = write_random_table(tmp_path)
    files = {"ROUTER": router, "BROKEN": "broken.npz", "OTHER": other, "ROUTER@online": f"{router}@online"}
    words = [files.get(word, word) for word in arguments]
    assert said in refused(monkeypatch, capsys, *words)
    assert not (tmp_path / "new.npz").exists()


def test_a_pickle_is_never_read(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "router.npz", **{"header.json": np.array([print], dtype=object)})
    line = refused(monkeypatch, capsys, "compare", "--agents", tmp_path / "router.npz")
    assert "is not an agent's checkpoint" in line
