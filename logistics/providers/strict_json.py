"""JSON from strangers: bounded in depth before it is parsed, and honest about repeated keys."""

import json
import re
from typing import Any

MAX_DEPTH = 100

_NOT_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{}"]+', re.DOTALL)


def load(text: str) -> tuple[Any, tuple[str, ...]]:
    """Return the value of a JSON text and a note for each key that stood twice in one object (the last counts).

    Raises ValueError for what is no JSON, is nested deeper than 100, or holds NaN or Infinity.
    """
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    notes: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            notes.extend(f"键 {name[:40]} 重复，取最后一个" for name in value if names.count(name) > 1)
        return value

    return json.loads(text, object_pairs_hook=build, parse_constant=_refuse_constant), tuple(notes)


def _depth(text: str) -> int:
    """Return the nesting depth of the brackets outside strings, stopping just past the limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in _NOT_STRUCTURE.sub("", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
