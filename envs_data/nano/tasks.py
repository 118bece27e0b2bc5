"""The question-answer tasks of the nano pool: what the LLMs learn, and the queries they never saw.

Every context holds out its queries by a hash (of the operands, the line of code, or the phrasing of a
fact), so training and queries never share a prompt. Facts in the queries are seen in other phrasings.
"""

from collections.abc import Callable, Iterator

import numpy as np

from llm_routing_env.data.nano.contexts.code import code_examples
from llm_routing_env.data.nano.contexts.common import ContextExamples, Example, drawn
from llm_routing_env.data.nano.contexts.finance import finance_examples
from llm_routing_env.data.nano.contexts.geography import geography_examples
from llm_routing_env.data.nano.contexts.language import language_examples
from llm_routing_env.data.nano.contexts.math import math_examples
from llm_routing_env.data.nano.contexts.medicine import medicine_examples
from llm_routing_env.tables.queries import Query, QuerySet

CONTEXTS: dict[str, Callable[[np.random.Generator], ContextExamples]] = {
    "code": code_examples,
    "finance": finance_examples,
    "geography": geography_examples,
    "language": language_examples,
    "math": math_examples,
    "medicine": medicine_examples,
}
SPLIT_SIZES = {"train": 200, "test": 300}
SEED = 20


def generate_context(context: str) -> ContextExamples:
    """Return the training examples of a context and its held-out queries in their final order."""
    rng = np.random.default_rng([SEED, list(CONTEXTS).index(context)])
    examples = CONTEXTS[context](rng)
    return ContextExamples(examples.training, drawn(examples.held_out, sum(SPLIT_SIZES.values()), rng))


def generate_training() -> dict[str, list[Example]]:
    """Return the training examples of every context."""
    return {context: generate_context(context).training for context in CONTEXTS}


def generate_queries() -> QuerySet:
    """Return the queries of all contexts: 200 of split "train", then 300 of split "test" each.

    The references are the terse answer and the sentence (or worked steps) that ends with it.
    """
    return QuerySet(_queries())


def _queries() -> Iterator[Query]:
    for context in CONTEXTS:
        for number, example in enumerate(generate_context(context).held_out, start=1):
            split = "train" if number <= SPLIT_SIZES["train"] else "test"
            references = (example.terse, example.sentence)
            yield Query(f"{context}-{number:04d}", context, split, example.prompt, references)
