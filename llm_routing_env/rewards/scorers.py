"""Scorers: responses and their references -> accuracies in [0, 1].

A scorer takes a batch: a sequence of responses and, for each, its references (the canonical one first), and returns
one float per response, the best over the references; 0 where there are none.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.observations.embedding_model import MINILM, encode, load_encoder
from llm_routing_env.rewards.answers import clean, is_answer, parse_answer, plain
from llm_routing_env.rewards.reference_free import REFERENCE_FREE

Scores = NDArray[np.float64]
Scorer = Callable[[Sequence[str], Sequence[tuple[str, ...]]], Scores]


def exact_match(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return 1 where the response is a reference, up to case, white space and punctuation at its ends."""
    return _best(lambda response, reference: float(plain(response) == plain(reference)), responses, references)


def final_answer(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return 1 where a reference is the final answer, see `parse_answer`; 0 where none can be read.

    Numbers are compared as numbers: "$1,250.0" is 1250.
    """
    answers = {text: parse_answer(text) for text in dict.fromkeys(responses)}
    return _best(lambda response, reference: _is_final(response, answers[response], reference), responses, references)


def token_f1(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return the F1 of shared words, as in SQuAD (Rajpurkar et al., arXiv 1606.05250), articles kept."""
    return _best(_f1, responses, references)


def cosine(responses: Sequence[str], references: Sequence[tuple[str, ...]], model: str = MINILM) -> Scores:
    """Return the cosine similarity of sentence embeddings, negative values as 0 (needs sentence-transformers).

    Compared with one terse reference it measures length and style as much as truth: give several references.
    """
    texts = sorted({*responses, *(text for several in references for text in several)})
    rows = dict(zip(texts, encode(texts, model), strict=True))
    return _best(lambda a, b: float(np.clip(rows[a] @ rows[b], 0.0, 1.0)) if a else 0.0, responses, references)


SCORERS: dict[str, Scorer] = {
    "exact_match": exact_match,
    "final_answer": final_answer,
    "token_f1": token_f1,
    "cosine": cosine,
}


def get_scorer(name: str) -> Scorer:
    """Return a scorer by name, ready: what it needs is loaded, since answers that it cannot score would be paid for.

    Args:
        name: A key of `SCORERS`; "cosine:<model>" names the sentence-transformers model.

    Raises:
        ImportError: If sentence-transformers is needed and not installed.
        ValueError: For an unknown name.
    """
    if name == "cosine" or name.startswith("cosine:"):
        model = name.removeprefix("cosine").removeprefix(":") or MINILM
        load_encoder(model)
        return lambda responses, references: cosine(responses, references, model)
    if name in REFERENCE_FREE:
        raise ValueError(
            f"The scorer {name!r} compares the recorded responses of a whole table, and cannot score a new answer: "
            f"take one of {', '.join(SCORERS)}."
        )
    if name not in SCORERS:
        raise unknown_name("scorer", name, SCORERS)
    return SCORERS[name]


def _best(
    score: Callable[[str, str], float], responses: Sequence[str], references: Sequence[tuple[str, ...]]
) -> Scores:
    pairs = zip(responses, references, strict=True)
    return np.array([max((score(response, text) for text in several), default=0.0) for response, several in pairs])


def _is_final(response: str, answer: str | None, reference: str) -> float:
    is_whole = plain(clean(response)) == plain(clean(reference)) != ""
    return float(is_whole or (answer is not None and is_answer(answer, reference)))


def _f1(response: str, reference: str) -> float:
    said, wanted = (Counter(re.findall(r"\w+", text.casefold())) for text in (response, reference))
    shared = sum((said & wanted).values())
    return 2 * shared / (said.total() + wanted.total()) if shared else 0.0
