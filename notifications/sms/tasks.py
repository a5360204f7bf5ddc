"""The background work of SMS."""

from typing import Any

from frozenshop.kernel import outbox
from notifications.channels.base import Fate, Report
from notifications.models import SmsPush
from notifications.sms import codes, pushes, reports


@outbox.consumer("notifications.sms_push")
def sms_push(push_id: int) -> None:
    """Settle the letters that one kept push reports."""
    push = SmsPush.objects.select_for_update().filter(pk=push_id).first()
    if push is not None:
        pushes.apply(push)


@outbox.consumer("notifications.sms_report")
def sms_report(report: dict[str, Any]) -> None:
    """Settle a delivery report that came before our own record of the letter."""
    content = dict(report)
    channel, fate = content.pop("channel"), Fate(content.pop("fate"))
    reports.take_late(channel, Report(fate, **content))


@outbox.consumer("notifications.purge_sms_codes")
def purge_sms_codes(slot: str = "") -> None:
    """Forget codes that no budget counts any more."""
    codes.purge()


@outbox.consumer("notifications.purge_sms_pushes", transactional=False)
def purge_sms_pushes(effect: outbox.Effect, slot: str = "") -> None:
    """Delete raw delivery reports that are too old to keep."""
    pushes.purge()
