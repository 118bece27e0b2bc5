r"""Reads the final answer out of what an instruct model writes, or says that it cannot.

A response may hold several numbers and names, so an answer is read only where the text marks it: in "\boxed{}", behind
"####" or "the answer is", as the option it begins with, in bold, behind the last "is", "=" or "so" of the last
sentence, as the only number there, or alone in a short one.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.answer_markup import (
    BOLD_END,
    BOLD_START,
    bold_marked,
    last_box,
    plain_maths,
    unmarked,
    without_tags,
)
from llm_routing_env.rewards.answer_numbers import LONE, lone_number, number
from llm_routing_env.rewards.answer_words import leads

SHORT = 10  # a marked answer has at most so many words
ALONE = 5  # so few words are an answer as they stand
_SENTENCE_END = re.compile(
    r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bMrs\.)(?<!\b[A-Z]\.)"
    rf"(?<=[.!?])[)\"'{BOLD_END}]?\s+(?=[^a-z\s])|\n+"
)
_SAYS_SO = re.compile(
    r"####\s*|^[^\w\n]*(?:final |the )?answer[^\w\n]*\n"
    rf"|\b(?:answer|option|choice)\b{BOLD_END}?(?:\s+(?:to|for|of)\s[^.:\n]{{1,60}}?)?\s*"
    rf"(?:[:=]|\b(?:is|are|was|(?:would|should|must) be)\b)[\s{BOLD_END}]*:?\s*",
    re.IGNORECASE | re.MULTILINE,
)
_NAMES = (
    re.compile(
        r"(?:^|[.\n:,])\s*([^.\n:,]{1,60}?)\s+is\s+(?:the|our|my)\s+(?:(?!wrong|incorrect|false)\w+\s+)?"
        r"(?:answer|option|choice)\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b((?:option|choice)\s+\(?[A-Z]\)?)\s+is\s+(?:correct|right)\b", re.IGNORECASE),
)
_EQUALS = r"(?<![<>!~=])=(?!=)"
_SEPARATOR = re.compile(
    rf"(?:\b(?:is|are|was|were|equals?|so|therefore|thus|hence|gives|makes|belongs to)\b[,:]?|(?<!\d\s):|[≈→])\s+"
    rf"|{_EQUALS}\s*",
    re.IGNORECASE,
)
_REASON = re.compile(r"[,;]?\s+(?:because|since|due to)\b.*", re.IGNORECASE | re.DOTALL)
_ASIDE = re.compile(r",?\s+which\b.*|,\s+(?:not|as)\b.*", re.IGNORECASE | re.DOTALL)
_EXPLANATION = re.compile(r"\n[^\w\n]*(?:explanation|reasoning|reason|justification)\b.*", re.IGNORECASE | re.DOTALL)
_BULLET = re.compile(r"^[-*•] ")
_ITEM = re.compile(r"\W{0,3}(?:[-*•] |\d+[.)] |\(?[A-Z][.)] |[-\d.,$€£%]+$)")
_CLOSING = re.compile(
    r"\b(?:hope|let me know|feel free|glad|happy to|would you like|thanks?|welcome|anything else|questions?|good luck"
    r"|enjoy)\b",
    re.IGNORECASE,
)
_WRONG = r"\b(?:is|was|'s|am)(?: \w+)? (?:wrong|incorrect|mistaken|not (?:right|correct))\b"
_TAKEN_BACK = re.compile(
    r"(?:^|[.!?\n])\W{0,3}(?:(?:wait|hmm|oops|actually|correction|sorry|on second thought|scratch that)\b"
    r"|no\b\s*[,.!:;—-])"
    rf"|\b(?:this|that|it|which|answer|I)\s?{_WRONG}|\b(?:reconsider|my mistake)\b",
    re.IGNORECASE,
)
# The words of a clause before "answer" or "option" that make it somebody else's, or none.
_HEDGE = re.compile(
    r"\b(?:wrong|incorrect|false|worst|not|never|neither|nor|might|may|could)\b|n't\b|\b(?:if|whether|suppose|assuming)\b"
    r"|\b(?:some|many|others|people|you|one|they)\b.{0,40}\b(?:says?|thinks?|believes?|argues?|guess|claims?)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(r"\b(?:or|either|maybe|perhaps|cannot(?! be determined))\b|n't\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not(?! enough| given| possible| applicable)|never|no longer)\b|n't\b", re.IGNORECASE)
_CHOICE = re.compile(r"\(?([A-Z])(?:\)|[.:]|\)[.:])\s+(.+)|\(?([A-Z])\)?", re.DOTALL)
_OPTION_LINE = re.compile(
    rf"^[{BOLD_START}(]*([A-Z])[{BOLD_END}]?(?:\)\.?|\.)[{BOLD_END}]?\s+(?![A-Z]\.)\S", re.MULTILINE
)
# Letters of options or numbers side by side are more than one answer, and so are two unknowns.
_SEVERAL = re.compile(
    r"(?<![\w'])[A-Z]\)?(?:\s*[,/&;]\s*(?:and\s+)?|\s+(?:and\s+)?)\(?[A-Z](?![\w'])|\d\s*(?:;|,?\s+and)\s*-?\d"
)
_UNKNOWN = re.compile(rf"(?<![\w=])[a-z]\s*{_EQUALS}")
_INEXACT = re.compile(r"[<>≤≥≠~±]|\\(?:leq?|geq?|neq?|lt|gt|pm|approx|sim)\b")


def parse_answer(response: str) -> str | None:
    """Return the final answer of a response without markup; None where no short reading of it is safe."""
    # Single spaces and line ends: else patterns with spaces would take quadratic time on hostile text.
    lines = [" ".join(line.split()) for line in plain_maths(without_tags(response)).splitlines()]
    lines = [line for line in lines if line]
    is_list = len(lines) > 1 and all(map(_ITEM.match, lines[-2:])) and not _SEPARATOR.search(lines[-1])
    text = "\n".join(_BULLET.sub("", line) for line in lines)
    explanation = _EXPLANATION.search(text)
    if explanation and not _SAYS_SO.search(explanation[0]):
        text = text[: explanation.start()]
    before, box, rest = last_box(text)
    if box and not _SAYS_SO.search(rest):
        return _boxed(before, box, rest)
    text = bold_marked(before + box + rest)
    says_so: list[tuple[int, int, str | None]] = [(m.end(), m.start(), None) for m in _SAYS_SO.finditer(text)]
    for names in _NAMES:
        says_so += [(m.end(), m.start(1), m[1]) for m in names.finditer(text)]
    if says_so:
        return _said(text, *max(says_so, key=lambda one: one[0]))
    return None if is_list else _option_at_start(text) if _OPTION_LINE.match(text) else _of_last_sentence(text)


def not_parsed(responses: Sequence[str]) -> NDArray[np.bool_]:
    """Return which responses have no final answer that can be read: `final_answer` scores them 0."""
    return np.array([parse_answer(text) is None for text in responses])


def is_answer(answer: str, reference: str) -> bool:
    """Return whether a parsed answer is a reference: as numbers, as letters of a choice, or as its last words."""
    reference = clean(reference)
    if _key(answer) == _key(reference) != "":
        return True
    wanted, chosen = _CHOICE.fullmatch(reference), _CHOICE.fullmatch(answer)
    if wanted and wanted[1] and re.match(r"\(?[A-Z][):]", reference):  # "A. Lincoln" may be a name
        return _is_option(answer, chosen, wanted)
    if chosen and chosen[1]:
        return chosen[1] == wanted[3] if wanted and wanted[3] else is_answer(chosen[2], reference)
    expected = number(reference, alone=True)
    if expected is not None:
        sides = () if _INEXACT.search(answer) else (answer.rpartition("=")[2], answer.partition("=")[0])
        values = map(number, sides)
        return any(value is not None and math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9) for value in values)
    if _NEGATION.search(answer) and not _NEGATION.search(reference):
        return False
    return _ends_with(_key(answer, fold=False).split(), _key(reference).split())


def _is_option(answer: str, chosen: re.Match[str] | None, wanted: re.Match[str]) -> bool:
    """Return whether an answer is a reference that is an option with its text: by its letter, its text, or both."""
    if chosen is None:
        return is_answer(answer, wanted[2])
    if chosen[3]:
        return chosen[3] == wanted[1]
    return chosen[1] == wanted[1] and is_answer(chosen[2], wanted[2])


@lru_cache(maxsize=4096)  # references come again with every LLM and repeat
def clean(text: str) -> str:
    """Return a text without LaTeX, markdown, and the punctuation and pictures at its ends."""
    return unmarked(bold_marked("".join(last_box(plain_maths(text)))))


def plain(text: str) -> str:
    """Return a text in small letters, single spaces and without brackets and punctuation at its ends."""
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'`()[]")


def _boxed(before: str, box: str, rest: str) -> str | None:
    _, other, between = last_box(before)
    is_second = other and plain(other) != plain(box) and re.fullmatch(r"(?:[\s$,;.&]|and|or)*", between)
    if is_second or _TAKEN_BACK.search(rest) or rest.lstrip("$ ").startswith("?"):
        return None
    return _short(box)


def _said(text: str, end: int, start: int, before: str | None) -> str | None:
    """Return the answer that a text names, `before` the words that end at `end` or behind them."""
    sentence, *more = _SENTENCE_END.split(text[end:].strip(), maxsplit=1)
    after = "".join(more) if before is None else text[end:]
    clause = text[max(text.rfind(mark, 0, start) for mark in ".!?\n,;:") + 1 : start]
    if _HEDGE.search(clause) or _TAKEN_BACK.search(after) or (before is None and sentence.rstrip().endswith("?")):
        return None
    sentence = unmarked(_ASIDE.sub("", _REASON.sub("", sentence if before is None else before)))
    choice = _CHOICE.fullmatch(sentence)
    if choice and choice[1]:
        return _chosen(sentence)
    return None if _NEGATION.search(sentence) or re.search(_WRONG, sentence) else _phrase(sentence)


def _chosen(option: str) -> str | None:
    """Return an option with its text where that is short, only its letter before a sentence."""
    match = _CHOICE.fullmatch(option)
    if not match or _TAKEN_BACK.search(option[2:]):
        return None
    text = match[2] or ""
    return match[1] if _CLOSING.search(text) or _SEPARATOR.search(text) or not _short(text) else _short(option)


def _option_at_start(text: str) -> str | None:
    """Return the option that a text begins with, unless its end names another."""
    letters = set(_OPTION_LINE.findall(text))
    line, *more = text.split("\n", 1)
    last = _of_last_sentence(more[0]) if more else None
    if len(letters) > 1:
        return last
    rest = _CHOICE.fullmatch(last or "")
    if _TAKEN_BACK.search("".join(more)) or (rest and (rest[1] or rest[3]) not in letters):
        return None
    return _chosen(unmarked(line))


def _of_last_sentence(text: str) -> str | None:
    sentences = [part for part in _SENTENCE_END.split(text) if any(map(str.isalnum, part))]
    while len(sentences) > 1 and _CLOSING.search(sentences[-1]) and not re.search(r"\d", sentences[-1]):
        sentences.pop()
    if not sentences or _UNSURE.search(sentences[-1]) or sentences[-1].rstrip(f" {BOLD_END}").endswith("?"):
        return None
    last = _REASON.sub("", sentences[-1])
    bold = re.findall(f"{BOLD_START}([^{BOLD_START}{BOLD_END}]+){BOLD_END}", last)
    if len(bold) == 1 and not bold[0].endswith(":") and not _NEGATION.search(_ASIDE.sub("", last)):
        return _short(bold[0])
    last = _ASIDE.sub("", unmarked(last))
    *before, phrase = _SEPARATOR.split(last)
    if (
        _NEGATION.search(phrase)
        or len(_UNKNOWN.findall(last)) > 1
        or any("correct" in part and "in" in part for part in before)
    ):
        return None
    return _phrase(phrase, last)


def _phrase(phrase: str, sentence: str | None = None) -> str | None:
    """Return a phrase that is short, or a number with its unit; else the only number of the sentence."""
    n_words, is_marked = len(phrase.split()), phrase != sentence
    if number(phrase) is not None:
        return _short(phrase)
    # In a few marked words it may be part of a name: "type 2 diabetes".
    lone = lone_number(sentence or phrase)
    if lone and (not is_marked or n_words > ALONE or (sentence and LONE.match(sentence))):
        return lone
    return _short(phrase, SHORT if is_marked and len(LONE.findall(phrase)) < 2 else ALONE)


def _short(text: str, limit: int = SHORT) -> str | None:
    text = unmarked(text)
    is_one = not (_UNSURE.search(text) or _SEVERAL.search(text) or len(_UNKNOWN.findall(text)) > 1)
    return text if is_one and 0 < len(text.split()) <= limit else None


def _key(text: str, *, fold: bool = True) -> str:
    text = re.sub(r"\s*([,+*/^=<>-])\s*", r"\1", text)
    return plain(text) if fold else text


def _ends_with(words: list[str], ending: list[str]) -> bool:
    if not ending or list(map(plain, words[-len(ending) :])) != ending:
        return False
    return leads(re.sub(r"^\d+[.)] ?", "", " ".join(words[: -len(ending)])))
