r"""Reads the final answer out of what an instruct model writes, or says that it cannot.

A response may hold several numbers and names, so an answer is read only where the text marks it: in "\boxed{}", behind
"####" or "the answer is", in bold, behind the last "is", "=" or "so" of the last sentence, or alone in a short one.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SHORT = 10  # a last sentence of so many words is an answer as it stands; a longer one must mark it
_SPACES = "\u00a0\u2007\u2009\u202f"  # no-break and thin spaces, which may group digits
_SIGNS = str.maketrans({"\u2212": "-", "\u2019": "'", "\u201c": '"', "\u201d": '"', **dict.fromkeys(_SPACES, " ")})
_LATEX = (
    (re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"\1/\2"),
    (re.compile(r"\\[()\[\]]|\$\$|\\(?:left|right)\b|\\boxed(?=\s+\w)"), ""),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!])(?=\d{3})"), ","),
    (re.compile(r"\\[,;:! ]|~"), " "),
    (re.compile(r"\\([$%&#_])"), r"\1"),
    (re.compile(r"\$([^$\n]+)\$(?!\d)"), r"\1"),  # "$18$" is a formula, "$18 and $20" is money
)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_SENTENCE_END = re.compile(
    r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bMrs\.)(?<!\b[A-Z]\.)(?<=[.!?])[)\"'>]?\s+(?=[^a-z\s])|\n+"
)
_SAYS_SO = re.compile(
    r"####\s*|^[^\w\n]*(?:final |the )?answer[^\w\n]*\n"
    r"|\b(?:answer|option|choice)\b>?(?:\s+(?:to|for|of)\s[^.:\n]{1,60}?)?\s*"
    r"(?:[:=]|\b(?:is|are|was|(?:would|should|must) be)\b)[\s>]*:?\s*",
    re.IGNORECASE | re.MULTILINE,
)
_IS_THE_ANSWER = re.compile(
    r"(?:^|[.\n:,])\s*([^.\n:,]{1,60}?)\s+is\s+(?:the|our|my)\s+(?:\w+\s+)?(?:answer|option|choice)\b", re.IGNORECASE
)
_SEPARATOR = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|so|therefore|thus|hence|gives|makes)\b[,:]?|[:=≈→])\s+|=", re.IGNORECASE
)
_OPTION_IS_RIGHT = re.compile(r"\b((?:option|choice)\s+\(?[A-Z]\)?)\s+is\s+(?:correct|right)\b", re.IGNORECASE)
_REASON = re.compile(r"[,;]?\s+(?:because|since|due to)\b.*", re.IGNORECASE | re.DOTALL)
_ASIDE = re.compile(r",?\s+which\b.*|,\s+(?:not|as)\b.*", re.IGNORECASE | re.DOTALL)
_EXPLANATION = re.compile(r"\n[^\w\n]*(?:explanation|reasoning|reason|justification)\b.*", re.IGNORECASE | re.DOTALL)
_BULLET = re.compile(r"^[-*•] ")
_CLOSING = re.compile(
    r"\b(?:hope|let me know|feel free|glad|happy to|thanks?|welcome|anything else|questions?|good luck|enjoy)\b", re.I
)
_TAKEN_BACK = re.compile(
    r"(?:^|[.!?\n])\W{0,3}(?:wait|no|hmm|oops|actually|correction|sorry|on second thought|scratch that)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(r"\b(?:or|either|maybe|perhaps|cannot)\b|n't\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|never|no longer)\b|n't\b", re.IGNORECASE)
_CHOICE = re.compile(r"\(?([A-Z])(?:\)|[.:]|\)[.:])\s+(.+)|\(?([A-Z])\)?", re.DOTALL)
_MONEY = r"(?:(?:US|A|C)?[$€£¥₹]|\b(?:USD|EUR|GBP|JPY|CHF|INR)\b)"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_GLUED = r"(?:%|°[CF]?|[kcm]?m|[km]?g|m?s|h|hrs?|min|ft|lbs?|oz|m?[lL]|k?W|V|k?Hz|[kKMGT]B|mph|[km]+/[hs])(?!\w)"
# What may stand before a number, and the units and words behind it; what changes its value may not.
_CHANGES = r"(?:not|minus|negative|than|over|under|above|below|least|most|between|up|but|and|or|plus|times|to"
_CHANGES += r"|hundred|thousand|million|billion|trillion|dozens?|k)\b"
_BEFORE = rf"(?:(?!{_CHANGES})[^\W\d]+[',]?\s+){{0,5}}"
_BEHIND = rf"(?:{_GLUED})?(?:\s+(?!{_CHANGES})[^\W\d][^\s\d]*(?:\^?[23²³])?[.,]?){{0,6}}"
_NUMBER = re.compile(rf"{_BEFORE}(-?)(?:{_MONEY}\s*)?([-+]?)({_DIGITS})\s*{_MONEY}?{_BEHIND}", re.IGNORECASE)


def parse_answer(response: str) -> str | None:
    """Return the final answer of a response without markup; None where no short reading of it is safe."""
    # Single spaces and line ends: else patterns with spaces would take quadratic time on hostile text.
    lines = (_BULLET.sub("", " ".join(line.split())) for line in _plain_maths(response).splitlines())
    text = _EXPLANATION.sub("", "\n".join(filter(None, lines)))
    text, box, rest = _last_box(text)
    if box and not _SAYS_SO.search(rest):
        return None if _TAKEN_BACK.search(rest) else _short(box)
    text = _BOLD.sub(r"<\2>", text.replace("<", "(").replace(">", ")"))
    says_so: list[tuple[int, str | None]] = [(match.end(), None) for match in _SAYS_SO.finditer(text)]
    for names in (_IS_THE_ANSWER, _OPTION_IS_RIGHT):
        says_so += [(match.end(), match[1]) for match in names.finditer(text)]
    return _said(text, *max(says_so, key=lambda one: one[0])) if says_so else _of_last_sentence(text)


def not_parsed(responses: Sequence[str]) -> NDArray[np.bool_]:
    """Return which responses have no final answer that can be read: `final_answer` scores them 0."""
    return np.array([parse_answer(text) is None for text in responses])


def is_answer(answer: str, reference: str) -> bool:
    """Return whether a parsed answer is a reference: as numbers, as letters of a choice, or as its last words."""
    reference = clean(reference)
    expected, wanted = number(reference, alone=True), _CHOICE.fullmatch(reference)
    if expected is not None:
        sides = map(number, (answer.rpartition("=")[2], answer.partition("=")[0]))
        return any(side is not None and math.isclose(side, expected, rel_tol=1e-9, abs_tol=1e-9) for side in sides)
    chosen = _CHOICE.fullmatch(answer)
    if wanted and wanted[3] and chosen:
        return wanted[3] == (chosen[1] or chosen[3])
    if _NEGATION.search(answer) and not _NEGATION.search(reference):
        return False
    return _ends_with(plain(answer), plain(reference))


def number(text: str, *, alone: bool = False) -> float | None:
    """Return the number that a text gives, with its currency and unit; `alone`: only with a currency or percent."""
    match = _NUMBER.fullmatch(re.sub(r"(?<=\w)\s+\([^()]*\)$", "", text.strip()).strip("()[]"))
    if not match or (alone and re.search(r"[^\W\d]", re.sub(_MONEY, "", text))):
        return None
    return float(match[1] + match[2] + match[3].replace(",", "")) if not (match[1] and match[2]) else None


@lru_cache(maxsize=4096)  # references come again with every LLM and repeat
def clean(text: str) -> str:
    """Return a text without LaTeX, markdown, and the punctuation and pictures at its ends."""
    return _unmarked(_BOLD.sub(r"\2", _last_box(_plain_maths(text))[0]))


def plain(text: str) -> str:
    """Return a text in small letters, single spaces and without brackets and punctuation at its ends."""
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'`()[]")


def _plain_maths(text: str) -> str:
    text = re.sub(rf"(?<=\d)[{_SPACES}](?=\d{{3}}(?!\d))", ",", text).translate(_SIGNS)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return text


def _last_box(text: str) -> tuple[str, str, str]:
    r"""Return the text without its last "\boxed{}", what that holds, braces and all, and what follows it."""
    start = text.rfind("\\boxed")
    begin = text.find("{", start)
    depth = 0
    for place in range(begin, len(text)) if min(start, begin) >= 0 else ():
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            box, rest = text[begin + 1 : place], text[place + 1 :]
            return text[:start] + box + rest, box, rest
    return text, "", ""


def _said(text: str, end: int, before: str | None) -> str | None:
    """Return the answer that a text names, `before` the words that end at `end` or behind them."""
    sentence, *more = _SENTENCE_END.split(text[end:].strip(), maxsplit=1)
    after = "".join(more) if before is None else text[end:]
    sentence = _unmarked(_ASIDE.sub("", _REASON.sub("", sentence if before is None else before)))
    if _TAKEN_BACK.search(after) or _NEGATION.search(sentence):
        return None
    choice = _CHOICE.fullmatch(sentence)
    if choice and choice[1] and (_CLOSING.search(choice[2]) or not _short(choice[2])):
        return choice[1]
    return _short(sentence)


def _of_last_sentence(text: str) -> str | None:
    sentences = [part for part in _SENTENCE_END.split(text) if any(map(str.isalnum, part))]
    while len(sentences) > 1 and _CLOSING.search(sentences[-1]) and not re.search(r"\d", sentences[-1]):
        sentences.pop()
    if not sentences or _UNSURE.search(sentences[-1]):
        return None
    last = _REASON.sub("", sentences[-1])
    bold = re.findall(r"<(.+?)>", last)
    if len(bold) == 1 and not bold[0].endswith(":") and not _NEGATION.search(_ASIDE.sub("", last)):
        return _short(bold[0])
    return _short(_ASIDE.sub("", _SEPARATOR.split(_unmarked(last))[-1]))


def _short(text: str) -> str | None:
    text = _unmarked(text)
    return text if 0 < len(text.split()) <= SHORT and not _UNSURE.search(text) else None


def _unmarked(text: str) -> str:
    text = re.sub(r"[<>`]|(?<!\w)[*_]+(?=\S)|(?<=\S)[*_]+(?!\w)", "", text)
    start, end = 0, len(text)
    while start < end and _is_edge(text[start]) and not re.match(r"\.\d", text[start:]):
        start += 1
    while end > start and _is_edge(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_edge(character: str) -> bool:
    """Return whether a character at an end of a text says nothing: a space, punctuation, an emoji."""
    return character in " \t\n\r.,;:!?\"'#\ufe0f…。" or unicodedata.category(character) in ("So", "Sk", "Cf")


def _ends_with(text: str, ending: str) -> bool:
    if not ending or not text.endswith(ending):
        return False
    before = text[: -len(ending)]
    return not before or not (before[-1].isalnum() and ending[0].isalnum())
