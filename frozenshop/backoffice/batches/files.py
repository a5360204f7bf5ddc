"""Files of batches: sealed piece by piece, so that neither writing nor reading one holds it whole in memory."""

import base64
from collections.abc import Iterable, Iterator
from typing import IO, Any

from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece
from frozenshop.kernel import crypto

PIECE_BYTES = 192 * 1024


def keep(batch: Batch, kind: str, name: str, media_type: str, source: IO[bytes]) -> BatchFile:
    """Store what `source` still holds, in place of an earlier file of the kind. Call it inside a transaction."""
    BatchFile.objects.filter(batch=batch, kind=kind).delete()
    file = BatchFile.objects.create(batch=batch, kind=kind, name=name[:150], media_type=media_type)
    for position, piece in enumerate(iter(lambda: source.read(PIECE_BYTES), b"")):
        sealed = crypto.seal(base64.b64encode(piece).decode(), purpose=purpose_of(file.pk, position))
        BatchFilePiece.objects.create(file=file, position=position, sealed=sealed)
        file.size += len(piece)
    file.save(update_fields=["size"])
    return file


def open_result(batch: Batch, name: str, media_type: str) -> BatchFile:
    """Return a new empty file that a batch makes, to be written by `append`."""
    return BatchFile.objects.create(batch=batch, kind=BatchFile.Kind.RESULT, name=name[:150], media_type=media_type)


def append(file: BatchFile, content: bytes, *, written: dict[str, Any] | None = None) -> None:
    """Add to the end of a file, and note how far its writer is. Call it in the transaction of what it records."""
    last = file.pieces.order_by("-position").values_list("position", flat=True).first()
    first = 0 if last is None else last + 1
    for position, start in enumerate(range(0, len(content), PIECE_BYTES), first):
        piece = base64.b64encode(content[start : start + PIECE_BYTES]).decode()
        sealed = crypto.seal(piece, purpose=purpose_of(file.pk, position))
        BatchFilePiece.objects.create(file=file, position=position, sealed=sealed)
    file.size += len(content)
    file.written = written
    file.save(update_fields=["size", "written"])


def read(file: BatchFile) -> Iterator[bytes]:
    """Yield a file's bytes. Raises SealBroken where a piece was altered, moved or taken away."""
    size = 0
    for position, piece in enumerate(_pieces(file)):
        if piece.position != position:
            raise crypto.SealBroken("a piece is missing")
        content = base64.b64decode(crypto.open_sealed(piece.sealed, purpose=purpose_of(file.pk, position)))
        size += len(content)
        yield content
    if size != file.size:
        raise crypto.SealBroken("the end is missing")


def copy(file: BatchFile, target: IO[bytes]) -> None:
    """Write a file's bytes to `target`."""
    for content in read(file):
        target.write(content)


def _pieces(file: BatchFile) -> Iterable[BatchFilePiece]:
    """One query a piece: a database driver would hold all rows of one result in memory."""
    position = 0
    while piece := BatchFilePiece.objects.filter(file=file, position__gte=position).order_by("position").first():
        yield piece
        position = piece.position + 1


def purpose_of(file_id: int, position: int) -> str:
    return f"batch-file:{file_id}:{position}"
