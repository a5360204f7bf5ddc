"""Where bodies lie: in the archive's own rows, or in MongoDB where it is configured.

A body is written and read back before anything is deleted. Its key holds its checksum, so that a writer believed
dead can't put an older one over it.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from django.conf import settings

from logistics.archive.bodies import BodyBroken
from logistics.archive.models import ArchivedOrder

Place = ArchivedOrder.Place


class PlaceDown(Exception):
    """The store of bodies doesn't answer now; later it may. Holds no address and no password."""


class Bodies(Protocol):
    def put(self, rows: Sequence[ArchivedOrder]) -> None:
        """Write the rows' bodies, or see to it that they are written with the rows. Raises PlaceDown."""

    def read(self, rows: Iterable[ArchivedOrder]) -> Mapping[int, bytes]:
        """Return what is there by the orders' ids, unchecked. Raises PlaceDown."""

    def drop(self, order_ids: Sequence[int], but: str = "") -> None:
        """Delete all bodies of these orders, but the one with a checksum. Raises PlaceDown."""


class InRows:
    """In the database: the row holds it."""

    def put(self, rows: Sequence[ArchivedOrder]) -> None:
        for row in rows:
            row.place = Place.DATABASE

    def read(self, rows: Iterable[ArchivedOrder]) -> Mapping[int, bytes]:
        return {row.pk: bytes(row.body or b"") for row in rows}

    def drop(self, order_ids: Sequence[int], but: str = "") -> None:
        return


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
    found = of(row.place).read([row]).get(row.pk)
    if found is None or not intact(row, found):
        raise BodyBroken
    return found


def intact(row: ArchivedOrder, body: bytes) -> bool:
    return hashlib.sha256(body).hexdigest() == row.checksum


def read_back(bodies: Bodies, rows: Sequence[ArchivedOrder]) -> None:
    """Read what `put` wrote elsewhere. Raises BodyBroken where one isn't what it should be."""
    found: Mapping[int, Any] = bodies.read(rows)
    if any(row.pk not in found or not intact(row, found[row.pk]) for row in rows):
        raise BodyBroken
