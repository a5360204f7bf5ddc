"""Carriers that a provider refuses as a whole: remembered, so that not each of their parcels is refused again."""

import datetime as dt

from frozenshop.kernel import clock
from logistics.breaker import PROBE_TIME, NotNow
from logistics.models import Carrier, ProviderRefusal

PAUSE = dt.timedelta(hours=24)
"""A person must mend the plan or the code; then staff lift the pause, or it ends by itself."""


def admit(provider: str, carrier: Carrier) -> bool:
    """Let a question about a carrier's parcel pass; return whether it is to find out if the refusal still holds.

    Raises NotNow while the carrier is refused; then one question is let through, as by an open breaker.
    """
    refusal = ProviderRefusal.objects.filter(provider=provider, carrier=carrier).first()
    if refusal is None:
        return False
    now = clock.now()
    if refusal.retry_at > now:
        raise NotNow(f"服务商拒绝查询{carrier.name}：{refusal.reason}", refusal.retry_at)
    same = ProviderRefusal.objects.filter(pk=refusal.pk, retry_at=refusal.retry_at)
    if not same.update(retry_at=now + PROBE_TIME):
        raise NotNow("正在试探服务商是否恢复", now + PROBE_TIME)
    return True


def note(provider: str, carrier: Carrier, reason: str) -> None:
    now = clock.now()
    told = {"reason": reason[:300], "refused_at": now, "retry_at": now + PAUSE}
    ProviderRefusal.objects.update_or_create(provider=provider, carrier=carrier, defaults=told)


def forget(provider: str, carrier: Carrier) -> None:
    ProviderRefusal.objects.filter(provider=provider, carrier=carrier).delete()
