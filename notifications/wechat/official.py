"""Template messages of the official account, and which of its followers is which buyer."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from frozenshop.kernel import clock
from notifications.models import OfficialFollower, Unionid
from notifications.wechat import client
from notifications.wechat.accounts import official
from orders.models import Customer

SEND = "/cgi-bin/message/template/send"
MOST_FOLLOWERS = 2_000_000


def send(
    openid: str,
    template_id: str,
    fields: Mapping[str, str],
    page: str = "",
    *,
    reference: str = "",
    timeout: float = 10.0,
) -> str:
    """Send one message to a follower and return WeChat's id of it. Raises WechatError, ServiceError.

    WeChat sends the same `reference` to the same follower once within ten minutes.
    """
    asked: dict[str, Any] = {
        "touser": openid,
        "template_id": template_id,
        "data": {name: {"value": value} for name, value in fields.items()},
    }
    if reference:
        asked["client_msg_id"] = reference
    if page:
        asked["miniprogram"] = {"appid": settings.WECHAT_APPID, "pagepath": page}
    return str(client.authorised(SEND, asked, account=official(), timeout=timeout).get("msgid") or "")


def remember_unionid(customer: Customer, unionid: str | None) -> None:
    """Keep the identity that WeChat told at login; who has it now takes it over from an account before."""
    if not unionid or Unionid.objects.filter(customer=customer, unionid=unionid).exists():
        return
    with transaction.atomic():
        Unionid.objects.filter(unionid=unionid).exclude(customer=customer).delete()
        Unionid.objects.update_or_create(customer=customer, defaults={"unionid": unionid})


def learn_follower(openid: str) -> str:
    """Ask WeChat who a follower is, and keep it. Returns what was found out. Raises WechatError, ServiceError."""
    found = client.authorised_get("/cgi-bin/user/info", {"openid": openid, "lang": "zh_CN"}, account=official())
    unionid = str(found.get("unionid") or "")
    if not found.get("subscribe"):
        unfollowed(openid)
        return "已取消关注"
    if not unionid:
        return "没有 unionid：公众号和小程序要绑定到同一个微信开放平台账号"
    OfficialFollower.objects.update_or_create(
        unionid=unionid, defaults={"openid": openid, "following": True, "updated_at": clock.now()}
    )
    return ""


def unfollowed(openid: str) -> None:
    OfficialFollower.objects.filter(openid=openid, following=True).update(following=False, updated_at=clock.now())


def unknown_followers() -> Iterator[str]:
    """Yield followers that are not kept as such, and mark those who left. Raises WechatError, ServiceError.

    For accounts whose events were missed; asks 10,000 at a time.
    """
    present: set[str] = set()
    last = ""
    while len(present) < MOST_FOLLOWERS:
        found = client.authorised_get("/cgi-bin/user/get", {"next_openid": last}, account=official())
        page = {str(openid) for openid in (found.get("data") or {}).get("openid") or ()}
        nothing_new = page <= present
        present |= page
        last = str(found.get("next_openid") or "")
        if nothing_new or not last:
            break
    known = set()
    for openid in OfficialFollower.objects.filter(following=True).values_list("openid", flat=True).iterator():
        if openid in present:
            known.add(openid)
        else:
            unfollowed(openid)
    yield from present - known
