"""From facts to notices: one row per person, subject, milestone and round, however often a fact is told.

Called inside the transaction that takes note of a fact; the rows are sent afterwards by `notifications.dispatch`.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid
from logistics import problems
from logistics.models import Shipment, ShipmentOrder
from notifications import quiet, recipients, situation
from notifications.models import Audience, Milestone, Notice
from notifications.occasions import BY_ORDER_STATUS, BY_STATUS, OCCASIONS, REMINDED_AFTER
from notifications.reach import Reach
from notifications.recipients import Recipient
from notifications.situation import Situation
from notifications.webhooks import publish
from orders.models import Alert, Order, OrderEvent, OrderStatus

M, State, Why = Milestone, Notice.State, Notice.Why
_ROUNDS = frozenset({M.LOCKER_REMINDER, M.DELAYED, M.RECOVERED})
"""Milestones whose rounds have a meaning of their own."""
_AHEAD = frozenset({M.LOCKER_REMINDER, M.ARRIVING})
"""Milestones that are planned before they are true."""
_MOVED = dt.timedelta(minutes=10)
_Known = Mapping[tuple[str, str, str], dict[int, Notice]]


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. `due_at`: not before; `round` tells repetitions of the same milestone apart."""

    milestone: Milestone
    subject: str
    occurred_at: dt.datetime
    due_at: dt.datetime
    round: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expires_at(self) -> dt.datetime:
        since = self.due_at if self.milestone in _AHEAD else self.occurred_at
        return since + OCCASIONS[self.milestone].expires


def order_changed(event_id: int) -> list[int]:
    """Plan what an order's new status calls for; return the notices that are due now."""
    event = OrderEvent.objects.select_related("order__customer").filter(pk=event_id).first()
    if event is None or event.from_status == event.to_status:
        return []
    order = event.order
    publish(
        M.ORDER_STATUS_CHANGED.value,
        f"event:{event.pk}",
        {
            "order_no": order.order_no,
            "from": event.from_status,
            "to": event.to_status,
            "occurred_at": clock.isoformat(event.occurred_at),
            "source": event.source,
            "version": order.version,
        },
    )
    due = _plan(f"order:{order.order_no}", _news_of_order(order, event), [order])
    links = ShipmentOrder.objects.filter(order=order, shipment__voided_at=None)
    for shipment_id in links.order_by("shipment_id").values_list("shipment_id", flat=True):
        due += _plan_parcel(shipment_id)
    return due


def shipment_changed(shipment_id: int) -> list[int]:
    """Plan what a parcel's state calls for; return the notices that are due now."""
    shipment = Shipment.objects.select_related("carrier").filter(pk=shipment_id).first()
    if shipment is None:
        return []
    orders = list(ShipmentOrder.objects.filter(shipment=shipment).values_list("order__order_no", flat=True))
    publish(
        M.SHIPMENT_UPDATED.value,
        f"shipment:{shipment.pk}:{shipment.updated_at.timestamp():.6f}",
        {
            "order_nos": sorted(orders),
            "carrier_code": shipment.carrier.code,
            "waybill_no": shipment.waybill_no,
            "status": shipment.status,
            "reason": shipment.reason,
            "last_event_at": clock.isoformat(shipment.last_event_at),
            "eta": {"earliest": clock.isoformat(shipment.eta_earliest), "latest": clock.isoformat(shipment.eta_latest)},
            "voided": shipment.voided_at is not None,
            "updated_at": shipment.updated_at.isoformat(timespec="microseconds"),
        },
    )
    return _plan_parcel(shipment.pk)


def alert_changed(alert_id: int) -> list[int]:
    """Plan what an alert's opening or end calls for; return the notices that are due now."""
    alert = Alert.objects.select_related("order").filter(pk=alert_id).first()
    if alert is None:
        return []
    event = M.ALERT_OPENED if alert.resolved_at is None else M.ALERT_RESOLVED
    publish(
        event.value,
        f"alert:{alert.pk}:{event.value}",
        {
            "alert_id": alert.pk,
            "kind": alert.kind,
            "severity": alert.severity,
            "order_no": alert.order.order_no if alert.order else None,
            "opened_at": clock.isoformat(alert.opened_at),
            "resolved_at": clock.isoformat(alert.resolved_at),
            "outcome": alert.outcome,
        },
    )
    news = News(M.ALERT, f"alert:{alert.pk}", alert.opened_at, clock.now(), facts={"kind": alert.kind})
    known, about = _known([news.subject]), Situation(alert=alert)
    if not situation.holds(M.ALERT, about, now=clock.now()):
        settle_untold([row.pk for rows in known.values() for row in rows.values()], Why.SUPERSEDED)
        return []
    return _write([(news, person) for person in recipients.of_alert(alert)], about, known)


def tell_staff(milestone: Milestone, subject: str, lines: Collection[str], *, round: int = 0) -> list[int]:
    """Plan a message to the staff's group and to who reads the digest; return the notices that are due now."""
    now = clock.now()
    news = News(milestone, subject, now, now, round, {"lines": list(lines)})
    people = recipients.of_digest()
    return _write([(news, person) for person in people], Situation(), _known([subject]))


def resend(notice: Notice, *, actor: Actor, reason: str) -> Notice:
    """Tell somebody once more because a person says so; what was overtaken meanwhile is not told again."""
    if not reason.strip():
        raise Invalid(fields={"reason": "请写明重发原因"})
    now = clock.now()
    same = Notice.objects.filter(recipient=notice.recipient, subject=notice.subject, milestone=notice.milestone)
    again = Notice.objects.create(
        audience=notice.audience,
        recipient=notice.recipient,
        subject=notice.subject,
        milestone=notice.milestone,
        round=(same.aggregate(Max("round"))["round__max"] or 0) + 1,
        order_id=notice.order_id,
        facts={**notice.facts, "resent": notice.pk},
        occurred_at=notice.occurred_at,
        due_at=now,
        expires_at=now + OCCASIONS[M(notice.milestone)].expires,
        channel=OCCASIONS[M(notice.milestone)].told[Audience(notice.audience)][0],
        created_at=now,
    )
    audit.record(actor, "notice.resent", notice.subject, reason=reason, details={"notice": notice.pk, "new": again.pk})
    return again


def _plan_parcel(shipment_id: int) -> list[int]:
    shipment = Shipment.objects.select_related("carrier").get(pk=shipment_id)
    links = ShipmentOrder.objects.filter(shipment=shipment).select_related("order__customer").order_by("order_id")
    return _plan(problems.subject(shipment), _news_of_parcel(shipment, links), [link.order for link in links], shipment)


def _news_of_order(order: Order, event: OrderEvent) -> list[News]:
    milestone = BY_ORDER_STATUS.get(order.status) if event.to_status == order.status else None
    if milestone == M.PAID and event.from_status != OrderStatus.PLACED:  # Its waybill was withdrawn, that is all.
        return []
    return [News(milestone, f"order:{order.order_no}", event.occurred_at, clock.now())] if milestone else []


def _news_of_parcel(shipment: Shipment, links: Iterable[ShipmentOrder]) -> list[News]:
    """Return all that the parcel's present state calls for; what is not true by now is never planned."""
    now, about = clock.now(), problems.subject(shipment)
    since = min(shipment.status_at or now, now)
    news = []
    if (milestone := BY_STATUS.get(shipment.status)) is not None:
        news.append(News(milestone, about, since, now))
    if milestone == M.LOCKER_WAITING:
        waits = enumerate(REMINDED_AFTER[shipment.temperature_class])
        news += [News(M.LOCKER_REMINDER, about, since, since + after, round) for round, after in waits]
    entered = max((link.linked_at for link in links), default=now)
    news.append(News(M.SHIPPED, about, shipment.shipped_at, entered + OCCASIONS[M.SHIPPED].waits))
    if begins := situation.arriving_at(shipment):
        news.append(News(M.ARRIVING, about, now, max(begins, now)))
    if shipment.delayed_since:
        hours = int((shipment.delayed_since - shipment.shipped_at).total_seconds() // 3600)
        facts = {"since": shipment.delayed_since.isoformat()}
        news.append(News(M.DELAYED, about, shipment.delayed_since, now, min(max(hours, 0), 32767), facts))
    return news + _recovered(shipment, about, now)


def _recovered(shipment: Shipment, about: str, now: dt.datetime) -> list[News]:
    """Return the end of each delay that somebody was told of."""
    if shipment.delayed_since is not None:
        return []
    told = Notice.objects.filter(subject=about, milestone=M.DELAYED, state=State.TOLD).values_list("round", flat=True)
    return [News(M.RECOVERED, about, now, now, round) for round in sorted(set(told))[-1:]]


def _plan(
    subject: str, news: Collection[News], orders: Collection[Order], shipment: Shipment | None = None
) -> list[int]:
    """Write what is true now for each person of the orders, and drop what is waiting and true no longer."""
    now, known = clock.now(), _known([subject])
    abouts = {order.pk: Situation(order, shipment=shipment, linked=True) for order in orders}
    _drop_overtaken(known, abouts, Situation(shipment=shipment), now)
    wanted: dict[tuple[str, Milestone, int], tuple[News, Recipient]] = {}
    for order in orders:
        true = [one for one in news if situation.holds(one.milestone, abouts[order.pk], now=now)]
        people = list(recipients.of_order(order)) if true else []
        for one in true:
            for person in people:
                if person.audience in OCCASIONS[one.milestone].told:
                    wanted.setdefault((person.name, one.milestone, one.round), (one, person))
    return _write(list(wanted.values()), Situation(shipment=shipment, linked=True), known)


def _write(wanted: Collection[tuple[News, Recipient]], about: Situation, known: _Known) -> list[int]:
    """Write the notices that are not there yet, with the channel that each waits for or why nobody is told."""
    fresh = [(notice, person) for news, person in wanted if (notice := _notice(news, person, known))]
    if not fresh:
        return []
    notices, now = [notice for notice, _ in fresh], clock.now()
    unwanted = situation.opt_outs(person.customer for _, person in fresh if person.customer)
    staff = situation.contacts(notices)
    situations = [
        dataclasses.replace(
            about,
            order=person.order,
            customer=person.customer,
            contact=staff.get(int(situation.part_of(person.name, "staff") or 0)),
            unwanted=unwanted.get(person.customer.pk, ()) if person.customer else (),
        )
        for _, person in fresh
    ]
    reach = Reach.of(notices, situations)
    rows = [row for row, its in zip(notices, situations, strict=True) if _ready(row, its, reach, now)]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    if not any(row.state == State.WAITING and row.due_at <= now for row in rows):
        return []
    due = Notice.objects.filter(subject__in={row.subject for row in rows}, state=State.WAITING, due_at__lte=now)
    return list(due.exclude(channel="").values_list("pk", flat=True))


def _notice(news: News, person: Recipient, known: _Known) -> Notice | None:
    """Return the notice to write; None if the person was told, or is about to be.

    What was overtaken before anybody was told, and has become true again, is told in a further round.
    """
    rounds, number = known.get((person.name, news.subject, news.milestone), {}), news.round
    if news.milestone == M.RECOVERED:
        delay = known.get((person.name, news.subject, M.DELAYED), {}).get(number)
        if delay is None or delay.state != State.TOLD:
            return None
    if news.milestone not in _ROUNDS and rounds:
        last = rounds[max(rounds)]
        _move(last, news)
        if last.why != Why.SUPERSEDED or any(row.state == State.TOLD for row in rounds.values()):
            return None
        number = last.round + 1
    elif number in rounds:
        return None
    return Notice(
        audience=person.audience,
        recipient=person.name,
        subject=news.subject,
        milestone=news.milestone,
        round=number,
        order=person.order,
        facts=dict(news.facts),
        occurred_at=news.occurred_at,
        due_at=news.due_at,
        expires_at=news.expires_at,
        created_at=clock.now(),
    )


def _move(notice: Notice, news: News) -> None:
    """Follow an arrival that is predicted for another time now."""
    if news.milestone != M.ARRIVING or notice.state != State.WAITING:
        return
    due_at, now = quiet.over_at(news.due_at), clock.now()
    if abs(due_at - notice.due_at) > _MOVED and max(due_at, notice.due_at) > now:
        waiting = Notice.objects.filter(pk=notice.pk, state=State.WAITING).exclude(channel="")
        waiting.update(due_at=due_at, expires_at=news.expires_at)


def _ready(notice: Notice, about: Situation, reach: Reach, now: dt.datetime) -> bool:
    """Give a notice its channel and time, or the reason why nobody is told; False where nothing is set up at all."""
    planned = OCCASIONS[M(notice.milestone)].told[Audience(notice.audience)]
    if not reach.configured.intersection(planned):
        return False
    ways = reach.ways(notice, about)
    why = ""
    if notice.milestone in about.unwanted:
        why = Why.OPTED_OUT
    elif notice.expires_at and notice.expires_at <= now:
        why = Why.EXPIRED
    elif not ways:
        why = Why.NO_CHANNEL
    if why:
        notice.state, notice.why, notice.settled_at = State.NOT_TOLD, why, now
        return True
    notice.channel = ways[0][0]
    if not situation.cant_wait(notice.milestone, about):
        notice.due_at = quiet.over_at(notice.due_at)
    return True


def _known(subjects: Collection[str]) -> dict[tuple[str, str, str], dict[int, Notice]]:
    columns = "recipient", "subject", "milestone", "round", "order_id", "channel", "state", "why", "due_at"
    known: dict[tuple[str, str, str], dict[int, Notice]] = {}
    for row in Notice.objects.filter(subject__in=subjects).only(*columns):
        known.setdefault((row.recipient, row.subject, row.milestone), {})[row.round] = row
    return known


def _drop_overtaken(known: _Known, abouts: Mapping[int, Situation], gone: Situation, now: dt.datetime) -> None:
    """Settle what is waiting and true no longer, and let `known` say so."""
    waiting = [row for rows in known.values() for row in rows.values() if row.state == State.WAITING and row.channel]
    overtaken = [
        row for row in waiting if not situation.holds(row.milestone, abouts.get(row.order_id or 0, gone), now=now)
    ]
    settle_untold([row.pk for row in overtaken], Why.SUPERSEDED)
    for row in overtaken:
        row.state, row.why = State.NOT_TOLD, Why.SUPERSEDED


def settle_untold(notice_ids: Collection[int], why: Notice.Why) -> None:
    """Note why nobody is told; what is on its way to a channel is left alone."""
    if notice_ids:
        waiting = Notice.objects.filter(pk__in=notice_ids, state=State.WAITING).exclude(channel="")
        waiting.update(state=State.NOT_TOLD, why=why, settled_at=clock.now(), channel="")
