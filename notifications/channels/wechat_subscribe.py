"""Subscribe messages of the mini-program, for buyers who allowed one."""

import datetime as dt
from collections.abc import Collection, Iterable

import structlog
from django.db import DatabaseError

from frozenshop.kernel import clock
from frozenshop.kernel.http import ServiceError
from notifications.channels.base import ChannelError, Letter, Report, Taken
from notifications.models import Channel
from notifications.wechat import client, consents, failures, subscribe, templates
from notifications.wechat.errors import NOT_ALLOWED, WechatError

logger = structlog.get_logger(__name__)

CHANNEL = Channel.WECHAT_SUBSCRIBE


def configured() -> bool:
    return client.enabled()


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Send if the ledger says that the buyer allows it. `letter.address`: the openid.

    Raises ChannelError: "no_consent" without asking WeChat; 43101 empties the ledger.
    """
    taken = send_if(_allowed(letter), letter, timeout=timeout)
    note_taken([letter])
    return taken


def send_if(consent: bool, letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Do as `send`, where the ledger was looked into already; who sends many asks and notes for all of them at once."""
    letter = templates.fitting(letter)
    if misfit := failures.misfit(CHANNEL, letter):
        raise misfit
    if not consent:
        raise ChannelError("没有订阅授权", code="no_consent", permanent=True)
    asked_at = clock.now()
    try:
        provider_id = subscribe.send(letter.address, letter.template_id, letter.fields, letter.page, timeout=timeout)
    except WechatError as error:
        if error.errcode == NOT_ALLOWED:
            with failures.noting():
                consents.refused(letter.address, letter.template_id, letter.reference, asked_at)
        raise failures.refused(CHANNEL, letter, error) from error
    except ServiceError as error:
        raise failures.unheard(error) from error
    return Taken(provider_id)


def allowed(letters: Collection[Letter]) -> set[str]:
    """Return the references of the letters that the ledger allows. Raises DatabaseError."""
    known = consents.willing({letter.address for letter in letters}, {letter.template_id for letter in letters})
    return {letter.reference for letter in letters if (letter.address, letter.template_id) in known}


def note_taken(letters: Collection[Letter]) -> None:
    """Count the letters that WeChat took in the ledger."""
    with failures.noting():
        if len(letters) == 1:
            (letter,) = letters
            consents.consumed(letter.address, letter.template_id, letter.reference)
        elif letters:
            consents.consumed_all([(letter.address, letter.template_id, letter.reference) for letter in letters])


def willing(openids: Iterable[str], template_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return which buyers (openid) allow at least one message of which template, as far as we know."""
    return consents.willing(openids, template_ids)


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """WeChat can't be asked; it tells the end by itself, with `subscribe_msg_sent_event`."""
    return None


def _allowed(letter: Letter) -> bool:
    """Raises ChannelError where the ledger can't be read: nothing was sent."""
    try:
        return consents.balances(letter.address, [letter.template_id])[letter.template_id] > 0
    except DatabaseError as error:
        raise ChannelError("授权记录暂时无法读取", code="database") from error
