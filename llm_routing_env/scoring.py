"""Scorers: responses and their references -> accuracies in [0, 1].

A scorer takes a batch: a sequence of responses and, for each, its references (the canonical one first), and returns
one float per response, the best over the references.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.encoders import encode
from llm_routing_env.errors import unknown_name

Scores = NDArray[np.float64]
Scorer = Callable[[Sequence[str], Sequence[tuple[str, ...]]], Scores]

_EDGES = " \t\n\r.,;:!?\"'`()[]"
_NUMBER_AT_END = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*\.?\d*|\.\d+)$")


def exact_match(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return 1 where the response is a reference, up to case, white space and punctuation at its ends."""
    return _best(lambda response, reference: float(_plain(response) == _plain(reference)), responses, references)


def final_answer(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return 1 where a reference is the last thing said; numbers are compared as numbers ("1,250.0" is 1250)."""
    return _best(_ends_with, responses, references)


def token_f1(responses: Sequence[str], references: Sequence[tuple[str, ...]]) -> Scores:
    """Return the F1 of shared words, as in SQuAD (Rajpurkar et al., arXiv 1606.05250), articles kept."""
    return _best(_f1, responses, references)


def cosine(responses: Sequence[str], references: Sequence[tuple[str, ...]], model: str = "all-MiniLM-L6-v2") -> Scores:
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
    """Return a scorer by name; "cosine:<model>" names the sentence-transformers model."""
    if name.startswith("cosine:"):
        model = name.removeprefix("cosine:")
        return lambda responses, references: cosine(responses, references, model)
    if name not in SCORERS:
        raise unknown_name("scorer", name, SCORERS)
    return SCORERS[name]


def _best(
    score: Callable[[str, str], float], responses: Sequence[str], references: Sequence[tuple[str, ...]]
) -> Scores:
    pairs = zip(responses, references, strict=True)
    return np.array([max(score(response, text) for text in several) for response, several in pairs])


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(_EDGES)


def _ends_with(response: str, reference: str) -> float:
    response, reference = _plain(response), _plain(reference)
    expected = _number(reference)
    if expected is not None:
        found = _NUMBER_AT_END.search(response.rstrip("%"))
        value = _number(found.group()) if found else None
        return float(value is not None and math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9))
    if not reference or not response.endswith(reference):
        return 0.0
    before = response[: -len(reference)]
    return float(not before or not (before[-1].isalnum() and reference[0].isalnum()))


def _number(text: str) -> float | None:
    text = text.rstrip("%").lstrip("$€£")
    return float(text.replace(",", "")) if _NUMBER_AT_END.fullmatch(text) else None


def _f1(response: str, reference: str) -> float:
    said, wanted = (Counter(re.findall(r"\w+", text.casefold())) for text in (response, reference))
    shared = sum((said & wanted).values())
    return 2 * shared / (said.total() + wanted.total()) if shared else 0.0
