"""Who the buyer is to us, and his own choices."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema
from frozenshop.api.bodies import read_object
from frozenshop.api.describing import described
from frozenshop.api.replies import reply
from frozenshop.api.views.base import BuyerView
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Invalid
from notifications import opt_outs
from orders import access
from orders.consignee import mask_phone
from orders.models import Customer


class MeView(BuyerView):
    @described(
        "买家自己：绑定的手机号",
        operation="api_me",
        gives=schema.Me,
        answer={"phone": "138****1234", "verify_again": False},
    )
    def get(self, request: Request) -> HttpResponse:
        customer = Customer.objects.get(pk=self.buyer.customer_id)
        phone = _phone(customer)
        return reply({"phone": phone, "verify_again": phone is not None and not access.verification_holds(customer)})


def _phone(customer: Customer) -> str | None:
    """Return the bound phone, masked; without digits where its key was lost, since it is bound all the same."""
    try:
        phone = customer.open_phone()
    except SealBroken:
        return "****"
    return mask_phone(phone) if phone else None


_EXAMPLE = {"opt_outs": ["sms"], "topics": [{"topic": "sms", "label": "短信"}, {"topic": "shipped", "label": "已发货"}]}


class NotificationsView(BuyerView):
    http_method_names = ["get", "head", "put"]

    @described("不想收到的通知", operation="api_me_notifications_get", gives=schema.OptOuts, answer=_EXAMPLE)
    def get(self, request: Request) -> HttpResponse:
        return self._chosen()

    @described(
        "选择不想收到的通知，整个替换",
        operation="api_me_notifications_put",
        takes=schema.OptOutsChosen,
        gives=schema.OptOuts,
        example={"opt_outs": ["sms"]},
        answer=_EXAMPLE,
        refusals=(413,),
    )
    def put(self, request: Request) -> HttpResponse:
        opt_outs.choose(
            self.buyer.customer(), _topics(read_object(request._request.body, only=frozenset({"opt_outs"})))
        )
        return self._chosen()

    def _chosen(self) -> HttpResponse:
        topics = [{"topic": topic, "label": label} for topic, label in opt_outs.TOPICS.items()]
        return reply({"opt_outs": opt_outs.of(Customer(pk=self.buyer.customer_id)), "topics": topics})


def _topics(data: dict[str, Any]) -> list[str]:
    chosen = data.get("opt_outs")
    if not isinstance(chosen, list):
        raise Invalid(fields={"opt_outs": "应为列表"})
    if not all(isinstance(topic, str) and topic in opt_outs.TOPICS for topic in chosen):
        raise Invalid(fields={"opt_outs": f"可用的是：{'、'.join(opt_outs.TOPICS)}"})
    return list(dict.fromkeys(chosen))
