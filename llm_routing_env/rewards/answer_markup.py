"""Takes LaTeX, tags and markdown off a response; what they mark is kept apart."""

import re
import unicodedata

BOLD_START, BOLD_END = "\ue000", "\ue001"  # private characters: a response may hold any other
_SPACES = "\u00a0\u2007\u2009\u202f"  # no-break and thin spaces, which may group digits
_SIGNS = str.maketrans({"\u2212": "-", "\u2019": "'", "\u201c": '"', "\u201d": '"', **dict.fromkeys(_SPACES, " ")})
_LATEX = (
    (re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\^?(?:\\circ\b|\{\\circ\})"), "°"),
    (re.compile(r"(?<=[\w)])!(?=\s?(?:\$|\\[)\]]|\}))"), " factorial"),  # else it ends a sentence
    (re.compile(r"\\[()\[\]]|\$\$|\\(?:left|right)\b|\\boxed(?=\s+\w)"), ""),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!])(?=\d{3})"), ","),
    (re.compile(r"\\[,;:! ]|(?<=\w)~(?=\w)"), " "),
    (re.compile(r"\\([$%&#_])"), r"\1"),
    (re.compile(r"\$([^$\n]+)\$(?!\d)"), r"\1"),  # "$18$" is a formula, "$18 and $20" is money
)
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:(\d)|\{([^{}]*)\})\s*(?:(\d)|\{([^{}]*)\})")
_THOUGHT = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_ANSWER = re.compile(r"<(/?)(?:final[_ ]?)?answer>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:b|strong|i|em|u|p|span|div|br|response|output|result|solution)\s?/?>", re.IGNORECASE)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")


def without_tags(text: str) -> str:
    """Return what is in the last answer tag, or else behind all thoughts; empty where a thought does not end."""
    thoughts = list(_THOUGHT.finditer(text))
    if thoughts and not thoughts[-1][1]:
        return ""
    if thoughts:  # the prompt may have opened the first one
        text = text[: thoughts[0].start() if not thoughts[0][1] else 0] + text[thoughts[-1].end() :]
    text = _TAG.sub("", text)
    tags = list(_ANSWER.finditer(text))
    opened = [at for at, tag in enumerate(tags) if not tag[1]]
    if not opened:
        return _ANSWER.sub("", text)
    closed = [tag.start() for tag in tags[opened[-1] + 1 :]]
    return text[tags[opened[-1]].end() : closed[0] if closed else len(text)]


def plain_maths(text: str) -> str:
    """Return a text without LaTeX, with plain signs, spaces and fractions."""
    text = re.sub(rf"(?<=\d)[{_SPACES}](?=\d{{3}}(?!\d))", ",", text).translate(_SIGNS)
    text = _FRACTION.sub(lambda part: f"{_operand(part[1] or part[2])}/{_operand(part[3] or part[4])}", text)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return text


def _operand(text: str | None) -> str:
    text = (text or "").strip()
    return text if re.fullmatch(r"-?[\w.]+", text) else f"({text})"


def last_box(text: str) -> tuple[str, str, str]:
    r"""Return what stands before the last "\boxed{}", what that holds, braces and all, and what follows it."""
    start = text.rfind("\\boxed")
    begin = text.find("{", start)
    depth = 0
    for place in range(begin, len(text)) if min(start, begin) >= 0 else ():
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[:start], text[begin + 1 : place], text[place + 1 :]
    return text, "", ""


def bold_marked(text: str) -> str:
    """Return a text with the two private characters around what is in bold."""
    return _BOLD.sub(rf"{BOLD_START}\2{BOLD_END}", text)


def unmarked(text: str) -> str:
    """Return a text without markdown, and the punctuation and pictures at its ends."""
    text = re.sub(rf"[{BOLD_START}{BOLD_END}`]|(?<!\w)[*_]+(?=\S)|(?<=\S)[*_]+(?!\w)", "", text)
    start, end = 0, len(text)
    while start < end and _is_edge(text[start]) and not re.match(r"\.\d", text[start:]):
        start += 1
    while end > start and _is_edge(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_edge(character: str) -> bool:
    """Return whether a character at an end of a text says nothing: a space, punctuation, an emoji."""
    return character in " \t\n\r.,;:!?\"'#\ufe0f…。" or unicodedata.category(character) in ("So", "Sk", "Cf")
