"""The driver's page behind a link: what to bring where, and one tap for each step. For people, in any phone's browser.

Chat apps open links to preview them. So a GET only shows: no step is taken by it, and neither telephone nor address
stand on it. Both come by a POST from the page itself, with no cookie: who knows the secret may act, nobody else can.
"""

import math
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from frozenshop.api.bodies import BUYER_BYTES, check_length
from frozenshop.api.errors import TooLarge
from frozenshop.kernel import audit, throttling
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.crypto import SealBroken
from logistics import driver_links, manual, tracking
from logistics.manual import DRIVER_REASONS, DRIVER_STEPS, MAX_REMARK, Heard
from logistics.models import DriverLink, Reason, Shipment
from orders.consignee import Consignee
from orders.reading import unprintable

LINK_RATE, LINK_BURST = 0.5, 30
GUESS_RATE, GUESS_BURST = 0.5, 30
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}
SAID = {
    Heard.RECORDED: "已记录，谢谢。",
    Heard.REPEATED: "这一步已经记录过，没有重复记录。",
    Heard.OVERTAKEN: "运单状态刚刚有变化，请看清后再点一次。",
}


@csrf_exempt
def driver_page(request: HttpRequest, secret: str) -> HttpResponse:
    """Show the parcel of a link, or record what its driver confirms. Dead links, whatever they died of, look alike."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    link = driver_links.find(secret)
    limit = (f"driver_link:{link.pk}", LINK_RATE, LINK_BURST) if link else (_guesser(request), GUESS_RATE, GUESS_BURST)
    if wait := throttling.hit(limit[0], rate=limit[1], burst=limit[2]):
        answer = _render("driver/sorry.html", {"sentence": "操作太频繁，请稍后再试。"}, status=429)
        answer["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
        return answer
    if link is None:
        return _dead()
    return _posted(request, link) if request.method == "POST" else _asked(link, request.GET.get("step", ""))


def _asked(link: DriverLink, name: str) -> HttpResponse:
    if name in manual.offered(link.shipment):
        return _confirmation(link, name)
    return _parcel(link)


def _posted(request: HttpRequest, link: DriverLink) -> HttpResponse:
    try:
        check_length(request, BUYER_BYTES)
    except TooLarge as problem:
        return _render("driver/sorry.html", {"sentence": problem.message}, status=problem.status)
    name = request.POST.get("step", "")
    if name in DRIVER_STEPS:
        return _told(request, link, name) if request.POST.get("confirmed") == "yes" else _asked(link, name)
    if "address" in request.POST:
        return _addresses(request, link)
    return _parcel(link)


def _told(request: HttpRequest, link: DriverLink, name: str) -> HttpResponse:
    reason, remark = "", ""
    if name == "failed":
        reason, remark = request.POST.get("reason", ""), request.POST.get("remark", "").strip()
        if wrong := _wrong(reason, remark):
            return _confirmation(link, name, wrong)
    turn = request.POST.get("turn", "")
    heard = manual.report_by_driver(
        link,
        name,
        turn=int(turn) if turn.isascii() and turn.isdecimal() and len(turn) <= 6 else -1,
        reason=reason if reason in DRIVER_REASONS else "",
        remark=remark,
        address=client_address(request),
    )
    if heard is Heard.ENDED:
        return _dead()
    link.shipment = Shipment.objects.select_related("carrier").get(pk=link.shipment_id)
    if not driver_links.is_live(link, link.shipment):
        return _render("driver/done.html", {"label": link.shipment.get_status_display()})
    return _parcel(link, said=SAID[heard])


def _wrong(reason: str, remark: str) -> str:
    if reason not in DRIVER_REASONS and reason != "other":
        return "请选择没有送到的原因"
    if reason == "other" and not remark:
        return "选“其他”时，请写一句说明"
    if len(remark) > MAX_REMARK or unprintable(remark):
        return f"说明最多 {MAX_REMARK} 个字，不含特殊字符"
    return ""


def _addresses(request: HttpRequest, link: DriverLink) -> HttpResponse:
    """Show the whole address and the number to call, on record."""
    audit.record(
        f"driver_link:{link.pk}",
        "driver.address_shown",
        f"shipment:{link.shipment_id}",
        details={"waybill_no": link.shipment.waybill_no},
        address=client_address(request),
    )
    return _parcel(link, in_full=True)


def _parcel(link: DriverLink, *, said: str = "", in_full: bool = False) -> HttpResponse:
    shipment = link.shipment
    orders = tracking.orders_of(shipment)
    people = [_door(who, in_full=in_full) for who in dict.fromkeys(filter(None, map(_consignee, orders)))]
    promises = [order.promised_by for order in orders if order.promised_by]
    shown = {
        "shipment": shipment,
        "people": people,
        "in_full": in_full,
        "promised_by": min(promises, default=None),
        "expires_at": link.expires_at,
        "said": said,
        "steps": list(manual.offered(shipment).items()),
    }
    return _render("driver/parcel.html", shown)


def _consignee(order: Any) -> Consignee | None:
    try:
        return order.open_consignee() if order.consignee_sealed else None
    except SealBroken:
        return None


def _door(who: Consignee, *, in_full: bool) -> dict[str, str]:
    """Return whom to meet where. The name stays masked: to find a door and to call, it isn't needed."""
    if not in_full:
        return who.masked()
    number, _, extension = who.phone.rpartition("-") if _has_extension(who.phone) else (who.phone, "", "")
    dialled = number.replace("-", "") + (f",{extension}" if extension else "")
    return {**who.in_full(), "name": who.masked()["name"], "dialled": dialled}


def _has_extension(phone: str) -> bool:
    return phone.count("-") == (2 if phone.startswith("0") else 1)


def _confirmation(link: DriverLink, name: str, wrong: str = "") -> HttpResponse:
    shown = {
        "name": name,
        "step": DRIVER_STEPS[name],
        "waybill_no": link.shipment.waybill_no,
        "turn": manual.turn_of(link.shipment),
        "reasons": [(reason.value, Reason(reason).label) for reason in DRIVER_REASONS],
        "longest": MAX_REMARK,
        "wrong": wrong,
    }
    return _render("driver/confirm.html", shown, status=400 if wrong else 200)


def _dead() -> HttpResponse:
    sentence = "这个链接已失效。如果您刚刚报告了送达，说明已经记录成功；还需要使用，请联系商家重新发送链接。"
    return _render("driver/sorry.html", {"sentence": sentence}, status=404)


def _guesser(request: HttpRequest) -> str:
    return f"driver_guess:{client_address(request)}"


def _render(template: str, shown: dict[str, Any], status: int = 200) -> HttpResponse:
    shop = {"shop_name": settings.SHOP_NAME, "shop_phone": settings.SHOP_PHONE}
    return HttpResponse(render_to_string(template, {**shop, **shown}), status=status, headers=HEADERS)
