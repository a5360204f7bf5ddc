"""What a batch can do: one kind a module, imported when its name is met."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from django.contrib.auth.models import User
from django.utils.module_loading import import_string

from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible, Problem

WHOLE_FILE = "整份文件"
"""What a step is called that isn't one of many."""


class Kind:
    """The code behind a kind; what differs is overridden.

    `label`: Chinese, for lists. `permission`: what its owner must hold when it begins and whenever a stretch of it
    runs. `whole`: one refused row fails the batch. `repeatable`: rows without their end may be tried again.
    `keep`: for how long after the end files and sealed rows are kept. `many`: how many rows go in one transaction, by
    `perform_many` and `undo_many`.
    """

    label = ""
    permission = ""
    whole = False
    repeatable = True
    undoable = False
    keep = dt.timedelta(days=30)
    many = 1

    def allowed(self, user: User, batch: Batch) -> bool:
        """Say whether a person may own, repeat or undo such a batch. Asked before each stretch, too."""
        return user.has_perm(self.permission)

    def approval(self, batch: Batch) -> str:
        """Return the right by which somebody else must approve the batch; empty where nobody need."""
        return ""

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        """Do one row, inside the transaction that also ends the row; return the sentence of its report.

        Raises Problem to refuse the row: what it wrote is undone, the sentence is kept, the batch goes on. May set
        `row.before_sealed`, and add rows with `moves.add_rows`.
        """
        raise NotImplementedError

    def perform_many(self, batch: Batch, rows: list[BatchRow], actor: Actor) -> list[str | Problem]:
        """Do rows inside the transaction that also ends them; return each one's sentence, or why it is refused.

        Of a refused row nothing may stay. What this raises undoes all of them; then each is done by `perform`.
        """
        raise NotImplementedError

    def finish(self, batch: Batch, actor: Actor) -> None:
        """Do what is done once, after the last row, inside the transaction that ends the batch. Raises Problem."""

    def undo_preview(self, batch: Batch) -> str:
        """Return what an undo will do, in words. Raises NotPossible where there is none (any more)."""
        raise NotPossible("这类任务不能撤销")

    def undo(self, batch: Batch, row: BatchRow, done: BatchRow, actor: Actor) -> str:
        """Take back what `perform` did for the row `done`, under the rules of `perform`; later rows come first."""
        raise NotPossible("这类任务不能撤销")

    def undo_many(self, batch: Batch, rows: list[BatchRow], done: list[BatchRow], actor: Actor) -> list[str | Problem]:
        """Take back what was done for the rows `done`, under the rules of `perform_many`; the last one stands first."""
        raise NotImplementedError

    def place(self, number: int) -> str:
        """Return what a row is called in the report: its number, or what it stands for."""
        return str(number)

    def page(self, batch: Batch, user: User) -> dict[str, object]:
        """Return what the batch's page shows beside: `facts`, a list of (label, text); `link` (label, address), or
        `search` (label, address, fields of a form that is posted there).
        """
        return {}


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "export_orders": "frozenshop.backoffice.exporting.kinds.ORDERS",
        "export_alerts": "frozenshop.backoffice.exporting.kinds.ALERTS",
        "act": "frozenshop.backoffice.batch_actions.ACTING",
        "import": "frozenshop.backoffice.importing.kinds.IMPORTING",
        "import_check": "frozenshop.backoffice.importing.kinds.CHECKING",
    }
)
"""Kind by name, as dotted path of an instance."""


def kind_of(batch: Batch) -> Kind:
    """Return the code of a batch. Raises KeyError for a kind of another release."""
    kind: Kind = import_string(KINDS[batch.kind])
    return kind


def known_kind(batch: Batch) -> Kind | None:
    return kind_of(batch) if batch.kind in KINDS else None
