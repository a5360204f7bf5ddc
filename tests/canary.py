"""A consignee that must be found nowhere, and where to look: every form of it, in every place that keeps data."""

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import redis
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import connection

from frozenshop.kernel.logging import RouteForPath

NAME, PHONE, STREET = "欧阳金丝雀", "19876503917", "金丝雀胡同七七四九号三单元"
LATIN = "Canaria Quillfeather"
WORDS = (NAME, PHONE, STREET, LATIN)
SPACED = f"{PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}"
DASHED = f"{PHONE[:3]}-{PHONE[3:7]}-{PHONE[7:]}"


def forms(word: str) -> Iterator[bytes]:
    """Yield how a text may stand in a file."""
    for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"):
        encoded = word.encode(encoding)
        yield encoded
        yield from _base64(encoded)
    escaped = json.dumps(word)[1:-1]
    yield escaped.encode()
    yield escaped.upper().replace("\\U", "\\u").encode()
    yield escaped.replace("\\", "\\\\").encode()
    yield quote(word).encode()
    yield word.encode().hex().encode()
    yield word.encode().hex().upper().encode()


def _base64(encoded: bytes) -> Iterator[bytes]:
    """Yield what of a text shows in base64, whichever of three places it begins at."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + encoded)
        core = whole[(shift * 8 + 5) // 6 : len(b"\0" * shift + encoded) * 8 // 6]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


_FORMS = {form for word in WORDS for form in forms(word)}
_SEPARATED = re.compile(rb"[^0-9a-zA-Z]{1,4}".join(re.escape(d.encode()) for d in (PHONE[:3], PHONE[3:7], PHONE[7:])))


def found_in(data: bytes | str) -> list[str]:
    """Return what of the canary stands in this, in any form."""
    data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    hits = [repr(data[max(0, (at := data.find(form)) - 80) : at + 80]) for form in _FORMS if form in data]
    return hits + [repr(data[max(0, m.start() - 80) : m.end() + 20]) for m in _SEPARATED.finditer(data)]


def database() -> Iterator[tuple[str, bytes]]:
    """Yield all that the database keeps: the very file on SQLite, every value of every table elsewhere."""
    if connection.vendor == "sqlite":
        path = str(connection.settings_dict["NAME"])
        for file in (path, f"{path}-wal"):
            if Path(file).exists():
                yield file, Path(file).read_bytes()
    else:
        yield from _rows()
    for session in Session.objects.all():  # compressed in the table
        yield "django_session", json.dumps(session.get_decoded(), ensure_ascii=False).encode()


def _rows() -> Iterator[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM `{table}`")
            for row in cursor.fetchall():
                yield table, "\n".join(str(value) for value in row).encode("utf-8", "surrogatepass")


def cached(prefixes: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield every key and value of the cache, and of what else stands under these prefixes in Redis."""
    if not settings.REDIS_URL:
        for key, value in caches["default"]._cache.items():
            yield "LocMemCache", repr(key).encode() + bytes(value)
        return
    with redis.Redis.from_url(settings.REDIS_URL) as store:
        for prefix in prefixes:
            for key in store.scan_iter(f"*{prefix}*", count=1000):
                yield "Redis", key + b"\n" + store.dump(key) + _value(store, key)


def _value(store: redis.Redis, key: bytes) -> bytes:
    """`DUMP` compresses long strings."""
    return store.get(key) if store.type(key) == b"string" else b""


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


class Log(logging.Handler):
    """What standard error would show with every logger at DEBUG, by the formatter of the settings.

    But for Django's of templates, which writes whole contexts at DEBUG: no setting lowers it.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        (ours,) = (h for h in logging.getLogger().handlers if type(h).__name__ == "StandardError")
        self.setFormatter(ours.formatter)
        self.addFilter(RouteForPath())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> "Log":
        known = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
        self._levels = [(logger, logger.level) for logger in [logging.getLogger(), *known]]
        for logger, _ in self._levels:
            logger.setLevel(logging.INFO if logger.name == "django.template" else logging.DEBUG)
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger().removeHandler(self)
        for logger, level in self._levels:
            logger.setLevel(level)
