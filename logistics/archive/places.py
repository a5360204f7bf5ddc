"""Where bodies lie: in the archive's own rows, or in MongoDB where it is configured.

A body is written and read back before anything is deleted. Its key holds its checksum, so that a writer believed
dead can't put an older one over it.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.conf import settings

from logistics.archive.bodies import BodyBroken, checksum
from logistics.archive.models import ArchivedOrder

Place = ArchivedOrder.Place
Key = tuple[int, str]
"""An order's id and the checksum of a body."""


class Swept(NamedTuple):
    """Where a sweep has come to (empty: to the end), and how many strays it deleted."""

    after: str
    strays: int


class PlaceDown(Exception):
    """The store of bodies doesn't answer now; later it may. Holds no address and no password."""


class Held(Protocol):
    """What a place knows of an archived order."""

    place: str

    @property
    def pk(self) -> int: ...

    @property
    def month(self) -> str: ...

    @property
    def checksum(self) -> str: ...

    @property
    def body(self) -> bytes | memoryview | None: ...


class Bodies(Protocol):
    def put(self, rows: Sequence[Held]) -> None:
        """Write the rows' bodies, or see to it that they are written with the rows. Raises PlaceDown."""

    def read(self, rows: Iterable[Held]) -> Mapping[int, bytes]:
        """Return what is there by the orders' ids, unchecked. Raises PlaceDown."""

    def drop(self, keys: Sequence[Key]) -> None:
        """Delete these bodies. Raises PlaceDown."""

    def drop_others(self, order_ids: Sequence[int], but: Sequence[Key]) -> None:
        """Delete all bodies of these orders but some. Only who has the orders locked may. Raises PlaceDown."""

    def sweep(self, after: str, before: dt.datetime) -> Swept:
        """Delete what no row names of the next bodies after a place, if written before an instant. Raises PlaceDown."""


class InRows:
    """In the database: the row holds it."""

    def put(self, rows: Sequence[Held]) -> None:
        for row in rows:
            row.place = Place.DATABASE

    def read(self, rows: Iterable[Held]) -> Mapping[int, bytes]:
        return {row.pk: bytes(row.body or b"") for row in rows}

    def drop(self, keys: Sequence[Key]) -> None:
        return

    def drop_others(self, order_ids: Sequence[int], but: Sequence[Key]) -> None:
        return

    def sweep(self, after: str, before: dt.datetime) -> Swept:
        return Swept("", 0)


def key_of(row: Held) -> Key:
    return row.pk, row.checksum


def configured() -> Bodies:
    """Return where new bodies go."""
    return of(Place.MONGODB if settings.MONGODB_URL else Place.DATABASE)


def of(place: str) -> Bodies:
    if place == Place.DATABASE:
        return InRows()
    if not settings.MONGODB_URL:
        raise PlaceDown("MONGODB_URL is not set")
    return _mongo(settings.MONGODB_URL)


@functools.lru_cache(maxsize=4)
def _mongo(url: str) -> Bodies:
    from logistics.archive.mongo import InMongo  # pymongo is not part of the embedded default

    return InMongo(url)


def read(row: ArchivedOrder) -> bytes:
    """Return a row's body. Raises PlaceDown, BodyBroken."""
    if body := read_all([row]).get(row.pk):
        return body
    raise BodyBroken(row.order_no)


def read_all(rows: Sequence[ArchivedOrder]) -> dict[int, bytes]:
    """Return the rows' bodies by their orders' ids, without those that are damaged. Raises PlaceDown."""
    found: dict[int, bytes] = {}
    for place in {row.place for row in rows}:
        theirs = [row for row in rows if row.place == place]
        bodies = of(place).read(theirs)
        found |= {row.pk: bodies[row.pk] for row in theirs if row.pk in bodies and intact(row, bodies[row.pk])}
    return found


def forget(order_ids: Sequence[int]) -> None:
    """Delete what an undone batch may have left of orders that aren't archived, and are locked. Raises PlaceDown."""
    configured().drop_others(order_ids, but=())


def intact(row: Held, body: bytes) -> bool:
    return checksum(body) == row.checksum


def read_back(bodies: Bodies, rows: Sequence[Held]) -> None:
    """Read what `put` wrote elsewhere. Raises BodyBroken where one isn't what it should be."""
    found: Mapping[int, Any] = bodies.read(rows)
    if any(row.pk not in found or not intact(row, found[row.pk]) for row in rows):
        raise BodyBroken
