"""What may be a secret in a pool's file: blanked in what is written, and known so that it is blanked in errors too."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from llm_routing_env.text import without_parameters, without_userinfo

HIDDEN = "[hidden]"
_SECRET = re.compile(
    r"(?:^|_)(?:key|token|auth|authorization|pat|pass|pwd)(?:_|$)|apikey|accesskey|secret|passw|credential|bearer|cookie|dsn"
)
_TOKEN_IDS = re.compile(r"(?:^|_)token_ids?$")  # numbers of tokens, such as those that an answer stops at
_HEADERS = re.compile(r"(?:^|_)headers?$")
_ADDRESS = re.compile(r"""//[^\s"'<>]+""")
_PARAMETER = re.compile(r"[?#&;]")
_NAMED_PARAMETER = re.compile(r"(?<=[?#&;])([^=?#&;\s\"'<>]+)=([^?#&;\s\"'<>]+)")
_SHAPES = ("response_format", "structured_outputs", "guided_json", "parameters")  # of answers: names, not values


def without_secrets(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with whatever may be a secret blanked: it is written where others may read it."""
    return {key: _without_secret(key, value) for key, value in table.items()}


def without_secret_texts(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table of what decides answers with the texts blanked that may be secrets, and nothing else.

    Numbers, switches, shapes of answers and what texts say decide, whatever they are called: two that differ must not
    become one.
    """
    return {key: _without_secret_texts(key, value, is_secret=False) for key, value in table.items()}


def _without_secret_texts(key: str, value: Any, *, is_secret: bool) -> Any:
    if key in _SHAPES:
        return value
    is_secret = is_secret or _is_secret(key, value)
    if isinstance(value, Mapping):
        return {name: _without_secret_texts(name, item, is_secret=is_secret) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secret_texts("", item, is_secret=is_secret) for item in value]
    if not isinstance(value, str):
        return value
    if is_secret:
        return HIDDEN
    table = _table(value)
    if table:
        return json.dumps(_without_secret_texts("", table, is_secret=False))
    return _NAMED_PARAMETER.sub(_without_secret_parameter, without_userinfo(value))


def _without_secret_parameter(match: re.Match[str]) -> str:
    return f"{match[1]}={HIDDEN}" if _is_secret(match[1], match[2]) else match[0]


def plain(value: Any) -> Any:
    """Return a value of no telling name, JSON-plain, with the secrets within it blanked."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return _plain_text(value)
    return without_secrets(value) if isinstance(value, Mapping) else value


def secrets_of(value: Any, *, is_secret: bool = False) -> Iterator[str]:
    """Yield the texts that `plain` blanks in a value; all of them if it is one as a whole."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_of(item, is_secret=is_secret or _is_secret(key, item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_of(item, is_secret=is_secret)
    elif is_secret:
        yield from (value,) if isinstance(value, str) else ()
    elif isinstance(value, str):
        table = _table(value)
        yield from secrets_of(table) if table else _secrets_of_addresses(value)


def _secrets_of_addresses(text: str) -> Iterator[str]:
    for address in _ADDRESS.findall(text):
        place, *parameters = _PARAMETER.split(address)
        user, at, _ = place.rpartition("@")
        yield from (user[2:], user.partition(":")[2]) if at else ()
        for parameter in parameters:
            name, equals, value = parameter.partition("=")
            yield value if equals else name


def _words(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", key).lower()


def _is_secret(key: str, value: Any) -> bool:
    words = _words(key)
    is_number = bool(_TOKEN_IDS.search(words)) and not _has_text(value)
    return bool(_SECRET.search(words) or _HEADERS.search(words)) and not is_number


def _has_text(value: Any) -> bool:
    return any(map(_has_text, value)) if isinstance(value, list | tuple) else isinstance(value, str | Mapping)


def _without_secret(key: str, value: Any) -> Any:
    if not _is_secret(key, value):
        return plain(value)
    if isinstance(value, Mapping) and _HEADERS.search(_words(key)):  # told by name, as a pool's own are
        return dict.fromkeys(value, HIDDEN)
    return HIDDEN


def _plain_text(text: str) -> str:
    table = _table(text)
    return json.dumps(plain(table)) if table else without_parameters(without_userinfo(text))


def _table(text: str) -> Any:
    """Return the table or list that a text holds, as a flag's may be written; None where it holds none."""
    try:
        return json.loads(text) if text.startswith(("{", "[")) else None
    except (ValueError, RecursionError):
        return None
