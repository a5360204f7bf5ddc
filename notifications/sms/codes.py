"""Codes by SMS that prove a phone: how often they may be asked for, how they are sent, and how they are checked.

Budgets are counted from the rows of codes and the day's row, under that row's lock, so that they are exact however
many ask at once, and nothing is sent that could not be counted. They are taken before sending and stay taken.
"""

import datetime as dt
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet

from frozenshop.kernel import clock, crypto, throttling
from frozenshop.kernel.errors import Invalid, RateLimited, Unavailable
from notifications import breaker, budgets
from notifications.channels import base
from notifications.channels.base import ChannelError, Letter
from notifications.models import Channel, SmsBudget, SmsCode
from notifications.occasions import SMS
from notifications.sms.reports import CODE_REFERENCE
from orders import alerting, phones
from orders.contention import retried
from orders.models import AlertKind

logger = structlog.get_logger(__name__)

LASTS: Final = dt.timedelta(minutes=5)
TRIES: Final = 5
DIGITS: Final = 6
AGAIN_AFTER: Final = dt.timedelta(minutes=1)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
KEPT = dt.timedelta(days=2)
NOT_RECEIVED: Final = dt.timedelta(minutes=10)

PER_PHONE: Sequence[tuple[int, dt.timedelta]] = ((1, AGAIN_AFTER), (5, HOUR), (10, DAY))
"""So many in each stretch of time; the services count the same for a signature and a number."""
PER_ADDRESS: Sequence[tuple[int, dt.timedelta]] = ((30, HOUR), (100, DAY))
"""One address may be a whole office or a carrier's gateway."""
ASKED_RATE, ASKED_BURST = 1.0, 60

PURPOSE = "codes"
SEND_SECONDS = 4.0
"""For each service, while the buyer waits."""

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_CODE = re.compile(r"[0-9]{6}")
NOT_MOBILE = "请填写中国大陆的手机号"
WRONG = "验证码不对或已过期，请重新获取"


def send(phone: str, address: str) -> dt.timedelta:
    """Send a code to a phone, asked for from this address; return after how long another one may be asked for.

    Raises Invalid on "phone", RateLimited, Unavailable (no service has taken it, or nothing can be counted). The
    outcome of a service that doesn't answer is not known: the code is good all the same.
    """
    phone = mobile(phone)
    ways = _ways(phone)
    if not ways:
        raise Unavailable("短信登录没有启用，请使用微信登录")
    wait = throttling.hit(f"sms-code:{_network(address)}", rate=ASKED_RATE, burst=ASKED_BURST, strict=True)
    if wait is not None:
        raise RateLimited(retry_after=wait)
    row, code = _counted(phone, address)
    _deliver(row, ways, phone, code)
    return AGAIN_AFTER


def verify(phone: str, code: str) -> str:
    """Return the phone that the newest code proves, in its one form; the code is used up. Raises Invalid.

    Every wrong try counts, also those that come at the same time. Never call it inside a transaction: a refusal would
    take its count back.
    """
    phone, now = mobile(phone), clock.now()
    if not _CODE.fullmatch(code):
        raise Invalid(fields={"sms_code": f"请填写 {DIGITS} 位数字验证码"})
    row = _of_phone(phone).order_by("-sent_at", "-pk").first()
    right = _is_digest(row.digest if row else "", phone, code)
    unused = SmsCode.objects.filter(pk=row.pk if row else 0, used_at=None)
    tried = unused.filter(expires_at__gt=now, tries__lt=TRIES).update(tries=F("tries") + 1)
    if not (tried and right and unused.update(used_at=now)):
        raise Invalid(WRONG, fields={"sms_code": WRONG})
    return phone


def mobile(phone: str) -> str:
    """Return a mainland mobile in its one form. Raises Invalid on "phone"."""
    try:
        found = phones.normalise(phone)
    except Invalid as error:
        raise Invalid(NOT_MOBILE, fields={"phone": NOT_MOBILE}) from error
    if not _MOBILE.fullmatch(found):
        raise Invalid(NOT_MOBILE, fields={"phone": NOT_MOBILE})
    return found


def purge() -> None:
    """Forget codes that no budget counts any more, and close the alerts of budgets of former days."""
    SmsCode.objects.filter(sent_at__lt=clock.now() - KEPT).delete()
    today = budgets.day_of(clock.now())
    for days in (1, 2, 3):
        subject = _used_up(today - dt.timedelta(days=days))
        alerting.resolve_alerts(subject, [AlertKind.MESSAGING], resolution="新的一天")


# --- counting -------------------------------------------------------------------------------------


def _counted(phone: str, address: str) -> tuple[SmsCode, str]:
    """Write the code down within all budgets. Raises RateLimited."""
    _check_room(phone, address)  # so that a flood doesn't queue for the lock
    made = _write(phone, address)
    if made is None:
        _tell_used_up()
        raise RateLimited("今天的短信验证码已发完，请使用微信登录或明天再试", retry_after=_until_tomorrow())
    return made


@retried
def _write(phone: str, address: str) -> tuple[SmsCode, str] | None:
    """None: the shop's budget of the day is used up."""
    with transaction.atomic():
        today = budgets.day_of(clock.now())
        _one_at_a_time(today)
        if not budgets.take(1, purpose=PURPOSE, limit=settings.SMS_CODES_DAILY_BUDGET, day=today):
            return None
        _check_room(phone, address)
        now, code = clock.now(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        row = SmsCode.objects.create(
            phone_index=crypto.blind_index(phone, purpose="phone"),
            address_index=crypto.blind_index(_network(address), purpose="address"),
            digest=crypto.blind_index(f"{phone} {code}", purpose="sms-code"),
            sent_at=now,
            expires_at=now + LASTS,
        )
        return row, code


def _one_at_a_time(today: dt.date) -> None:
    """Lock the rows of yesterday and today: at midnight those of both days meet at one of them."""
    for day in (today - dt.timedelta(days=1), today):
        SmsBudget.objects.select_for_update().get(pk=budgets.row_of(day, PURPOSE).pk)


def _check_room(phone: str, address: str) -> None:
    live = crypto.blind_indexes(_network(address), purpose="address")
    for rows, limits in (
        (Q(phone_index__in=crypto.blind_indexes(phone, purpose="phone")), PER_PHONE),
        (Q(address_index__in=live), PER_ADDRESS),
    ):
        if wait := _wait(rows, limits):
            raise RateLimited("获取验证码太频繁，请稍后再试", retry_after=wait)


def _wait(rows: Q, limits: Sequence[tuple[int, dt.timedelta]]) -> dt.timedelta | None:
    """Return until when the longest of the limits that are reached lasts."""
    now = clock.now()
    most, longest = max(count for count, _ in limits), max(span for _, span in limits)
    recent = SmsCode.objects.filter(rows, sent_at__gt=now - longest).order_by("-sent_at")
    sent = list(recent.values_list("sent_at", flat=True)[:most])
    waits = [sent[count - 1] + span - now for count, span in limits if len(sent) >= count]
    return max((wait for wait in waits if wait > dt.timedelta(0)), default=None)


def _network(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64 that one household has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped:  # how a socket for both kinds writes IPv4
        known = known.ipv4_mapped
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else str(known)


def _tell_used_up() -> None:
    detail = (
        f"今天的短信验证码预算 {settings.SMS_CODES_DAILY_BUDGET} 条已用完，浏览器里的买家今天不能用短信登录。"
        "先查是否有人恶意获取；需要时提高 SMS_CODES_DAILY_BUDGET"
    )
    alerting.open_alert(AlertKind.MESSAGING, subject=_used_up(budgets.day_of(clock.now())), detail=detail)


def _used_up(day: dt.date) -> str:
    return f"sms-codes:{day:%Y-%m-%d}"


def _until_tomorrow() -> dt.timedelta:
    now = clock.now()
    return clock.start_of_day(budgets.day_of(now) + dt.timedelta(days=1)) - now


# --- sending --------------------------------------------------------------------------------------


def _ways(phone: str) -> list[tuple[Channel, str]]:
    """Return the services that send codes, each with its template; those out of order stand last.

    Who asks again without having used the last code has probably not received it: then the other one is first.
    """
    configured = base.configured_channels()
    templates: Mapping[str, str] = {
        Channel.SMS_ALIYUN: settings.ALIYUN_SMS_CODE_TEMPLATE,
        Channel.SMS_TENCENT: settings.TENCENT_SMS_CODE_TEMPLATE,
    }
    ways = [(channel, templates[channel]) for channel in SMS if channel in configured and templates[channel]]
    if len(ways) > 1 and _of_phone(phone).filter(used_at=None, sent_at__gt=clock.now() - NOT_RECEIVED).count() % 2:
        ways.reverse()
    closed = breaker.lanes().closed if len(ways) > 1 else frozenset()
    return sorted(ways, key=lambda way: way[0] in closed)


def _deliver(row: SmsCode, ways: Sequence[tuple[Channel, str]], phone: str, code: str) -> None:
    """Send by the first service that takes it, or whose answer is not known. Raises RateLimited, Unavailable."""
    errors: list[ChannelError] = []
    for channel, template_id in ways:
        reference = f"{CODE_REFERENCE}{secrets.token_hex(8)}"
        letter = Letter(phone, reference, template_id, _fields(channel, code))
        try:
            base.get_channel(channel).send(letter, timeout=SEND_SECONDS)
        except ChannelError as error:
            _note(channel, error)
            if error.unknown:
                return
            errors.append(error)
        else:
            _note(channel, None)
            return
    SmsCode.objects.filter(pk=row.pk).update(used_at=clock.now())
    waits = [error.retry_after for error in errors if error.retry_after]
    if len(waits) == len(errors):
        raise RateLimited("获取验证码太频繁，请稍后再试", retry_after=min(waits))
    raise Unavailable("短信暂时发不出去，请稍后再试，或使用微信登录")


def _fields(channel: str, code: str) -> dict[str, str]:
    known = {"code": code, "minutes": str(int(LASTS.total_seconds() // 60))}
    if channel == Channel.SMS_ALIYUN:
        return {"code": code}
    names = [name.strip() for name in settings.TENCENT_SMS_CODE_FIELDS.split(",")]
    return {str(place): known[name] for place, name in enumerate(names, start=1) if name in known}


def _note(channel: Channel, error: ChannelError | None) -> None:
    """Let the breaker know how the service does; what was sent is sent, also where that can't be written down."""
    log = logger.info if error is None else logger.warning
    outcome = "taken" if error is None else "unknown" if error.unknown else "refused"
    log("sms.code_sent", channel=channel, outcome=outcome, code=error.code if error else "")
    try:
        if error is None:
            breaker.succeeded(channel)
        elif error.trouble and not error.permanent:
            breaker.refused(channel, error.trouble)
        elif error.trouble:
            breaker.tell(channel, error.trouble)
        elif not error.permanent and error.retry_after is None:
            breaker.failed(channel, error.reason, probe=False)
    except DatabaseError:
        logger.exception("sms.breaker_not_told")


# --- checking -------------------------------------------------------------------------------------


def _of_phone(phone: str) -> QuerySet[SmsCode]:
    return SmsCode.objects.filter(phone_index__in=crypto.blind_indexes(phone, purpose="phone"))


def _is_digest(kept: str, phone: str, code: str) -> bool:
    """Compare under every live key, and always all of them."""
    digests = crypto.blind_indexes(f"{phone} {code}", purpose="sms-code")
    matches = [hmac.compare_digest(kept, digest) for digest in digests]
    return any(matches)
