"""What a failed call of WeChat's means for a letter: the one translation of errcodes for both kinds of messages."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from django.db import DatabaseError

from frozenshop.kernel.http import ServiceError
from frozenshop.kernel.scrubbing import scrub
from notifications.channels.base import ChannelError, Letter
from notifications.wechat import templates
from notifications.wechat.errors import SAME_USER, SENDING, SENSITIVE, UNREADABLE, Meaning, WechatError

logger = structlog.get_logger(__name__)

TIMED_OUT, TOO_BUSY = 408, 503
NEW_CODE = Meaning("微信返回了没有见过的错误码", "按错误码查微信文档，必要时带 rid 联系微信客服")


def refused(channel: str, letter: Letter, error: WechatError) -> ChannelError:
    """Return how to go on after an errcode; a template that can't work is stopped."""
    if error.errcode == UNREADABLE and error.path.endswith("/send"):
        return ChannelError("微信的应答无法读取，结果未知", code="unreadable", unknown=True)
    meaning = SENDING.get(error.errcode, NEW_CODE)
    named = error.subject or "（微信没有指明）"
    reason, way_out = (text.replace("{subject}", named) for text in (meaning.reason, meaning.way_out))
    told = f"{reason}（{error.errcode}）" + (f"：{way_out}" if way_out else "")
    if meaning.template:
        with noting():
            templates.stop(channel, letter.template_id, told)
    if error.errcode == SENSITIVE:
        logger.warning("wechat.sensitive", template_id=letter.template_id, fields=_scrubbed(letter.fields))
    return ChannelError(
        f"{told} rid {error.rid}" if error.rid else told,
        code=str(error.errcode),
        permanent=meaning.waits is None and not meaning.account,
        trouble=told if meaning.account else "",
        retry_after=meaning.waits,
        channel_is_well=error.errcode == SAME_USER,
    )


@contextmanager
def noting() -> Iterator[None]:
    """What is noted beside a letter must not hide what became of it: WeChat says it again with the next one."""
    try:
        yield
    except DatabaseError:
        logger.exception("wechat.not_noted")


def unheard(error: ServiceError) -> ChannelError:
    """Return how to go on where no usable answer came.

    Nobody knows whether the letter was taken, unless nothing was sent or the gateway itself turned it away.
    """
    turned_away = error.status is not None and (error.status < 500 or error.status == TOO_BUSY)
    unknown = error.sent and (not turned_away or error.status == TIMED_OUT)
    return ChannelError(f"微信{error.detail}", code=str(error.status or ""), unknown=unknown)


def misfit(channel: str, letter: Letter) -> ChannelError | None:
    """Return the refusal of a letter that breaks the rules of its fields, before WeChat is asked."""
    if not letter.fields:
        return ChannelError("模板没有填写字段", code="no_fields", permanent=True)
    problems = templates.broken(letter.fields)
    if not problems:
        return None
    logger.warning("wechat.broken_rule", channel=channel, template_id=letter.template_id, fields=len(problems))
    return ChannelError("；".join(problems), code="field_rule", permanent=True)


def _scrubbed(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: scrub(text) for name, text in fields.items()}
