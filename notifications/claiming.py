"""Which waiting notices are sent now: each is looked at once more, and its delivery written before anything is sent.

One short transaction for a handful of notices. Whoever claims a notice takes it out of its lane (`channel` empties);
it comes back by the answer, by a report, or by being asked back.
"""

import datetime as dt
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from frozenshop.kernel import clock
from notifications import budgets, quiet, recipients, situation, words
from notifications.breaker import Lanes
from notifications.channels.base import Letter
from notifications.models import Addressee, Audience, Channel, Delivery, Notice
from notifications.occasions import CANT_WAIT, PATIENCE, SMS, daily_cap
from notifications.planning import settle_untold
from notifications.reach import Reach
from notifications.situation import Situation

logger = structlog.get_logger(__name__)

Sent, Why = Delivery.State, Notice.Why

ASK_AFTER = dt.timedelta(minutes=3)
"""After how long without an answer a delivery is asked about."""
SAME_PERSON = dt.timedelta(seconds=2)
"""WeChat refuses two messages to one person at the same time."""
IN_FLIGHT = dt.timedelta(minutes=1)
CLOSED_AGAIN = dt.timedelta(minutes=1)
BROKEN_AGAIN = dt.timedelta(minutes=5)
MEETINGS = 5
"""How often people may turn up in one claim who were never told anything; twice would do."""


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """One letter that is to be sent now, and the row that says so."""

    delivery_id: int
    notice: Notice
    channel: str
    attempt: int
    started_at: dt.datetime
    letter: Letter
    probe: bool = False


@dataclass(slots=True)
class _Decided:
    """What becomes of the notices looked at."""

    send: list[tuple[Notice, Channel, Letter]] = field(default_factory=list)
    untold: dict[Notice.Why, list[int]] = field(default_factory=lambda: defaultdict(list))
    later: list[tuple[Notice, str, dt.datetime]] = field(default_factory=list)


def claim(
    lanes: Lanes, *, limit: int, ids: Collection[int] | None = None, lane: str = ""
) -> tuple[list[Envelope], int]:
    """Return the letters to send now, of these notices or of this lane, and how many notices were looked at."""
    for _ in range(MEETINGS):
        try:
            with transaction.atomic():
                notices = _due(lanes, 1 if lane in lanes.probing else limit, lane) if ids is None else _of(ids, lanes)
                notices = notices[:limit]
                if not notices:
                    return [], 0
                _lock_people({notice.recipient for notice in notices})
                return _Claim(notices, lanes).make(), len(notices)
        except _Strangers as strangers:
            rows = [Addressee(recipient=name) for name in sorted(strangers.names)]
            Addressee.objects.bulk_create(rows, ignore_conflicts=True)
    raise RuntimeError("there are ever new people to be told")


class _Strangers(Exception):
    """People who have no row to be locked yet. They get one outside the transaction, which so never waits for others'
    inserts while it holds locks."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(len(names))
        self.names = names


def _lock_people(names: Collection[str]) -> None:
    """Let nobody else count what these people were told until it is written what they are told now: the cap is exact.

    Always after notices and before the day's budget, in the order of the primary key: nobody waits in a circle.
    Raises _Strangers.
    """
    rows = Addressee.objects.select_for_update().filter(pk__in=names).order_by("pk")
    if strangers := set(names) - set(rows.values_list("pk", flat=True)):
        raise _Strangers(strangers)


def letter(
    notice: Notice, about: Situation, reach: Reach, channel: str, address: str, reference: str, *, whole: bool = True
) -> Letter:
    """Return what is sent. `whole=False`: only what it takes to ask about it."""
    template = reach.template(channel, notice.milestone) if whole else None
    if template is None:
        text = words.text(notice, about) if whole else ""
        return Letter(address, reference, title=words.title(notice, about), text=text)
    said = words.of(notice, about)
    fields = {name: words.fill(value, said) for name, value in template.fields.items()}
    page = words.fill(template.page, said)
    return Letter(address, reference, template.template_id, fields, page, title=template.title)


def _due(lanes: Lanes, limit: int, lane: str) -> list[Notice]:
    """Return due notices, oldest first. In a closed lane only what may need another way by now is looked at."""
    now = clock.now()
    rows: QuerySet[Notice] = Notice.objects.filter(state=Notice.State.WAITING, due_at__lte=now)
    rows = rows.filter(channel=lane) if lane else rows.filter(channel__in=lanes.clear | lanes.trouble)
    if lane in lanes.closed - lanes.trouble:
        rows = rows.filter(milestone__in=CANT_WAIT, occurred_at__lte=now - PATIENCE)
    rows = rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    return list(rows.order_by("due_at", "id")[:limit])


def _of(ids: Collection[int], lanes: Lanes) -> list[Notice]:
    """Return those of these notices that are due, oldest first.

    By their keys alone: if they were looked for in an index, whoever passes a row would lock it, and it be left out.
    """
    skipping = connection.features.has_select_for_update_skip_locked
    rows = Notice.objects.filter(pk__in=ids).select_for_update(skip_locked=skipping)
    now, open_lanes = clock.now(), lanes.clear | lanes.trouble
    due = (row for row in rows if row.state == Notice.State.WAITING and row.due_at <= now)
    return sorted((row for row in due if row.channel in open_lanes), key=lambda row: (row.due_at, row.pk))


class _Claim:
    """One look at a handful of locked notices."""

    def __init__(self, notices: Sequence[Notice], lanes: Lanes) -> None:
        self.now, self.lanes, self.notices = clock.now(), lanes, notices
        self.situations = situation.load(notices)
        self.reach = Reach.of(notices, list(self.situations.values()), closed=lanes.closed)
        self.tried = _tried(notices)
        self.told, self.busy = _told_today(notices, self.now)
        self.decided = _Decided()

    def make(self) -> list[Envelope]:
        for notice in self.notices:
            try:
                self._decide(notice, self.situations[notice.pk])
            except DatabaseError:
                raise
            except Exception:  # one that breaks, whatever it is, must not hold up its lane until it expires
                logger.exception("notice.undecided", notice=notice.pk)
                self.decided.later.append((notice, notice.channel, self.now + BROKEN_AGAIN))
        self._pay()
        self._note()
        return self._write()

    def _decide(self, notice: Notice, about: Situation) -> None:
        urgent = situation.cant_wait(notice.milestone, about)
        why = self._why_not(notice, about, urgent=urgent)
        if why is not None:
            self.decided.untold[why].append(notice.pk)
            return
        later = self._not_before(notice, about, urgent=urgent)
        if later > self.now:
            self.decided.later.append((notice, notice.channel, later))
            return
        self._choose(notice, about, urgent=urgent)

    def _why_not(self, notice: Notice, about: Situation, *, urgent: bool) -> Notice.Why | None:
        if not situation.holds(notice.milestone, about, now=self.now):
            return Why.SUPERSEDED
        if not recipients.is_still(notice, about.order, about.customer):
            return Why.SUPERSEDED
        if notice.expires_at and notice.expires_at <= self.now:
            return Why.EXPIRED
        if notice.milestone in about.unwanted:
            return Why.OPTED_OUT
        cap = daily_cap(Audience(notice.audience))
        if not urgent and cap is not None and len(self.told[notice.recipient] - {notice.pk}) >= cap:
            return Why.CAPPED
        return None

    def _not_before(self, notice: Notice, about: Situation, *, urgent: bool) -> dt.datetime:
        if begins := situation.too_early(notice.milestone, about, now=self.now):
            return begins
        return self.now if urgent else quiet.over_at(self.now)

    def _choose(self, notice: Notice, about: Situation, *, urgent: bool) -> None:
        """Take the first channel that has not refused for good; wait for one that is out of order only for a while."""
        tried = self.tried[notice.pk]
        refused = {row.channel for row in tried if row.permanent}
        ways = [(channel, address) for channel, address in self.reach.ways(notice, about) if channel not in refused]
        if not ways:
            self.decided.untold[Why.FAILED if tried else Why.NO_CHANNEL].append(notice.pk)
            return
        passed = self._passed_over(notice, tried, urgent=urgent)
        channel, address = next(((c, a) for c, a in ways if c not in passed), ways[0])
        if channel in self.lanes.closed:
            # A lane that is closed is not looked into; what was looked at all the same stands back.
            again = self.now + CLOSED_AGAIN if channel == notice.channel else self.now
            self.decided.later.append((notice, channel, again))
        elif channel == Channel.WECHAT_SUBSCRIBE and notice.recipient in self.busy:
            self.decided.later.append((notice, channel, self.now + SAME_PERSON))
        else:
            reference = f"n{notice.pk}-{secrets.token_hex(6)}"
            written = letter(notice, about, self.reach, channel, address, reference)
            if channel == Channel.WECHAT_SUBSCRIBE:
                self.busy.add(notice.recipient)
            self.told[notice.recipient].add(notice.pk)
            self.decided.send.append((notice, channel, written))

    def _passed_over(self, notice: Notice, tried: Sequence[Delivery], *, urgent: bool) -> set[str]:
        """Return the channels that are not waited for: one that needs a person, or any for what can't wait long."""
        passed = set(self.lanes.trouble)
        since = min([row.started_at for row in tried], default=max(notice.due_at, notice.occurred_at))
        if urgent and since <= self.now - PATIENCE:
            passed |= self.lanes.closed | {row.channel for row in tried if row.state == Sent.FAILED}
        return passed

    def _pay(self) -> None:
        """Count SMS in the day's budget; what is beyond it is not sent."""
        sms = [(notice, channel) for notice, channel, _ in self.decided.send if channel in SMS]
        unpaid = {notice.pk for notice, _ in sms[budgets.take(len(sms)) :]} if sms else set()
        if unpaid:
            self.decided.send = [row for row in self.decided.send if row[0].pk not in unpaid]
            self.decided.untold[Why.BUDGET].extend(unpaid)
            budgets.tell_exhausted()

    def _note(self) -> None:
        for why, ids in self.decided.untold.items():
            settle_untold(ids, why)
        for notice, channel, due_at in self.decided.later:
            Notice.objects.filter(pk=notice.pk).update(channel=channel, due_at=due_at)

    def _write(self) -> list[Envelope]:
        send = self.decided.send
        ids = [notice.pk for notice, _, _ in send]
        waiting = Notice.objects.filter(pk__in=ids, state=Notice.State.WAITING).exclude(channel="")
        if ids and waiting.update(channel="") != len(ids):
            raise RuntimeError("notices were claimed twice in spite of their locks")
        rows = [self._row(notice, channel, written.reference) for notice, channel, written in send]
        if rows:
            Delivery.objects.bulk_create(rows)
        keys = _keys(rows)
        return [
            Envelope(
                delivery_id=keys[row.reference],
                notice=notice,
                channel=channel,
                attempt=row.attempt,
                started_at=row.started_at,
                letter=written,
                probe=channel in self.lanes.probing,
            )
            for row, (notice, channel, written) in zip(rows, send, strict=True)
        ]

    def _row(self, notice: Notice, channel: Channel, reference: str) -> Delivery:
        return Delivery(
            notice=notice,
            channel=channel,
            attempt=1 + Counter(row.channel for row in self.tried[notice.pk])[channel],
            reference=reference,
            started_at=self.now,
            ask_at=self.now + ASK_AFTER,
        )


def chunk() -> int:
    """Return how many letters are under way at once in one process, and so at most cut off by its death."""
    return max(int(settings.NOTIFY_THREADS), 1)


def _tried(notices: Sequence[Notice]) -> Mapping[int, list[Delivery]]:
    tried: dict[int, list[Delivery]] = {notice.pk: [] for notice in notices}
    for row in Delivery.objects.filter(notice__in=notices).order_by("pk"):
        tried[row.notice_id].append(row)
    return tried


def _told_today(notices: Sequence[Notice], now: dt.datetime) -> tuple[defaultdict[str, set[int]], set[str]]:
    """Return what each person was told today, and who is being told something by WeChat at this moment."""
    told: defaultdict[str, set[int]] = defaultdict(set)
    busy: set[str] = set()
    rows = Delivery.objects.filter(
        notice__recipient__in={notice.recipient for notice in notices}, started_at__gte=budgets.today_began()
    ).exclude(state=Sent.FAILED)
    columns = "notice__recipient", "notice_id", "channel", "state", "started_at"
    for recipient, notice_id, channel, state, started_at in rows.values_list(*columns):
        told[recipient].add(notice_id)
        if (channel, state) == (Channel.WECHAT_SUBSCRIBE, Sent.SENDING) and started_at > now - IN_FLIGHT:
            busy.add(recipient)
    return told, busy


def _keys(rows: Sequence[Delivery]) -> dict[str, int]:
    """Return the rows' keys by reference, which not every database tells when it inserts many."""
    if all(row.pk for row in rows):
        return {row.reference: row.pk for row in rows}
    references = [row.reference for row in rows]
    return dict(Delivery.objects.filter(reference__in=references).values_list("reference", "pk"))
