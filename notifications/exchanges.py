"""What passed between us and the channels, for the log: who was told what on which way, and what the channel said.

Never what was sent: the address and the words belong to a person. The order, the template and our reference find them.
"""

import datetime as dt
from collections.abc import Collection

from frozenshop.kernel import clock, logstore
from frozenshop.kernel.logstore import Kind
from logistics.masking import Mask
from notifications.channels.base import ChannelError, Fate, Report, Taken
from notifications.claiming import Envelope
from notifications.models import Channel, Delivery, Notice, WebhookMessage
from notifications.webhooks.posting import Answer

MILLISECOND = dt.timedelta(milliseconds=1)


def log(answers: Collection[tuple[Envelope, Taken | ChannelError]]) -> None:
    """Log what the channels answered to letters."""
    if not logstore.keeps(Kind.EXCHANGE):
        return
    numbers = _orders([envelope.notice for envelope, _ in answers])
    for envelope, answer in answers:
        error = answer if isinstance(answer, ChannelError) else None
        notice, template = envelope.notice, envelope.letter.template_id
        said = _masked(error.reason, notice) if error else ""
        logstore.write(
            Kind.EXCHANGE,
            service=envelope.channel,
            what=f"send {notice.milestone}",
            outcome=_outcome(error),
            failed=error is not None,
            ms=max((clock.now() - envelope.started_at) // MILLISECOND, 0),
            subject=numbers.get(notice.order_id, notice.subject),
            who=notice.recipient,
            reference=envelope.letter.reference,
            detail=f"{f'模板 {template} ' if template else ''}{said}".strip(),
            under=notice.request_id,
        )


def log_report(delivery: Delivery, report: Report) -> None:
    """Log what a channel reported later."""
    if not logstore.keeps(Kind.EXCHANGE):
        return
    notice = Notice.objects.select_related("order").get(pk=delivery.notice_id)
    logstore.write(
        Kind.EXCHANGE,
        service=delivery.channel,
        what=f"report {notice.milestone}",
        outcome=report.code or report.fate,
        failed=report.fate in (Fate.FAILED, Fate.NEVER_TAKEN),
        subject=notice.order.order_no if notice.order else notice.subject,
        who=notice.recipient,
        reference=delivery.reference,
        detail=_masked(report.said, notice),
    )


def log_webhook(message: WebhookMessage, answer: Answer) -> None:
    """Log one attempt at an endpoint of the shop. `answer.said` is masked already."""
    data = message.body.get("data", {})
    logstore.write(
        Kind.EXCHANGE,
        service=Channel.WEBHOOK,
        what=f"send {message.event}",
        outcome=str(answer.status or "unreachable"),
        failed=not answer.taken,
        subject=str(data.get("order_no") or data.get("waybill_no") or ""),
        who=f"endpoint:{message.endpoint_id}",
        reference=message.message_id,
        detail=answer.said,
        under=message.request_id,
    )


def _outcome(error: ChannelError | None) -> str:
    if error is None:
        return "ok"
    return error.code or ("unknown" if error.unknown else "refused" if error.permanent else "failed")


def _orders(notices: Collection[Notice]) -> dict[int | None, str]:
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices], order__isnull=False)
    return dict(rows.values_list("order_id", "order__order_no"))


def _masked(said: str, notice: Notice) -> str:
    """Mask the notice's own people, whom a channel may quote."""
    return Mask([notice.order] if notice.order else ())(said) if said else ""
