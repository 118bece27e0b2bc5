"""Text of strangers: prompts, responses, names and errors, as it may reach a terminal, a figure or a page."""

import re

# Between "//", which some write into JSON as "\/\/", and the last "@" before a host ends.
_USERINFO = re.compile(r"(/\\?/)[^\s/?#]*@")


def without_userinfo(text: str) -> str:
    """Return text with the name and password in every address ("//name:password@host") blanked."""
    return _USERINFO.sub(r"\1[hidden]@", text)


def printable(text: str) -> str:
    """Return text with control characters spelled out, so that it can steer no terminal and stays on one line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
