"""What stands in an export: columns, and values of a few types."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Value = str | int | Decimal | dt.datetime | None
"""Of an instant the date and time of Shanghai are written; text is text, whatever it looks like."""


@dataclass(frozen=True, slots=True)
class Column:
    """`of` takes a row and gives its value; `width` is in characters."""

    title: str
    of: Callable[[Any], Value]
    width: int = 14


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells where a file comes from. `line` heads it and `each` ends each row; both empty in a masked one."""

    title: str
    author: str
    made_at: dt.datetime
    line: str = ""
    each: str = ""
