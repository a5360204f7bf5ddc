"""From facts to notices: one row per person, subject, milestone and round, however often a fact is told.

Called inside the transaction that takes note of a fact; the rows are sent afterwards by `notifications.dispatch`.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db.models import Max

from frozenshop.kernel import audit, clock, request_id
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid
from logistics import problems
from logistics.models import Shipment, ShipmentOrder
from notifications import breaker, quiet, recipients, situation
from notifications.models import Audience, Milestone, Notice
from notifications.occasions import BY_ORDER_STATUS, BY_STATUS, OCCASIONS, REMINDED_AFTER
from notifications.reach import Reach
from notifications.recipients import Recipient
from notifications.situation import Situation
from notifications.webhooks import Told, publish, publish_all
from orders.models import Alert, Order, OrderEvent, OrderStatus

M, State, Why = Milestone, Notice.State, Notice.Why
_ROUNDS: Mapping[str, int] = {M.LOCKER_REMINDER: 2, M.DELAYED: 1, M.RECOVERED: 1}
"""Milestones whose rounds have a meaning of their own, and how far on the round is that repeats one."""
_AHEAD = frozenset({M.LOCKER_REMINDER, M.ARRIVING})
"""Milestones that are planned before they are true."""
_MOVED = dt.timedelta(minutes=10)
_Known = Mapping[tuple[str, str, str], dict[int, Notice]]


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. `due_at`: not before; `round` tells repetitions of the same milestone apart.

    `request_id`: of the request or job that it came from.
    """

    milestone: Milestone
    subject: str
    occurred_at: dt.datetime
    due_at: dt.datetime
    round: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = field(default_factory=request_id.current)

    @property
    def expires_at(self) -> dt.datetime:
        since = self.due_at if self.milestone in _AHEAD else self.occurred_at
        return since + OCCASIONS[self.milestone].expires


@dataclass(frozen=True, slots=True)
class _Case:
    """What a subject's present state calls for, and for whose orders."""

    subject: str
    news: Collection[News]
    orders: Collection[Order]
    shipment: Shipment | None = None


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
    travelling = ShipmentOrder.objects.filter(order=order, shipment__voided_at=None).order_by("shipment_id")
    shipments = [link.shipment for link in travelling.select_related("shipment__carrier")]
    subject = f"order:{order.order_no}"
    known = _known([subject, *map(problems.subject, shipments)])
    cases = [_Case(subject, _news_of_order(order, event), [order])]
    return _plan([*cases, *_cases(shipments, _links(shipments), known)], known)


def shipment_changed(shipment_id: int) -> list[int]:
    """Plan what a parcel's state calls for; return the notices that are due now."""
    return shipments_changed([shipment_id])


def shipments_changed(shipment_ids: Collection[int], origins: Mapping[int, str] = MappingProxyType({})) -> list[int]:
    """Plan what the states of these parcels call for, read together; return the notices that are due now.

    `origins`: the id of the request that changed a parcel, where it isn't the one under way.
    """
    rows = Shipment.objects.select_related("carrier").filter(pk__in=shipment_ids).order_by("pk")
    if not (shipments := list(rows)):
        return []
    links, known = _links(shipments), _known([problems.subject(shipment) for shipment in shipments])
    told = [_told_of(shipment, links[shipment.pk], origins.get(shipment.pk, "")) for shipment in shipments]
    publish_all(M.SHIPMENT_UPDATED.value, told)
    return _plan(_cases(shipments, links, known, origins), known)


def _told_of(shipment: Shipment, links: Iterable[ShipmentOrder], origin: str) -> Told:
    """Return what the shop's own system is told of a parcel."""
    return Told(
        f"shipment:{shipment.pk}:{shipment.updated_at.timestamp():.6f}",
        {
            "order_nos": sorted(link.order.order_no for link in links),
            "carrier_code": shipment.carrier.code,
            "waybill_no": shipment.waybill_no,
            "status": shipment.status,
            "reason": shipment.reason,
            "last_event_at": clock.isoformat(shipment.last_event_at),
            "eta": {"earliest": clock.isoformat(shipment.eta_earliest), "latest": clock.isoformat(shipment.eta_latest)},
            "voided": shipment.voided_at is not None,
            "updated_at": shipment.updated_at.isoformat(timespec="microseconds"),
        },
        origin or request_id.current(),
    )


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
    return _write([(news, person, about) for person in recipients.of_alert(alert)], known)


def tell_staff(milestone: Milestone, subject: str, lines: Collection[str]) -> list[int]:
    """Plan a message to the staff's group and to who reads the digest; return the notices that are due now."""
    now = clock.now()
    news = News(milestone, subject, now, now, facts={"lines": list(lines)})
    people = recipients.of_digest()
    return _write([(news, person, Situation()) for person in people], _known([subject]))


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
    subject = notice.order.order_no if notice.order else notice.subject
    details = {"notice": notice.pk, "new": again.pk, "subject": notice.subject}
    audit.record(actor, "notice.resent", subject, reason=reason, details=details)
    return again


def _links(shipments: Collection[Shipment]) -> Mapping[int, list[ShipmentOrder]]:
    links: dict[int, list[ShipmentOrder]] = {shipment.pk: [] for shipment in shipments}
    rows = ShipmentOrder.objects.filter(shipment__in=shipments).select_related("order__customer") if shipments else ()
    for link in sorted(rows, key=lambda row: row.order_id):
        links[link.shipment_id].append(link)
    return links


def _cases(
    shipments: Iterable[Shipment],
    links: Mapping[int, Collection[ShipmentOrder]],
    known: _Known,
    origins: Mapping[int, str] = MappingProxyType({}),
) -> list[_Case]:
    cases = []
    for shipment in shipments:
        with request_id.carrying(origins.get(shipment.pk) or request_id.current()):
            news = _news_of_parcel(shipment, links[shipment.pk], known)
        orders = [link.order for link in links[shipment.pk]]
        cases.append(_Case(problems.subject(shipment), news, orders, shipment))
    return cases


def _news_of_order(order: Order, event: OrderEvent) -> list[News]:
    milestone = BY_ORDER_STATUS.get(order.status) if event.to_status == order.status else None
    if milestone == M.PAID and event.from_status != OrderStatus.PLACED:  # Its waybill was withdrawn, that is all.
        return []
    return [News(milestone, f"order:{order.order_no}", event.occurred_at, clock.now())] if milestone else []


def _news_of_parcel(shipment: Shipment, links: Iterable[ShipmentOrder], known: _Known) -> list[News]:
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
    return news + _recovered(shipment, about, now, known)


def _recovered(shipment: Shipment, about: str, now: dt.datetime, known: _Known) -> list[News]:
    """Return the end of each delay that somebody was told of."""
    if shipment.delayed_since is not None:
        return []
    delays = (rows for (_, *what), rows in known.items() if what == [about, M.DELAYED])
    told = {round for rows in delays for round, row in rows.items() if row.state == State.TOLD}
    return [News(M.RECOVERED, about, now, now, round) for round in sorted(told)[-1:]]


def _plan(cases: Collection[_Case], known: _Known) -> list[int]:
    """Write what is true now for each person of the orders, and drop what is waiting and true no longer."""
    now = clock.now()
    abouts = {
        case.subject: {order.pk: Situation(order, shipment=case.shipment, linked=True) for order in case.orders}
        for case in cases
    }
    gone = {case.subject: Situation(shipment=case.shipment) for case in cases}
    _drop_overtaken(known, abouts, gone, now)
    wanted: dict[tuple[str, str, Milestone, int], tuple[News, Recipient, Situation]] = {}
    for case in cases:
        for order in case.orders:
            about = abouts[case.subject][order.pk]
            true = [one for one in case.news if situation.holds(one.milestone, about, now=now)]
            people = list(recipients.of_order(order)) if true else []
            for one in true:
                for person in people:
                    if person.audience in OCCASIONS[one.milestone].told:
                        wanted.setdefault((case.subject, person.name, one.milestone, one.round), (one, person, about))
    return _write(list(wanted.values()), known)


def _write(wanted: Collection[tuple[News, Recipient, Situation]], known: _Known) -> list[int]:
    """Write the notices that are not there yet, with the channel that each waits for or why nobody is told."""
    fresh = [(notice, who, about) for news, who, about in wanted if (notice := _notice(news, who, known))]
    if not fresh:
        return []
    notices, now = [notice for notice, *_ in fresh], clock.now()
    unwanted = situation.opt_outs(person.customer for _, person, _ in fresh if person.customer)
    staff = situation.contacts(notices)
    situations = [
        dataclasses.replace(
            about,
            order=person.order,
            customer=person.customer,
            contact=staff.get(int(situation.part_of(person.name, "staff") or 0)),
            unwanted=unwanted.get(person.customer.pk, ()) if person.customer else (),
        )
        for _, person, about in fresh
    ]
    reach = Reach.of(notices, situations, closed=breaker.lanes().closed)
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
    rounds, number = _rounds(known, person, news.subject, news.milestone), news.round
    if news.milestone == M.RECOVERED:
        delay = _rounds(known, person, news.subject, M.DELAYED).get(number)
        if delay is None or delay.state != State.TOLD:
            return None
    if news.milestone not in _ROUNDS and rounds:
        last = rounds[max(rounds)]
        _move(last, news)
        if last.why != Why.SUPERSEDED or any(row.state == State.TOLD for row in rounds.values()):
            return None
        number = last.round + 1
    elif (number := _round_of(news, rounds)) in rounds:
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
        request_id=news.request_id,
    )


def _round_of(news: News, rounds: Mapping[int, Notice]) -> int:
    """Return the round of news whose round has a meaning; those that were overtaken before anybody knew don't count."""
    number = news.round
    while (row := rounds.get(number)) is not None and row.why == Why.SUPERSEDED:
        number += _ROUNDS[news.milestone]
    return number


def _rounds(known: _Known, person: Recipient, subject: str, milestone: str) -> dict[int, Notice]:
    """Return what a person was told of it, or may have been, under whichever of their names."""
    former = {
        number: row
        for name in person.former
        for number, row in known.get((name, subject, milestone), {}).items()
        if row.state != State.NOT_TOLD or row.why == Why.UNKNOWN
    }
    return former | known.get((person.name, subject, milestone), {})


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


def _drop_overtaken(
    known: _Known, abouts: Mapping[str, Mapping[int, Situation]], gone: Mapping[str, Situation], now: dt.datetime
) -> None:
    """Settle what is waiting and true no longer, and let `known` say so."""
    waiting = [row for rows in known.values() for row in rows.values() if row.state == State.WAITING and row.channel]
    overtaken = [
        row
        for row in waiting
        if not situation.holds(row.milestone, abouts[row.subject].get(row.order_id or 0, gone[row.subject]), now=now)
    ]
    settle_untold([row.pk for row in overtaken], Why.SUPERSEDED)
    for row in overtaken:
        row.state, row.why = State.NOT_TOLD, Why.SUPERSEDED


def settle_untold(notice_ids: Collection[int], why: Notice.Why) -> None:
    """Note why nobody is told; what is on its way to a channel is left alone."""
    if notice_ids:
        waiting = Notice.objects.filter(pk__in=notice_ids, state=State.WAITING).exclude(channel="")
        waiting.update(state=State.NOT_TOLD, why=why, settled_at=clock.now(), channel="")
