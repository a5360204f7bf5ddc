"""The log store on MongoDB as one stream, and back: `python3 -m deploy.backup.mongo dump | … load` with MONGODB_URL.

The stream is a row of frames, each one letter and one BSON document: C begins a collection (its options and indexes),
D is a document as the server sent it, E ends the stream with the counts, so that a stream cut off is known.
"""

import contextlib
import itertools
import operator
import os
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

BATCH = 500
LARGEST = 64 * 1024 * 1024
RAW = CodecOptions(document_class=RawBSONDocument)
OWN_OPTIONS = ("timeseries", "expireAfterSeconds", "capped", "size", "max", "validator", "clusteredIndex")
Frame = tuple[bytes, bytes]


def dump(database: Database[Any], out: IO[bytes]) -> None:
    counts: dict[str, int] = {}
    for row in sorted(database.list_collections(), key=lambda row: str(row["name"])):
        name = row["name"]
        if name.startswith("system.") or row.get("type") == "view":
            continue
        _write(out, b"C", bson.encode(_described(database, row)))
        counts[name] = 0
        for document in database.get_collection(name, codec_options=RAW).find():
            _write(out, b"D", document.raw)
            counts[name] += 1
    _write(out, b"E", bson.encode({"counts": counts}))
    out.flush()


def _described(database: Database[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in row.get("options", {}).items() if name in OWN_OPTIONS}
    indexes = [
        {name: value for name, value in index.items() if name not in ("v", "ns")}
        for index in database[row["name"]].list_indexes()
        if index["name"] != "_id_" and not index.get("clustered")
    ]
    return {"name": row["name"], "options": options, "indexes": indexes}


def load(database: Database[Any], source: IO[bytes]) -> dict[str, int]:
    """Write a stream into an empty database; return how many documents each collection got.

    Raises ValueError where the stream is cut off or the database is not empty. Indexes come after the documents, so
    that nothing expires before it was counted.
    """
    if database.list_collection_names():
        raise ValueError(f"the MongoDB database {database.name} is not empty")
    collections: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for kind, batch in _batches(source):
        if kind == b"C":
            collections.append(_begin(database, batch[0]))
            counts[collections[-1]["name"]] = 0
        elif kind == b"D":
            name = collections[-1]["name"]
            database[name].insert_many([RawBSONDocument(document) for document in batch], ordered=False)
            counts[name] += len(batch)
        else:
            return _finish(database, collections, counts, bson.decode(batch[0])["counts"])
    raise ValueError("the stream of the log store is cut off")


def _begin(database: Database[Any], frame: bytes) -> dict[str, Any]:
    described = dict(bson.decode(frame))
    database.create_collection(described["name"], **described["options"])
    return described


def _finish(
    database: Database[Any], collections: list[dict[str, Any]], counts: dict[str, int], told: dict[str, int]
) -> dict[str, int]:
    if counts != told:
        raise ValueError(f"the stream of the log store holds {counts}, not {told}")
    for described in collections:
        if described["indexes"]:
            database.command("createIndexes", described["name"], indexes=described["indexes"])
    return counts


def _batches(source: IO[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield frames, documents some hundred at a time."""
    for kind, frames in itertools.groupby(_frames(source), key=operator.itemgetter(0)):
        documents = (data for _, data in frames)
        while batch := list(itertools.islice(documents, BATCH if kind == b"D" else 1)):
            yield kind, batch


def _frames(source: IO[bytes]) -> Iterator[Frame]:
    while kind := source.read(1):
        length = source.read(4)
        size = int.from_bytes(length, "little")
        if kind not in b"CDE" or not 5 <= size <= LARGEST:
            raise ValueError("this is not a stream of the log store")
        rest = source.read(size - 4)
        if len(rest) != size - 4:
            raise ValueError("the stream of the log store is cut off")
        yield kind, length + rest


def _write(out: IO[bytes], kind: bytes, data: bytes) -> None:
    out.write(kind + data)


@contextlib.contextmanager
def connected(url: str) -> Iterator[Database[Any]]:
    with MongoClient[Any](url, serverSelectionTimeoutMS=5000, tz_aware=True) as client:
        yield client.get_default_database()


def main(act: str) -> int:
    try:
        with connected(os.environ["MONGODB_URL"]) as database:
            if act == "dump":
                dump(database, sys.stdout.buffer)
            else:
                print(sum(load(database, sys.stdin.buffer).values()))
    except (PyMongoError, ValueError) as error:
        print(f"Error: the log store: {str(error)[:300]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
