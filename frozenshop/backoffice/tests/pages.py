"""Addresses and posts of the back office, short enough to read in a test."""

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from orders.models import Order

ORDERS = "/admin/orders/order/"
ALERTS = "/admin/orders/alert/"
BATCH = "/admin/batch/"


def page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def act(client: Client, order: Order, name: str, **data: object) -> HttpResponse:
    """Do something on the order's page and follow to where it leads."""
    return client.post(reverse("admin:orders_order_act", args=[order.pk, name]), data, follow=True)


def text(response: HttpResponse) -> str:
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def messages(response: HttpResponse) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def listed(response: HttpResponse) -> list[str]:
    """Return the rows of a list in their order."""
    return [str(row) for row in response.context["cl"].result_list]
