"""What commands refuse in one line, whatever it is that would be made of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import pickllm
from tables import queries, random_table, records, sparse_table, write_with_embeddings

from llm_routing_env.tables.table import OutcomeTable

TRAIN = ("train", "hull_router", "--out", "x.npz")
ASSIGN = ("assign", "nano", "--budget-usd", "1", "--out", "x.csv")


def refused(folder: Path, *arguments: object) -> str:
    """Return the one line with which a command refuses its input."""
    done = pickllm(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert not list(folder.glob("x.*"))
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("pickllm: ").strip()


@pytest.mark.parametrize("command", [TRAIN, ASSIGN, ("demo",), ("inspect",)], ids=lambda command: command[0])
def test_a_seed_is_a_whole_number(tmp_path: Path, command: tuple[str, ...]):
    assert refused(tmp_path, *command, "--seed", "-1") == "seed must be 0 or more and a whole number, got -1."


@pytest.mark.parametrize("argument", ["seed", "task", "n_sessions", "lifted"])
@pytest.mark.parametrize("command", [TRAIN, ASSIGN, ("demo", "--agent", "ucb1")], ids=lambda command: command[0])
def test_what_is_given_to_every_agent_is_no_hyperparameter(tmp_path: Path, command: tuple[str, ...], argument: str):
    name = "ucb1" if "demo" in command else "hull_router"
    said = refused(tmp_path, *command, "--param", f"{name}.{argument}=1")
    assert said == f"{argument} of {name} is the command's to give: --seed decides."


@pytest.fixture
def of_one_split(tmp_path: Path) -> str:
    """Return the name of a table without a train split."""
    table = random_table()
    test = table.select(None, "test")
    write_with_embeddings(table.resplit(test, np.zeros(len(test), dtype=bool)), tmp_path / "test.parquet")
    return "test.parquet"


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        (("train", "hull_router", "--out", "x.npz", "--table"), "there is nothing to learn from"),
        (("train", "outcome_linear", "--out", "x.npz", "--table"), "there is nothing to learn from"),
        (("assign", "--budget-usd", "1", "--out", "x.csv"), "there is nothing to learn from"),
        (("compare", "--agents", "knn_router,random", "--table"), "pretrained agents cannot be fitted"),
        (("compare", "--env", "PickLLM-MO-v0", "--table"), "pretrained agents cannot be fitted"),
        (
            ("compare", "--env", "PickLLM-Multi-v0", "--agents", "cascade", "--table"),
            "pretrained agents cannot be fitted",
        ),
        (("compare", "--agents", "ucb1@lifelong", "--table"), "there is no past to learn from"),
    ],
)
def test_without_a_train_split_nothing_is_begun_and_no_other_split_is_advised(
    tmp_path: Path, of_one_split: str, command: tuple[str, ...], lacks: str
):
    assert refused(tmp_path, *command, of_one_split) == f"The table {of_one_split} has no train split: {lacks}."


@pytest.mark.parametrize(("lacking", "other"), [("cost", "latency"), ("latency", "cost")])
def test_what_every_preference_weighs_is_not_advised_to_be_left_out(tmp_path: Path, lacking: str, other: str):
    measured = {"cost": 1e-3, "latency": 0.1, lacking: np.nan}
    asked = queries(6)
    rows = records(asked, ("a", "b"), 1.0, [measured["cost"]], measured["latency"])
    OutcomeTable.from_records(asked, ("a", "b"), rows, {}).write(tmp_path / "t.parquet")
    said = refused(tmp_path, "compare", "--env", "PickLLM-MO-v0", "--table", "t.parquet")
    assert said == (
        f"Vector rewards and trade-offs need the {lacking} of every outcome, and 36 of 36 have none: give it to "
        "`pickllm import`."
    )


def test_an_answer_that_lacks_is_named_with_its_table_and_query(tmp_path: Path):
    table = sparse_table(missing_share=0.4)
    table.write(tmp_path / "holes.parquet")
    train = table.select(None, "train")
    lacks = ~table.present[train]
    query, llm = next((query, llm) for query in range(len(train)) for llm in range(4) if lacks[query, llm])
    more = ("--agents", "cascade", "--param", "cascade.observation=features+asks", "--table", "holes.parquet")
    said = refused(tmp_path, "compare", "--env", "PickLLM-Multi-v0", *more)
    assert said.startswith(
        f"The table holes.parquet lacks {lacks.sum()} of the {lacks.size} answers to its train split, first that of "
        f"llm-{llm} to the query {table.query_ids[train[query]]!r}: "
    )


def test_what_is_not_known_of_a_router_is_null_in_json(tmp_path: Path):
    asked = queries(6)
    OutcomeTable.from_records(asked, ("a", "b"), records(asked, ("a", "b"), 1.0, [np.nan], 0.1), {}).write(
        tmp_path / "t.parquet"
    )
    more = ("--table", "t.parquet", "--weights", "1,0,0.5", "--out", "x.npz", "--json")
    done = pickllm("train", "outcome_linear", *more, cwd=tmp_path)
    document = json.loads(done.stdout, parse_constant=pytest.fail)
    assert document["reward"]["cost_scale_usd"] is None


def test_no_description_takes_the_place_of_what_it_describes(tmp_path: Path):
    random_table().write(tmp_path / "t.parquet")
    (tmp_path / "parts").mkdir()
    random_table().write(tmp_path / "parts" / "a.parquet")
    (tmp_path / "link.json").symlink_to("t.parquet")
    (tmp_path / "fields.toml").write_text('license = "https://spdx.org/licenses/MIT"\n')
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for table, out in (("t.parquet", "t.parquet"), ("t.parquet", "link.json"), ("parts", "parts/a.parquet")):
        said = refused(tmp_path, "export", "croissant", table, out)
        assert said == f"{out} is read for this: give another file to write."
    said = refused(tmp_path, "export", "croissant", "t.parquet", "fields.toml", "--fields", "fields.toml")
    assert said.startswith("fields.toml is read for this")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(("form", "name"), [("obp", "y.npz"), ("vw", "y.txt")])
def test_no_export_of_a_log_replaces_what_is_there(tmp_path: Path, form: str, name: str):
    (tmp_path / name).write_text("mine")
    assert refused(tmp_path, "export", form, "log.parquet", name).startswith(f"{name} is there already")
    assert (tmp_path / name).read_text() == "mine"
