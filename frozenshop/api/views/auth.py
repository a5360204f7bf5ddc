"""Logging in and out, and the phone."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema, sessions
from frozenshop.api.bodies import read_object, text_field
from frozenshop.api.describing import described
from frozenshop.api.replies import no_content, reply
from frozenshop.api.views.base import BuyerView, JsonView
from frozenshop.kernel import clock, crypto, throttling
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.errors import Invalid, RateLimited
from notifications.sms import codes
from notifications.wechat import client as wechat
from notifications.wechat import official
from orders import access
from orders.consignee import mask_phone
from orders.models import Customer

# One address may be a whole office or a carrier's gateway; this only keeps one machine from using up WeChat's patience.
LOGIN_RATE, LOGIN_BURST = 20.0, 400

_FIELDS = frozenset({"code", "phone", "sms_code"})
_SMS_FIELDS = frozenset({"phone", "sms_code"})


class LoginView(JsonView):
    @described(
        "用微信登录码，或手机号和短信验证码登录",
        takes=schema.CodeOrPhone,
        gives=schema.Login,
        example={"code": "0a3cXv000QyZzT1Zx0100"},
        answer={"token": "…", "sign_secret": "00…ff", "expires_in": 604800, "server_time": 1767225600},
        refusals=(413, 503),
    )
    def post(self, request: Request) -> HttpResponse:
        data = _read(request)
        wait = throttling.hit(f"login:{client_address(request._request)}", rate=LOGIN_RATE, burst=LOGIN_BURST)
        if wait is not None:
            raise RateLimited(retry_after=wait)
        if "phone" in data:
            customer = _known_by_phone(_proved_phone(data))
        else:
            session = wechat.code_to_session(text_field(data, "code"))
            customer, _ = Customer.objects.get_or_create(openid=session.openid)
            official.remember_unionid(customer, session.unionid)
        login = sessions.start(customer)
        return reply(
            {
                "token": login.token,
                "sign_secret": login.sign_secret,
                "expires_in": login.expires_in,
                "server_time": int(clock.now().timestamp()),
            }
        )


class SmsCodeView(JsonView):
    @described(
        "发送短信验证码（5 分钟内有效，最多试 5 次）",
        takes=schema.SmsCodeWanted,
        gives=schema.SmsCodeSent,
        example={"phone": "13800001234"},
        answer={"expires_in": 300, "retry_after": 60},
        refusals=(413, 503),
    )
    def post(self, request: Request) -> HttpResponse:
        data = read_object(request._request.body, only=frozenset({"phone"}))
        again = codes.send(text_field(data, "phone"), client_address(request._request))
        return reply(
            {"expires_in": int(codes.LASTS.total_seconds()), "retry_after": int(again.total_seconds())},
        )


class LogoutView(BuyerView):
    @described("退出登录", status=204)
    def post(self, request: Request) -> HttpResponse:
        sessions.revoke(self.buyer)
        return no_content()


class PhoneView(BuyerView):
    @described(
        "绑定微信或短信验证过的手机号",
        takes=schema.CodeOrPhone,
        gives=schema.Phone,
        example={"code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"},
        answer={"phone": "138****1234"},
        refusals=(413, 503),
    )
    def post(self, request: Request) -> HttpResponse:
        data = _read(request)
        customer = Customer.objects.get(pk=self.buyer.customer_id)
        if "phone" in data:
            phone = _proved_phone(data)
        else:
            phone = wechat.phone_number(text_field(data, "code"), customer.openid)
        _bind(customer, phone)
        return reply({"phone": mask_phone(phone)})


def _read(request: Request) -> dict[str, Any]:
    """Return either {"code"} or {"phone", "sms_code"}. Raises Invalid."""
    data = read_object(request._request.body, only=_FIELDS)
    if not data.keys() & _SMS_FIELDS:
        text_field(data, "code")
    elif "code" in data:
        raise Invalid(fields={"code": "与 phone、sms_code 只填一种"})
    else:
        for name in sorted(_SMS_FIELDS):
            text_field(data, name)
    return data


def _proved_phone(data: dict[str, Any]) -> str:
    return codes.verify(data["phone"], data["sms_code"])


def _known_by_phone(phone: str) -> Customer:
    """Return who is known by this phone alone, and holds it from now on.

    Never the WeChat buyer who held it: numbers are given to others, who must not see what was bought by openid.
    """
    live = crypto.blind_indexes(phone, purpose="phone")
    customer = Customer.objects.filter(phone_index__in=live, openid=None).first() or Customer.objects.create()
    _bind(customer, phone)
    return customer


def _bind(customer: Customer, phone: str) -> None:
    for moved in (customer, *access.bind_phone(customer, phone, clock.now())):
        sessions.phone_moved(moved)
