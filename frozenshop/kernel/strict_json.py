"""JSON from strangers: bounded in depth before it is parsed, and honest about repeated keys."""

import json
import math
import re
from collections import Counter
from typing import Any

MAX_DEPTH = 100
MAX_NOTES = 20


class TooDeep(ValueError):
    """Nested deeper than 100."""


# A string that never ends is taken to the end of the text: else each of its quotes would be tried anew, to the end.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def load(text: str) -> tuple[Any, tuple[str, ...]]:
    """Return the value of a JSON text and a note for each key that stood twice in one object (the last counts).

    Raises TooDeep, and any ValueError for what is no JSON or holds a number that is not finite.
    """
    if _depth(text) > MAX_DEPTH:
        raise TooDeep(f"nested deeper than {MAX_DEPTH}")
    notes: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            counted = Counter(name for name, _ in pairs)
            notes.extend(f"键 {name[:40]} 重复，取最后一个" for name, times in counted.items() if times > 1)
        return value

    value = json.loads(text, object_pairs_hook=build, parse_float=_finite, parse_constant=_refuse_constant)
    return value, tuple(notes[:MAX_NOTES])


def _depth(text: str) -> int:
    """Return the nesting depth of the brackets outside strings, stopping just past the limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > MAX_DEPTH:
                    break
        elif found in "]}":
            depth -= 1
    return deepest


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:40]} is beyond a float")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
