"""The controls of WeChat's stand-in: what people do on their phones, how the accounts are set up, what arrived."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox import wechat_payment_controls
from sandbox.controls import BadControl, choice, flag, known_fields, number, set_manners, text
from sandbox.wechat_messages import RESULTS
from sandbox.wechat_templates import Template
from sandbox.world import World

Answer = Callable[[World, Mapping[str, Any]], Any]


def mint_login(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    known_fields(asked, "openid", "unionid")
    return {"code": world.wechat.mint_login(text(asked, "openid"), text(asked, "unionid", default=""))}


def mint_phone(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    known_fields(asked, "phone", "country_code", "openid")
    phone, country = text(asked, "phone", longest=20), text(asked, "country_code", default="86", longest=4)
    if not (phone.isascii() and phone.isdigit()):
        raise BadControl("phone", "只填数字，不带区号")
    if not (country.isascii() and country.isdigit()):
        raise BadControl("country_code", "只填数字，例如 86、852")
    return {"code": world.wechat.mint_phone(phone, country_code=country, openid=text(asked, "openid", default=""))}


def set_up(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`ip_allowed` false: token calls answer 40164. `tokens`: "expired" or "revoked", at once. Else the manners."""
    wechat = world.wechat
    allowed = flag(asked, "ip_allowed", default=wechat.ip_allowed)
    ends: dict[str, Callable[[], None]] = {"expired": wechat.expire_tokens, "revoked": wechat.revoke_tokens}
    ended = choice(asked, "tokens", ends) if "tokens" in asked else ""
    manners = set_manners(
        wechat.manners, {name: value for name, value in asked.items() if name not in ("ip_allowed", "tokens")}
    )
    if ended:
        ends[ended]()
    wechat.ip_allowed = allowed
    return {"ip_allowed": allowed, **manners}


def force(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let a call answer an errcode whatever it asks, so many times; 0 times ends it."""
    known_fields(asked, "path", "errcode", "times")
    path = choice(asked, "path", dict.fromkeys(world.wechat.routes))
    errcode = int(number(asked, "errcode", default=-1, least=-1, most=10**9))
    world.wechat.forced[path] = errcode, int(number(asked, "times", default=1, least=0, most=10**6))
    return {"forced": {path: {"errcode": code, "times": left} for path, (code, left) in world.wechat.forced.items()}}


def popup(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`pushed` false: WeChat tells nothing of it, as when the dialog was not shown."""
    known_fields(asked, "openid", "results", "pushed")
    results = asked.get("results")
    if not isinstance(results, dict) or not results or not all(result in RESULTS for result in results.values()):
        raise BadControl("results", '要填 {"模板编号": 结果}，结果只能是：' + "、".join(RESULTS))
    return world.wechat.messages.popup(text(asked, "openid"), results, pushed=flag(asked, "pushed", default=True))


def refuse(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    known_fields(asked, "openid", "template_id")
    world.wechat.messages.refuse(text(asked, "openid"), text(asked, "template_id"))
    return {}


def follow(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    known_fields(asked, "openid", "unionid", "following")
    following = flag(asked, "following", default=True)
    world.wechat.messages.follow(text(asked, "openid"), text(asked, "unionid", default=""), following=following)
    return {}


def add_template(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Add or change a template; `official`: of the official account. `banned`: 43107."""
    known_fields(asked, "title", "fields", "template_id", "banned", "official")
    fields = asked.get("fields")
    if not isinstance(fields, dict) or not fields or not all(isinstance(label, str) for label in fields.values()):
        raise BadControl("fields", '要填 {"thing1": "商品名称"}')
    template = Template(
        text(asked, "title"),
        fields,
        text(asked, "template_id", default=""),
        banned=flag(asked, "banned", default=False),
    )
    messages = world.wechat.messages
    book = messages.official_templates if flag(asked, "official", default=False) else messages.templates
    book[template.template_id] = template
    return {"template_id": template.template_id}


def templates(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    messages = world.wechat.messages
    return {
        "templates": [template.as_subscribe() for template in messages.templates.values()],
        "official": [template.as_official() for template in messages.official_templates.values()],
    }


def messages(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the phones received, oldest first, and what they still allow; of one `openid` if it is named."""
    openid, book = asked.get("openid", ""), world.wechat.messages
    return {
        "messages": [message.as_json() for message in book.received if openid in ("", message.openid)],
        "consents": [
            {"openid": who, "template_id": template_id, "balance": balance}
            for (who, template_id), balance in book.consents.items()
            if openid in ("", who)
        ],
    }


CONTROLS: Mapping[tuple[str, str], Answer] = {
    ("POST", "/wechat/code"): mint_login,
    ("POST", "/wechat/phone-code"): mint_phone,
    ("PUT", "/wechat"): set_up,
    ("POST", "/wechat/force"): force,
    ("POST", "/wechat/popup"): popup,
    ("POST", "/wechat/refuse"): refuse,
    ("POST", "/wechat/follow"): follow,
    ("POST", "/wechat/templates"): add_template,
    ("GET", "/wechat/templates"): templates,
    ("GET", "/wechat/messages"): messages,
    **wechat_payment_controls.CONTROLS,
}
"""By verb and path: who answers (world, JSON object of the body, or the query of a GET)."""
