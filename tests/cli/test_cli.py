"""The `pickllm` command: what scripts rely on, and what bad input ends in."""

import csv
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import pickllm
from tables import queries, records

from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED
from llm_routing_env.tables.table import OutcomeTable

METRICS = {
    "reward",
    "regret",
    "accuracy",
    "session_cost_usd",
    "latency_s",
    "latency_p50_s",
    "latency_p95_s",
    "median_queries_to_commit",
    "committed",
    "wrong_commit",
    "within_0.02_of_best",
    "oracle_gap_closed",
    "optimal_arm_rate",
    "reward_minus_best_fixed",
    "reward_minus_chosen_fixed",
    "reward_minus_random",
    "sessions_above_best_fixed",
}


SMALL = ("--sessions", "4", "--length", "20")


def test_compare_prints_the_document_that_scripts_rely_on():
    done = pickllm("compare", *SMALL, "--agents", "random,learning_automaton", "--json", "--seed", "3")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {"table", "reward", "weights", "seed", "sessions", "references", "agents"} <= document.keys()
    assert (document["seed"], document["sessions"], document["weights"]) == (3, 4, [1.0, 0.5, 0.5])
    assert {row["agent"] for row in document["agents"]} == {"random", "learning_automaton"}
    assert {row["protocol"] for row in document["agents"]} == {"online"}
    contexts = {row["context"] for row in document["agents"]}
    assert "all" in contexts
    assert len(contexts) >= 6
    for row in document["agents"]:
        assert set(row["metrics"]) == METRICS
        assert set(row["metrics"]["reward"]) == {"mean", "low", "high"}
        assert row["intervals_over"] == ["queries", "sessions"]
        assert sum(row["routing"].values()) == pytest.approx(1.0)
    assert {BEST_FIXED, CHOSEN_FIXED, "per-context best", "per-query oracle"} <= document["references"].keys()
    assert document["best_fixed_llm"] == {"in_hindsight": "atlas-0.8m", "chosen": "atlas-0.8m"}


def test_compare_writes_results_and_figures(tmp_path: Path):
    done = pickllm("compare", *SMALL, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "Headroom: best fixed LLM" in done.stdout
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "results.json",
        "results.csv",
        "report.html",
        "probabilities.png",
        "regret.png",
        "cost_accuracy.png",
    }
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    asked = {f"asked {llm}" for llm in ("tiny-0.1m", "calc-0.6m", "atlas-0.8m", "large-2.0m")}
    failed = {name.replace("asked", "failed") for name in asked}
    assert {row["metric"] for row in rows} == METRICS | asked | failed
    assert {row["mean"] for row in rows if row["metric"] in failed} == {"0"}
    assert {row["interval_over"] for row in rows if row["metric"] == "reward"} == {
        "queries",
        "queries and lifetimes",
        "queries and sessions",
    }
    document = json.loads((tmp_path / "run" / "results.json").read_text())
    assert document["command"].startswith("pickllm compare --sessions 4")
    assert not (tmp_path / "run" / "blocks").exists()
    for path in (tmp_path / "run").glob("*.png"):
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size > 20_000


def test_a_comparison_in_a_scenario_says_what_its_events_did(tmp_path: Path):
    events = '[[events]]\nevent = "outage"\nllm = "favourite"\nstep = 22\nhidden = true\n'
    (tmp_path / "down.toml").write_text(events)
    done = pickllm("compare", *SMALL, "--length", "60", "--scenario", tmp_path / "down.toml", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "hurt at step 22" in done.stdout
    document = json.loads((tmp_path / "run" / "results.json").read_text())
    assert document["recovery"]["events"] == [[{"first": 22, "last": 22, "end": 60, "most": 18}]]
    assert document["recovery"]["agents"].keys() == {row["name"] for row in document["agents"]}
    assert 'id="recovery"' in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "regret_rate.png").stat().st_size > 20_000


def test_the_reward_form_and_hyperparameters_are_one_flag_away():
    base = ("compare", *SMALL, "--agents", "learning_automaton", "--json")
    ratio, additive, quantiles = (
        json.loads(pickllm(*base, *extra).stdout)["agents"][0]["metrics"]
        for extra in (
            (),
            ("--reward", "additive"),
            ("--param", "learning_automaton.normaliser=quantiles"),
        )
    )
    assert ratio["reward"] != additive["reward"]
    assert ratio["regret"] != quantiles["regret"]


def test_the_demo_shows_queries_answers_and_beliefs():
    done = pickllm("demo", "--length", "12", "--context", "math")
    assert done.returncode == 0, done.stderr
    assert "What the agent now believes" in done.stdout
    assert done.stdout.count("reward ") >= 12


def test_agents_are_listed_with_what_they_see():
    document = json.loads(pickllm("agents", "--json").stdout)
    described = {agent["name"]: agent for agent in document["agents"]}
    assert {"learning_automaton", "epsilon_greedy_q", "random", "round_robin", "fixed", "cheapest"} <= described.keys()
    automaton = described["learning_automaton"]
    assert (automaton["protocol"], automaton["feedback"], automaton["observation"]) == ("online", "bandit", "none")
    assert automaton["parameters"]["learning_rate"] == 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--agents", "epsilon_greed"), "Did you mean 'epsilon_greedy_q'"),
        (("compare", "--table", "nanoo"), "Did you mean 'nano'"),
        (("verify", "nanoo"), "Did you mean 'nano'"),
        (("compare", "--context", "maths"), "Did you mean 'math'"),
        (("compare", "--split", "tests"), "Did you mean 'test'"),
        (("compare", "--reward", "picklm"), "Did you mean 'pickllm'"),
        (("compare", "--scorer", "final_answr"), "Did you mean 'final_answer'"),
        (("compare", "--weights", "1,0"), "weights must be three"),
        (("compare", "--weights", "1,x,0"), "--weights must be three numbers"),
        (("compare", "--weights", "1,-1,0"), "0 or more"),
        (("compare", "--weights", "0,0,0"), "not all 0"),
        (("compare", "--length", "0"), "session length must be 1 or more"),
        (("compare", "--sessions", "0"), "sessions must be 1 or more"),
        (("compare", "--param", "learning_rate=1"), "agent.name=value"),
        (("compare", "--param", "ucb1.c=1"), "not compared"),
        (("compare", "--param", "learning_automaton.learning_rate=7"), "learning_rate must be between 0 and 1"),
        (("compare", "--param", "learning_automaton.speed=7"), "speed"),
        (("compare", "--param", "learning_automaton.learning_rate=fast"), "learning_automaton cannot be made with"),
        (("compare", "--agents", "ucb1,ucb1"), "'ucb1' is named twice"),
        (("compare", "--agents", "ucb1", "--against", "ucb"), "Did you mean 'ucb1'"),
        (("compare", "--training-seeds", "0"), "training seeds must be 1 or more"),
        (("compare", "--seed", "-1"), "seed must be 0 or more and a whole number, got -1"),
        (("compare", "--agents", ","), "no agent is named"),
        (
            ("compare", "--agents", "ucb1", "--param", "ucb1.c=3", "--sweep", "ucb1.c=1,2"),
            "ucb1.c is given both by --param and by --sweep",
        ),
        (("compare", "--agents", "per-query oracle=ucb1"), "cannot be called 'per-query oracle'"),
        (("compare", "--agents", "always x=ucb1"), "cannot be called 'always x'"),
        (("compare", "--agents", "random=ucb1"), "cannot be called 'random'"),
        (("compare", "--agents", "ucb1", "--param", "ucb1.seed=3"), "seed of ucb1 is the comparison's to give"),
        (("compare", "--agents", "ucb1", "--param", "ucb1.c=1", "--param", "ucb1.c=2"), "ucb1.c is given twice"),
        (("compare", "--agents", "ucb1", "--param", "ucb1.c=1e999"), "a hyperparameter must be finite"),
        (("compare", "--backend", "vlm"), "Did you mean 'vllm'"),
        (
            ("compare", "--sessions", "4", "--agents", "knn_router", "--split", "all"),
            "knn_router is fitted on the train split",
        ),
        (("compare", "--sessions", "4", "--sweep", "ucb1.c=1"), "'ucb1', which is not compared"),
        (("compare", "--sessions", "4", "--sweep", "random"), "--sweep must look like agent.name=value"),
        (
            ("compare", "--sessions", "4", "--agents", "ucb1", "--sweep", "ucb1.c=0,1,2,3,4,5,6"),
            "7 candidates for 4 tuning sessions",
        ),
        (
            ("compare", "--sessions", "4", "--agents", "ucb1", "--param", "ucb1.c=-1"),
            "UCB1: c must be at least 0, got -1",
        ),
        (
            ("compare", "--sessions", "4", "--agents", "ucb1", "--param", "ucb1.d=1"),
            "Unknown hyperparameter of ucb1 'd'",
        ),
        (("compare", "--sessions", "4", "--agents", "nowhere:Agent"), "Cannot load agent 'nowhere:Agent'"),
        (
            ("compare", "--sessions", "4", "--agents", "json:JSONDecoder"),
            "must be a subclass of llm_routing_env.agents.Agent",
        ),
        (("compare", "--sessions", "4", "--resume"), "give --out DIR too"),
        (("compare", "--sessions", "4", "--log-steps"), "give --out DIR too"),
        (("compare", "--sessions", "4", "--engine", "spark"), "local, ray"),
        (("compare", "--sessions", "4", "--address", "localhost:1"), "engine='ray'"),
        (("demo", "--agent", "nobody.module:Agent"), "nobody"),
        (("demo", "--backend", "vllm"), "pickllm serve nano"),
        (("serve", "nowhere.toml"), "Unknown pool"),
        (("record", "nano", "nowhere.jsonl", "out.parquet"), "nowhere.jsonl"),
        (("embed", "nowhere.parquet"), "Unknown table"),
    ],
)
def test_bad_input_ends_in_one_clear_line_and_code_2(arguments: tuple[str, ...], message: str, tmp_path: Path):
    done = pickllm(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_compare_tunes_on_the_train_split_and_says_what_it_chose():
    done = pickllm("compare", *SMALL, "--agents", "ucb1,random", "--sweep", "ucb1.c=0.1,2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    tuned = document["tuning"]["ucb1"]
    assert [tried["parameters"] for tried in tuned["candidates"]] == [{"c": 0.1}, {"c": 2}]
    assert tuned["sessions"] == 2
    rows = {row["agent"]: row for row in document["agents"]}
    assert rows["ucb1"]["parameters"] == tuned["chosen"]
    assert rows["random"]["parameters"] == {}


@pytest.mark.parametrize(("split", "protocol"), [("test", "lifelong"), ("train", "online")])
def test_the_default_agents_have_lived_where_there_is_a_past(split: str, protocol: str):
    done = pickllm("compare", *SMALL, "--split", split, "--json")
    rows = {row["agent"].partition("@")[0]: row["protocol"] for row in json.loads(done.stdout)["agents"]}
    assert rows == {
        **dict.fromkeys(("learning_automaton", "epsilon_greedy_q", "random", "round_robin", "cheapest"), "online"),
        "outcome_linear": protocol,
    }


def test_protocol_and_feedback_stand_in_every_row():
    done = pickllm("compare", *SMALL, "--agents", "ucb1,linear_router,cheapest", "--json")
    rows = {row["agent"]: (row["protocol"], row["feedback"]) for row in json.loads(done.stdout)["agents"]}
    assert rows == {
        "ucb1": ("online", "bandit"),
        "linear_router": ("pretrained", "full"),
        "cheapest": ("online", "none"),
    }


def test_a_plug_in_that_raises_keeps_the_others(tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom llm_routing_env.agents import Agent\n\n\nclass Breaks(Agent):\n"
        "    def _probabilities(self, observation, allowed):\n        raise RuntimeError('out of ideas')\n"
    )
    done = pickllm("compare", *SMALL, "--agents", "random,mine:Breaks", cwd=tmp_path)
    failed = "mine:Breaks failed: RuntimeError: out of ideas (mine.py:7)"
    assert done.returncode == 1
    assert done.stderr == f"pickllm: {failed} (the others' results stand)\n"
    assert failed in done.stdout
    assert "random: " in done.stdout
    quiet = pickllm("compare", *SMALL, "--agents", "random,mine:Breaks", "-q", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", done.stderr)
    alone = pickllm("compare", *SMALL, "--agents", "mine:Breaks", cwd=tmp_path)
    assert alone.returncode == 2
    assert alone.stderr.count("\n") == 1


def test_a_results_file_repeats_its_run(tmp_path: Path):
    first = pickllm("compare", *SMALL, "--agents", "thompson_beta", "--seed", "5", "--out", tmp_path / "one")
    assert first.returncode == 0, first.stderr
    again = pickllm("compare", "--from", tmp_path / "one" / "results.json", "--out", tmp_path / "two")
    assert again.returncode == 0, again.stderr
    one, two = (json.loads((tmp_path / run / "results.json").read_text()) for run in ("one", "two"))
    assert one.pop("command") != two.pop("command")
    assert one == two
    changed = pickllm("compare", "--from", tmp_path / "one" / "results.json", "--seed", "6")
    assert changed.returncode == 2
    assert "cannot be changed by --seed" in changed.stderr
    (tmp_path / "other.json").write_text("{}")
    other = pickllm("compare", "--from", tmp_path / "other.json")
    assert other.returncode == 2
    assert "is not the results.json of" in other.stderr


def test_a_results_file_keeps_how_late_rewards_came(tmp_path: Path):
    late = ("--agents", "ucb1", "--feedback-delay", "uniform,0,9")
    (tmp_path / "one.json").write_text(pickllm("compare", *SMALL, *late, "--json").stdout)
    assert "late, by so many steps: 0 to 9 (uniform)" in " ".join(pickllm("compare", *SMALL, *late).stdout.split())
    one = json.loads((tmp_path / "one.json").read_text())
    two = json.loads(pickllm("compare", "--from", tmp_path / "one.json", "--json").stdout)
    assert one["agents"] == two["agents"]
    assert one["run"]["feedback_delay"] == "uniform,0,9"
    del one["run"]["feedback_delay"]  # as of before there was any
    (tmp_path / "older.json").write_text(json.dumps(one))
    assert pickllm("compare", "--from", tmp_path / "older.json").returncode == 0


@pytest.mark.parametrize("delay", ["-1", "soon", "uniform,9,0", "geometric,2", "1,2", "", "1.5"])
def test_a_delay_that_is_none_is_one_line(delay: str):
    refused = pickllm("compare", *SMALL, "--feedback-delay", delay)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "--feedback-delay" in refused.stderr


def test_an_interrupted_comparison_is_not_overwritten_unasked(tmp_path: Path):
    (tmp_path / "run" / "blocks").mkdir(parents=True)
    refused = pickllm("compare", *SMALL, "--out", tmp_path / "run")
    assert refused.returncode == 2
    assert "go on with --resume" in refused.stderr
    assert pickllm("compare", *SMALL, "--agents", "random", "--out", tmp_path / "run", "--resume").returncode == 0


def simulated(folder: Path) -> Path:
    """Write a table whose latencies were drawn from another one, of which one LLM never answered."""
    asked = queries(12)
    llms, path = ("good", "typo"), folder / "simulated.parquet"
    rows = records(asked, llms, np.ones((36, 2, 1)), 1e-5, 0.1)
    for row in rows:
        if row["llm"] == "typo":
            row |= {"error": "HTTP 404: no such model", "response": None, "accuracy_exact_match": 0.0}
    notes = {"latency": "simulated: drawn from another table's", "notes": ["Costs are estimates."]}
    OutcomeTable.from_records(asked, llms, rows, notes).write(path)
    return path


def test_what_was_not_measured_is_labelled_wherever_it_shows(tmp_path: Path):
    done = pickllm("compare", *SMALL, "--agents", "random", "--table", simulated(tmp_path), "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    said = ("simulated: drawn from another table", "Costs are estimates.")
    document = json.loads((tmp_path / "run" / "results.json").read_text())
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    report = html.unescape((tmp_path / "run" / "report.html").read_text())
    for label in said:
        assert label in " ".join(done.stdout.split())
        assert label in " ".join(document["table"]["notes"])
        assert all(label in row["table_notes"] for row in rows)
        assert label in report


def test_an_llm_that_never_answered_is_marked_and_has_no_accuracy(tmp_path: Path):
    done = pickllm("compare", *SMALL, "--agents", "random", "--table", simulated(tmp_path), "--out", tmp_path / "run")
    rows = [line for line in done.stdout.splitlines() if line.startswith("always typo: its calls fail")]
    assert rows
    assert not any("0.000" in row or " ms" in row for row in rows)
    # 8 queries of each of three contexts are of the test split; "random" asked typo some of 4 x 8 times in each.
    assert re.search(r"Failed calls: 'typo' (\d+) of \1 \(first: HTTP 404: no such model\)", done.stdout)
    with (tmp_path / "run" / "results.csv").open() as file:
        failed = {row["context"]: float(row["mean"]) for row in csv.DictReader(file) if is_failed(row)}
    assert failed.pop("all") == sum(failed.values()) > 0
    report = (tmp_path / "run" / "report.html").read_text()
    assert "always typo: its calls fail" in report.replace("<wbr>", "")


def is_failed(row: dict[str, str]) -> bool:
    return (row["name"], row["metric"]) == ("random", "failed typo")


def test_a_setting_of_the_same_agent_has_a_row_and_can_be_the_yardstick():
    agents = "learning_automaton,b1=learning_automaton"
    given = ("--param", "b1.learning_rate=.05", "--against", "b1", "--sessions", "10", "--length", "20")
    done = pickllm("compare", "--agents", agents, *given)
    assert done.returncode == 0, done.stderr
    assert "learning_automaton: " in done.stdout
    assert any(line.startswith("learning_automaton:") and " b1" in line for line in done.stdout.splitlines())
    document = json.loads(pickllm("compare", "--agents", agents, *given, "--json").stdout)
    parameters = {row["name"]: row["parameters"] for row in document["agents"]}
    assert parameters == {"learning_automaton": {}, "b1": {"learning_rate": 0.05}}
    assert set(document["pairs"]["b1"]) == {"learning_automaton"}
