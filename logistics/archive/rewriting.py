"""Texts changed within bodies: each is written anew where it lies, under its new checksum; the former one goes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from logistics.archive import bodies, places
from logistics.archive.models import ArchivedOrder
from logistics.archive.places import Key

Where = Mapping[str, tuple[str, ...]]
"""Columns by table."""


def rewrite(
    rows: Sequence[ArchivedOrder], packed: Mapping[int, bytes], clean: Callable[[str], str], where: Where
) -> int:
    """Change the texts of rows that the caller's transaction has locked; return how many bodies changed.

    `packed`: the rows' bodies by id. Raises PlaceDown, BodyBroken: nothing of these rows is changed.
    """
    former = {row.pk: places.key_of(row) for row in rows}
    changed = [row for row in rows if _clean(row, packed[row.pk], clean, where)]
    drop_former = _write_away([row for row in changed if row.place != ArchivedOrder.Place.DATABASE], former)
    for row in changed:
        ArchivedOrder.objects.filter(pk=row.pk).update(body=row.body, checksum=row.checksum)
    transaction.on_commit(drop_former, robust=True)  # what it fails to drop, the sweep does
    return len(changed)


def _clean(row: ArchivedOrder, body: bytes, clean: Callable[[str], str], where: Where) -> bool:
    """Rewrite a row's body in hand; say whether it changed."""
    content = bodies.inflate(body)
    if not _change_texts(content, clean, where):
        return False
    row.body = bodies.repack(content)
    row.checksum = bodies.checksum(row.body)
    return True


def _change_texts(content: Mapping[str, Any], clean: Callable[[str], str], where: Where) -> bool:
    changed = False
    for table, names in where.items():
        columns = content["columns"].get(table, [])
        wanted = [columns.index(name) for name in names if name in columns]
        for values in content["rows"].get(table, ()):
            for place in wanted:
                if values[place] and (after := clean(values[place])) != values[place]:
                    values[place], changed = after, True
    return changed


def _write_away(rows: Sequence[ArchivedOrder], former: Mapping[int, Key]) -> Callable[[], None]:
    """Write changed bodies to where they lie, and return what drops the former ones once that is committed."""
    for place in {row.place for row in rows}:
        store, theirs = places.of(place), [row for row in rows if row.place == place]
        store.put(theirs)
        places.read_back(store, theirs)
        # The rows are locked: what else lies there of them was left by batches that came to nothing.
        named = [key for row in theirs for key in (former[row.pk], places.key_of(row))]
        store.drop_others([row.pk for row in theirs], named)
    for row in rows:
        row.body = None

    def drop_former() -> None:
        for place in {row.place for row in rows}:
            places.of(place).drop([former[row.pk] for row in rows if row.place == place])

    return drop_former
