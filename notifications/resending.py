"""Telling somebody once more, because a person says so and where it makes sense."""

from django.db import transaction

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from notifications import planning, recipients, situation
from notifications.models import Notice
from notifications.reach import Reach

LONGEST_REASON = 200


def obstacle(notice: Notice) -> str:
    """Return why a notice can't be told again now, with the way out; "" where it can."""
    same = Notice.objects.filter(recipient=notice.recipient, subject=notice.subject, milestone=notice.milestone)
    if notice.state == Notice.State.WAITING:
        return "还没有了结，到时会自动发送；有了结果再重发"
    if same.filter(state=Notice.State.WAITING).exists():
        return "已经安排了一次重发，请等它有结果"
    about = situation.load([notice])[notice.pk]
    if not situation.holds(notice.milestone, about, now=clock.now()):
        return "已有新进展，这条消息的内容不再成立，不能重发"
    if not recipients.is_still(notice, about.order, about.customer):
        return "接收人与这个订单已没有关系（手机号换了人，或收件人改了），不能重发"
    if notice.milestone in about.unwanted:
        return "对方退订了这类消息，不能重发"
    if not Reach.of([notice], [about]).ways(notice, about):
        return "没有可用渠道，请先按各渠道的说明处理"
    return ""


def resend(notice_id: int, *, actor: Actor, reason: str) -> Notice:
    """Plan the notice once more; it goes out within a minute. Raises Invalid without a reason, NotPossible."""
    with transaction.atomic():
        notice = Notice.objects.select_for_update().get(pk=notice_id)
        if refusal := obstacle(notice):
            raise NotPossible(refusal)
        return planning.resend(notice, actor=actor, reason=reason.strip()[:LONGEST_REASON])
