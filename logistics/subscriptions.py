"""The promises of providers to push what happens to a parcel: when to ask for one, and what becomes of it.

Polling goes on as the watchdog, whatever a provider has promised.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from frozenshop.kernel import clock, outbox
from logistics import cadence, problems
from logistics.carriers import provider_code
from logistics.models import Carrier, Provider, Shipment, Subscription
from logistics.providers.base import ProviderReport
from orders import alerting
from orders.models import AlertKind

AGAIN_AFTER = dt.timedelta(minutes=30)
MONTH = dt.timedelta(days=31)
"""Rolling, which also keeps any calendar month."""
MOST_A_MONTH: Mapping[str, int] = {Provider.KUAIDI100: 4}
"""How often one waybill may be subscribed; who is not named here sets no limit."""
NO_LIMIT = 100
CORRECTS_CARRIERS = frozenset({Provider.KUAIDI100})


@dataclass(frozen=True, slots=True)
class Correction:
    """A provider says that another carrier has a number. `carrier`: which of ours, where that is unambiguous."""

    code: str
    carrier: Carrier | None


def next_at(shipment: Shipment, provider: str) -> dt.datetime | None:
    """Return when a provider may be asked to push, now or later; None where it isn't wanted, or runs already."""
    if cadence.is_over(shipment):
        return None
    rows = Subscription.objects.filter(provider=provider, shipment__waybill_no=shipment.waybill_no)
    if rows.filter(shipment=shipment, ended_at=None).exists():
        return None
    now = clock.now()
    ended = rows.filter(ended_at__gt=now - AGAIN_AFTER).order_by("-ended_at").values_list("ended_at", flat=True).first()
    earliest = ended + AGAIN_AFTER if ended else now
    most = MOST_A_MONTH.get(provider, NO_LIMIT)
    recent = (
        rows.filter(subscribed_at__gt=now - MONTH).order_by("-subscribed_at").values_list("subscribed_at", flat=True)
    )
    used = list(recent[:most])
    return max(earliest, used[-1] + MONTH) if len(used) == most else earliest


def begin(shipment: Shipment, provider: str) -> None:
    """Write down that a provider promised to push."""
    now = clock.now()
    Subscription.objects.create(shipment=shipment, provider=provider, subscribed_at=now)
    Shipment.objects.filter(pk=shipment.pk).update(subscribed_at=now)


def heed(shipment: Shipment, provider: str, report: ProviderReport) -> None:
    """Do what a push says beside its scans: it ends a subscription, or names another carrier. Repeatable."""
    if report.corrected_carrier_code:
        _correct(shipment, provider, report.corrected_carrier_code)
    if report.pushes_ended:
        _end(shipment, provider, report.pushes_ended)


def correction(shipment: Shipment, provider: str) -> Correction | None:
    """Return the carrier that a provider found instead of ours; of several opinions none counts."""
    told = Subscription.objects.filter(shipment=shipment, provider=provider).exclude(corrected_carrier_code="")
    codes = set(told.values_list("corrected_carrier_code", flat=True))
    if not codes:
        return None
    code = min(codes)
    return Correction(code, _ours(shipment, provider, code) if len(codes) == 1 else None)


def carrier_of(shipment: Shipment, provider: str) -> Carrier:
    """Return the carrier to ask a provider about: ours, unless it found another and it is clear which."""
    found = correction(shipment, provider) if provider in CORRECTS_CARRIERS else None
    return (found and found.carrier) or shipment.carrier


def corrected_to(provider: str, code: str, waybill_no: str) -> QuerySet[Subscription]:
    """Return the subscriptions of parcels that a provider says another carrier has."""
    told = Subscription.objects.filter(provider=provider, corrected_carrier_code=code)
    return told.filter(shipment__waybill_no=waybill_no)


def _ours(shipment: Shipment, provider: str, code: str) -> Carrier | None:
    """Return our carrier of that code, unless several have it, or it carries a parcel of ours under the same number."""
    named = list(Carrier.objects.filter(**{f"{provider}_code": code}, enabled=True)[:2])
    if len(named) != 1 or Shipment.objects.filter(carrier=named[0], waybill_no=shipment.waybill_no).exists():
        return None
    return named[0]


def _correct(shipment: Shipment, provider: str, code: str) -> None:
    """Tell staff once: every further push says the same."""
    mine = Subscription.objects.filter(shipment=shipment, provider=provider)
    if code == provider_code(shipment.carrier, provider) or mine.filter(corrected_carrier_code=code[:40]).exists():
        return
    row = mine.order_by("-subscribed_at", "-pk").first()
    if row is None or row.corrected_carrier_code:
        # A row of its own, so that a former opinion stays beside this one.
        ended_at = clock.now() if row else None
        row = Subscription.objects.create(shipment=shipment, provider=provider, ended_at=ended_at)
    Subscription.objects.filter(pk=row.pk).update(corrected_carrier_code=code[:40])
    found = correction(shipment, provider)
    name = f"{found.carrier.name}（{code}）" if found and found.carrier else code
    detail = (
        f"{Provider(provider).label}认为运单 {shipment.waybill_no} 属于{name}，"
        f"不是{shipment.carrier.name}；请核对，填错的话作废后重新登记"
    )
    order = shipment.orders.order_by("pk").first()
    alerting.open_alert(AlertKind.WRONG_NUMBER, subject=problems.subject(shipment), order=order, detail=detail)


def _end(shipment: Shipment, provider: str, why: str) -> None:
    """Close what runs and, where the parcel still matters, ask again later: the question checks the rules anew."""
    running = Subscription.objects.filter(shipment=shipment, provider=provider, ended_at=None)
    if not running.update(ended_at=clock.now(), detail=why[:200]):
        return
    if not Subscription.objects.filter(shipment=shipment, ended_at=None).exists():
        Shipment.objects.filter(pk=shipment.pk).update(subscribed_at=None)
    again_at = next_at(shipment, provider)
    if again_at is not None:
        key = f"subscribe:{shipment.pk}:{provider}:{again_at:%Y%m%d%H%M%S}"
        outbox.enqueue("logistics.subscribe", {"shipment_id": shipment.pk}, key=key, due_at=again_at)
