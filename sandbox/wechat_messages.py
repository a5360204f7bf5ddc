"""WeChat's messages: subscribe messages with their consents; the official account's templates and followers."""

import dataclasses
import re
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from sandbox import wechat_templates
from sandbox.instants import isoformat, shanghai
from sandbox.wechat_base import Platform, Refused, Routes, ok
from sandbox.wechat_rules import fits
from sandbox.wechat_templates import Template

KEPT = 2000
ONCE_SECONDS = 600
SENSITIVE = ("敏感词测试",)
SEND, OFFICIAL_SEND = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/template/send"
ACCEPTED = ("accept", "acceptWithAudio")
RESULTS = (*ACCEPTED, "reject", "ban", "filter")
STATES = ("developer", "trial", "formal")
_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PAGE = re.compile(r"([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)(?:\?.*)?")


@dataclasses.dataclass(frozen=True)
class Received:
    """What a phone shows. `fields`: by label."""

    at: float
    channel: str
    openid: str
    title: str
    fields: Mapping[str, str]
    page: str
    msgid: int

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "at": isoformat(self.at)}


class Messages:
    """Callers hold the world's lock. `consents`: how many messages (openid, template id) still allows."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.templates = {t.template_id: t for t in wechat_templates.subscribe()}
        self.official_templates = {t.template_id: t for t in wechat_templates.official()}
        self.consents = Counter[tuple[str, str]]()
        self.followers = dict[str, str]()
        self.received = deque[Received](maxlen=KEPT)
        self._once = dict[tuple[str, str], tuple[float, int]]()
        self._calls = Counter[tuple[str, str]]()

    def routes(self) -> Routes:
        return {
            SEND: ("POST", self._subscribe_send),
            "/wxaapi/newtmpl/gettemplate": ("GET", self._templates),
            "/cgi-bin/message/wxopen/template/uniform_send": ("POST", self._ended),
            OFFICIAL_SEND: ("POST", self._official_send),
            "/cgi-bin/template/get_all_private_template": ("GET", self._official_templates),
            "/cgi-bin/user/info": ("GET", self._user_info),
            "/cgi-bin/user/get": ("GET", self._users),
        }

    # --- what people do on their phones -----------------------------------------------------------

    def popup(self, openid: str, results: Mapping[str, str], *, pushed: bool = True) -> dict[str, str]:
        """Answer the dialog, and return what the mini-program is told."""
        for template_id, result in results.items():
            self.consents[openid, template_id] += result in ACCEPTED
        items = [
            {"TemplateId": template_id, "SubscribeStatusString": _pushed(result), "PopupScene": "0"}
            for template_id, result in results.items()
            if result in (*ACCEPTED, "reject")
        ]
        if items and pushed:
            self._platform.push({"FromUserName": openid, "Event": "subscribe_msg_popup_event"}, items)
        return {"errMsg": "requestSubscribeMessage:ok", **results}

    def refuse(self, openid: str, template_id: str) -> None:
        """Switch a template off in the phone's settings."""
        self.consents[openid, template_id] = 0
        item = {"TemplateId": template_id, "SubscribeStatusString": "reject"}
        self._platform.push({"FromUserName": openid, "Event": "subscribe_msg_change_event"}, [item])

    def follow(self, openid: str, unionid: str, *, following: bool) -> None:
        if following:
            self.followers[openid] = unionid
        else:
            self.followers.pop(openid, None)
        event = {"FromUserName": openid, "Event": "subscribe" if following else "unsubscribe", "EventKey": ""}
        self._platform.push(event, account=self._platform.official)

    # --- the mini-program's messages --------------------------------------------------------------

    def _subscribe_send(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._platform.check_token(query)
        self._count(SEND)
        asked = _asked(body)
        openid, template = asked["touser"], self._template(self.templates, asked)
        if template.banned:
            raise Refused(43107)
        page = self._page(asked)
        if asked.get("miniprogram_state", "formal") not in STATES:
            raise Refused(47003, "miniprogram_state invalid")
        shown = _read(template, asked.get("data"))
        if self.consents[openid, template.template_id] < 1:
            raise Refused(43101)
        self.consents[openid, template.template_id] -= 1
        msgid = self._deliver("subscribe", openid, template, shown, page)
        item = {"TemplateId": template.template_id, "MsgID": str(msgid), "ErrorCode": "0", "ErrorStatus": "success"}
        self._platform.push({"FromUserName": openid, "Event": "subscribe_msg_sent_event"}, [item], after=1)
        return ok(msgid=msgid)

    def _page(self, asked: Mapping[str, Any]) -> str:
        page = asked.get("page", "")
        if not page:
            return ""
        released = {name.strip() for name in self._platform.manners.pages.split(",") if name.strip()}
        named = _PAGE.fullmatch(page) if isinstance(page, str) else None
        if named is None or (released and named[1] not in released):
            raise Refused(41030)
        return str(page)

    def _templates(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._platform.check_token(query)
        return ok(data=[template.as_subscribe() for template in self.templates.values()])

    def _ended(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        raise Refused(45109)

    # --- the official account ---------------------------------------------------------------------

    def _official_send(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._check_official(query)
        self._count(OFFICIAL_SEND)
        asked = _asked(body)
        openid, template = asked["touser"], self._template(self.official_templates, asked)
        if openid not in self.followers:
            raise Refused(43004)
        shown = _read(template, asked.get("data"))
        now, key = self._platform.clock(), (openid, str(asked.get("client_msg_id") or ""))
        at, msgid = self._once.get(key, (0.0, 0))
        if key[1] and now - at < ONCE_SECONDS:
            return ok(msgid=msgid)
        mini = asked.get("miniprogram")
        page = str(mini.get("pagepath", "")) if isinstance(mini, dict) else str(asked.get("url", ""))
        msgid = self._deliver("official", openid, template, shown, page)
        self._once[key] = now, msgid
        event = {"FromUserName": openid, "Event": "TEMPLATESENDJOBFINISH", "MsgID": msgid, "Status": "success"}
        self._platform.push(event, account=self._platform.official, after=1)
        return ok(msgid=msgid)

    def _official_templates(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._check_official(query)
        return {"template_list": [template.as_official() for template in self.official_templates.values()]}

    def _user_info(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._check_official(query)
        openid = query.get("openid", "")
        if not _OPENID.fullmatch(openid):
            raise Refused(40003)
        if openid not in self.followers:
            return {"subscribe": 0, "openid": openid}
        return {"subscribe": 1, "openid": openid, "unionid": self.followers[openid]}

    def _users(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._check_official(query)
        known = list(self.followers)
        openids = known[known.index(last) + 1 :] if (last := query.get("next_openid", "")) in known else known
        listed = {"data": {"openid": openids}} if openids else {}
        return {"total": len(known), "count": len(openids), **listed, "next_openid": openids[-1] if openids else ""}

    def _check_official(self, query: Mapping[str, str]) -> None:
        self._platform.official.check(query.get("access_token", ""), self._platform.clock())

    # --- both -------------------------------------------------------------------------------------

    def _template(self, known: Mapping[str, Template], asked: Mapping[str, Any]) -> Template:
        template = known.get(str(asked.get("template_id", "")))
        if template is None:
            raise Refused(40037)
        return template

    def _count(self, path: str) -> None:
        """A refused call counts too."""
        now, manners = shanghai(self._platform.clock()), self._platform.manners
        day, minute = (path, f"{now:%Y-%m-%d}"), (path, f"{now:%Y-%m-%d %H:%M}")
        self._calls.update([day, minute])
        if manners.daily_quota and self._calls[day] > manners.daily_quota:
            raise Refused(45009)
        if manners.minute_quota and self._calls[minute] > manners.minute_quota:
            raise Refused(45011)

    def _deliver(self, channel: str, openid: str, template: Template, shown: Mapping[str, str], page: str) -> int:
        msgid = self._platform.rng.getrandbits(60) | 1 << 60
        now = self._platform.clock()
        self.received.append(Received(now, channel, openid, template.title, shown, page, msgid))
        return msgid


def _asked(body: Any) -> dict[str, Any]:
    if body is None:
        raise Refused(44002)
    if not isinstance(body, dict):
        raise Refused(47001)
    if not isinstance(body.get("touser"), str) or not _OPENID.fullmatch(body["touser"]):
        raise Refused(40003)
    return body


def _read(template: Template, data: Any) -> dict[str, str]:
    """Return the values by label. Data as a JSON text is the classic mistake."""
    if not isinstance(data, dict):
        raise Refused(47001)
    shown = {}
    for field, label in template.fields.items():
        entry = data.get(field)
        value = entry.get("value") if isinstance(entry, dict) else None
        if value is None or value == "":
            raise Refused(47003, f"data.{field}.value is emtpy")
        if not isinstance(value, str) or not fits(field, value, tuple(template.choices.get(field, ()))):
            raise Refused(47003, f"data.{field}.value invalid")
        if any(word in value for word in SENSITIVE):
            raise Refused(45168)
        shown[label] = value
    return shown


def _pushed(result: str) -> str:
    return "accept" if result in ACCEPTED else result
