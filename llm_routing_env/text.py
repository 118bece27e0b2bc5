"""Text of strangers: prompts, responses, names and errors, as it may reach a terminal, a figure or a page."""

import re


def printable(text: str) -> str:
    """Return text with control characters spelled out, so that it can steer no terminal and stays on one line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def without_userinfo(text: str) -> str:
    """Return text in which the name and password of every address are blanked: //user:password@host."""
    return re.sub(r"//[^/@\s]*@", "//[hidden]@", text)
