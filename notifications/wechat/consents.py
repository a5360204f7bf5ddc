"""The ledger of consents: how many subscribe messages of a template a buyer still allows.

WeChat tells no balance, so that it is counted here, each change once by its key, under the row's lock. A tap on the
dialog is told twice, by the mini-program and by WeChat's event: the two are paired. WeChat's 43101 has the last word.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping

from django.db import transaction
from django.db.models import F, Sum

from frozenshop.kernel import clock
from notifications.models import Consent, ConsentEntry
from orders.contention import retried

ACCEPTS = "accept"
"""`acceptWithAudio` and what WeChat may add are accepts too."""
BAN = "ban"
RESULTS = frozenset({"reject", BAN, "filter"})
GRANT, POPUP, BOTH = "grant", "popup", "grant+popup"
OTHER = {GRANT: POPUP, POPUP: GRANT}
PAIRED_WITHIN = dt.timedelta(minutes=10)
MOST = 10_000


def is_result(result: str) -> bool:
    """Say whether a word can be a result of `wx.requestSubscribeMessage` for one template."""
    return result.startswith(ACCEPTS) or result in RESULTS


def balances(openid: str, template_ids: Iterable[str]) -> dict[str, int]:
    """Return what is left of each template, 0 included."""
    wanted = list(template_ids)
    found = Consent.objects.filter(openid=openid, template_id__in=wanted)
    return dict.fromkeys(wanted, 0) | dict(found.values_list("template_id", "balance"))


def willing(openids: Iterable[str], template_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return who allows at least one message of which template, as far as is known."""
    found = Consent.objects.filter(openid__in=openids, template_id__in=template_ids, balance__gt=0)
    return set(found.values_list("openid", "template_id"))


def grant(openid: str, results: Mapping[str, str], grant_id: str) -> None:
    """Record what the mini-program says the buyer answered, by template; the same `grant_id` counts once."""
    for template_id, result in sorted(results.items()):
        answered(openid, template_id, result, cause=GRANT, key=_key(GRANT, openid, grant_id, template_id))


@retried
def answered(
    openid: str, template_id: str, result: str, *, cause: str, key: str, at: dt.datetime | None = None
) -> None:
    """Record one answer to the dialog. A rejected dialog takes nothing away; a ban takes all."""
    if result == BAN:
        withdrawn(openid, template_id, cause=BAN, key=key)
        return
    with transaction.atomic():
        consent = _locked(openid, template_id)
        if _known(key):
            return
        if not result.startswith(ACCEPTS):
            _write(consent, key, 0, result[:30])
            return
        pair = consent.entries.filter(cause=OTHER[cause], change=1, recorded_at__gte=_paired_from(at)).first()
        if pair is None:
            _write(consent, key, 1, cause)
            return
        ConsentEntry.objects.filter(pk=pair.pk).update(cause=BOTH)
        _write(consent, key, 0, f"{cause}_again")


@retried
def consumed(openid: str, template_id: str, reference: str) -> None:
    """Take one away for a message that WeChat took; once per message, never below zero."""
    with transaction.atomic():
        consent = _locked(openid, template_id)
        if not _known(key := _key("sent", reference)):
            _write(consent, key, -1 if consent.balance else 0, "sent")


@retried
def consumed_all(messages: Collection[tuple[str, str, str]]) -> None:
    """Do as `consumed` for many messages: (openid, template_id, reference) of each. Two of one consent go singly."""
    keys = {_key("sent", reference): (openid, template_id) for openid, template_id, reference in messages}
    if len(set(keys.values())) < len(messages):
        for message in messages:
            consumed(*message)
        return
    with transaction.atomic():
        rows = Consent.objects.filter(openid__in={one for one, _ in keys.values()})
        rows = rows.filter(template_id__in={one for _, one in keys.values()}).select_for_update().order_by("pk")
        consents = {(row.openid, row.template_id): row for row in rows}
        known = set(ConsentEntry.objects.filter(key__in=keys).values_list("key", flat=True))
        fresh = [(key, consents[who]) for key, who in keys.items() if key not in known and who in consents]
        now = clock.now()
        ConsentEntry.objects.bulk_create(
            ConsentEntry(consent=consent, key=key, change=-1 if consent.balance else 0, cause="sent", recorded_at=now)
            for key, consent in fresh
        )
        taken = [consent.pk for _, consent in fresh if consent.balance]
        Consent.objects.filter(pk__in=taken).update(balance=F("balance") - 1, updated_at=now)
    for openid, template_id, reference in messages:
        if (openid, template_id) not in consents:
            consumed(openid, template_id, reference)


@retried
def withdrawn(openid: str, template_id: str, *, cause: str, key: str, as_of: dt.datetime | None = None) -> None:
    """Take away all that was allowed until `as_of` (now): what the buyer allowed afterwards stays."""
    with transaction.atomic():
        consent = _locked(openid, template_id)
        if _known(key):
            return
        later = consent.entries.filter(recorded_at__gt=as_of, change__gt=0) if as_of else consent.entries.none()
        kept = later.aggregate(total=Sum("change"))["total"] or 0
        _write(consent, key, min(kept - consent.balance, 0), cause)


def refused(openid: str, template_id: str, reference: str, asked_at: dt.datetime) -> None:
    """Record WeChat's 43101 to a message that was sent off at `asked_at`."""
    withdrawn(openid, template_id, cause="43101", key=_key("refused", reference), as_of=asked_at)


def event_key(openid: str, created: str, event: str, template_id: str) -> str:
    """Return the key of an event's entry, by which WeChat's repeats are known."""
    return _key("event", openid, created, event, template_id)


def _locked(openid: str, template_id: str) -> Consent:
    of_both = Consent.objects.select_for_update().filter(openid=openid, template_id=template_id)
    if found := of_both.first():
        return found
    Consent.objects.get_or_create(openid=openid, template_id=template_id)
    return of_both.get()


def _known(key: str) -> bool:
    return ConsentEntry.objects.filter(key=key).exists()


def _write(consent: Consent, key: str, change: int, cause: str) -> None:
    now = clock.now()
    ConsentEntry.objects.create(consent=consent, key=key, change=change, cause=cause, recorded_at=now)
    if change:
        balance = min(max(consent.balance + change, 0), MOST)
        Consent.objects.filter(pk=consent.pk).update(balance=balance, updated_at=now)


def _paired_from(at: dt.datetime | None) -> dt.datetime:
    return (at or clock.now()) - PAIRED_WITHIN


def _key(kind: str, *parts: str) -> str:
    return f"{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"
