"""The logs in MongoDB: a collection for each kind, emptied by MongoDB itself. The one module that knows pymongo.

Not time-series collections: those know no unique `_id`, and a spool that is read twice would be there twice.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pymongo
from pymongo import IndexModel, MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from frozenshop.kernel.logstore.entries import Entry, Kind
from frozenshop.kernel.logstore.stores import Query, StoreDown, bounds, keep_days

Document = dict[str, Any]

SELECT_MS, WRITE_MS = 1000, 3000
READ_SECONDS = 1.5
DUPLICATE = 11000
OTHER_OPTIONS = (85, 86)
DAY = 86400
INDEXES = [
    IndexModel([("request_id", 1), ("_id", 1)], name="request", partialFilterExpression={"request_id": {"$gt": ""}}),
    IndexModel([("subject", 1), ("_id", 1)], name="subject", partialFilterExpression={"subject": {"$gt": ""}}),
    IndexModel([("who", 1), ("_id", 1)], name="who", partialFilterExpression={"who": {"$gt": ""}}),
    IndexModel([("service", 1), ("_id", 1)], name="service"),
    IndexModel([("failed", 1), ("_id", 1)], name="failed", partialFilterExpression={"failed": True}),
]


class MongoStore:
    """`url` names the database: mongodb://host/name. A process that was forked makes a store of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database[Document] | None = None
        self._prepared = False

    def insert(self, entries: Sequence[Entry]) -> None:
        by_kind: dict[Kind, list[Document]] = defaultdict(list)
        for entry in entries:
            by_kind[entry.kind].append(_document(entry))
        with _outages():
            self._prepare()
            for kind, documents in by_kind.items():
                _insert(self._collection(kind), documents)

    def find(self, query: Query) -> list[Entry]:
        direction = pymongo.ASCENDING if query.after else pymongo.DESCENDING
        found: list[Entry] = []
        with _outages(), pymongo.timeout(READ_SECONDS):
            for kind in query.kinds:
                rows = self._collection(kind).find(_filter(query)).sort("_id", direction).limit(query.limit)
                found += (_entry(kind, row) for row in rows)
        found.sort(key=lambda entry: entry.id, reverse=not query.after)
        nearest = found[: query.limit]
        return nearest[::-1] if query.after else nearest

    def purge(self) -> int:
        return 0

    def forget(self, subjects: Sequence[str], people: Sequence[str]) -> int:
        with _outages():
            raw = self._collection(Kind.RAW).delete_many({"subject": {"$in": list(subjects)}}).deleted_count
            theirs = {"who": {"$in": list(people)}}
            return raw + sum(self._collection(kind).delete_many(theirs).deleted_count for kind in Kind)

    def ping(self) -> None:
        with _outages(), pymongo.timeout(READ_SECONDS):
            self._connected().command("ping")

    def close(self) -> None:
        if self._database is not None:
            self._database.client.close()
            self._database = None

    def _connected(self) -> Database[Document]:
        if self._database is None:
            client: MongoClient[Document] = MongoClient(
                self._url,
                serverSelectionTimeoutMS=SELECT_MS,
                connectTimeoutMS=SELECT_MS,
                socketTimeoutMS=WRITE_MS,
                tz_aware=True,
                maxPoolSize=10,
                appname="frozenshop",
            )
            self._database = client.get_default_database()
        return self._database

    def _collection(self, kind: Kind) -> Collection[Document]:
        """Acknowledged means: in the journal, of the majority where there are several."""
        concern = WriteConcern(w="majority", j=True, wtimeout=WRITE_MS)
        return self._connected().get_collection(f"log_{kind}", write_concern=concern)

    def _prepare(self) -> None:
        """Make the indexes, and give MongoDB the settings' retention; once in a process."""
        if self._prepared:
            return
        for kind in Kind:
            collection, seconds = self._collection(kind), keep_days(kind) * DAY
            collection.create_indexes(INDEXES)
            try:
                collection.create_index("at", name="ttl", expireAfterSeconds=seconds)
            except OperationFailure as error:
                if error.code not in OTHER_OPTIONS:
                    raise
                retention = {"name": "ttl", "expireAfterSeconds": seconds}
                self._connected().command("collMod", collection.name, index=retention)
        self._prepared = True


def _insert(collection: Collection[Document], documents: list[Document]) -> None:
    """What is there already was written by a try that we believed lost."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise
        if codes := {one["code"] for one in error.details["writeErrors"]} - {DUPLICATE}:
            raise ValueError(f"refused with {codes}") from None


def _filter(query: Query) -> Document:
    names = ("request_id", "subject", "service")
    conditions: Document = {name: value for name in names if (value := getattr(query, name))}
    if query.failed:
        conditions["failed"] = True
    above, below = bounds(query)
    place = {name: value for name, value in (("$gt", above), ("$lt", below)) if value}
    return conditions | ({"_id": place} if place else {})


def _document(entry: Entry) -> Document:
    fields = asdict(entry)
    del fields["kind"]
    return {"_id": fields.pop("id")} | {name: value for name, value in fields.items() if value not in ("", None)}


def _entry(kind: Kind, row: Document) -> Entry:
    texts = {"request_id": "", "service": "", "what": "", "outcome": ""}
    return Entry(**texts | {name: value for name, value in row.items() if name != "_id"}, id=row["_id"], kind=kind)


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise StoreDown(f"MongoDB：{type(error).__name__}") from error
