"""Delivery reports that the SMS services push, unsigned: only the secret in the path tells them from forged ones.

Sources: help.aliyun.com document_detail/101867 (SmsReport); cloud.tencent.com/document/api/382/5807. They may come
several times and before our own record of the answer; the phone in them is not looked at, since none is kept.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from frozenshop.kernel import clock, outbox, strict_json
from frozenshop.kernel.scrubbing import scrub
from notifications import reports
from notifications.channels.base import Fate, Report
from notifications.models import Channel, Delivery

logger = structlog.get_logger(__name__)

SECOND_TRY = dt.timedelta(minutes=1)
CODE_REFERENCE = "c-"
"""Begins the reference of a code; what became of one is told by its use alone."""


class Unreadable(ValueError):
    """A push in no form that the sender has."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One service that reports: where its secrets stand, how it writes, and which answer it wants to hear."""

    channel: Channel
    secrets: str
    read: Callable[[Mapping[str, Any]], Report]
    answer: Callable[[int, str], Mapping[str, Any]]


def parse(sender: Sender, body: bytes) -> list[Report]:
    """Return the reports of a push, each once. Raises Unreadable."""
    try:
        rows, _ = strict_json.load(body.decode())
    except ValueError as error:
        raise Unreadable("no JSON") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("no list of objects")
    return list(dict.fromkeys(sender.read(row) for row in rows))


def take(sender: Sender, told: Sequence[Report]) -> int:
    """Settle the letters that are reported; return how many are known. What is not known yet is tried once more."""
    known = 0
    for report in told:
        if report.reference.startswith(CODE_REFERENCE):
            continue
        if _settled(sender.channel, report):
            known += 1
        elif report.provider_id:
            content = asdict(report) | {"channel": sender.channel.value}
            outbox.enqueue("notifications.sms_report", {"report": content}, due_at=clock.now() + SECOND_TRY)
    return known


def take_late(channel: str, report: Report) -> None:
    """Settle what was not known when it came."""
    if not _settled(channel, report):
        logger.info("sms.report_not_ours", channel=channel)


def _settled(channel: str, report: Report) -> bool:
    """A reference that we gave another letter's number is not believed."""
    for row in _by_reference(channel, report.reference):
        if row.provider_id and report.provider_id and row.provider_id != report.provider_id:
            logger.warning("sms.report_mismatch", channel=channel, delivery=row.pk)
            return True
    return reports.settle(report, channel)


def _by_reference(channel: str, reference: str) -> Iterator[Delivery]:
    yield from Delivery.objects.filter(channel=channel, reference=reference) if reference else ()


def _read_aliyun(row: Mapping[str, Any]) -> Report:
    fate = _fate(row, "success")
    code, said = scrub(_text(row, "err_code"))[:60], scrub(_text(row, "err_msg"))[:200]
    return Report(fate, code=code, said=said, reference=_number(row, "out_id"), provider_id=_number(row, "biz_id"))


def _read_tencent(row: Mapping[str, Any]) -> Report:
    fate = _fate(row, "report_status")
    code, said = scrub(_text(row, "errmsg"))[:60], scrub(_text(row, "description"))[:200]
    reference = _number(row, "session_context") or _number(row, "ext")  # only newer consoles send one of them
    return Report(fate, code=code, said=said, reference=reference, provider_id=_number(row, "sid"))


_FATES: Mapping[Any, Fate] = {
    "true": Fate.DELIVERED,
    "false": Fate.FAILED,
    "success": Fate.DELIVERED,
    "fail": Fate.FAILED,
}


def _fate(row: Mapping[str, Any], name: str) -> Fate:
    """Another word than the services' own proves that they have the letter, and no more: nothing is sent for it."""
    fate = _FATES.get(str(row.get(name)).lower())
    if fate is None:
        logger.warning("sms.report_strange", name=name)
    return fate or Fate.UNDERWAY


def _number(row: Mapping[str, Any], name: str) -> str:
    """Return a letter's number; a phone in its place is none, and isn't kept."""
    number = _text(row, name)
    return number if scrub(number) == number else ""


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    return str(value).replace("\0", "").encode(errors="replace").decode()[:200]


SENDERS: Mapping[str, Sender] = {
    "aliyun": Sender(
        Channel.SMS_ALIYUN,
        "ALIYUN_SMS_CALLBACK_SECRETS",
        _read_aliyun,
        lambda code, said: {"code": code, "msg": said or "接收成功"},
    ),
    "tencent": Sender(
        Channel.SMS_TENCENT,
        "TENCENT_SMS_CALLBACK_SECRETS",
        _read_tencent,
        lambda code, said: {"result": code, "errmsg": said or "OK"},
    ),
}
"""By the name in the callback's path."""
