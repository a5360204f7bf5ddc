"""Bodies in MongoDB: a collection keyed by order and checksum, so that no late writer overwrites a newer body."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.binary import Binary
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from frozenshop.kernel.logstore.mongo import DUPLICATE, SELECT_MS, WRITE_MS
from logistics.archive.models import ArchivedOrder
from logistics.archive.places import PlaceDown

Document = dict[str, Any]


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

    def put(self, rows: Sequence[ArchivedOrder]) -> None:
        documents = [
            {"_id": _key(row), "order": row.pk, "month": row.month, "body": Binary(row.body or b"")} for row in rows
        ]
        with _outages():
            try:
                self._bodies().insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if _refused(error):
                    raise
        for row in rows:
            row.place = ArchivedOrder.Place.MONGODB

    def read(self, rows: Iterable[ArchivedOrder]) -> Mapping[int, bytes]:
        with _outages():
            found = self._bodies().find({"_id": {"$in": [_key(row) for row in rows]}})
            return {int(document["order"]): bytes(document["body"]) for document in found}

    def drop(self, order_ids: Sequence[int], but: str = "") -> None:
        kept = [f"{order_id}:{but}" for order_id in order_ids] if but else []
        with _outages():
            self._bodies().delete_many({"order": {"$in": list(order_ids)}, "_id": {"$nin": kept}})

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


def _key(row: ArchivedOrder) -> str:
    return f"{row.pk}:{row.checksum}"


def _refused(error: BulkWriteError) -> bool:
    """What is there already was written by a try that came to nothing, and is the same."""
    others = {one["code"] for one in error.details.get("writeErrors", ())} - {DUPLICATE}
    return bool(others or error.details.get("writeConcernErrors"))


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise PlaceDown(f"MongoDB：{type(error).__name__}") from error
