"""What the values of an SMS template may hold: one line, not too long, and no address of the web.

阿里云 and 腾讯云 publish no common length; 35 characters is what accounts of merchants are held to.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from notifications.channels.base import ChannelError, Letter

LONGEST = 35
NOTHING = "无"
_BLANKS = re.compile(r"\s+")
_NUMBER_LIKE = re.compile(r"[A-Za-z0-9._-]+")
_URL = re.compile(r"(?i)https?:|www\.|[a-z0-9-]+\.(?:com|cn|net|org|top|xyz|cc|vip|shop|io|me|info)(?![a-z0-9])")


def fitted(value: str) -> str:
    """Return a value in one line and cut to fit: a sentence loses its end, a number its beginning."""
    line = _BLANKS.sub(" ", value).strip() or NOTHING
    if len(line) <= LONGEST:
        return line
    return f"…{line[-LONGEST + 1 :]}" if _NUMBER_LIKE.fullmatch(line) else f"{line[: LONGEST - 1]}…"


def broken(fields: Mapping[str, str]) -> list[str]:
    """Return what is wrong with values that are about to be sent, by field."""
    return [f"字段 {name} 里有网址，短信变量不能含网址" for name, value in fields.items() if _URL.search(value)]


def fitting(letter: Letter) -> Letter:
    """Return a letter whose fields may be sent. Raises ChannelError for one that can't be."""
    made = replace(letter, fields={name: fitted(value) for name, value in letter.fields.items()})
    if problems := broken(made.fields):
        raise ChannelError("；".join(problems), code="field_rule", permanent=True)
    return made


def in_order(fields: Mapping[str, str]) -> list[str]:
    """Return the values of fields that are named 1, 2, 3… Raises ChannelError for any other names."""
    wanted = [str(place) for place in range(1, len(fields) + 1)]
    if set(fields) != set(wanted):
        sentence = "腾讯云短信的字段要依次命名为 1、2、3…，与模板里的 {1}、{2}、{3} 对应"
        raise ChannelError(sentence, code="field_names", permanent=True)
    return [fields[place] for place in wanted]
