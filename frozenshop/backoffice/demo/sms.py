"""The demo shop's SMS templates, as its accounts at the sandbox have them."""

from collections.abc import Mapping

from notifications.models import Channel, MessageTemplate, Milestone

M = Milestone

TEMPLATES: Mapping[Milestone, tuple[int, str]] = {
    M.SHIPPED: (2, "order_no carrier waybill_no"),
    M.OUT_FOR_DELIVERY: (3, "order_no"),
    M.LOCKER_WAITING: (4, "order_no location"),
    M.LOCKER_REMINDER: (4, "order_no location"),
    M.DELAYED: (5, "order_no eta"),
    M.EXCEPTION: (6, "order_no reason shop_phone"),
    M.DELIVERED: (7, "order_no"),
    M.RETURNED: (8, "order_no"),
    M.REFUNDED: (9, "order_no"),
}
"""The last digit of the template's number, and the words in its variables."""


def make_templates() -> None:
    """Make what is missing; what somebody changed stays."""
    MessageTemplate.objects.bulk_create(
        [
            template
            for milestone, (number, words) in TEMPLATES.items()
            for template in (_aliyun(milestone, number, words.split()), _tencent(milestone, number, words.split()))
        ],
        ignore_conflicts=True,
    )


def _aliyun(milestone: Milestone, number: int, words: list[str]) -> MessageTemplate:
    fields = {word: f"{{{word}}}" for word in words}
    return _template(Channel.SMS_ALIYUN, milestone, f"SMS_10000000{number}", fields)


def _tencent(milestone: Milestone, number: int, words: list[str]) -> MessageTemplate:
    fields = {str(place): f"{{{word}}}" for place, word in enumerate(words, start=1)}
    return _template(Channel.SMS_TENCENT, milestone, f"100000{number}", fields)


def _template(channel: Channel, milestone: Milestone, template_id: str, fields: dict[str, str]) -> MessageTemplate:
    return MessageTemplate(
        channel=channel, milestone=milestone, template_id=template_id, title=milestone.label, fields=fields
    )
