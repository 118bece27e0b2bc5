"""Reads a number with its currency and unit, where no word around it changes its value."""

import re
from collections.abc import Sequence

from llm_routing_env.rewards.answer_words import CHANGES, SMALL, STARTS, UNIT, leads

SENTENCE = 30  # in a longer sentence a lone number may be anything's
_MONEY = r"(?:(?:US|A|C)?[$€£¥₹]|\b(?:USD|EUR|GBP|JPY|CHF|INR)\b)"
_DIGITS = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:/\d+)?"
_NUMBER = re.compile(
    rf"((?:(?!{_MONEY})[^\W\d]+[',]?\s+){{0,5}})(-?)({_MONEY}\s*)?([-+]?)({_DIGITS})(?:\s*({_MONEY}))?(?:\s*({UNIT}))?"
    r"((?:\s+[^\W\d][^\s\d]*(?:\^?[23])?){0,12})"
)
LONE = re.compile(rf"-?(?:{_MONEY}\s*)?-?{_DIGITS}")
_LEADS_TO = re.compile(r"(?:^|\w[,:]?\s)(?<!\bby )(?<!\bbefore )(?<!\bafter )(?<!\bsince )(?<!\buntil )(?<!\bfrom )$")


def number(text: str, *, alone: bool = False) -> float | None:
    """Return the number that a text gives, with its currency and unit; `alone`: only with a currency or percent."""
    match = _NUMBER.fullmatch(re.sub(r"(?<=\w)\s+\([^()]*\)$", "", text.strip()).strip("()[]"))
    if not match or (alone and re.search(r"[^\W\d]", re.sub(_MONEY, "", text))):
        return None
    before, sign, money, inner_sign, digits, money_behind, unit, behind = match.groups("")
    # With a currency "m" may be millions.
    if (sign and inner_sign) or ((money or money_behind) and unit) or not (leads(before) and _follows(behind)):
        return None
    above, _, below = digits.replace(",", "").partition("/")
    return float(sign + inner_sign + above) / float(below or 1) if float(below or 1) else None


def lone_number(sentence: str) -> str | None:
    """Return the number of a sentence that has no other, and no word that changes it."""
    if len(sentence.split()) > SENTENCE or "\\" in sentence:
        return None
    found = list(LONE.finditer(sentence))
    if len(found) != 1 or number(sentence[found[0].start() :]) is None:
        return None
    before = sentence[: found[0].start()]
    words = before.split()
    is_name = bool(words) and words[-1][:1].isupper() and words[-1].casefold() not in STARTS
    return None if is_name or _changed(words) or not _LEADS_TO.search(before) else found[0][0]


def _changed(words: Sequence[str]) -> bool:
    return any(word.casefold().strip(".,;:'\"") in CHANGES for word in words)


def _follows(behind: str) -> bool:
    """Return whether the words behind a number leave it as it is."""
    words = behind.split()
    first = words[0].strip(".,") if words else ""
    return not _changed(words) and first != "and" and (len(first) not in (1, 2) or first in SMALL)
