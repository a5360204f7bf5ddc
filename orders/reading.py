"""Reading values out of JSON that somebody sent: each reader returns the value or notes what is wrong with its path."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid

MAX_FEN = 10**12
FEN_RULE = "应为以分为单位的非负整数"
NO_INSTANT = dt.datetime.min.replace(tzinfo=dt.UTC)
MAX_ERRORS = 50
YEARS = range(2000, 2101)

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# Marks that turn the direction of what follows: text with them reads other than it is.
_DIRECTION_MARKS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def instant(text: str) -> dt.datetime | None:
    """Return an ISO 8601 instant in UTC, or None; without a zone it is Shanghai's."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        read = dt.datetime.fromisoformat(text)
        aware = read if read.tzinfo else read.replace(tzinfo=clock.SHANGHAI)
        return aware.astimezone(dt.UTC) if aware.year in YEARS else None
    except ValueError:
        return None


def unprintable(text: str, *, lines: bool = False) -> bool:
    """Say whether a text has control characters, lone surrogates or direction marks; `lines` allows line breaks."""
    return any(
        (unicodedata.category(character) in {"Cc", "Cs"} and not (lines and character in "\n\t"))
        or character in _DIRECTION_MARKS
        for character in text
    )


class Reader:
    """One JSON object under its path, and the sentences about what is wrong in it."""

    def __init__(self, value: object, errors: dict[str, str], path: str = "") -> None:
        self.errors = errors
        self.path = path
        self.values: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.refuse("", "应为对象")

    def refuse(self, name: str, message: str) -> None:
        """Note the first thing that is wrong with a field."""
        path = f"{self.path}.{name}".strip(".") or "order"
        # Nothing more is said about the inside of what is no object.
        if self.path not in self.errors and len(self.errors) < MAX_ERRORS:
            self.errors.setdefault(path, message)

    def known(self, names: Iterable[str]) -> None:
        """Refuse every field but these, by name."""
        for name in sorted(map(str, self.values.keys() - set(names))):
            # The name goes back in the answer: cut to a length, and free of what can't be encoded.
            self.refuse(name[:64].encode("utf-8", "backslashreplace").decode().replace("\x00", "\\0"), "未知字段")

    def given(self, name: str) -> bool:
        """Say whether the field is there; null counts as absent."""
        return self.values.get(name) is not None

    def text(self, name: str, limit: int, *, empty: bool = False, lines: bool = False) -> str:
        """Return a required text without blanks around it."""
        value = self.values.get(name)
        if value is None:
            return self._no_text(name, "必填")
        if not isinstance(value, str):
            return self._no_text(name, "应为文本")
        if len(value) > limit + 20 or len(value.strip()) > limit:
            return self._no_text(name, f"最多 {limit} 个字")
        if unprintable(value, lines=lines):
            return self._no_text(name, "含有不可见的控制字符")
        if not value.strip() and not empty:
            return self._no_text(name, "不能为空")
        return value.strip()

    def optional_text(self, name: str, limit: int, *, lines: bool = False) -> str | None:
        """Return a text that may be absent, or empty to clear it."""
        return self.text(name, limit, empty=True, lines=lines) if self.given(name) else None

    def key(self, name: str, pattern: re.Pattern[str], message: str) -> str | None:
        """Return a text that is compared byte by byte, so exactly as sent."""
        if not self.given(name):
            return None
        value = self.values[name]
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        self.refuse(name, message)
        return None

    def fen(self, name: str) -> int:
        """Return a required amount in fen."""
        return self.number(name, range(MAX_FEN + 1), FEN_RULE)

    def optional_fen(self, name: str) -> int | None:
        """Return an amount in fen that may be absent."""
        return self.fen(name) if self.given(name) else None

    def number(self, name: str, allowed: range, message: str) -> int:
        """Return a required whole number."""
        value = self.values.get(name)
        if type(value) is int and value in allowed:  # True is an int, too
            return value
        self.refuse(name, "必填" if value is None else message)
        return 0

    def instant(self, name: str) -> dt.datetime:
        """Return a required instant."""
        read = self.optional_instant(name)
        if read is None:
            self.refuse(name, "必填")
        return read or NO_INSTANT

    def optional_instant(self, name: str) -> dt.datetime | None:
        """Return an instant that may be absent."""
        if not self.given(name):
            return None
        value = self.values[name]
        read = instant(value) if isinstance(value, str) and len(value) <= 40 else None
        if read is None:
            self.refuse(name, "应为 ISO 8601 时间，例如 2026-01-31T08:00:00+08:00，年份在 2000 至 2100 之间")
        return read

    def child(self, name: str) -> "Reader":
        """Return the reader of an object inside this one."""
        return Reader(self.values.get(name), self.errors, f"{self.path}.{name}".strip("."))

    def _no_text(self, name: str, message: str) -> str:
        self.refuse(name, message)
        return ""


def raise_if(errors: Mapping[str, str]) -> None:
    """Raise Invalid with the sentences, if there are any."""
    if errors:
        raise Invalid(fields=errors)
