"""Addresses of the buyers' API, the merchant API, the callbacks, the driver's page and the buyers' pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path, register_converter

from frozenshop.api.errors import problem_response
from frozenshop.api.views import (
    auth,
    callbacks,
    components,
    driver,
    me,
    merchant,
    miniprogram,
    orders,
    schema,
    shop,
    sms,
    subscriptions,
    wechat_push,
)
from frozenshop.kernel.errors import NotFound


class AnyText:
    """Whatever stands in the place of a number: whether it can be one is for the view to say, after the signature."""

    regex = r"[\s\S]*"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AnyText, "any")


def unknown(request: HttpRequest) -> HttpResponse:
    """Answer for addresses of programs that don't exist, in the shape that programs read."""
    return problem_response(NotFound())


urlpatterns: list[URLPattern | URLResolver] = [
    path("api/orders", orders.OrderListView.as_view()),
    path("api/orders/counts", orders.OrderCountsView.as_view()),
    path("api/orders/statuses", orders.OrderStatusesView.as_view()),
    path("api/orders/<any:order_no>/refresh", orders.OrderRefreshView.as_view()),
    path("api/orders/<any:order_no>/confirm", orders.OrderConfirmView.as_view()),
    path("api/orders/<any:order_no>/wechat", components.OrderWechatView.as_view()),
    path("api/orders/<any:order_no>", orders.OrderView.as_view()),
    path("api/auth/login", auth.LoginView.as_view()),
    path("api/auth/sms-code", auth.SmsCodeView.as_view()),
    path("api/auth/logout", auth.LogoutView.as_view()),
    path("api/auth/phone", auth.PhoneView.as_view()),
    path("api/me", me.MeView.as_view()),
    path("api/me/notifications", me.NotificationsView.as_view()),
    path("api/subscriptions", subscriptions.SubscriptionsView.as_view()),
    path("api/subscriptions/advice", subscriptions.AdviceView.as_view()),
    path("api/shop", shop.ShopView.as_view()),
    path("api/schema/", schema.PublicSchemaView.as_view(), name="schema"),
    path("merchant/orders", merchant.OrdersView.as_view()),
    path("merchant/orders/<any:order_no>/shipments/<any:waybill_no>/events", merchant.ShipmentEventsView.as_view()),
    path("merchant/orders/<any:order_no>/events", merchant.OrderEventsView.as_view()),
    path("merchant/orders/<any:order_no>/shipments", merchant.OrderShipmentsView.as_view()),
    path("merchant/orders/<any:order_no>/shipments/<any:waybill_no>/void", merchant.ShipmentVoidView.as_view()),
    path("merchant/orders/<any:order_no>", merchant.OrderView.as_view()),
    path("callbacks/wechat", wechat_push.push),
    path("callbacks/kdniao", callbacks.push, {"provider": "kdniao"}),
    path("callbacks/cainiao", callbacks.push, {"provider": "cainiao"}),
    path("callbacks/cainiao/<str:secret>", callbacks.push, {"provider": "cainiao"}),
    path("callbacks/sf/<str:secret>", callbacks.push, {"provider": "sf"}),
    path("callbacks/kuaidi100/<str:secret>", callbacks.push, {"provider": "kuaidi100"}),
    path("callbacks/sms/aliyun/<str:secret>", sms.report, {"service": "aliyun"}),
    path("callbacks/sms/tencent/<str:secret>", sms.report, {"service": "tencent"}),
    path("d/<any:secret>", driver.driver_page),
    path("m/", miniprogram.miniprogram),
    path("m/<path:name>", miniprogram.miniprogram),
    re_path(r"^(?:api|merchant|callbacks)/", unknown),
]
