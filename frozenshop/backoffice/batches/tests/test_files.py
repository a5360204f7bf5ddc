"""Files of batches are stored sealed, come back whole, and tell when they were altered."""

import io

import pytest

from frozenshop.backoffice.batches import files
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece
from frozenshop.kernel.crypto import SealBroken

pytestmark = pytest.mark.django_db


def kept(content):
    batch = Batch.objects.create(kind="any", title="导出", owner_name="staff:1")
    return files.keep(batch, BatchFile.Kind.RESULT, "a.csv", "text/csv", io.BytesIO(content))


@pytest.mark.parametrize("size", [0, 1, files.PIECE_BYTES, files.PIECE_BYTES + 1, 3 * files.PIECE_BYTES])
def test_a_file_comes_back_byte_for_byte(size):
    content = bytes(range(256)) * (size // 256 + 1)
    assert b"".join(files.read(kept(content[:size]))) == content[:size]


def test_nothing_of_a_file_lies_in_the_clear():
    kept("收件人张三".encode() * 10)
    assert "张三" not in "".join(BatchFilePiece.objects.values_list("sealed", flat=True))


def test_a_missing_piece_is_found_wherever_it_stood():
    for lost in range(3):
        file = kept(b"x" * (2 * files.PIECE_BYTES + 5))
        BatchFilePiece.objects.filter(file=file, position=lost).delete()
        with pytest.raises(SealBroken):
            list(files.read(file))


def test_swapped_pieces_are_found():
    file = kept(b"x" * files.PIECE_BYTES + b"y" * files.PIECE_BYTES)
    first, second = file.pieces.order_by("position")
    first.sealed, second.sealed = second.sealed, first.sealed
    first.save()
    second.save()
    with pytest.raises(SealBroken):
        list(files.read(file))


def test_a_file_kept_again_replaces_the_former():
    batch = Batch.objects.create(kind="any", title="导出", owner_name="staff:1")
    for content in (b"first, and longer", b"second"):
        file = files.keep(batch, BatchFile.Kind.RESULT, "a.csv", "text/csv", io.BytesIO(content))
    assert (b"".join(files.read(file)), BatchFile.objects.count()) == (b"second", 1)
