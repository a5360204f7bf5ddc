"""Template messages of the official account, for buyers who follow it."""

import datetime as dt

from frozenshop.kernel.http import ServiceError
from notifications.channels.base import Letter, Report, Taken
from notifications.models import Channel
from notifications.wechat import accounts, failures, official, templates
from notifications.wechat.errors import NO_OPENID, NOT_FOLLOWING, WechatError

CHANNEL = Channel.WECHAT_OFFICIAL


def configured() -> bool:
    return accounts.official().configured


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Send to a follower. `letter.address`: the openid with the official account. Raises ChannelError."""
    letter = templates.fitting(letter)
    if misfit := failures.misfit(CHANNEL, letter):
        raise misfit
    try:
        provider_id = official.send(
            letter.address,
            letter.template_id,
            letter.fields,
            letter.page,
            reference=letter.reference,
            timeout=timeout,
        )
    except WechatError as error:
        if error.errcode in (NOT_FOLLOWING, NO_OPENID):
            with failures.noting():
                official.unfollowed(letter.address)
        raise failures.refused(CHANNEL, letter, error) from error
    except ServiceError as error:
        raise failures.unheard(error) from error
    return Taken(provider_id)


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """WeChat can't be asked; it tells the end by itself, with `TEMPLATESENDJOBFINISH`."""
    return None
