"""The shop's name and phone, for everybody."""

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema
from frozenshop.api.describing import described
from frozenshop.api.replies import reply
from frozenshop.api.views.base import JsonView


class ShopView(JsonView):
    @described("店铺名称和电话", gives=schema.Shop, answer={"name": "冻品小店", "phone": "4000000000"})
    def get(self, request: Request) -> HttpResponse:
        return reply({"name": settings.SHOP_NAME, "phone": settings.SHOP_PHONE})
