"""WeChat's background work: taking events in, knowing followers, comparing templates."""

from django.conf import settings
from django.db import transaction

from frozenshop.kernel import clock, outbox
from notifications.models import MessageTemplate, WechatEvent
from notifications.wechat import accounts, events, official, templates, told

_TOGETHER = 8
"""How many events are taken in by one transaction where so many wait."""


@outbox.consumer("notifications.wechat_event", transactional=False, together=_TOGETHER)
def wechat_event(effect: outbox.Effect, event_id: int) -> None:
    """Take in one event and those that wait in line."""
    with effect:
        ids = sorted({event_id, *(other["event_id"] for other in effect.others)})
        found = WechatEvent.objects.in_bulk(ids)
        for event in (found[pk] for pk in ids if pk in found):
            _take_in(event)


def _take_in(event: WechatEvent) -> None:
    """Take in one event; one about a message that is not written down yet is looked at again a little later."""
    try:
        with transaction.atomic():
            events.handle(event)
    except told.NotYet:
        again = clock.now() + told.LOOK_AGAIN
        outbox.enqueue("notifications.wechat_event", {"event_id": event.pk}, due_at=again)


@outbox.consumer("notifications.learn_follower", transactional=False, time_limit=60)
def learn_follower(effect: outbox.Effect, openid: str) -> None:
    """Find out who follows the official account."""
    if accounts.official().configured:
        official.learn_follower(openid)


@outbox.consumer("notifications.learn_followers", transactional=False)
def learn_followers(effect: outbox.Effect, slot: str = "") -> None:
    """Find followers whose event was missed, and those who left."""
    if not accounts.official().configured:
        return
    unknown = list(official.unknown_followers())
    with effect:
        for openid in unknown:
            outbox.enqueue("notifications.learn_follower", {"openid": openid})


@outbox.consumer("notifications.check_templates", transactional=False, time_limit=60)
def check_templates(effect: outbox.Effect, slot: str = "") -> None:
    """Compare our templates with WeChat's, so that one that is gone is seen before a buyer misses a message.

    The local demo takes over what its sandbox has.
    """
    if settings.LOCAL_DEMO and not MessageTemplate.objects.filter(channel__in=templates.CHANNELS).exists():
        templates.adopt()
    templates.check_all()


@outbox.consumer("notifications.purge_wechat_events", transactional=False)
def purge_wechat_events(effect: outbox.Effect, slot: str = "") -> None:
    """Delete events that are too old to keep."""
    events.purge()
