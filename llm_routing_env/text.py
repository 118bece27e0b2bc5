"""Text of strangers: prompts, responses, names and errors, as it may reach a terminal, a figure or a page."""

import json
import re
from urllib.parse import quote, quote_plus

# Between "//", which some write into JSON as "\/\/", and the last "@" before a host ends.
_USERINFO = re.compile(r"(/\\?/)[^\s/?#]*@")

_WORD = re.compile(r"""[^\s"'<>]+""")
_PARAMETERS = re.compile(r"[?#]")


def without_userinfo(text: str) -> str:
    """Return text with the name and password in every address ("//name:password@host") blanked."""
    return _USERINFO.sub(r"\1[hidden]@", text)


def without_parameters(text: str) -> str:
    """Return text with all that follows the path of an address ("//host/path?key=...") cut off."""
    return _WORD.sub(_without_parameters, text)


def _without_parameters(word: re.Match[str]) -> str:
    before, slashes, address = word[0].partition("//")
    return before + slashes + _PARAMETERS.split(address, maxsplit=1)[0]


def spellings(secret: str) -> set[str]:
    """Return how a secret may be spelled where somebody quotes it: as it is, in an address, in JSON."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def printable(text: str) -> str:
    """Return text with control characters spelled out, so that it can steer no terminal and stays on one line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
