"""Which columns of a file are meant: by flag, by a preset, or a column of each LLM's own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.nested import STAR, head_of, is_told
from llm_routing_env.importing.preset import FLAGS, LLM, NEEDED, Preset

NONE = "-"
_INSTEAD = {
    "llm": " Or --llm NAME, or --llm-from filename, says it of a whole file.",
    "context": " Or --context NAME puts every query into one context.",
    "accuracy": " Or --score-with SCORER scores the responses.",
}


def find_columns(
    path: Path,
    columns: Sequence[str],
    preset: Preset,
    names: Mapping[str, str],
    not_needed: Collection[str],
    joined: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Return the columns of each role, the first that is not empty counts, or the pattern of each LLM's own.

    Args:
        path: For messages.
        columns: What the files have.
        preset: What columns are usually called.
        names: What they are called here, by role; `NONE` where there is none.
        not_needed: Roles that something else says.
        joined: Names of other files, of which any column may be there.

    Raises:
        ValueError: A column is not there.
    """
    found = {}
    candidates = {**preset.columns, **{role: (name,) for role, name in names.items()}}
    has_arms = any(LLM in name for role in ("accuracy", "response") for name in candidates.get(role, ()))
    needed = set(NEEDED) - ({"llm"} if has_arms else set()) - set(not_needed)
    for role, flag in FLAGS.items():
        if names.get(role) == NONE:
            if role in needed:
                raise ValueError(
                    f"{path}: {flag} {NONE}: a table cannot be without; name a column.{_INSTEAD.get(role, '')}"
                )
            continue
        if role not in names and (role in not_needed or (has_arms and role == "llm")):
            continue
        here = _among(candidates.get(role, ()), columns, joined, is_sure=role in names)
        if here:
            found[role] = here
        elif role in names or role in needed:
            wanted, hint = next(iter(candidates.get(role, ())), role), f"{flag} names it.{_INSTEAD.get(role, '')}"
            raise ValueError(f"{path}: {unknown_name('column', wanted, columns, hint)}")
    return found


def _among(names: Sequence[str], columns: Sequence[str], joined: Collection[str], *, is_sure: bool) -> tuple[str, ...]:
    """Return the names that are of something, else those that may be, which is known when the cells are read."""
    each = {name: [name] if name in columns else name.split(" or ") for name in names}
    told = [
        name
        for name, parts in each.items()
        if any(LLM in part or is_told(part, columns) or part.partition(".")[0] in joined for part in parts)
    ]
    open_ones = [
        name
        for name, parts in each.items()
        for part in parts
        if _may_be(part, columns) and (_is_of_list(part) or is_sure)
    ]
    return tuple(told or dict.fromkeys(open_ones))


def arms_of(
    path: Path, columns: Sequence[str], found: dict[str, tuple[str, ...]], llms: Sequence[str], excluded: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return for each LLM its own columns by role, and take their patterns out of `found`.

    Args:
        path: For messages.
        columns: What the files have.
        found: The column of each role.
        llms: The LLMs; (): those whose names are in columns.
        excluded: LLMs to leave out.

    Raises:
        ValueError: There are no such columns, an LLM lacks one, or one to leave out is unknown.
    """
    patterns = {role: found.pop(role)[0] for role in list(found) if LLM in found[role][0]}
    if not patterns:
        if llms:
            raise ValueError(
                f"--llms {','.join(llms)}: names LLMs with a column each, as in --accuracy-column '{LLM}'."
            )
        return {}
    named = dict.fromkeys(llms or _named_in(columns, patterns.values()))
    for llm in excluded:
        if llm not in named:
            raise unknown_name("LLM for --exclude-llm", llm, named)
    kept = [llm for llm in named if llm not in excluded]
    if named and not kept:
        raise ValueError(f"{path}: expected LLMs, found none but those of --exclude-llm.")
    if not kept:
        usual = next((pattern for pattern in patterns.values() if pattern != LLM), LLM).replace(LLM, "<llm>")
        raise ValueError(f"{path}: expected columns like {usual!r}, found {list(columns)[:8]}; --llms names the LLMs.")
    return _own_columns(path, columns, patterns, kept)


def _own_columns(
    path: Path, columns: Sequence[str], patterns: Mapping[str, str], llms: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return each LLM's columns by role; what no LLM has is not recorded, and what some have all must."""
    recorded = {
        role: pattern
        for role, pattern in patterns.items()
        if role == "accuracy" or any(pattern.replace(LLM, llm) in columns for llm in llms)
    }
    own = {llm: {role: pattern.replace(LLM, llm) for role, pattern in recorded.items()} for llm in llms}
    for llm, names in own.items():
        for name in names.values():
            if name not in columns:
                fix = f"--exclude-llm {llm!r} leaves the LLM out"
                raise ValueError(f"{path}: expected a column {name!r} for LLM {llm!r}, found none; {fix}.")
    return own


def _is_of_list(name: str) -> bool:
    """Return whether a name reaches into a list, of which nothing is told."""
    return any(part == STAR or part.isdigit() for part in name.split("."))


def _may_be(name: str, columns: Sequence[str]) -> bool:
    """Return whether a dotted name can be of something in a column's cells, which is known when they are read."""
    head = head_of(name, columns)
    return head is not None and bool(head[1])


def _named_in(columns: Sequence[str], patterns: Iterable[str]) -> list[str]:
    parts = [pattern.partition(LLM) for pattern in patterns if pattern != LLM]
    return [
        name[len(start) : len(name) - len(end)]
        for start, _, end in parts
        for name in columns
        if name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end)
    ]
