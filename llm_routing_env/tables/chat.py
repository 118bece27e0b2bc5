"""Chats as prompts: OpenAI's list of messages, read into pairs of role and content."""

import json
import re
from collections.abc import Sequence
from typing import Any

ROLES = ("system", "developer", "user", "assistant", "tool")
Messages = tuple[tuple[str, str], ...]
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")  # JSON can hold it, no file or request can
_SHOWN = 60


def is_text(value: object) -> bool:
    """Return whether a value is text that a file and a request can hold."""
    return isinstance(value, str) and not HALF_A_CHARACTER.search(value)


def read_messages(found: object) -> Messages:
    """Return a list of messages as pairs of role and content.

    Raises:
        ValueError: It is none; says what was expected and found. What a pair cannot hold, such as calls of tools, is
            refused too: an LLM would be asked something else than what stands there.
    """
    if not isinstance(found, list) or not found:
        raise ValueError(f"expected a list of messages, got {_shown(found)}")
    messages = tuple(_message(item, number) for number, item in enumerate(found, start=1))
    if all(role != "user" for role, _ in messages):
        raise ValueError(f"expected a message of the role 'user', got {_shown([role for role, _ in messages])}")
    return messages


def last_question(messages: Sequence[tuple[str, str]]) -> str:
    """Return the text of the last user message: what stands for a chat where one text is shown, hashed or embedded."""
    return next((content for role, content in reversed(messages) if role == "user"), "")


def beyond_prompt(messages: Messages) -> Messages:
    """Return the messages, or none where they are one user message, which the prompt says already."""
    return () if len(messages) == 1 else messages


def as_list(messages: Messages) -> list[dict[str, str]]:
    """Return messages in OpenAI's form."""
    return [{"role": role, "content": content} for role, content in messages]


def to_json(messages: Messages) -> str:
    """Return messages as the JSON text that a table holds."""
    return json.dumps(as_list(messages), ensure_ascii=False)


def from_json(text: str | None, prompt: str) -> Messages:
    """Read what `to_json` wrote; none for None.

    Raises:
        ValueError: It is no such text, or of another question than the prompt.
    """
    if text is None:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"expected messages as JSON, got {_shown(text)}") from None
    messages = read_messages(found)
    if last_question(messages) != prompt:
        raise ValueError(f"the last user message is not the prompt, {_shown(prompt)}")
    return beyond_prompt(messages)


def _message(item: Any, number: int) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise ValueError(f"message {number}: expected an object with role and content, got {_shown(item)}")
    role = item.get("role")
    if role not in ROLES:
        raise ValueError(f"message {number}: role must be one of {', '.join(ROLES)}, got {_shown(role)}")
    others = [key for key, value in item.items() if key not in ("role", "content") and value is not None]
    if others:
        raise ValueError(f"message {number}: expected role and content only, got {_shown(others[0])} too")
    content = _joined(item.get("content"), number)
    if not is_text(content) or not content.strip():
        raise ValueError(f"message {number}: content must be a text, not empty, got {_shown(item.get('content'))}")
    return role, content


def _joined(content: Any, number: int) -> Any:
    """Return the text of a list of parts; everything else as it is."""
    if not isinstance(content, list):
        return content
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError(f"message {number}: content must be a text or parts of type 'text', got {_shown(part)}")
    return "".join(part["text"] for part in content)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
