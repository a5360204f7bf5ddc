"""The shop's name and phone, for everybody."""

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api.replies import reply
from frozenshop.api.views.base import JsonView


class ShopView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        return reply({"name": settings.SHOP_NAME, "phone": settings.SHOP_PHONE})
