"""Kinds of batches for tests: a row writes a note about what it stands for, unless it is told to fail."""

from frozenshop.backoffice.batches import kinds, moves, running
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.kernel import outbox
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import OutboxMessage

RIGHT = "orders.change_order"


class Noting(kinds.Kind):
    label, permission, undoable = "记备注", RIGHT, True

    def perform(self, batch, row, actor):
        from frozenshop.backoffice.models import OrderNote

        OrderNote.objects.create(order_no=row.about, author=actor.name, text=batch.title)
        if row.about.startswith("NO"):
            raise NotPossible("这一行不行")
        if row.about.startswith("BUG"):
            raise ValueError("张三 13800000000")
        row.seal_before({"was": "nothing"})
        return "已记"

    def finish(self, batch, actor):
        Batch.objects.filter(pk=batch.pk).update(message="写完了")

    def undo_preview(self, batch):
        if batch.parameters.get("scanned"):
            raise NotPossible("承运商已揽收，不能撤销")
        return f"删除 {batch.done} 条备注"

    def undo(self, batch, row, done, actor):
        from frozenshop.backoffice.models import OrderNote

        assert done.before == {"was": "nothing"}
        OrderNote.objects.filter(order_no=row.about).delete()
        return "已删除"


class Whole(Noting):
    whole = True


class Guarded(Noting):
    def approval(self, batch):
        return "backoffice.approve_unmasked"


NOTING, WHOLE, GUARDED = Noting(), Whole(), Guarded()
KINDS = {name: f"{__name__}.{name.upper()}" for name in ("noting", "whole", "guarded")}


def make_batch(owner, *abouts, kind="noting", **parameters):
    batch = moves.begin(kind, title="一批备注", owner=owner, parameters=parameters)
    moves.add_rows(batch, [BatchRow(batch=batch, number=n, about=about) for n, about in enumerate(abouts, 1)])
    return batch


def start(batch):
    moves.start(batch)
    return batch


def work():
    """Do what the worker would: each message of a batch, until there is none left that is due."""
    while due := list(OutboxMessage.objects.filter(topic=running.TOPIC, status="pending", attempts=0)):
        for message in due:
            OutboxMessage.objects.filter(pk=message.pk).update(status="sent")
            outbox.deliver(message.pk)


def states(batch):
    return list(batch.rows.order_by("number").values_list("about", "state"))
