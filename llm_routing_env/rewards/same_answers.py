"""Which responses to one query give the same answer, as their scorer reads them: what a vote counts."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from llm_routing_env.rewards.answers import clean, is_answer, parse_answer, plain

NO_ANSWER = -1


def same_answers(responses: Sequence[str], scorer: str) -> list[int]:
    """Return a number per response, the same for the same answer, counted as they first appear.

    With the scorer "final_answer", and those that we do not have, two answers are the same if one would be right with
    the other as its reference: "$1,250.0" and "1250", "B" and "B) Paris". A response without an answer that can be read
    is taken as a whole. "exact_match" and "token_f1" compare whole responses, as they score them.

    Args:
        responses: "" where there is none.
        scorer: By whose reading.

    Returns:
        `NO_ANSWER` where a response says nothing.
    """
    read, are_same = _READINGS.get(scorer, (_final, _are_same_final))
    numbers, answers = {}, list[Any]()
    for response in dict.fromkeys(responses):
        answer = read(response)
        if not answer:
            numbers[response] = NO_ANSWER
            continue
        found = (number for number, other in enumerate(answers) if are_same(answer, other))
        numbers[response] = next(found, len(answers))
        if numbers[response] == len(answers):
            answers.append(answer)
    return [numbers[response] for response in responses]


def _words(response: str) -> list[str]:
    return sorted(re.findall(r"\w+", response.casefold()))


@lru_cache(maxsize=2**14)  # repeats and LLMs mostly say the same again
def _final(response: str) -> str:
    answer = parse_answer(response)
    return plain(clean(response)) if answer is None else answer


@lru_cache(maxsize=2**14)
def _are_same_final(answer: str, other: str) -> bool:
    return answer == other or is_answer(answer, other) or is_answer(other, answer)


def _are_equal(answer: Any, other: Any) -> bool:
    return bool(answer == other)


_READINGS: dict[str, tuple[Callable[[str], Any], Callable[[Any, Any], bool]]] = {
    "exact_match": (plain, _are_equal),
    "token_f1": (_words, _are_equal),
}
