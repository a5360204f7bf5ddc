"""What the buyer allows WeChat to bring, and what is worth asking for."""

import re
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema, visible
from frozenshop.api.bodies import read_object, text_field
from frozenshop.api.describing import described, query
from frozenshop.api.replies import reply
from frozenshop.api.views.base import BuyerView
from frozenshop.kernel.errors import Invalid, NotPossible
from notifications.models import Channel, MessageTemplate
from notifications.wechat import advice, consents
from orders.models import Customer

GRANTS_AT_ONCE = 20
_GRANT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SubscriptionsView(BuyerView):
    @described(
        "记录订阅消息的授权结果",
        takes=schema.Grants,
        gives=schema.Balances,
        example={"grants": [{"template_id": "u1Yc…", "result": "accept"}], "grant_id": "b2c9c1f0"},
        answer={"results": [{"template_id": "u1Yc…", "balance": 1}], "ignored": []},
        refusals=(409, 413),
    )
    def post(self, request: Request) -> HttpResponse:
        data = read_object(request._request.body, only=frozenset({"grants", "grant_id"}))
        grant_id, results = _grant_id(data), _grants(data)
        openid = Customer.objects.get(pk=self.buyer.customer_id).openid
        if not openid:
            raise NotPossible("没有用微信登录，不能订阅微信消息")
        ours = set(
            MessageTemplate.objects.filter(channel=Channel.WECHAT_SUBSCRIBE, template_id__in=results).values_list(
                "template_id", flat=True
            )
        )
        consents.grant(openid, {name: result for name, result in results.items() if name in ours}, grant_id)
        balances = consents.balances(openid, [name for name in results if name in ours])
        return reply(
            {
                "results": [{"template_id": name, "balance": left} for name, left in balances.items()],
                "ignored": [name for name in results if name not in ours],
            }
        )


class AdviceView(BuyerView):
    @described(
        "此刻值得请求授权的订阅消息模板，最多 3 个",
        gives=schema.Advised,
        parameters=(query("order_no", "订单号；不填则按刚付款的订单"),),
        answer={
            "results": [
                {
                    "template_id": "u1Yc…",
                    "title": "订单发货通知",
                    "milestones": [{"milestone": "shipped", "label": "已发货"}],
                    "balance": 0,
                }
            ]
        },
        refusals=(404,),
    )
    def get(self, request: Request) -> HttpResponse:
        order_no = request._request.GET.get("order_no", "")
        order = visible.find(self.buyer, order_no).order if order_no else None
        customer = Customer.objects.get(pk=self.buyer.customer_id)
        return reply({"results": [_as_json(one) for one in advice.worth_asking(customer, order)]})


def _as_json(one: advice.Advice) -> dict[str, Any]:
    return {
        "template_id": one.template_id,
        "title": one.title,
        "milestones": [{"milestone": told.value, "label": told.label} for told in one.milestones],
        "balance": one.balance,
    }


def _grant_id(data: dict[str, Any]) -> str:
    grant_id = text_field(data, "grant_id", longest=64)
    if not _GRANT_ID.fullmatch(grant_id):
        raise Invalid(fields={"grant_id": "只能用字母、数字、- 和 _，最多 64 个"})
    return grant_id


def _grants(data: dict[str, Any]) -> dict[str, str]:
    """Return the result for each template. Raises Invalid naming the grant."""
    grants = data.get("grants")
    if not isinstance(grants, list) or not 1 <= len(grants) <= GRANTS_AT_ONCE:
        raise Invalid(fields={"grants": f"应为 1–{GRANTS_AT_ONCE} 个授权结果"})
    return dict(_grant(grant, f"grants[{position}]") for position, grant in enumerate(grants))


def _grant(grant: Any, path: str) -> tuple[str, str]:
    if not isinstance(grant, dict) or grant.keys() - {"template_id", "result"}:
        raise Invalid(fields={path: "应为 template_id 和 result"})
    try:
        template_id, result = (text_field(grant, name, longest=80) for name in ("template_id", "result"))
    except Invalid as error:
        raise Invalid(fields={f"{path}.{name}": told for name, told in error.fields.items()}) from error
    if not consents.is_result(result):
        raise Invalid(fields={f"{path}.result": "应为 accept、acceptWithAudio、reject、ban 或 filter"})
    return template_id, result
