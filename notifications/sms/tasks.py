"""The background work of SMS."""

from typing import Any

from frozenshop.kernel import outbox
from notifications.channels.base import Fate, Report
from notifications.sms import codes, reports


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
