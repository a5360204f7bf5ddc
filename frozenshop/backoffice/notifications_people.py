"""The page of messages, and the whole history of one person: found by order, waybill, phone, openid or name.

What is typed is posted and never put into an address: a person's page is named by the number of the buyer or by the
blind index of the phone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from frozenshop.backoffice import notifications_rows as rows
from frozenshop.backoffice.notifications_channels import budgets_of_days, channel_states
from frozenshop.backoffice.notifications_consents import consents_of
from frozenshop.kernel import crypto
from frozenshop.kernel.changelist import AFTER, beyond, decode_cursor, encode_cursor
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Invalid
from logistics.search import search_orders
from notifications import opt_outs, recipients
from notifications.models import Audience, Notice, OfficialFollower, Unionid
from notifications.situation import part_of
from notifications.trials import mask_openid
from orders import phones
from orders.consignee import mask_phone
from orders.models import Customer, Order

LONGEST = 200
PEOPLE_SHOWN, ORDERS_LOOKED_AT, PAGE = 20, 20, 50
KEYS = ("-created_at", "-id")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may have been told something. `remark`: how they were found."""

    recipient: str
    remark: str

    @property
    def label(self) -> str:
        return rows.person_label(self.recipient)

    @property
    def url(self) -> str:
        return rows.person_url(self.recipient)


def messages_view(request: HttpRequest) -> HttpResponse:
    """Show the day's budget, the channels and the search; a search that finds one person goes to them."""
    if not request.user.has_perm(rows.VIEW):
        raise PermissionDenied
    context: dict[str, Any] = {"people": None}
    if request.method == "POST":
        people = find(request.POST.get("q", ""))
        if len(people) == 1:
            return HttpResponseRedirect(people[0].url)
        if not people:
            messages.warning(request, "没有找到：请填写完整的订单号、运单号、手机号、openid，或收件人姓名。")
        context["people"] = people
    context |= {"title": "消息", "channels": channel_states(), "budgets": budgets_of_days()}
    answer = TemplateResponse(request, "backoffice/messages.html", {**admin.site.each_context(request), **context})
    answer["Cache-Control"] = "no-store"
    return answer


def person_view(request: HttpRequest, recipient: str) -> HttpResponse:
    """Show all that one person was told or not, with their consents and what they opted out of."""
    if not request.user.has_perm(rows.VIEW):
        raise PermissionDenied
    customer = _customer(recipient)
    names = [recipient]
    if customer is not None:
        names = [f"customer:{customer.pk}", *([f"phone:{customer.phone_index}"] if customer.phone_index else [])]
    found = Notice.objects.filter(recipient__in=names)
    if cursor := request.GET.get(AFTER):
        try:
            found = found.filter(beyond(KEYS, decode_cursor(cursor, Notice, KEYS), backwards=False))
        except IncorrectLookupParameters:
            raise Http404 from None
    notices = list(found.order_by(*KEYS)[: PAGE + 1])
    if customer is None and not notices and not cursor:
        raise Http404
    context = {
        **admin.site.each_context(request),
        "title": f"{Person(names[0], '').label} 的消息",
        "who": _facts(customer),
        "told": rows.attach(notices[:PAGE]),
        "older": encode_cursor(notices[PAGE - 1], KEYS) if len(notices) > PAGE else "",
        "first": not cursor,
        "consents": consents_of(customer),
        "unwanted": [opt_outs.TOPICS[topic] for topic in opt_outs.of(customer)] if customer else [],
    }
    return TemplateResponse(request, "backoffice/person.html", context)


def find(text: str) -> list[Person]:
    """Return whom a text may mean, without repetition."""
    typed = text.strip()[:LONGEST]
    if not typed:
        return []
    found = {person.recipient: person for person in reversed([*_named(typed)])}
    return list(found.values())[::-1][:PEOPLE_SHOWN]


def _named(text: str) -> Iterator[Person]:
    for pk in Customer.objects.filter(openid=text).values_list("pk", flat=True):
        yield Person(f"customer:{pk}", "openid 相符")
    yield from _of_phone(text)
    for order in search_orders(text).orders.select_related("customer")[:ORDERS_LOOKED_AT]:
        yield from _of_order(order)


def _of_phone(text: str) -> Iterator[Person]:
    try:
        indexes = crypto.blind_indexes(phones.normalise(text), purpose="phone")
    except Invalid:
        return
    for buyer in Customer.objects.filter(phone_index__in=indexes):
        yield Person(f"customer:{buyer.pk}", "验证过的手机号")
    for index in indexes:
        if Notice.objects.filter(recipient=f"phone:{index}").exists():
            yield Person(f"phone:{index}", "收到过短信的号码")


def _of_order(order: Order) -> Iterator[Person]:
    for one in recipients.of_order(order):
        yield Person(one.name, f"订单 {order.order_no} 的{one.audience.label}")
    told = Notice.objects.filter(order=order, audience__in=(Audience.BUYER, Audience.CONSIGNEE))
    for name in sorted(set(told.values_list("recipient", flat=True)[:100])):
        yield Person(name, f"订单 {order.order_no} 通知过")


def _customer(recipient: str) -> Customer | None:
    """Return the buyer behind a recipient. Raises Http404 for a name that is none."""
    number, index = part_of(recipient, "customer"), part_of(recipient, "phone")
    if number.isascii() and number.isdecimal() and len(number) < 19:
        customer = Customer.objects.filter(pk=int(number)).first()
        if customer is None:
            raise Http404
        return customer
    if not index:
        raise Http404
    return Customer.objects.filter(phone_index=index).first()


def _facts(customer: Customer | None) -> list[tuple[str, str]]:
    if customer is None:
        return [("身份", "没有登录过小程序，只以短信告知")]
    unionid = Unionid.objects.filter(customer=customer).values_list("unionid", flat=True).first()
    follows = bool(unionid) and OfficialFollower.objects.filter(unionid=unionid, following=True).exists()
    return [
        ("手机号", _phone(customer)),
        ("openid", mask_openid(customer.openid) if customer.openid else "没有"),
        ("公众号", "已关注" if follows else "没有关注，或不知道"),
    ]


def _phone(customer: Customer) -> str:
    try:
        phone = customer.open_phone()
    except SealBroken:
        return "（无法解密）"
    return mask_phone(phone) if phone else "没有验证过"
