"""A body: all rows of one order with the names of their columns, packed. It can be read by every later release.

JSON `{"columns": {table: [name]}, "rows": {table: [[value]]}}`, deflated with a dictionary of what every body says;
before it stands one byte, the dictionary's number. Instants are UTC.
"""

import functools
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logistics.archive.dictionaries import DICTIONARIES, NEWEST
from logistics.archive.snapshots import instances
from logistics.archive.tables import TABLES, columns
from logistics.models import Shipment
from orders.models import Order

LEVEL = 3
WINDOW = 14
"""16 kB hold the dictionary and nearly every body; to make a packer ready for more takes longer than packing does."""


class BodyBroken(Exception):
    """A body is not the one whose checksum was written down. Trying again can't help; a backup may.

    Its text is the order's number, where it is known.
    """


@dataclass(frozen=True, slots=True)
class Body:
    """The rows of one order by table, as instances that are not saved."""

    rows: Mapping[str, Sequence[Any]]

    @property
    def order(self) -> Order:
        order: Order = self.of(Order)[0]
        return order

    @property
    def shipments(self) -> list[Shipment]:
        return self.of(Shipment)

    def of(self, model: type[Any]) -> list[Any]:
        return list(self.rows.get(model._meta.db_table, ()))


def pack(rows: Mapping[str, Sequence[str]]) -> bytes:
    """Pack rows, each a JSON array in the order of `tables.columns`."""
    found = ",".join(f'"{name}":[{",".join(texts)}]' for name, texts in rows.items())
    return deflate(f'{_columns()}"rows":{{{found}}}}}')


def deflate(text: str) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, zdict=DICTIONARIES[NEWEST])
    return bytes([NEWEST]) + packer.compress(text.encode()) + packer.flush()


def inflate(packed: bytes) -> dict[str, Any]:
    unpacker = zlib.decompressobj(zdict=DICTIONARIES[packed[0]])
    content: dict[str, Any] = json.loads(unpacker.decompress(packed[1:]) + unpacker.flush())
    return content


def repack(content: Mapping[str, Any]) -> bytes:
    """Pack what `inflate` gave, after a change."""
    return deflate(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def checksum(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()


def unpack(packed: bytes, checked: str) -> Body:
    """Return the rows of a body. Raises BodyBroken."""
    if checksum(packed) != checked:
        raise BodyBroken
    content = inflate(packed)
    by_name = {table.name: table for table in TABLES}
    return Body(
        {
            name: instances(by_name[name], content["columns"][name], rows)
            for name, rows in content["rows"].items()
            if name in by_name
        }
    )


@functools.cache
def _columns() -> str:
    named = {table.name: columns(table) for table in TABLES}
    return f'{{"columns":{json.dumps(named, separators=(",", ":"))},'
