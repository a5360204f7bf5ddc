"""The shape of a message: paths and types, never values. A path is `Data[].Traces[].AcceptTime`; the whole is "".

Names of fields could be data, too (an object by waybill): what doesn't look like a name is `*`, and of values only
what looks like a code is ever told.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Known = Mapping[str, frozenset[str]]
What = Literal["field", "type", "missing", "code", "unreadable"]

_name = re.compile(r"(?![A-Za-z_]*\d{4})[A-Za-z_][A-Za-z0-9_]{0,39}").fullmatch
_code = re.compile(r"(?!.*\d{5})[A-Za-z0-9_.-]{1,24}").fullmatch
DEEPEST = 12
LONGEST = 120


@dataclass(frozen=True, slots=True, order=True)
class News:
    """What a parser doesn't know of a message. `value`: the type, or the code where it looks like one."""

    what: What
    path: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """What is known of a provider's messages beside the fields of its fixtures; everything by kind (push, answer).

    `opened` returns the value of a kept body, with what is JSON inside a text opened; it raises ValueError or
    `Unreadable`. `must`: what the parser can't do without. `codes`: closed lists that are no statuses (unknown statuses
    are counted when they are recorded). `also`: fields that are documented or read, and in no fixture.
    """

    opened: Callable[[bytes, str], Any]
    must: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def type_of(value: Any) -> str:
    """Return the type as JSON has it; "" for null, which says no more than an absent field."""
    if value is None:
        return ""
    names = ((bool, "boolean"), (str, "text"), (int, "whole"), (float, "number"), (list, "list"), (dict, "object"))
    return next(name for kind, name in names if isinstance(value, kind))


def walk(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield each path with its value, the whole before its parts."""
    yield path[:LONGEST], value
    if depth >= DEEPEST:
        return
    if isinstance(value, dict):
        for name, part in value.items():
            own = name if _name(name) else "*"
            yield from walk(part, f"{path}.{own}" if path else own, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from walk(part, f"{path}[]", depth + 1)


def news_of(value: Any, known: Known, must: tuple[str, ...], codes: Mapping[str, frozenset[str]]) -> set[News]:
    """Return what is new about a message. Of what is unknown as a whole, its parts are not news."""
    found: set[News] = set()
    for path, part in walk(value):
        kind = type_of(part)
        if not kind or any(_inside(path, one.path) for one in found if one.what in ("field", "type")):
            continue
        if path not in known:
            found.add(News("field", path, kind))
        elif kind not in known[path]:
            found.add(News("type", path, kind))
        elif path in codes and kind in ("text", "whole") and str(part) not in codes[path]:
            found.add(News("code", path, str(part) if _code(str(part)) else "*"))
        if isinstance(part, dict):
            found |= {News("missing", name) for name in _missing(path, part, must)}
    return found


def _missing(path: str, value: Mapping[str, Any], must: tuple[str, ...]) -> Iterator[str]:
    for name in must:
        parent, _, last = name.rpartition(".")
        if parent == path and value.get(last) is None:
            yield name


def _inside(path: str, whole: str) -> bool:
    return path.startswith((f"{whole}.", f"{whole}[]"))
