"""Files of batches: sealed piece by piece, so that neither writing nor reading one holds it whole in memory."""

import base64
from collections.abc import Iterable, Iterator
from typing import IO

from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece
from frozenshop.kernel import crypto

PIECE_BYTES = 192 * 1024


def keep(batch: Batch, kind: str, name: str, media_type: str, source: IO[bytes]) -> BatchFile:
    """Store what `source` still holds, in place of an earlier file of the kind. Call it inside a transaction."""
    BatchFile.objects.filter(batch=batch, kind=kind).delete()
    file = BatchFile.objects.create(batch=batch, kind=kind, name=name[:150], media_type=media_type)
    for position, piece in enumerate(iter(lambda: source.read(PIECE_BYTES), b"")):
        sealed = crypto.seal(base64.b64encode(piece).decode(), purpose=_purpose(file, position))
        BatchFilePiece.objects.create(file=file, position=position, sealed=sealed)
        file.size += len(piece)
    file.save(update_fields=["size"])
    return file


def read(file: BatchFile) -> Iterator[bytes]:
    """Yield a file's bytes. Raises SealBroken where a piece was altered, moved or taken away."""
    size = 0
    for position, piece in enumerate(_pieces(file)):
        if piece.position != position:
            raise crypto.SealBroken("a piece is missing")
        content = base64.b64decode(crypto.open_sealed(piece.sealed, purpose=_purpose(file, position)))
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


def _purpose(file: BatchFile, position: int) -> str:
    return f"batch-file:{file.pk}:{position}"
