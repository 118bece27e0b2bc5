"""The context "general": everyday questions that nobody trained an LLM of this package on."""

from collections.abc import Iterator
from pathlib import Path

from llm_routing_env.tables.queries import Query

QUESTIONS = Path(__file__).with_name("general.txt")
TRAIN_EVERY = 3  # so that the splits have the same share of every kind


def general_queries() -> Iterator[Query]:
    """Yield them in the order of the file, every third of split "train"; the references are all accepted answers."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line and not line.startswith("#")]
    for number, line in enumerate(asked):
        prompt, *references = (part.strip() for part in line.split("|"))
        split = "train" if number % TRAIN_EVERY == 0 else "test"
        yield Query(f"general-{number + 1:04d}", "general", split, prompt, tuple(references))
