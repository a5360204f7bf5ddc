"""What a batch can do: one kind a module, imported when its name is met."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from django.utils.module_loading import import_string

from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.kernel.actor import Actor


class Kind(Protocol):
    """The code behind a kind. `label`: Chinese, for lists; `permission`: what its owner must hold when it begins and
    whenever a stretch of it runs.
    """

    label: str
    permission: str

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        """Do one row, inside the transaction that also ends the row; return the sentence of its report.

        Raises Problem to refuse the row: what it wrote is undone, the sentence is kept, the batch goes on.
        """

    def finish(self, batch: Batch, actor: Actor) -> None:
        """Do what is done once, after the last row, inside the transaction that ends the batch."""


KINDS: Mapping[str, str] = MappingProxyType({})
"""Kind by name, as dotted path of an instance."""


def kind_of(batch: Batch) -> Kind:
    """Return the code of a batch. Raises KeyError for a kind of another release."""
    kind: Kind = import_string(KINDS[batch.kind])
    return kind
