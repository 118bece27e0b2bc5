"""Scores without references: of small tables by hand, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
from asking import voting_table
from tables import queries, random_table, records, sparse_table, write_with_embeddings

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.observations.response_embeddings import response_embeddings_path, write_response_embeddings
from llm_routing_env.rewards.reference_free import accuracies, matching, mean_distances, response_distances, smoothie
from llm_routing_env.rewards.scorers import get_scorer
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

UNIT = {"north": [1.0, 0.0], "east": [0.0, 1.0], "south": [-1.0, 0.0]}


def saying(folder: Path, *said: str | None) -> OutcomeTable:
    """Return a table in which each LLM gives its response to every query; None: the call fails."""
    asked, llms = queries(3), [f"llm-{number}" for number in range(len(said))]
    rows = records(asked, llms, np.ones((9, len(said), 1)), 1e-5, 0.1)
    for row in rows:
        row["response"] = said[llms.index(row["llm"])]
        row["error"] = "timeout" if row["response"] is None else None
    path = folder / "said.parquet"
    OutcomeTable.from_records(asked, llms, rows, {}).write(path)
    write_embeddings(embeddings_path(path), asked, np.tile(np.float32([1, 0]), (9, 1)), "m")
    write_response_embeddings(response_embeddings_path(path), list(UNIT), np.float32(list(UNIT.values())), "m")
    return OutcomeTable.read(path)


def test_smoothie_is_the_estimated_cosine_with_the_truth(tmp_path: Path):
    # Squared distances: 0 and 2. V = (2 + 2 - 0) / 2 = 2 for who differs, 0 for the two that agree.
    scores = smoothie(saying(tmp_path, "north", "north", "east"))
    np.testing.assert_allclose(scores[0, :, 0], [1.0, 1.0, 0.0], atol=1e-6)
    # 2, 2 and 4: V = 0 in the middle, 2 for the two others.
    np.testing.assert_allclose(smoothie(saying(tmp_path, "east", "north", "south"))[0, :, 0], [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("none", ["", None])
def test_who_says_nothing_gives_no_answer(none: str | None, tmp_path: Path):
    table = saying(tmp_path, "north", "north", "north", none)
    distances = response_distances(table)[0, 0]
    np.testing.assert_allclose(distances[:3, :3], 0, atol=1e-6)
    assert np.isnan(distances[3]).all()
    np.testing.assert_allclose(smoothie(table)[0, :, 0], [1, 1, 1, 0], atol=1e-6)


def test_where_fewer_than_three_answered_nobody_can_tell(tmp_path: Path):
    assert not smoothie(saying(tmp_path, "north", "north", None, None)).any()


def test_distances_are_means_over_repeats_of_what_is_known(tmp_path: Path):
    table = OutcomeTable.read(write_with_embeddings(voting_table(), tmp_path / "voting.parquet"))
    distances, means = response_distances(table), mean_distances(table, np.arange(table.n_queries))
    known = ~np.isnan(distances)
    np.testing.assert_array_equal(np.isnan(means), ~known.any(axis=1))
    both = known.all(axis=1)
    np.testing.assert_allclose(means[both], distances.mean(axis=1)[both])


def test_matching_finds_on_nano_what_is_said_to_a_query():
    # 0.786 was the AUC of the same model with other draws of pairs.
    table = load_table("nano")
    test, right = ~table.is_train, table.accuracy("final_answer")[~table.is_train, :, 0] > 0.5
    score = matching(table)[test, :, 0]
    assert ((score >= 0) & (score <= 1)).all()
    ranks = np.argsort(np.argsort(score.ravel()))[right.ravel()]
    area = (ranks.mean() - (right.sum() - 1) / 2) / (~right).sum()
    assert 0.75 < area < 0.83


@pytest.mark.parametrize("scorer", ["smoothie", "matching"])
def test_they_are_scorers_of_an_environment(scorer: str, tmp_path: Path):
    path = write_with_embeddings(sparse_table(), tmp_path / "sparse.parquet")
    problem = RoutingProblem(path, observation="none", scorer=scorer)
    accuracy, present = problem.cells.accuracy, problem.table.present
    assert np.isnan(accuracy[~present]).all()
    assert ((accuracy[present] >= 0) & (accuracy[present] <= 1)).all()
    np.testing.assert_array_equal(accuracy, accuracies(problem.table, scorer))


def test_what_was_recorded_stays_what_it_is():
    table = random_table()
    assert accuracies(table, "exact_match") is table.accuracies["exact_match"]


def test_what_cannot_be_scored_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"Unknown scorer 'smothie'. Did you mean 'smoothie'\?"):
        RoutingProblem(random_table(), observation="none", scorer="smothie")
    with pytest.raises(ValueError, match=r"has no embeddings of its responses beside it .*embed TABLE --responses"):
        smoothie(random_table())
    with pytest.raises(ValueError, match=r"has no responses, and without references .* --response-column"):
        smoothie(voting_table(response=("",) * 4))
    with pytest.raises(ValueError, match=r"has 2 LLM\(s\), and who differs from the others can be seen of 3 or more"):
        smoothie(random_table(n_llms=2))
    with pytest.raises(ValueError, match="'smoothie' compares the recorded responses of a whole table"):
        get_scorer("smoothie")


def test_matching_needs_a_train_split_and_one_model(tmp_path: Path):
    table = saying(tmp_path, "north", "east", "south")
    untrained = table.resplit(np.arange(9), np.arange(9) == 0)
    with pytest.raises(ValueError, match="responses to 1 queries of the train split"):
        matching(untrained)
    write_response_embeddings(
        response_embeddings_path(tmp_path / "said.parquet"), list(UNIT), np.float32(list(UNIT.values())), "other"
    )
    with pytest.raises(ValueError, match="of its queries by 'm' and of its responses by 'other'"):
        matching(OutcomeTable.read(tmp_path / "said.parquet"))
