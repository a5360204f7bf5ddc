"""Bodies in MongoDB: a collection keyed by order and checksum, so that no late writer overwrites a newer body.

A body says when it was written last. One that no row names is a stray (its batch was undone, or its order came back):
it goes a day later, unless it was written again meanwhile.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.binary import Binary
from pymongo import DeleteOne, MongoClient, ReplaceOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from frozenshop.kernel import clock
from frozenshop.kernel.logstore.mongo import DUPLICATE, SELECT_MS, WRITE_MS
from logistics.archive.models import ArchivedOrder
from logistics.archive.places import Held, Key, PlaceDown, Swept, key_of

Document = dict[str, Any]
SWEPT = 2000


class InMongo:
    """`url` names the database: mongodb://host/name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: MongoClient[Document] | None = None
        self._collection: Collection[Document] | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = self._collection = None

    def put(self, rows: Sequence[Held]) -> None:
        """Also where the same was written by a try that came to nothing: from now on it is no stray of that one."""
        now = clock.now()
        writes = [
            ReplaceOne(
                {"_id": _name(key_of(row))},
                {"order": row.pk, "month": row.month, "at": now, "body": Binary(row.body or b"")},
                upsert=True,
            )
            for row in rows
        ]
        with _outages():
            try:
                self._bodies().bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                if _refused(error):
                    raise
        for row in rows:
            row.place = ArchivedOrder.Place.MONGODB

    def read(self, rows: Iterable[Held]) -> Mapping[int, bytes]:
        with _outages():
            found = self._bodies().find({"_id": {"$in": [_name(key_of(row)) for row in rows]}})
            return {int(document["order"]): bytes(document["body"]) for document in found}

    def drop(self, keys: Sequence[Key]) -> None:
        with _outages():
            self._bodies().delete_many({"_id": {"$in": [_name(key) for key in keys]}})

    def drop_others(self, order_ids: Sequence[int], but: Sequence[Key]) -> None:
        with _outages():
            kept = [_name(key) for key in but]
            self._bodies().delete_many({"order": {"$in": list(order_ids)}, "_id": {"$nin": kept}})

    def sweep(self, after: str, before: dt.datetime) -> Swept:
        """One that is written again while we look has another instant then, and stays."""
        with _outages():
            page = self._bodies().find({"_id": {"$gt": after}}, {"order": 1, "at": 1}).sort("_id", 1).limit(SWEPT)
            found = list(page)
        named = {_name(key_of(row)) for row in _rows_of([int(document["order"]) for document in found])}
        limit = before.astimezone(dt.UTC).replace(tzinfo=None)  # as they are read
        strays = [one for one in found if one["_id"] not in named and one["at"] < limit]
        if strays:
            with _outages():
                self._bodies().bulk_write([DeleteOne({"_id": one["_id"], "at": one["at"]}) for one in strays])
        return Swept(str(found[-1]["_id"]) if len(found) == SWEPT else "", len(strays))

    def _bodies(self) -> Collection[Document]:
        """Acknowledged means: in the journal, of the majority where there are several."""
        if self._collection is None:
            self._client = self._client or MongoClient(
                self._url,
                serverSelectionTimeoutMS=SELECT_MS,
                connectTimeoutMS=SELECT_MS,
                socketTimeoutMS=10 * WRITE_MS,
                maxPoolSize=10,
                appname="frozenshop",
            )
            concern = WriteConcern(w="majority", j=True, wtimeout=WRITE_MS)
            collection = self._client.get_default_database().get_collection("archive_bodies", write_concern=concern)
            collection.create_index([("order", pymongo.ASCENDING)], name="order")
            self._collection = collection
        return self._collection


def _rows_of(order_ids: Sequence[int]) -> Iterable[ArchivedOrder]:
    return ArchivedOrder.objects.filter(pk__in=order_ids, place=ArchivedOrder.Place.MONGODB).only("checksum")


def _name(key: Key) -> str:
    return f"{key[0]}:{key[1]}"


def _refused(error: BulkWriteError) -> bool:
    """What another one is just writing is the same."""
    others = {one["code"] for one in error.details.get("writeErrors", ())} - {DUPLICATE}
    return bool(others or error.details.get("writeConcernErrors"))


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise PlaceDown(f"MongoDB：{type(error).__name__}") from error
