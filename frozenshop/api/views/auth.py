"""Logging in and out, and the phone."""

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema, sessions
from frozenshop.api.bodies import read_object, text_field
from frozenshop.api.describing import described
from frozenshop.api.replies import no_content, reply
from frozenshop.api.views.base import BuyerView, JsonView
from frozenshop.kernel import clock, throttling
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.errors import Invalid, RateLimited
from notifications.wechat import client as wechat
from notifications.wechat import official
from orders import access
from orders.consignee import mask_phone
from orders.models import Customer

# One address may be a whole office or a carrier's gateway; this only keeps one machine from using up WeChat's patience.
LOGIN_RATE, LOGIN_BURST = 20.0, 400

_FIELDS = frozenset({"code", "phone", "sms_code"})


class LoginView(JsonView):
    @described(
        "用微信登录码登录",
        takes=schema.Code,
        gives=schema.Login,
        example={"code": "0a3cXv000QyZzT1Zx0100"},
        answer={"token": "…", "sign_secret": "00…ff", "expires_in": 604800, "server_time": 1767225600},
        refusals=(413, 503),
    )
    def post(self, request: Request) -> HttpResponse:
        code = _wechat_code(request)
        wait = throttling.hit(f"login:{client_address(request._request)}", rate=LOGIN_RATE, burst=LOGIN_BURST)
        if wait is not None:
            raise RateLimited(retry_after=wait)
        session = wechat.code_to_session(code)
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


class LogoutView(BuyerView):
    @described("退出登录", status=204)
    def post(self, request: Request) -> HttpResponse:
        sessions.revoke(self.buyer)
        return no_content()


class PhoneView(BuyerView):
    @described(
        "绑定微信验证过的手机号",
        takes=schema.Code,
        gives=schema.Phone,
        example={"code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"},
        answer={"phone": "138****1234"},
        refusals=(413, 503),
    )
    def post(self, request: Request) -> HttpResponse:
        code = _wechat_code(request)
        customer = Customer.objects.get(pk=self.buyer.customer_id)
        phone = wechat.phone_number(code, customer.openid)
        former = access.bind_phone(customer, phone, clock.now())
        for moved in (customer, *former):
            sessions.phone_moved(moved)
        return reply({"phone": mask_phone(phone)})


def _wechat_code(request: Request) -> str:
    data = read_object(request._request.body, only=_FIELDS)
    if "phone" in data or "sms_code" in data:
        raise Invalid("暂不支持短信验证码，请使用微信授权", fields={"code": "必填"})
    return text_field(data, "code")
