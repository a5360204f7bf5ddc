"""A person's orders in the archive: what is held of them there, and that it goes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from frozenshop.backoffice.subjects.person import NAMING, Person, names_somebody, receives
from frozenshop.backoffice.subjects.texts import cleaned, staying
from frozenshop.backoffice.subjects.words import Words
from frozenshop.kernel import audit, crypto
from frozenshop.kernel.actor import Actor
from logistics.archive import places, restoring, retention, rewriting, showing, tables
from logistics.archive.bodies import Body
from logistics.archive.models import ArchivedOrder, ArchivedWaybill, note_purpose
from logistics.models import TrackingEvent
from orders.models import Alert, OrderAccess, OrderEvent


def waybills(rows: Iterable[ArchivedOrder]) -> list[str]:
    found = ArchivedWaybill.objects.filter(order_id__in=[row.pk for row in rows])
    return list(found.values_list("waybill_no", flat=True).distinct())


def erase(pk: int, person: Person, actor: Actor, counts: Counter[str]) -> None:
    """One order in one transaction, wherever it lies by now: its consignee, if that is the person, and every text.

    The texts of a box stand in the body of each order in it: all of them are cleaned. Raises Unavailable where bodies
    can't be reached: repeat it later.
    """
    with transaction.atomic():
        row = ArchivedOrder.objects.select_for_update().filter(pk=pk).first()
        if row is None:
            return  # restored meanwhile: the next repetition finds it here
        theirs = receives(person, row)
        words = Words(person.phones, person.openids, [row] if theirs else [])
        together = list(ArchivedOrder.objects.select_for_update().filter(bundle=row.bundle).order_by("pk"))
        counts["texts"] += restoring.reached(lambda: _rewritten(together, words))
        named = ArchivedWaybill.objects.filter(order_id__in=[one.pk for one in together])
        for rows, columns in [*staying(row.pk, row.order_no), (named, ("location",))]:
            counts["texts"] += cleaned(rows, columns, words)
        counts["accesses"] += OrderAccess.objects.filter(order_id=pk, customer__in=person.customers).delete()[0]
        if not theirs:
            _note(row, words)
        elif names_somebody(row):
            ArchivedOrder.objects.filter(pk=pk).update(**dict.fromkeys(NAMING, ""))
            retention.without_names([row])
            audit.record(actor, "order.erased", row.order_no)
            counts["archived"] += 1


def _rewritten(rows: Sequence[ArchivedOrder], words: Words) -> int:
    return rewriting.rewrite(rows, {row.pk: places.read(row) for row in rows}, words, tables.NAMING)


def _note(row: ArchivedOrder, words: Words) -> None:
    note = row.open_note()
    if (clean := words(note)) != note:
        sealed = crypto.seal(clean, purpose=note_purpose(row.order_no))
        ArchivedOrder.objects.filter(pk=row.pk).update(note_sealed=sealed)


# --- what is held ---------------------------------------------------------------------------------


def held(person: Person, row: ArchivedOrder, names: Iterable[str]) -> dict[str, Any]:
    """Return an archived order as `subjects.held` does one that isn't. Raises Unavailable."""
    body = restoring.opened(row)
    order, shown = body.order, None
    if row.consignee_sealed:
        consignee = row.open_consignee()
        shown = consignee.in_full() if receives(person, row) else consignee.masked()
    return {
        **{name: getattr(order, name) for name in names},
        "archived_at": row.archived_at,
        "consignee": shown,
        "lines": [{"name": line["name"], "quantity": line["quantity"]} for line in showing.of_body(body)["lines"]],
        "history": _rows(body, OrderEvent, "kind", "to_status", "occurred_at", "reason"),
        "scans": _rows(body, TrackingEvent, "occurred_at", "text", "location"),
        "alerts": _rows(body, Alert, "kind", "detail", "opened_at", "resolution"),
    }


def _rows(body: Body, model: type[Any], *names: str) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in names} for one in body.of(model)]
