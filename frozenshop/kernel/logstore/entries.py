"""What one line of the logs holds, whichever store keeps it: closed words, ids and masked text; no body in clear."""

import datetime as dt
import functools
import json
import os
import re
import unicodedata
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import models

from frozenshop.kernel.scrubbing import scrub


class Kind(models.TextChoices):
    """The classes of logs, each kept for a time of its own."""

    RAW = "raw", "服务商原文"
    CALL = "call", "服务商调用"
    ACCESS = "access", "接口访问"
    EXCHANGE = "exchange", "通知收发"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `id` is made where it happened and grows with time, so that it orders and dedupes.

    `what`: an operation, a milestone or `METHOD /route/<template>`. `subject`: an order's number, a waybill, or
    `alert:9`. `who`: `customer:7`, `key:mk_1`, `staff:3`. `reference`: what a sealed body was sealed for, or what the
    other side knows it by. `body`: sealed, or empty.
    """

    id: str
    kind: Kind
    at: dt.datetime
    request_id: str
    service: str
    what: str
    outcome: str
    failed: bool = False
    ms: int | None = None
    subject: str = ""
    who: str = ""
    address: str = ""
    reference: str = ""
    detail: str = ""
    body: str = ""

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        return 600 + len(self.body)


LENGTHS = {
    "request_id": 64,
    "service": 40,
    "what": 200,
    "outcome": 60,
    "subject": 120,
    "who": 150,
    "address": 45,
    "reference": 100,
    "detail": 300,
}
REPEATED = ("service", "what", "outcome", "who", "address")
"""Columns of a few values, most of which were masked a moment ago."""
MOST_BODY = 2 * 1024 * 1024
TOO_LARGE = "原文过大，没有保存"

_OTHER_DIGITS = re.compile(r"(?=[^\x00-\x7f])\d")
_GAP = r"[\W_]{0,3}"
_MOBILE = re.compile(rf"(?<!\d)(1{_GAP}[3-9]{_GAP}\d)(?:{_GAP}\d){{4}}((?:{_GAP}\d){{4}})(?!\d)")
_LANDLINE = re.compile(rf"(?<!\d)(0\d{{2,3}}){_GAP}(?:\d{_GAP}){{3,4}}(\d{{4}})(?!\d)")
_IDENTITY = re.compile(r"(?<!\d)(\d{3})\d{11}(\d{3}[\dXx])(?!\d)")
_MAIL = re.compile(r"[\w.+%-]+@([\w-]+(?:\.[\w-]+)+)")


def new_id(at: dt.datetime) -> str:
    """Return 24 hex digits: the milliseconds, then chance."""
    return f"{boundary(at)}{os.urandom(6).hex()}"


def boundary(at: dt.datetime) -> str:
    """Return what is less than any id made at or after an instant, and more than those before."""
    return f"{max(int(at.timestamp() * 1000), 0):012x}"


def mask(text: str) -> str:
    """Return the text without numbers of people, mail addresses and secrets, however they are written.

    A search masks what was typed in the same way, so that it finds what was written.
    """
    if not text:
        return text
    text = text.replace("\x00", "").encode(errors="replace").decode()  # half a character can't be written down
    if _OTHER_DIGITS.search(text):
        text = unicodedata.normalize("NFKC", text)
    text = _MOBILE.sub(lambda found: f"{_digits(found[1])}****{_digits(found[2])}", scrub(text))
    text = _IDENTITY.sub(r"\1****\2", text)
    return _MAIL.sub(r"****@\1", _LANDLINE.sub(r"\1****\2", text))


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


_mask_again = functools.lru_cache(maxsize=2048)(mask)


def cleaned(entry: Entry) -> Entry:
    """Return the entry as it may be written down: masked, and no longer than its columns."""
    texts: dict[str, Any] = {
        name: (_mask_again if name in REPEATED else mask)(getattr(entry, name))[:length]
        for name, length in LENGTHS.items()
    }
    if len(entry.body) > MOST_BODY:
        texts |= {"body": "", "detail": TOO_LARGE}
    return replace(entry, **texts)


def to_line(entry: Entry) -> bytes:
    return json.dumps(asdict(entry) | {"at": entry.at.isoformat()}, ensure_ascii=False).encode() + b"\n"


def from_line(line: bytes) -> Entry:
    """Raises ValueError for a line that was cut off, or is none of ours."""
    try:
        fields = json.loads(line)
        return Entry(**fields | {"at": dt.datetime.fromisoformat(fields["at"]), "kind": Kind(fields["kind"])})
    except (TypeError, KeyError) as error:
        raise ValueError(str(error)) from error
